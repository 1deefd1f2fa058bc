"""Trip curves of the firmware's real protection, run under MicroPython, beside the limits of the standards.

`bench` runs, `limits` knows the points of the standards, `picture` draws. Nothing here decides when a breaker trips.
"""
