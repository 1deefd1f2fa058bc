"""The audit of a running gateway, for its door and its health message. The proof itself is `gateway.commands.audit`."""

from collections.abc import Mapping
from typing import Any

from gateway.commands import audit
from gateway.outbox import Outbox


def verified(outbox: Outbox, request: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's answer to `{"do": "audit", "least": N}`: `audit.Verified.document`."""
    return audit.verify(outbox.audit(), int(request.get("least") or 0)).document()


def head(outbox: Outbox) -> dict[str, Any] | None:
    """Number of rows and last hash, for the health message: noted elsewhere, they show an audit that was cut off."""
    last = outbox.audit_head()
    return None if last is None else {"rows": last.n, "head": last.hash.hex()}
