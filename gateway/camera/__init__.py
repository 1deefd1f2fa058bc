"""Looking through cameras: hazards, blind cameras, crowding, blocked ways, evidence. It identifies nobody.

The rules (`blind`, `hazard`, `motion`, `occupancy`, `schedule`, `zones`) are pure; the rest are adapters around
them. The gateway runs all of it in a process of its own (`worker`), which `watch` starts, watches and restarts.
"""
