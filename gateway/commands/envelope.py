"""The envelope of a command, contract section 6: bounded reading, and the bytes that are signed. Pure.

It knows no key and no gateway: whether a signature is right, and of whom, is `issuers`; whether the command may be
carried out is `checks`.
"""

import base64
import hashlib
from typing import Annotated, Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.commands.canonical import canonical, read
from gateway.prepared import prepared
from gateway.records import from_rfc3339

MOST_BYTES = 16 * 1024
"""A command with eight approvals and its settings has some 3 KB."""
UUID = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"

Action = Literal["open", "close", "acknowledge", "identify", "set"]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
_Time = Annotated[str, msgspec.Meta(min_length=20, max_length=40)]
_Signature = Annotated[str, msgspec.Meta(max_length=100)]


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second person's word for one command: `sig` covers the command and this person, role and time."""

    issuer: _Name
    role: _Name
    at: _Time
    sig: _Signature


@prepared
class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command as it arrived, of the right shape and not yet believed."""

    id: Annotated[str, msgspec.Meta(pattern=UUID)]
    gateway: Annotated[str, msgspec.Meta(min_length=1, max_length=127)]
    device: _Name
    action: Action
    params: dict[str, Any] = {}
    issued_at: _Time
    expires_at: _Time
    counter: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    issuer: _Name
    role: _Name
    reason: Annotated[str, msgspec.Meta(max_length=1000)]
    approvals: Annotated[list[Approval], msgspec.Meta(max_length=8)] = []
    sig: _Signature


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope with what was computed from its bytes. Times are Unix milliseconds.

    `signed` is what the issuer signed, `approved` what each approver did, `digest` tells two envelopes apart.
    """

    envelope: Envelope
    issued: int
    expires: int
    signed: bytes
    approved: list[bytes]
    digest: str


def parse(payload: bytes) -> Command:
    """Raises ValueError with a sentence for the audit; a sender is told nothing of it."""
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes are more than the {MOST_BYTES} of a command")
    document = read(payload)
    try:
        envelope = msgspec.convert(document, Envelope, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(f"it is no command: {error}") from error
    signed = signed_part(document)
    return Command(
        envelope=envelope,
        issued=from_rfc3339(envelope.issued_at),
        expires=from_rfc3339(envelope.expires_at),
        signed=signed,
        approved=[approved_part(document, approval) for approval in document.get("approvals", [])],
        digest=hashlib.sha256(signed).hexdigest(),
    )


def signed_part(document: dict[str, Any]) -> bytes:
    """What `sig` covers: the canonical JSON of all but `sig`."""
    return canonical({name: value for name, value in document.items() if name != "sig"})


def approved_part(document: dict[str, Any], approval: dict[str, Any]) -> bytes:
    """What an approval's `sig` covers: the command without approvals and `sig`, and the approval without its own."""
    command = {name: value for name, value in document.items() if name not in ("approvals", "sig")}
    return canonical({"approval": {name: approval[name] for name in ("issuer", "role", "at")}, "command": command})


def approve(document: dict[str, Any], issuer: str, role: str, at: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    """An approval of the command `document`, to go into its `approvals` before the issuer signs."""
    approval = {"issuer": issuer, "role": role, "at": at}
    return approval | {"sig": _encoded(key.sign(approved_part(document, approval)))}


def sign(document: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The bytes to publish: `document`, whole but for `sig`, signed by its issuer."""
    return canonical(document | {"sig": _encoded(key.sign(signed_part(document)))})


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
