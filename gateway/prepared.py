"""Structs whose decoding is made ready while their module is imported.

msgspec (0.22) works out how a Struct is decoded when it is first asked to, and two threads that ask at once end the
process (SIGSEGV). Whatever is decoded in a thread is therefore known before there are any.
"""

from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind", bound=type[Any])
KNOWN: set[type[Any]] = set()


def prepared(kind: Kind) -> Kind:
    """A decorator: `kind`, and all that it holds, can be decoded in any thread from now on."""
    msgspec.json.Decoder(kind)
    KNOWN.add(kind)
    return kind
