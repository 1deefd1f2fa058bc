"""Processes to be killed, quickly: a parent that has imported everything forks one child a job.

`python -m hil_tests.faults.nursery` reads jobs as JSON lines and answers each with how its child ended; so a
thousand kills cost a thousand forks and not a thousand starts of Python. It has one thread, so forking is safe.
"""

import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Self

import msgspec

from gateway.errors import GewuError
from gateway.prepared import prepared
from hil_tests.brokers import end_with_parent
from hil_tests.faults.driver import Job, live


@prepared
class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended: `killed` with SIGKILL (`late`: by the order's clock), else its exit status."""

    killed: bool
    status: int
    late: bool = False


@prepared
class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A job, and after how many seconds its child is killed whatever it does; None: it ends by itself."""

    job: Job
    kill_after: float | None = None


class Nursery:
    """One such parent and the line to it. `log` collects what its children have to say."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hil_tests.faults.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, job: Job, kill_after: float | None = None) -> Ended:
        """Let a child live through `job`. Raises GewuError when the nursery itself has died."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(msgspec.json.encode(Order(job=job, kill_after=kill_after)) + b"\n")
            stdin.flush()
            return msgspec.json.decode(stdout.readline(), type=Ended)
        except (OSError, msgspec.MsgspecError) as error:
            raise GewuError(f"The process that makes children has died: look at {self._log}.") from error


def main() -> None:
    """Serve jobs until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            _be(order.job)
        answers.write(msgspec.json.encode(_wait(child, order.kill_after)) + b"\n")


def _be(job: Job) -> None:
    """The child: it never returns."""
    end_with_parent()
    status = 1
    try:
        live(job)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait(child: int, kill_after: float | None) -> Ended:
    if kill_after is not None:
        deadline = time.monotonic() + kill_after
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return _ended(status)
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
    return _ended(os.waitpid(child, 0)[1], late=kill_after is not None)


def _ended(status: int, late: bool = False) -> Ended:
    code = os.waitstatus_to_exitcode(status)
    return Ended(killed=code == -signal.SIGKILL, status=code, late=late)


if __name__ == "__main__":
    main()
