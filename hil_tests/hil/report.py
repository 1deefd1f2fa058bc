"""What a run hands over: one document with a hash over all of it, and the pages made from it.

`document` gathers, `write` puts report.html, junit.xml and report.json into a folder, `check` says whether a folder is
still what was handed over: the pages are made anew from the document and must be the same bytes.
"""

import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway import __version__
from hil_tests.bench.row import machine
from hil_tests.hil.bench_file import BenchFile
from hil_tests.hil.verdict import Result, counted

FILES = ("report.json", "report.html", "junit.xml")


def document(bench: BenchFile, results: list[Result], began: float, ended: float, smoke: bool) -> dict[str, Any]:
    """The whole run as plain values, its `sha256` over everything else in it."""
    measured = [msgspec.to_builtins(result.measures) for result in results]
    body: dict[str, Any] = {
        "bench": _bench(bench),
        "began": _time(began),
        "ended": _time(ended),
        "smoke": smoke,
        "software": {"gewu": __version__, "python": platform.python_version(), "machine": machine()},
        "people": bench.people.model_dump(exclude={"present"}),
        "verdicts": counted(results),
        "tests": [_test(result) for result in results],
    }
    for name in ("trips", "accuracy", "latencies", "notes"):
        body[name] = [row for one in measured for row in one[name]]
    for name in ("versions", "serials", "curves"):
        body[name] = {device: text for one in measured for device, text in one[name].items()}
    return body | {"sha256": digest(body)}


def digest(body: dict[str, Any]) -> str:
    """SHA-256 over the document without its own hash, as JSON with sorted keys and no spaces."""
    rest = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write(body: dict[str, Any], folder: Path) -> None:
    """All three files, each whole or not at all."""
    from gateway.wholefile import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _pages(body).items():
        write_whole(folder / name, content)


def check(folder: Path) -> list[str]:
    """What is wrong with the report in `folder`, as sentences; nothing when it is as it was handed over."""
    try:
        contents = {name: (folder / name).read_bytes() for name in FILES}
        body = json.loads(contents["report.json"])
        stated = body["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"The report in {folder} cannot be read: {error}."]
    if digest(body) != stated:
        return [f"{folder / 'report.json'} was changed: its content does not give the hash {stated}."]
    return [
        f"{folder / name} was changed: it is not the page of the document with the hash {stated}."
        for name, content in _pages(body).items()
        if content != contents[name]
    ]


def _pages(body: dict[str, Any]) -> dict[str, bytes]:
    from hil_tests.hil.junit import junit
    from hil_tests.hil.page import page

    return {
        "report.json": (json.dumps(body, ensure_ascii=False, indent=2) + "\n").encode(),
        "report.html": page(body).encode(),
        "junit.xml": junit(body),
    }


def _bench(bench: BenchFile) -> dict[str, Any]:
    from hil_tests.hil.instruments import instruments

    allowed = [name for name in ("trip", "write", "update", "power_cut") if getattr(bench.bench, f"allow_{name}")]
    return {
        "name": bench.bench.name,
        "kind": bench.bench.kind,
        "allowed": allowed,
        "instruments": instruments(bench),
        "devices": [
            {
                "id": device.id,
                "bus": bus.name,
                "port": bus.port,
                "baud": bus.baud,
                "address": device.address,
                "profile": device.profile,
                "serial": device.serial,
                "rating": device.rating,
                "curve": device.curve,
            }
            for bus in bench.bus
            for device in bus.device
        ],
    }


def _test(result: Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "suite": result.suite,
        "title": result.title.en,
        "title_zh": result.title.zh,
        "device": result.device,
        "verdict": result.verdict,
        "seconds": result.seconds,
        "reason": result.reason.en if result.reason else None,
        "reason_zh": result.reason.zh if result.reason else None,
        "expected": result.expected or None,
        "came": result.came or None,
        "step": result.step.en if result.step else None,
        "step_zh": result.step.zh if result.step else None,
        "trace": result.trace,
        "also": result.also,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
