"""What a value is in Home Assistant: a sensor or a binary sensor, with class, unit and name. Pure.

Nothing here can be switched: the only platforms are `sensor` and `binary_sensor`, which have no command topic, so a
breaker is read there and nothing else. Keys and classes are those of Home Assistant's MQTT discovery by device (2024.11
and later).
"""

import hashlib
import re
from typing import Any

from gateway.names import called
from gateway.profile import Register
from gateway.profile.model import BIT_KINDS

PLATFORMS = ("sensor", "binary_sensor")
Component = dict[str, Any]

_MEASURED = "measurement"
# unit: (device class, unit as Home Assistant spells it); a class demands its units there.
_BY_UNIT: dict[str, tuple[str, str | None]] = {
    "V": ("voltage", "V"), "A": ("current", "A"), "W": ("power", "W"), "VA": ("apparent_power", "VA"),
    "var": ("reactive_power", "var"), "kWh": ("energy", "kWh"), "Hz": ("frequency", "Hz"),
    "°C": ("temperature", "°C"), "s": ("duration", "s"), "ms": ("duration", "ms"), "ppm": ("carbon_dioxide", "ppm"),
    "ppb": ("volatile_organic_compounds_parts", "ppb"), "lx": ("illuminance", "lx"), "dB": ("sound_pressure", "dB"),
    "m³/h": ("volume_flow_rate", "m³/h"), "m/s": ("speed", "m/s"), "pH": ("ph", None),
}  # fmt: skip
_BY_NAME = {"humidity": "humidity", "water_content": "moisture"}
_TRUE_IS = {
    "smoke": "smoke", "gas": "gas", "water": "moisture", "door_open": "door", "motion": "motion",
    "occupied": "occupancy", "presence": "occupancy", "sos": "safety", "tripped": "problem", "overload": "problem",
    "arc": "problem", "breaker_failure": "problem", "fault": "problem", "alarm": "problem", "warning": "problem",
    "locked_out": "problem", "withheld": "problem", "safe_mode": "problem", "prealarm": "problem",
}  # fmt: skip
_PROBLEMS = ("_alarm", "_fault", "_error")


def value(name: str, register: Register, language: str) -> Component:
    """The entity of one value, without topics and ids."""
    if register.kind in BIT_KINDS or register.type in ("bool", "bits"):
        found = _binary(name)
    else:
        found = _sensor(name, register)
    if register.poll in ("once", "slow"):
        found["entity_category"] = "diagnostic"
    return {"name": called("values", name, language), **found}


def event(kind: str, language: str) -> Component:
    """The entity of one kind of event: on while it lasts."""
    return {
        "name": called("events", kind, language),
        "platform": "binary_sensor",
        "device_class": "problem",
        "value_template": _on_off(kind),
    }


def object_id(text: str) -> str:
    """`text` as an id of discovery (letters, digits, "_", "-"), still different for different texts."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', text)}-{digest}"


def entity_id(platform: str, owner: str, name: str) -> str:
    """The id that an entity begins with, the same in every language: sensor.b0101_voltage."""
    return f"{platform}.{re.sub(r'[^a-z0-9]+', '_', f'{owner}_{name}'.lower()).strip('_')}"


def _binary(name: str) -> Component:
    found: Component = {"platform": "binary_sensor", "value_template": _on_off(name)}
    kind = _TRUE_IS.get(name) or ("moisture" if name.startswith("leak_") else None)
    if kind is None and name.endswith(_PROBLEMS):
        kind = "problem"
    return found | ({"device_class": kind} if kind else {})


def _sensor(name: str, register: Register) -> Component:
    found: Component = {"platform": "sensor", "value_template": f"{{{{ value_json['{name}'] }}}}"}
    if register.type == "string":
        return found
    kind, unit = _BY_UNIT.get(register.unit, (None, register.unit or None))
    kind = _BY_NAME.get(name, kind)
    if name.startswith("power_factor"):
        kind = "power_factor"
    # Energy only grows, but for one: what a meter calls the sum of import and export does too.
    found["state_class"] = "total_increasing" if kind == "energy" else _MEASURED
    return found | ({"device_class": kind} if kind else {}) | ({"unit_of_measurement": unit} if unit else {})


def _on_off(name: str) -> str:
    """ON, OFF, or None for an unknown state, which Home Assistant shows as such."""
    held = f"value_json['{name}']"
    return f"{{{{ None if {held} is none else ('ON' if {held} else 'OFF') }}}}"
