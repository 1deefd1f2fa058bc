"""What `systemctl reload gewu` does (SIGHUP): a changed configuration is checked, and only a right one is taken.

Taking it is an orderly end and a new program in the same process: so nothing of the old configuration is left over,
certificates, passwords and keys are read anew, and the queue stays as it is. This asks and answers; it ends nothing.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from gateway import systemd
from gateway.config import load
from gateway.errors import ConfigurationError

_log = logging.getLogger(__name__)


class Reload:
    """`ask` from a signal; `wanted` from the main thread, each second or so."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._asked = threading.Event()
        self.granted = False

    def ask(self) -> None:
        """Somebody wants the configuration to be read anew."""
        self._asked.set()

    def wanted(self) -> bool:
        """Whether the gateway is to end for the sake of a new configuration. A wrong one is refused and logged."""
        if not self._asked.is_set():
            return False
        self._asked.clear()
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            _check(self._config)
        except ConfigurationError as error:
            for sentence in str(error).splitlines():
                _log.error("%s", sentence)
            _log.error("the changed configuration is refused, and the gateway goes on as it was")
            systemd.notify("READY=1", "STATUS=the changed configuration is refused: see the log")
            return False
        _log.info("the configuration is read anew")
        self.granted = True
        return True


def _check(file: Path) -> None:
    config = load(file)
    if config.commands is not None:
        from gateway.orders import check_keys

        check_keys(config)


def run_anew() -> None:
    """Become the same command once more, under the same process id; never returns."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the new program has its own handler: it would end it
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
