"""Signed updates: the same bytes each time, a signature that others can check, keys that are refused."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from gateway.errors import ConfigurationError
from provisioning import firmware_build, firmware_bundle

pytestmark = pytest.mark.integration  # MicroPython and its compiler are processes

KEY = rsa.generate_private_key(65537, 2048)
FILES = {"main.py": b"x", "start.mpy": b"y", "b.mpy": b"B" * 300, "a.mpy": b"A" * 10}


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_a_bundle_holds_manifest_signature_and_the_modules() -> None:
    """What stays on a board is left out, the rest in order; the signature is over the manifest."""
    whole = firmware_bundle.bundle(FILES, "1.2.3", KEY)
    assert whole == firmware_bundle.bundle(dict(reversed(FILES.items())), "1.2.3", KEY)
    length, signed = struct.unpack(">HH", whole[4:8])
    manifest, signature = whole[8 : 8 + length], whole[8 + length : 8 + length + signed]
    KEY.public_key().verify(signature, manifest, padding.PKCS1v15(), hashes.SHA256())
    told = json.loads(manifest)
    assert told["version"] == "1.2.3"
    assert told["files"] == [
        [name, len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest()] for name in ("a.mpy", "b.mpy")
    ]
    assert whole[8 + length + signed :] == FILES["a.mpy"] + FILES["b.mpy"]
    assert firmware_bundle.signer(KEY) == f"{KEY.public_key().public_numbers().n:0512x}"


def test_blocks_and_bitmap() -> None:
    """240 bytes each, zeros at the end; the highest bit is the first block."""
    assert [len(block) for block in firmware_bundle.blocks(bytes(500))] == [240, 240, 240]
    assert firmware_bundle.missing(b"\xa0\x01", 16) == [0, 2, 15]
    assert firmware_bundle.missing(b"\xff\xff", 3) == [0, 1, 2]
    assert firmware_bundle.begin_argument(b"abc") == b"\0\0\0\x03" + hashlib.sha256(b"abc").digest()


def test_keys_that_no_board_can_use_are_refused() -> None:
    """Another kind, too short, locked, or no key at all: a sentence says what is needed."""
    assert firmware_bundle.private_key(pem(KEY)).key_size == 2048
    wrong = (pem(ec.generate_private_key(ec.SECP256R1())), pem(rsa.generate_private_key(65537, 1024)), b"no key")
    for bad in (*wrong, pem(KEY, b"secret")):
        with pytest.raises(ConfigurationError):
            firmware_bundle.private_key(bad)


def test_more_than_a_board_takes_is_refused() -> None:
    """477 blocks are the most."""
    with pytest.raises(ConfigurationError, match="a board takes"):
        firmware_bundle.bundle({"a.mpy": bytes(115_000)}, "1.0.0", KEY)


def test_a_build_signs_what_it_made(tmp_path: Path) -> None:
    """Every module but start is in it, under the release of version.py, and a missing key is a sentence."""
    key = tmp_path / "key.pem"
    key.write_bytes(pem(KEY))
    files = firmware_build.build(tmp_path / "out")
    first = firmware_build.sign(files, key, tmp_path / "one").read_bytes()
    assert first == firmware_build.sign(files, key, tmp_path / "two").read_bytes()
    told = json.loads(first[8 : 8 + struct.unpack(">H", first[4:6])[0]])
    assert [row[0] for row in told["files"]] == sorted(
        path.name for path in files if path.suffix == ".mpy" and path.name != "start.mpy"
    )
    with pytest.raises(ConfigurationError, match="cannot be read"):
        firmware_build.sign(files, tmp_path / "missing.pem", tmp_path / "three")
