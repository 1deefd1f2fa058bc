"""The settings of the protection, from the object `protection` of the board's settings: names, ranges, defaults.

What is left out has its default. Kept equal to provisioning/protection_settings.py by a test. It reads no file.
"""

# Name: (default, lowest, highest). Where 0 lies below the lowest it is allowed too and means "off".
RANGES = {
    "capacity": (6000, 20, 25_000),  # A, breaking capacity of the actuator
    "nominal_voltage": (230, 100, 400),  # V, Un
    "overload_alarm": (113, 100, 144),  # percent of In
    "overvoltage_trip": (1, 1, 1),
    "overvoltage_alarm": (253, 200, 440),  # V
    "undervoltage_trip": (0, 36, 69),  # percent of Un: IEC 60947-2 must at 35, must not above 70
    "undervoltage_alarm": (80, 50, 95),  # percent of Un
    "residual": (0, 6, 1000),  # mA, rated residual current of the trip; the module's kind says how fast
    "residual_alarm": (0, 20, 1000),  # mA: the range of electrical reference "Electrical-fire detection"
    "temperature_trip": (0, 60, 140),  # degrees Celsius
    "temperature_alarm": (90, 45, 140),
    "arc_trip": (0, 1, 1),
    "reclose_wait": (60, 1, 3600),  # s after a trip
    "reclose_count": (3, 1, 20),  # closings in the window
    "reclose_window": (3600, 60, 86_400),  # s
}
NEVER_OFF = ("capacity", "nominal_voltage", "reclose_count", "reclose_window")
RESIDUAL_TYPES = ("G", "S")


class Chosen:
    """One attribute a name of RANGES, and `residual_type`. The defaults are the class's own (see settings.Settings)."""

    residual_type = "G"


for _name, _limits in RANGES.items():
    setattr(Chosen, _name, _limits[0])


def parse(record) -> Chosen:
    """The object as it stands in the settings. Raises ValueError naming the key that is wrong."""
    if not isinstance(record, dict):
        raise ValueError("protection is no object")
    chosen = Chosen()
    for name, value in record.items():
        if name == "residual_type":
            if value not in RESIDUAL_TYPES:
                raise ValueError("protection.residual_type is %s" % value)
        elif name not in RANGES:
            raise ValueError("protection.%s is unknown" % name)
        elif not _fits(name, value):
            raise ValueError("protection.%s is %s" % (name, value))
        setattr(chosen, name, value)
    return chosen


def _fits(name: str, value) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    _default, low, high = RANGES[name]
    return low <= value <= high or (value == 0 and name not in NEVER_OFF)
