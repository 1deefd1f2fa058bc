"""The machine under an update: systemd's gateway, and a root that may have to be opened for writing."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import ConfigurationError, GewuError

_UNIT = "gewu.service"


class Systemd:
    """The unit `gewu.service`."""

    def stop(self) -> None:
        """End the gateway."""
        self._do("stop")

    def start(self) -> None:
        """Start it; returns when it has said that it is ready."""
        self._do("start")

    def restart(self) -> None:
        """End it and start it."""
        self._do("restart")

    def _do(self, what: str) -> None:
        try:
            done = subprocess.run(["systemctl", what, _UNIT], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise ConfigurationError("There is no systemd here: updates are for a gateway that it runs.") from None
        # A start that fails is no end of the update: the judge sees it, and goes back.
        if done.returncode != 0 and what == "stop":
            said = done.stderr.strip().splitlines()
            raise GewuError(f"systemctl {what} {_UNIT} failed: {said[-1] if said else 'it said nothing'}")


@contextmanager
def writable_root(flag: Path = Path("/etc/gewu/read-only")) -> Iterator[None]:
    """/opt can be written inside; afterwards it is as before. GewuError where a read-only root stays so."""
    tool = shutil.which("gewu-root", path="/usr/sbin:/usr/local/sbin") if flag.exists() else None
    if tool is None:
        yield
        return
    if subprocess.run([tool, "open"], check=False).returncode != 0:
        raise GewuError("The read-only root cannot be opened for writing: run this with sudo.")
    try:
        yield
    finally:
        # What holds a file open keeps it writable until the next start: no harm, and no reason to fail.
        subprocess.run([tool, "close"], stderr=subprocess.DEVNULL, check=False)
