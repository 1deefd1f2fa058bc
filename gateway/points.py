"""Named points on the way of a record, where a test can end the process or make time pass.

A point costs one look at a variable. The gateway itself never sets a hook; only the fault harness does.
"""

from collections.abc import Callable

NAMES = (
    "insert",  # rows are in the open transaction
    "commit.before",
    "commit.after",
    "publish.before",  # a numbered message is committed, its bytes not yet handed to the client
    "publish.after",
    "confirm",  # a PUBACK or an acknowledgement was taken in, nothing marked yet
    "mark",  # the mark is in memory, not yet committed
    "compact",  # old rows are being packed
    "thin",  # rows are being thinned or dropped, their gap record not yet committed
    "prune",
    "migrate",  # between two statements of a migration
    "command.stored",  # a command's counter is committed, the write not yet on the bus
    "command.written",  # the write is on the bus, its result not yet committed
)

_hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Pass the point `name`, one of `NAMES`."""
    if _hook is not None:
        _hook(name)


def watch(hook: Callable[[str], None] | None) -> None:
    """Call `hook` with the name of every point from now on; None ends that."""
    global _hook
    _hook = hook
