"""Whether a board's own report shows the board that the plan names, in health. Pure."""

from collections.abc import Mapping
from typing import Any

from gateway.bus.jsonl import Report
from provisioning.plan import PlanRow

_FRESH_MS = 2000
# Bits of the report that stand for a board that must not be mounted.
_FAULTS = ("meter_fault", "safe_mode", "hardware_fault", "breaker_failure")
_SELF_TEST_FAILED = 3


def trouble_of(report: Report, plan: PlanRow, serial: str) -> str | None:
    """What is wrong with the board that says `report`, in words; None when it is well."""
    if report.trouble:
        return report.trouble
    values = report.values
    expected: list[tuple[str, object, object]] = [
        ("profile", report.profile, plan.profile),
        ("serial number", report.serial, serial),
        ("address", report.address, plan.address),
        ("rating", values.get("rating"), plan.rating),
        ("curve", values.get("curve", 0) or None, ord(plan.curve) if plan.curve and "curve" in values else None),
        ("residual current", values.get("residual_rated"), None if plan.residual is None else plan.residual / 1000),
    ]
    for name, is_now, should_be in expected:
        if should_be is not None and is_now != should_be:
            return f"its {name} is {is_now} and not {should_be}"
    return fault_of(values, measured=True)


def fault_of(values: Mapping[str, Any], measured: bool = False) -> str | None:
    """What a device that reports `values` says is wrong with it; None when it is well.

    `measured`: a device that does not say how old its measurement is counts as one that has none.
    """
    for fault in _FAULTS:
        if values.get(fault):
            return f"it reports {fault}"
    if values.get("self_test") == _SELF_TEST_FAILED:
        return "its residual-current module failed its test"
    if values.get("measure_age", _FRESH_MS if measured else 0) >= _FRESH_MS:
        return "its meter gave no value"
    return None
