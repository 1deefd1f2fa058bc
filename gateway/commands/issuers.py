"""Who may command: names, roles and public keys of a file that a person put beside the configuration.

Keys are Ed25519, 32 bytes in base64. The file holds no secret; whoever can write it can command.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from gateway import tomlfile
from gateway.commands.envelope import Action
from gateway.errors import ConfigurationError
from gateway.tomlfile import Section

DEFAULT_ROLES: dict[str, list[Action]] = {
    "operator": ["open", "acknowledge", "identify"],
    "supervisor": ["open", "close", "acknowledge", "identify"],
    "engineer": ["set", "acknowledge", "identify"],
}
"""What each role may do, unless the file says otherwise in `[roles]`."""


class Issuer(Section):
    """`[[issuer]]`: one person or duty desk."""

    HINTS: ClassVar[dict[str, str]] = {"private_key": "a private key never belongs on a gateway"}

    name: str = Field(min_length=1, max_length=63, description="the name that its commands carry")
    key: str = Field(description="its Ed25519 public key, 32 bytes in base64")
    roles: list[str] = Field(min_length=1, description='what it may act as, such as ["operator"]')


class IssuersFile(Section):
    """The whole file."""

    issuer: list[Issuer] = Field(min_length=1, description="who may command, as tables [[issuer]]")
    roles: dict[str, list[Action]] = Field(
        default_factory=lambda: dict(DEFAULT_ROLES), description="the actions of each role"
    )


class Issuers:
    """The issuers that this gateway believes."""

    def __init__(
        self, keys: Mapping[str, Ed25519PublicKey], roles: Mapping[str, set[str]], actions: Mapping[str, set[str]]
    ) -> None:
        self._keys = keys
        self._roles = roles
        self._actions = actions

    def signed(self, issuer: str, data: bytes, signature: str) -> bool:
        """Whether `signature` (base64) over `data` is that of `issuer`; False for an issuer that nobody knows."""
        try:
            raw = base64.b64decode(signature, validate=True)
            self._keys[issuer].verify(raw, data)
        except (KeyError, InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def may(self, issuer: str, role: str, action: str) -> bool:
        """Whether `issuer` has `role`, and `role` may do `action`."""
        return role in self._roles.get(issuer, ()) and action in self._actions.get(role, ())


def load(path: Path) -> Issuers:
    """The issuers of the file `path`. Raises ConfigurationError with a sentence for each mistake."""
    raw = tomlfile.read(path, "issuers'")
    found, wrong = tomlfile.check(IssuersFile, raw)
    tomlfile.refuse(path, wrong)
    assert found is not None  # refused otherwise
    return Issuers(
        {issuer.name: _key(path, issuer) for issuer in _each_once(path, found.issuer)},
        {issuer.name: _roles(path, issuer, found.roles) for issuer in found.issuer},
        {role: set(actions) for role, actions in found.roles.items()},
    )


def _each_once(path: Path, issuers: list[Issuer]) -> list[Issuer]:
    # One key under two names would be one person who approves what he ordered.
    for what, values in (("name", [one.name for one in issuers]), ("key", [one.key for one in issuers])):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ConfigurationError(f'{path}: two issuers have the {what} "{twice}"; each person needs an own one.')
    return issuers


def _key(path: Path, issuer: Issuer) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(issuer.key, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(
            f'{path}: the key of "{issuer.name}" is not an Ed25519 public key of 32 bytes in base64 ({error}).'
        ) from error


def _roles(path: Path, issuer: Issuer, known: Mapping[str, object]) -> set[str]:
    strange = next((role for role in issuer.roles if role not in known), None)
    if strange is not None:
        raise ConfigurationError(
            f'{path}: "{issuer.name}" has the role "{strange}", which is none of {", ".join(sorted(known))}.'
        )
    return set(issuer.roles)
