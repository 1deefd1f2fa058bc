"""The fault harness: kills at named points, power cuts and sick disks under SQLite, a sick network."""
