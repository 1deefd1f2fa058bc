"""From a row of the plan to the settings of its board, with what all boards of a batch have in common.

The common part is a TOML file with the tables [breaker] and [sensor] and keys of docs/firmware.md: what is fitted, the
metering chip, the speed of the bus. It makes settings; it writes them nowhere.
"""

from pathlib import Path
from typing import Any

from gateway import tomlfile
from gateway.errors import ConfigurationError
from provisioning.calibration import GAINS
from provisioning.plan import BREAKER, PlanRow
from provisioning.settings import slot_bytes

_OF_THE_PLAN = ("role", "serial", "address", "rating", "curve", "key", "signer", *GAINS)
_ROLES = ("breaker", "sensor")
Common = dict[str, dict[str, Any]]


def read_common(path: Path | None) -> Common:
    """The common settings by role, checked. ConfigurationError names file, table and key."""
    raw = {} if path is None else tomlfile.read(path, "board settings")
    common: Common = {}
    for role in raw:
        if role not in _ROLES or not isinstance(raw[role], dict):
            raise ConfigurationError(f"{path}: {role} is no table [breaker] or [sensor].")
    for role in _ROLES:
        common[role] = dict(raw.get(role, {}))
        for key in _OF_THE_PLAN:
            if key in common[role]:
                raise ConfigurationError(f"{path}: [{role}] {key} stands in the plan, or is made for each board.")
        try:
            slot_bytes({"role": role, "serial": "x", "address": 1, "rating": 16, **common[role]}, 1)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}, [{role}]: {error}") from error
    return common


def settings_of(row: PlanRow, serial: str, key: str, signer: str, common: Common) -> dict[str, Any]:
    """The settings of one board. ConfigurationError where row and common part do not fit."""
    role = "breaker" if row.profile == BREAKER else "sensor"
    settings: dict[str, Any] = {**common[role], "role": role, "serial": serial, "address": row.address, "key": key}
    settings["rating"] = row.rating
    if row.curve is not None:
        settings["curve"] = row.curve
    if signer:
        settings["signer"] = signer
    if row.residual is not None:
        settings["protection"] = {**settings.get("protection", {}), "residual": row.residual}
    return settings
