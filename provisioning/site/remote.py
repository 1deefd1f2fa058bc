"""A parcel to a gateway over the system's own ssh: copied to a private folder there, listed, installed, removed again.

It asks nobody itself: whether to go on, and the password of sudo, come from its caller. ssh may ask for its own.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.errors import ConfigurationError, TryAgain
from provisioning.site.parcel import SCRIPT

_PLACE = re.compile(r"^/[\w./-]+$")
_UNCHANGED = "no change"
_TAKE = 'umask 077 && d=$(mktemp -d) && tar -xf - -C "$d" && echo "$d"'

Password = Callable[[], str]


def send(folder: Path, host: str, agreed: Callable[[list[str]], bool], password: Password) -> tuple[list[str], bool]:
    """(what changes on `host`, whether it was done). `agreed(changes)` is asked before anything does.

    `password()` only where sudo there wants one. Raises TryAgain where ssh or the script there fails, with its words.
    """
    if not host or host.startswith("-") or any(character.isspace() for character in host):
        raise ConfigurationError(f'--ssh "{host}" is no host; give one as ssh takes it, such as pi@192.168.1.20.')
    with _copied(folder, host) as place:
        root, secret = _root(host, password)
        script = f"{root}sh {place}/{SCRIPT}"
        said = _ssh(host, f"{script} --list", secret)
        changes = [line.strip() for line in said.splitlines() if line.strip()]
        if changes == [_UNCHANGED]:
            return [], True
        if not agreed(changes):
            return changes, False
        _ssh(host, script, secret)
    return changes, True


@contextmanager
def _copied(folder: Path, host: str) -> Iterator[str]:
    """The folder on the host that has the parcel, as long as it is needed."""
    with subprocess.Popen(["tar", "-C", str(folder), "-cf", "-", "."], stdout=subprocess.PIPE) as packed:
        assert packed.stdout is not None  # a pipe was asked for
        place = _ssh(host, _TAKE, packed.stdout).strip()
    if not _PLACE.match(place):
        raise TryAgain(f"{host} did not say where it put the files: does its login print something else?")
    try:
        yield place
    finally:  # keys were in it
        subprocess.run(["ssh", host, f"rm -rf {place}"], stdin=subprocess.DEVNULL, check=False)


def _root(host: str, password: Password) -> tuple[str, str]:
    """(what to put before a command, what to tell it on stdin) to be root there."""
    way = _ssh(host, 'if [ "$(id -u)" = 0 ]; then echo root; elif sudo -n true; then echo free; else echo asks; fi', "")
    if way.strip() == "root":
        return "", ""
    # -S: from stdin, so that the password stands in no list of processes.
    return ("sudo -n ", "") if way.strip() == "free" else ("sudo -S -p '' ", password() + "\n")


def _ssh(host: str, command: str, told: str | IO[bytes]) -> str:
    try:
        if isinstance(told, str):
            done = subprocess.run(["ssh", host, command], input=told, capture_output=True, text=True, check=False)
        else:
            done = subprocess.run(["ssh", host, command], stdin=told, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ConfigurationError(
            "There is no ssh on this machine: type 'sudo apt-get install openssh-client'."
        ) from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise TryAgain(f"On {host}: {said[-1].removeprefix('gewu: ') if said else 'ssh failed without a word'}")
    return done.stdout
