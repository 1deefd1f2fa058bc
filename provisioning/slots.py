"""Two environments, `a` and `b`, and a link `current` to the one that runs: switched whole, tried, kept or left again.

The package installs this file beside the environments and systemd runs it before every start of the gateway, with the
system's Python and nothing else: so it imports the standard library only, and a broken environment cannot break it.
It starts and stops no service, and knows nothing of what is inside an environment but how to ask for its version.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("a", "b")
CURRENT, TRIAL, RECORD, WHOLE = "current", "trial.json", "record.jsonl", ".whole"
REQUIREMENTS = "requirements.txt"
ROOT_TOOL = "/usr/sbin/gewu-root"
STARTS = 4
"""So often may the gateway start on trial: once after the switch, and three more after crashes or cuts of power."""
POINTS = ("building", "built", "whole", "noted", "switched", "leaving", "left", "recorded")


_hook: Callable[[str], None] | None = None


class SlotError(Exception):
    """An environment could not be made or switched; what ran before still runs. The message is a sentence."""


def watch(hook: Callable[[str], None]) -> None:
    """Call `hook` at each of `POINTS`; for tests that cut the power there."""
    global _hook
    _hook = hook


def _reached(point: str) -> None:
    if _hook is not None:
        _hook(point)


def current(home: Path) -> str | None:
    """The slot that `current` names, None before the first installation."""
    link = home / CURRENT
    return link.readlink().name if link.is_symlink() else None


def free(home: Path) -> str:
    """The slot that may be written to."""
    return NAMES[1] if current(home) == NAMES[0] else NAMES[0]


def whole(home: Path, slot: str | None) -> dict[str, Any] | None:
    """What the environment in `slot` is (`version`, `wheels`), None where none was finished."""
    return _read(home / slot / WHOLE) if slot else None


def trial(home: Path) -> dict[str, Any] | None:
    """The trial under way: `slot`, `from`, `version`, `starts` left, `known` findings; None where there is none."""
    return _read(home / TRIAL)


def digest(wheels: Path) -> str:
    """What tells one set of wheels from another: the SHA-256 of its list, which holds the hash of each."""
    return hashlib.sha256((wheels / REQUIREMENTS).read_bytes()).hexdigest()


def build(home: Path, wheels: Path, python: str = sys.executable) -> str:
    """Make an environment of `wheels` in the free slot, offline, each wheel checked against its hash; its slot.

    Raises SlotError; then the slot is empty and `current` untouched. The environment is on disk when this returns.
    """
    if trial(home) is not None:
        raise SlotError("An environment is on trial, and the one before it is still needed: wait until it is judged.")
    slot = free(home)
    place = home / slot
    try:
        shutil.rmtree(place, ignore_errors=True)
        _reached("building")
        _run(python, "-m", "venv", "--without-pip", str(place))
        inside = str(place / "bin/python")
        pip = next(iter(sorted(wheels.glob("pip-*.whl"))), None)
        if pip is None or not (wheels / REQUIREMENTS).is_file():
            raise SlotError(f"{wheels} holds no pip and no {REQUIREMENTS}: it is no folder of wheels of gewu.")
        _run(inside, str(pip / "pip"), "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir",
             "--disable-pip-version-check", "--require-hashes", "--find-links", str(wheels),
             "-r", str(wheels / REQUIREMENTS))  # fmt: skip
        said = _run(inside, "-P", "-m", "gateway", "--version").split()
    except (OSError, SlotError):
        shutil.rmtree(place, ignore_errors=True)
        raise
    _reached("built")
    # Thousands of files: the whole file system once is quicker than each alone, and happens before the mark.
    os.sync()
    _write(place / WHOLE, {"version": said[-1], "wheels": digest(wheels)})
    _reached("whole")
    return slot


def switch(home: Path, slot: str, known: list[str] | None = None, stores: list[tuple[str, str]] | None = None) -> None:
    """Let `current` be `slot` from the next start on; on trial where another environment ran before.

    `known`: the findings that the machine had before, which are not the new environment's fault. `stores`: databases
    that the new environment will change for good, as (copy, place): on return the copy takes its place again.
    """
    new, before = whole(home, slot), current(home)
    if new is None:
        raise SlotError(f"The environment {slot} is not finished; nothing was switched.")
    if before is not None and before != slot and whole(home, before) is not None:
        facts = {"slot": slot, "from": before, "version": new["version"], "starts": STARTS}
        _write(home / TRIAL, facts | {"known": known or [], "stores": stores or []})
    _reached("noted")
    _point(home, slot)
    _reached("switched")
    note(home, what="switched", slot=slot, version=new["version"])


def starting(home: Path) -> str | None:
    """Before each start: finish what a cut of power interrupted, count the start, leave what does not come up.

    Returns the sentence of why the environment was left, None where all is as it was.
    """
    facts = trial(home)
    if facts is None:
        return None
    if facts.get("why") is not None:
        return back(home, facts["why"])
    if current(home) != facts["slot"]:  # the power went before the switch
        _remove(home / TRIAL)
        return None
    if facts["starts"] <= 0:
        return back(home, f"version {facts['version']} did not stay up in {STARTS} starts")
    _write(home / TRIAL, facts | {"starts": facts["starts"] - 1})
    return None


def keep(home: Path) -> None:
    """The environment on trial is well: it stays."""
    facts = trial(home)
    if facts is not None:
        note(home, what="kept", slot=facts["slot"], version=facts["version"])
        _remove(home / TRIAL)
        for copy, _ in facts["stores"]:
            Path(copy).unlink(missing_ok=True)


def back(home: Path, why: str) -> str | None:
    """Leave the environment on trial for the one before; `why`, or None where there is no trial."""
    facts = trial(home)
    if facts is None:
        return None
    _write(home / TRIAL, facts | {"why": why})  # from here on a cut of power is finished by `starting`
    _reached("leaving")
    for copy, place in facts["stores"]:
        _put_back(Path(copy), Path(place))
    _point(home, facts["from"])
    _reached("left")
    last = (lines(home) or [{}])[-1]
    if (last.get("what"), last.get("slot")) != ("returned", facts["slot"]):
        note(home, what="returned", slot=facts["slot"], version=facts["version"], to=facts["from"], why=why)
    _reached("recorded")
    _remove(home / TRIAL)
    return why


def judge(
    home: Path, healthy: Callable[[list[str]], str | None], deadline_s: float, pause_s: float = 2.0
) -> str | None:
    """Watch the trial until it is well, or its time is over and it is left; None for well, else why it was left.

    `healthy(known findings)` says None, or what is wrong now. One judge at a time: a second waits and sees the result.
    """
    with _alone(home):
        end = time.monotonic() + deadline_s
        while (facts := trial(home)) is not None:
            wrong = healthy(facts["known"])
            if wrong is None:
                keep(home)
                return None
            if time.monotonic() >= end:
                return back(home, f"version {facts['version']} was not well after {deadline_s:g} s: {wrong}")
            time.sleep(pause_s)
    last = (lines(home) or [{}])[-1]
    return str(last.get("why")) if last.get("what") == "returned" else None


def note(home: Path, **line: Any) -> None:
    """Add a line to the record, on disk when this returns."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    data = json.dumps({"at": at, **line}, ensure_ascii=False).encode() + b"\n"
    file = os.open(home / RECORD, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        os.write(file, b"\n" * torn + data)
        os.fsync(file)
    finally:
        os.close(file)


def lines(home: Path) -> list[dict[str, Any]]:
    """The whole lines of the record."""
    found = []
    for text in (home / RECORD).read_bytes().split(b"\n") if (home / RECORD).is_file() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # torn by a cut, or empty
        found.append(line)
    return found


def doctor(home: Path, config: Path) -> list[str] | None:
    """The findings of the current environment's `gewu doctor` without their figures; None where it does not answer."""
    command = [str(home / CURRENT / "bin/python"), "-P", "-m", "gateway", "doctor", "--json", "--config", str(config)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        found = json.loads(done.stdout)["findings"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return ["".join("#" if c.isdigit() else c for c in finding["what"]) for finding in found]


def schema(home: Path, slot: str) -> int | None:
    """The schema of the outbox that the environment in `slot` writes; None where it does not say."""
    ask = "from gateway.outbox.migrations import released; print(released()[-1][0])"
    try:
        return int(_run(str(home / slot / "bin/python"), "-P", "-c", ask))
    except (OSError, SlotError, ValueError):
        return None


def healthy(home: Path, config: Path) -> Callable[[list[str]], str | None]:
    """What `judge` asks: the gateway answers, and nothing is wrong that was not wrong before."""

    def look(known: list[str]) -> str | None:
        found = doctor(home, config)
        if found is None:
            return "gewu doctor does not answer"
        return next((what for what in found if what not in known), None)

    return look


def _put_back(copy: Path, place: Path) -> None:
    """What the newer environment wrote is kept beside it, under its own name."""
    if not copy.exists():  # done before the power went
        return
    if place.exists():
        place.replace(place.with_name(place.name + ".newer"))
    for ending in ("-wal", "-shm"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
    copy.replace(place)
    _sync(place.parent)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / "judge.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _writable(home: Path) -> Iterator[None]:
    """During a trial `home` is written to: on a read-only root that is opened, and closed by whoever ends the trial."""
    closed = trial(home) is not None and not os.access(home, os.W_OK) and Path(ROOT_TOOL).exists()
    if closed:
        subprocess.run([ROOT_TOOL, "open"], check=False)
    try:
        yield
    finally:
        if closed and trial(home) is None:
            subprocess.run([ROOT_TOOL, "close"], check=False)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SlotError(f"{Path(command[0]).name} could not make the environment: {said[-1] if said else 'no word'}")
    return done.stdout


def _point(home: Path, slot: str) -> None:
    new = home / (CURRENT + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(slot)
    new.replace(home / CURRENT)
    _sync(home)


def _write(path: Path, facts: dict[str, Any]) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(facts, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _install(home: Path, wheels: Path, config: Path) -> None:
    """What the package's postinst does: the environment of its wheels, current; again changes nothing."""
    home.mkdir(parents=True, exist_ok=True)
    now = whole(home, current(home))
    if now is not None and now["wheels"] == digest(wheels):
        print(f"gewu {now['version']} is installed already: no change.")
        return
    known = doctor(home, config) if now is not None and config.is_file() else None
    before = current(home)
    slot = build(home, wheels)
    switch(home, slot, known)
    # No trial where nothing runs, nor where the one before could not read what the new one makes of the store.
    if not config.is_file() or (before is not None and schema(home, before) != schema(home, slot)):
        keep(home)
    print(f"gewu {(whole(home, slot) or {})['version']} is in {home / slot}.")


def look(home: Path, config: Path, deadline_s: float, pause_s: float = 2.0) -> str | None:
    """What the judge in its sandbox does: watch the trial and write nothing; None for well (or no trial)."""
    well, end = healthy(home, config), time.monotonic() + deadline_s
    while (facts := trial(home)) is not None and (wrong := well(facts["known"])) is not None:
        if time.monotonic() >= end:
            return wrong
        time.sleep(pause_s)
    return None


def verdict(home: Path, status: str) -> str | None:
    """What root does with the judge's exit status: 0 keeps, 1 leaves (the sentence is returned), others wait."""
    facts = trial(home)
    if status == "0":
        keep(home)
    elif status == "1" and facts is not None:
        return back(home, f"version {facts['version']} was not well in its time: journalctl -u gewu-trial says more")
    return None


def main(arguments: list[str]) -> int:
    """`slots.py install|starting|look|verdict`, as the package and systemd call it."""
    parser = argparse.ArgumentParser(description="The two environments of a gateway.")
    parser.add_argument("do", choices=("install", "starting", "look", "verdict"))
    parser.add_argument("--home", type=Path, default=Path("/opt/gewu"))
    parser.add_argument("--wheels", type=Path, default=Path("/usr/share/gewu/wheels"))
    parser.add_argument("--config", type=Path, default=Path("/etc/gewu/gewu.toml"))
    parser.add_argument("--deadline", type=float, default=180.0)
    parser.add_argument("--status", default="")
    given = parser.parse_args(arguments)
    try:
        return _do(given)
    except (OSError, SlotError) as error:
        print(f"gewu: {error}", file=sys.stderr)
        # A gateway that starts on a full or read-only disk is better than none; a judge that fails is no verdict.
        return {"starting": 0, "look": 2}.get(given.do, 1)


def _do(given: argparse.Namespace) -> int:
    why = None
    if given.do == "install":
        _install(given.home, given.wheels, given.config)
    elif given.do == "look":
        if (wrong := look(given.home, given.config, given.deadline)) is not None:
            print(f"gewu: not well: {wrong}", file=sys.stderr)
            return 1
    else:
        with _writable(given.home):
            why = starting(given.home) if given.do == "starting" else verdict(given.home, given.status)
    if why is not None:
        print(f"gewu: returned to the environment before: {why}", file=sys.stderr)
    # After a verdict that leaves it, the gateway is to be started anew: 3 says so.
    return 3 if why is not None and given.do == "verdict" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
