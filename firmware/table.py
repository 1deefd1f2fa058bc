"""The registers of each role. `gewu firmware build` makes it from gateway/profiles/*.toml: do not edit.

A role is (vendor, name, model, flags, fields). Flags by kind (coil, discrete, holding, input), a byte an address:
1 exists, 2 may be written, 4 continues the value before. Fields are (name, kind, address, words, form, decimals,
lowest, highest): form 0 unsigned, 1 signed, 2 text, 3 boolean, or the bits with their names; highest -1 unbounded.
"""

# fmt: off
# ruff: noqa: E501

BREAKER = (
    b"Gewu",
    b"gewu-breaker",
    b"1P+N 63 A",
    (
        b"\x03\x03",
        b"\x01\x01",
        b"\x01\x01\x01\x05\x05\x05\x05\x05\x05\x05\x03\x03\x07",
        b"\x01\x01\x01\x01\x01\x05\x01\x05\x01\x01\x05\x01\x01\x05\x01\x01\x01\x05\x01\x05\x01\x01\x01\x05\x01\x05",
    ),
    (
        (b"sequence", 3, 0, 1, 0, 0, 0, -1),
        (b"state", 3, 1, 1, ((0, b"closed"), (1, b"tripped"), (2, b"overload"), (3, b"breaker_failure"), (4, b"meter_fault"), (5, b"safe_mode"),), 0, 0, -1),
        (b"cause", 3, 2, 1, 0, 0, 0, -1),
        (b"trip_count", 3, 3, 1, 0, 0, 0, -1),
        (b"trip_age", 3, 4, 2, 0, 0, 0, -1),
        (b"trip_current", 3, 6, 2, 0, 3, 0, -1),
        (b"measure_age", 3, 8, 1, 0, 0, 0, -1),
        (b"current", 3, 9, 2, 0, 3, 0, -1),
        (b"voltage", 3, 11, 1, 0, 1, 0, -1),
        (b"power", 3, 12, 2, 1, 1, 0, -1),
        (b"frequency", 3, 14, 1, 0, 2, 0, -1),
        (b"thermal", 3, 15, 1, 0, 1, 0, -1),
        (b"energy", 3, 16, 2, 0, 3, 0, -1),
        (b"uptime", 3, 18, 2, 0, 0, 0, -1),
        (b"boot_count", 3, 20, 1, 0, 0, 0, -1),
        (b"reset_cause", 3, 21, 1, 0, 0, 0, -1),
        (b"bus_frames", 3, 22, 2, 0, 0, 0, -1),
        (b"bus_crc_errors", 3, 24, 2, 0, 0, 0, -1),
        (b"rating", 2, 0, 1, 0, 0, 0, -1),
        (b"curve", 2, 1, 1, 0, 0, 0, -1),
        (b"serial", 2, 2, 8, 2, 0, 0, -1),
        (b"identify_seconds", 2, 10, 1, 0, 0, 0, 600),
        (b"clock", 2, 11, 2, 0, 0, 0, -1),
        (b"identify", 0, 0, 1, 3, 0, 0, -1),
        (b"silence", 0, 1, 1, 3, 0, 0, -1),
        (b"contact", 1, 0, 1, 3, 0, 0, -1),
        (b"alarm_lamp", 1, 1, 1, 3, 0, 0, -1),
    ),
)

SENSOR = (
    b"Gewu",
    b"gewu-sensor",
    b"metering sensor",
    (
        b"\x03\x03",
        b"\x01",
        b"\x01\x01\x05\x05\x05\x05\x05\x05\x05\x03\x03\x07",
        b"\x01\x01\x01\x01\x05\x01\x01\x05\x01\x01\x05\x01\x05\x01\x01\x01\x05\x01\x05",
    ),
    (
        (b"sequence", 3, 0, 1, 0, 0, 0, -1),
        (b"state", 3, 1, 1, ((2, b"overload"), (4, b"meter_fault"), (5, b"safe_mode"),), 0, 0, -1),
        (b"measure_age", 3, 2, 1, 0, 0, 0, -1),
        (b"current", 3, 3, 2, 0, 3, 0, -1),
        (b"voltage", 3, 5, 1, 0, 1, 0, -1),
        (b"power", 3, 6, 2, 1, 1, 0, -1),
        (b"frequency", 3, 8, 1, 0, 2, 0, -1),
        (b"energy", 3, 9, 2, 0, 3, 0, -1),
        (b"uptime", 3, 11, 2, 0, 0, 0, -1),
        (b"boot_count", 3, 13, 1, 0, 0, 0, -1),
        (b"reset_cause", 3, 14, 1, 0, 0, 0, -1),
        (b"bus_frames", 3, 15, 2, 0, 0, 0, -1),
        (b"bus_crc_errors", 3, 17, 2, 0, 0, 0, -1),
        (b"rating", 2, 0, 1, 0, 0, 0, -1),
        (b"serial", 2, 1, 8, 2, 0, 0, -1),
        (b"identify_seconds", 2, 9, 1, 0, 0, 0, 600),
        (b"clock", 2, 10, 2, 0, 0, 0, -1),
        (b"identify", 0, 0, 1, 3, 0, 0, -1),
        (b"silence", 0, 1, 1, 3, 0, 0, -1),
        (b"alarm_lamp", 1, 0, 1, 3, 0, 0, -1),
    ),
)
