"""The virtual village: real firmware in real MicroPython, on buses, meters and loads that are simulated.

`village.Village` wires it; `site` is its file; `gewu rig` its command. Nothing here knows a register
address or a protection rule: those are the firmware's, and the village only shows it a world.
"""
