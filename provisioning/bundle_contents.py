"""A maker's signed bundle, opened at the bench: its signature and every hash hold, or nothing of it is used. Pure.

The same bundle that running boards take as an update (`firmware_bundle` makes it). It trusts one key only, the one that
the boards will trust.
"""

import hashlib
import json
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from provisioning.trouble import Trouble

_HEAD = struct.Struct(">4sHH")
_MAGIC = b"GWB1"
_EXPONENT = 65537


def release_of(data: bytes) -> str:
    """The version that a bundle brings; call `open_bundle` first, which proves its word."""
    _magic, manifest_size, _signature_size = _HEAD.unpack_from(data)
    return str(json.loads(data[_HEAD.size : _HEAD.size + manifest_size])["version"])


def open_bundle(data: bytes, signer: str) -> dict[str, bytes]:
    """The files in `data` by name; `signer` is the modulus in hex. Raises Trouble `bundle-altered`."""
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise Trouble("bundle-altered", "this is no bundle of gewu firmware build")
    _magic, manifest_size, signature_size = _HEAD.unpack_from(data)
    at = _HEAD.size + manifest_size
    manifest, signature = data[_HEAD.size : at], data[at : at + signature_size]
    key = rsa.RSAPublicNumbers(_EXPONENT, int(signer, 16)).public_key()
    try:
        key.verify(signature, manifest, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise Trouble("bundle-altered", "the bundle does not carry the signature of the signer") from error
    files, at = {}, at + signature_size
    # Signed, so its form is the maker's word.
    for name, size, digest in json.loads(manifest)["files"]:
        files[name] = data[at : at + size]
        at += size
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise Trouble("bundle-altered", f"{name} in the bundle is not what its maker signed")
    if at != len(data):
        raise Trouble("bundle-altered", "the bundle has more than its maker signed")
    return files
