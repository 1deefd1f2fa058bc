"""Command frames as a gateway makes them, for the scripts that need some. It tests nothing by itself."""

import struct
from hashlib import sha256

KEY = bytes(range(32))
SERIAL = b"GW-000001"


def zeros(count):
    return bytes(count)


def hmac(key, message):
    """RFC 2104, apart from the firmware's own."""
    block = key + bytes(64 - len(key))
    inner = sha256(bytes([byte ^ 0x36 for byte in block]) + message).digest()
    return sha256(bytes([byte ^ 0x5C for byte in block]) + inner).digest()


def command(nonce, counter, code=5, argument=b"", since=0, until=300, key=KEY, serial=SERIAL):
    head = struct.pack(">BBHHI", code, len(argument), since, until, counter) + nonce + argument
    return head + hmac(key, b"gewu-command-1" + serial + bytes(16 - len(serial)) + head)
