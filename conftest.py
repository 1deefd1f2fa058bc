"""How every test of the project runs: the same examples each time, so that a red run can be seen again.

`GEWU_EXPLORE=1 ./gewu test` lets hypothesis look for new examples instead.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import settings

from gateway import prepared

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("explore" if os.environ.get("GEWU_EXPLORE") else "steady")


ROOMS = ("gateway", "provisioning", "hil_tests")


def structs_of(kind: Any) -> Iterator[type[Any]]:
    """The project's own Structs in a type: in X, list[X], X | None."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__.split(".")[0] in ROOMS:
        yield kind
    for part in get_args(kind):
        yield from structs_of(part)


def looked_at(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """`function`, which takes a type as its argument `type` or at `place`, for prepared Structs only."""

    def call(*args: Any, **named: Any) -> Any:
        kind = named.get("type", args[place] if len(args) > place else None)
        fresh = sorted(one.__name__ for one in set(structs_of(kind)) - prepared.KNOWN)
        assert not fresh, f"decorate with @prepared, for threads may decode them at once: {', '.join(fresh)}"
        return function(*args, **named)

    return call


@pytest.fixture(autouse=True, scope="session")
def only_prepared_structs_are_decoded() -> Iterator[None]:
    """Says in any test which Struct `gateway/prepared.py` has forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(msgspec.json, "decode", looked_at(msgspec.json.decode, 1))
        patch.setattr(msgspec.msgpack, "decode", looked_at(msgspec.msgpack.decode, 1))
        patch.setattr(msgspec, "convert", looked_at(msgspec.convert, 1))
        yield
