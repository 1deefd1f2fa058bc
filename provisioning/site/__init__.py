"""From one site file to everything that a gateway's Raspberry Pi needs: `gewu provision gateway`."""
