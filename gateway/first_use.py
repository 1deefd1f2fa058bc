"""The first-use code of a gateway: printed once by provisioning, kept as a hash, over after some days.

Whoever holds it may set up the console; nobody has a default password. It counts no attempts: that is the console's.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from gateway.errors import ConfigurationError

DAYS = 14
FILE = "first-use.json"
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that look alike
_GROUPS, _LENGTH = 3, 4  # 12 of 31 letters: 59 bits
# 8 MiB, some 20 ms: 59 random bits that are over in two weeks are no password that people chose.
_COST = {"n": 2**13, "r": 8, "p": 1}
_DAY_MS = 86_400_000


def make(now_ms: int, chance: Callable[[int], bytes]) -> tuple[str, bytes]:
    """(the code for people, the file's content); `chance(n)` gives n random bytes, such as `secrets.token_bytes`."""
    letters = ""
    while len(letters) < _GROUPS * _LENGTH:
        # Below 248, the highest multiple of 31 in a byte: each letter is as likely as the others.
        letters += "".join(_LETTERS[byte % 31] for byte in chance(16) if byte < 248)
    code = "-".join(letters[at * _LENGTH :][:_LENGTH] for at in range(_GROUPS))
    salt = chance(16)
    record = {"scrypt": _hash(code, salt).hex(), "salt": salt.hex(), **_COST, "until": now_ms + DAYS * _DAY_MS}
    return code, json.dumps(record).encode() + b"\n"


def until(content: bytes) -> int:
    """When the code in `content` is over, Unix ms. ConfigurationError where it is no such file."""
    return int(_read(content)["until"])


def matches(typed: str, content: bytes, now_ms: int) -> bool:
    """Whether somebody typed the code in `content` in time, in any case and with any separators."""
    record = _read(content)
    letters = "".join(letter for letter in typed.upper() if letter in _LETTERS)
    code = "-".join(letters[at * _LENGTH :][:_LENGTH] for at in range(_GROUPS))
    right = hmac.compare_digest(_hash(code, bytes.fromhex(record["salt"])), bytes.fromhex(record["scrypt"]))
    return right and len(letters) == _GROUPS * _LENGTH and now_ms < int(record["until"])


def _hash(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(code.encode(), salt=salt, maxmem=32 * 2**20, dklen=32, **_COST)


def _read(content: bytes) -> dict[str, Any]:
    try:
        record = json.loads(content)
        if not {"scrypt", "salt", "until"} <= record.keys() or any(record.get(key) != n for key, n in _COST.items()):
            raise ValueError
    except (ValueError, AttributeError):
        raise ConfigurationError("The first-use code's file is damaged: make a new code with --new-code.") from None
    return dict(record)
