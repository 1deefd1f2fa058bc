"""Signed bundles for the scripts that need some, with a key that signs nothing else. It tests nothing by itself."""

import json
import struct
from binascii import hexlify
from hashlib import sha256

_P = (
    "ff8343a739b9584eae241f588d29f28ec5a03a29eeb27aeb0c4d0ae82738e5d41385b175df1d2ebfbf8e40e0bef0bda904d8"
    "2a9981abfe01a8165feee1e95c21d0b84ec8ae88f523387c7fc99a8d8e8edb21a998c64ca75e3a383201b7b476480f837723"
    "44d07814f6bb84fee0b5bafb7ac322c44b404dcbb15130b029bc2ebf"
)
_Q = (
    "e23845994612eafd9fdaca204e906dd98063bf93fe6cd9f1b2ad289b7594fca254ac968393edbdd4413a497df5136a6e499b"
    "3ba2aff6a636ae853aff0e0bf595a239cc9bed4c24c2e86260d9131d0dafa013e9508b92ad3d0dcef0642a2a29e5b8332f88"
    "1090a71ca76f70d9bf16728a3618e88f8fdcf447b4d7298dc69a81d3"
)
_PREFIX = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def signer():
    return "%0512x" % (int(_P, 16) * int(_Q, 16))


def inverse(value, modulus):
    """Of value, by Euclid's extended algorithm: MicroPython's pow takes no negative exponent."""
    a, b, x, y = value % modulus, modulus, 1, 0
    while b:
        quotient = a // b
        a, b = b, a - quotient * b
        x, y = y, x - quotient * y
    return x % modulus


def sign(message):
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.1)."""
    p, q = int(_P, 16), int(_Q, 16)
    private = inverse(65537, (p - 1) * (q - 1))
    padded = b"\0\1" + b"\xff" * 202 + b"\0" + _PREFIX + sha256(message).digest()
    return pow(int.from_bytes(padded, "big"), private, p * q).to_bytes(256, "big")


def bundle(files, version="0.2.0", signature=None):
    """As provisioning/firmware_bundle.py makes it; `files` is a list of (name, bytes)."""
    rows = [[name, len(data), hexlify(sha256(data).digest()).decode()] for name, data in files]
    listed = json.dumps(rows, separators=(",", ":"))
    manifest = ('{"v":1,"version":' + json.dumps(version) + ',"files":' + listed + "}").encode()
    signature = signature or sign(manifest)
    head = b"GWB1" + struct.pack(">HH", len(manifest), len(signature))
    return head + manifest + signature + b"".join([data for _name, data in files])
