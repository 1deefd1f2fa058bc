"""A folder of wheels from which an environment is made offline: gewu's own, what it locks, and a pip to install them.

It fetches with pip, by the hashes of the lock files, and only when a package is made; a gateway fetches nothing.
"""

import hashlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway import __version__
from gateway.errors import ConfigurationError, TryAgain
from provisioning.deb.lock import Entry, entries, platforms, requirements, wanted
from provisioning.slots import REQUIREMENTS

PYTHONS = ("3.11", "3.13")
"""Debian 12's and Debian 13's."""
_NO_WHEEL = re.compile(r"No matching distribution found for ([\w.-]+)")
_OWN = "gewu-edge"


def gather(checkout: Path, out: Path, machine: str, pythons: Sequence[str], say: Callable[[str], None]) -> None:
    """Fill the empty folder `out` with wheels for `machine` (x86_64, aarch64) and each of `pythons`.

    Raises TryAgain with pip's word where the index does not give them, ConfigurationError without pip.
    """
    if importlib.util.find_spec("pip") is None:
        raise ConfigurationError("This environment has no pip: run ./gewu test once, or install python3-venv.")
    locked = list(entries((checkout / "requirements.lock").read_text(encoding="utf-8")))
    for python in pythons:
        say(f"wheels for Python {python} on {machine}")
        _fetch([entry for entry in locked if wanted(entry, python, machine)], out, machine, python)
    installer = entries((checkout / "requirements-dev.lock").read_text(encoding="utf-8"))
    _fetch([entry for entry in installer if entry.name == "pip"], out, machine, pythons[0])
    say("gewu's own wheel")
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    _pip("wheel", "--no-deps", *isolation, "--wheel-dir", str(out), str(checkout))
    hashes = {file.name: _hash(file) for file in sorted(out.glob("*.whl")) if not file.name.startswith("pip-")}
    needed = [entry for entry in locked if any(wanted(entry, python, machine) for python in pythons)]
    own = Entry(_OWN, __version__, "", "")
    (out / REQUIREMENTS).write_text(requirements([*needed, own], hashes), encoding="utf-8")


def _fetch(needed: list[Entry], out: Path, machine: str, python: str) -> None:
    """Wheels for the target; what exists as source only is pure Python and built here."""
    target = [word for tag in platforms(machine) for word in ("--platform", tag)]
    target += ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]
    built: set[str] = set()
    while True:
        listed = out / "list.txt"
        listed.write_text("\n".join(e.without_marker() for e in needed if e.name not in built) + "\n", encoding="utf-8")
        command = ["download", "--require-hashes", "--no-deps", "--dest", str(out), *target, "-r", str(listed)]
        done = _run_pip(*command)
        missing = _NO_WHEEL.search(done.stderr) if done.returncode else None
        if missing is None:
            listed.unlink()
            if done.returncode:
                raise _failed(done)
            return
        entry = next(entry for entry in needed if entry.name == missing[1].lower())
        listed.write_text(entry.without_marker() + "\n", encoding="utf-8")
        _pip("wheel", "--require-hashes", "--no-deps", "--wheel-dir", str(out), "-r", str(listed))
        if not list(out.glob(f"{entry.name.replace('-', '_')}-{entry.version}-py3-none-any.whl")):
            raise TryAgain(f"{entry.name} {entry.version} has no wheel for {machine} and cannot be built for it here.")
        built.add(entry.name)


def _pip(*words: str) -> None:
    done = _run_pip(*words)
    if done.returncode:
        raise _failed(done)


def _run_pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", words[0], "--quiet", "--disable-pip-version-check", "--no-input"]
    return subprocess.run([*command, *words[1:]], capture_output=True, text=True, check=False)


def _failed(done: subprocess.CompletedProcess[str]) -> TryAgain:
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return TryAgain(f"pip could not bring the wheels: {said[-1] if said else 'it said nothing'}")


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
