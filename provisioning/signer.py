"""Whose updates a board takes: the modulus of an RSA key, from a PEM file that is public or private."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.errors import ConfigurationError
from provisioning.firmware_bundle import KEY_BITS, private_key


def signer_of(path: Path) -> str:
    """The setting `signer` in hex. ConfigurationError unless it is RSA of 2048 or 3072 bits with the exponent 65537."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key {path} cannot be read: {error.strerror}.") from error
    if b"PRIVATE KEY" in pem:
        public = private_key(pem).public_key()
    else:
        try:
            loaded = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"{path} is no key in PEM.") from error
        if not isinstance(loaded, rsa.RSAPublicKey):
            raise ConfigurationError(f"{path} is no RSA key.")
        public = loaded
    numbers = public.public_numbers()
    if public.key_size not in KEY_BITS or numbers.e != 65537:
        raise ConfigurationError("Updates are signed with RSA of 2048 or 3072 bits and the exponent 65537.")
    return f"{numbers.n:0{public.key_size // 4}x}"
