"""The facts of an acceptance sheet: plan, journal, people and photos as one document, with what is still missing. Pure.

Its findings are for a person who decides whether to sign: an upstream protection that nobody named, a device that was
not verified or differs, a meter that was not calibrated. How it looks is `acceptance_page`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioning.history import Past
from provisioning.label import check_digit
from provisioning.photos import Photo
from provisioning.plan import Plan, PlanRow

VERSION = 1
_FIGURES = (
    "voltage", "current", "power", "frequency", "residual", "terminal_temperature", "thermal", "closed", "image",
    "boot_count", "uptime", "rating", "residual_rated", "breaking_capacity", "serial",
)  # fmt: skip
_NOT_MET = "not_met_"


def document(
    plan: Plan,
    known: Mapping[str, Past],
    lines: Sequence[Mapping[str, Any]],
    upstream: Mapping[str, str],
    people: Mapping[str, str],
    photos: Sequence[Photo],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The sheet. `lines` of the journal, `upstream` the certified protection by id, `about`: site, plan, at, tool."""
    images = {str(line["mac"]): str(line["sha256"]) for line in lines if line.get("do") == "flash" and "mac" in line}
    devices = [_device(row, known.get(row.id, Past()), upstream.get(row.id, ""), images) for row in plan.rows]
    strangers = _strangers(lines)
    return {
        "v": VERSION,
        "kind": "acceptance",
        **about,
        "people": dict(people),
        "findings": [*_findings(devices), *(f"{one['address']}: {one['differences'][0]}" for one in strangers)],
        "devices": devices,
        "strangers": strangers,
        "photos": [{"caption": one.caption, "sha256": one.sha256, "bytes": len(one.data)} for one in photos],
    }


def _device(row: PlanRow, past: Past, upstream: str, images: Mapping[str, str]) -> dict[str, Any]:
    values = past.verify["values"] if past.verify else {}
    return {
        **{name: value for name, value in row.as_json().items() if name not in ("row", "serial", "upstream")},
        "upstream": upstream or None,
        "serial": past.serial or row.serial,
        "check": check_digit(past.serial or row.serial or "") if past.serial or row.serial else None,
        "chip": past.uid,
        "micropython": past.micropython,
        "image_sha256": images.get(past.uid or ""),
        "settings": past.settings,
        "calibration": past.calibration,
        "commissioned": past.commission["at"] if past.commission else None,
        "update": None if past.update is None else {n: past.update.get(n) for n in ("at", "state", "version")},
        "verified": None if past.verify is None else _verified(past.verify, values),
        "trips": [
            {name: one.get(name) for name in ("at", "ok", "by", "second", "opened_s", "before_a", "after_a", "why")}
            for one in past.trips
        ],
    }


def _verified(line: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": line["at"],
        "ok": line["ok"],
        "differences": line["differences"],
        "release": line.get("release") or None,
        "figures": {name: values[name] for name in _FIGURES if name in values},
        "not_met": sorted(name.removeprefix(_NOT_MET) for name in values if name.startswith(_NOT_MET) and values[name]),
    }


def _findings(devices: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each, those that several devices share said once."""
    found: dict[str, list[str]] = {}
    for one in devices:
        for sentence in _of_device(one):
            found.setdefault(sentence, []).append(one["id"])
    return [f"{', '.join(names)}: {sentence}" for sentence, names in found.items()]


def _of_device(one: Mapping[str, Any]) -> Iterator[str]:
    if one["circuit"] and one["upstream"] is None:
        yield "no certified upstream protection is named 未填写上级认证断路器"
    if one["verified"] is None:
        yield "not verified 未核验"
    else:
        yield from one["verified"]["differences"]
    if is_uncalibrated(one["calibration"]) and one["commissioned"]:
        yield "its meter is not calibrated, do not bill by it 电表未校准，不得用于计费"
    for trip in one["trips"][-1:]:
        if not trip["ok"]:
            yield f"test trip: {trip['why']}"


def is_uncalibrated(calibration: Any) -> bool:
    """Whether the journal has no calibration against a reference for a board."""
    return calibration is None or (isinstance(calibration, str) and calibration.startswith("none"))


def _strangers(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Who answered without a row at the newest verification."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if line.get("do") == "verify-begun":
            found = []
        elif line.get("do") == "verify" and line.get("id") is None:
            found.append({name: line[name] for name in ("at", "address", "differences")})
    return found
