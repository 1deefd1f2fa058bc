"""What a device on the bus says of itself, held against the plan and the journal: a sentence for each difference. Pure.

It reads nothing and asks nobody. What a breaker merely reports (that it is open, what it measures) is no difference.
"""

from collections.abc import Mapping
from typing import Any

from provisioning.history import Past
from provisioning.plan import BREAKER, PlanRow
from provisioning.self_test import fault_of

_PROVEN = "proven"
_REMOTE = 8  # the cause of a breaker that was told to open, as by a test trip


def differences(plan: PlanRow, past: Past, values: Mapping[str, Any], release: str) -> list[str]:
    """`values` by name as the profile decodes them, `release` the version that its identification gives."""
    return [*_of_the_plan(plan, values), *_of_the_journal(plan, past, values, release), *_of_itself(values)]


def _of_the_plan(plan: PlanRow, values: Mapping[str, Any]) -> list[str]:
    found = []
    curve = values.get("curve")
    shown = chr(int(curve)) if isinstance(curve, int | float) and 0 < curve < 128 else curve
    planned: list[tuple[str, object, object, str]] = [
        ("rating", values.get("rating"), plan.rating, " A"),
        ("curve", shown, plan.curve, ""),
        ("rated residual current", _milli(values.get("residual_rated")), plan.residual, " mA"),
    ]
    for name, is_now, should_be, unit in planned:
        if should_be is not None and is_now is not None and is_now != should_be:
            found.append(f"{name}: {is_now}{unit}, the plan says {should_be}{unit}")
    if plan.profile == BREAKER and plan.residual and values.get("not_met_residual"):
        found.append(f"residual protection: the plan says {plan.residual} mA, and no module that trips is fitted")
    return found


def _of_the_journal(plan: PlanRow, past: Past, values: Mapping[str, Any], release: str) -> list[str]:
    found = []
    serial = past.serial or plan.serial
    if serial is not None and "serial" in values and values["serial"] != serial:
        where = "journal" if past.serial else "plan"
        found.append(f"serial number: {values['serial']}, the {where} says {serial}")
    if plan.own and past.commission is None:
        found.append("commissioning: the journal has none of this device")
    now = values.get("settings_digest")
    if past.settings is not None and now is not None and f"{int(now):08x}" != past.settings:
        found.append(
            f"settings: their digest is {int(now):08x} and was {past.settings} when it was commissioned; "
            "somebody has changed them since"
        )
    update = past.update
    if update is not None and update.get("state") == _PROVEN and release and release != update.get("version"):
        found.append(f"firmware: {release}, and {update.get('version')} was brought onto it")
    return found


def _of_itself(values: Mapping[str, Any]) -> list[str]:
    fault = fault_of(values)
    found = [] if fault is None else [f"health: {fault}"]
    if values.get("tripped") and values.get("cause") != _REMOTE:
        found.append(f"health: it has tripped (cause {values.get('cause')}) and nobody has acknowledged it")
    return found


def _milli(amperes: object) -> int | None:
    return round(float(amperes) * 1000) if isinstance(amperes, int | float) else None
