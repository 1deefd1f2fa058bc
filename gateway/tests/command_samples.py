"""People with keys, envelopes that they sign, and a desk over a real outbox and a breaker in memory."""

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.commands import issuers
from gateway.commands.alarms import Alarms
from gateway.commands.book import Book
from gateway.commands.carrier import Carrier, Reach
from gateway.commands.clerk import Clerk, Limits
from gateway.commands.desk import Desk
from gateway.commands.envelope import approve, sign
from gateway.outbox import Outbox
from gateway.records import rfc3339
from gateway.tests.fake_breaker import KEY, FakeBreaker, FakeBus, breaker_device
from gateway.tests.fake_clock import FakeClock

ROLES = {
    "duty": "operator",
    "chief": "supervisor",
    "second": "supervisor",
    "third": "supervisor",
    "tech": "engineer",
    "other": "engineer",
}
PEOPLE = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"\0")) for name in ROLES}


def issuers_file(folder: Path) -> Path:
    """The file of all PEOPLE."""
    file = folder / "issuers.toml"
    lines = [
        f'[[issuer]]\nname = "{name}"\nkey = "{base64.b64encode(key.public_key().public_bytes_raw()).decode()}"\n'
        f'roles = ["{ROLES[name]}"]\n'
        for name, key in PEOPLE.items()
    ]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def order(now: int, action: str = "open", by: str = "duty", approved: tuple[str, ...] = (), **more: Any) -> bytes:
    """A signed envelope, valid for a minute from `now` (Unix ms); `more` replaces what it says."""
    document: dict[str, Any] = {
        "id": str(uuid.UUID(int=more.pop("number", 1))),
        "gateway": "g1",
        "device": "b1",
        "action": action,
        "params": {},
        "issued_at": rfc3339(now),
        "expires_at": rfc3339(now + 60_000),
        "counter": 1,
        "issuer": by,
        "role": ROLES.get(by, "operator"),
        "reason": "smoke in unit 2",
    } | more
    at = rfc3339(now)
    document["approvals"] = [approve(document, name, ROLES[name], at, PEOPLE[name]) for name in approved]
    return sign(document, PEOPLE.get(by) or Ed25519PrivateKey.generate())


class Bench:
    """A desk as it stands on site. `restart` is a power cut: the outbox stays, the desk is a new one."""

    def __init__(self, folder: Path, *, allow_close: bool = True, critical: bool = False, armed: bool = True) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.breaker = FakeBreaker()
        self.bus = FakeBus(self.breaker)
        self.limits = Limits(allow_close=allow_close)
        self.device = breaker_device(critical=critical)
        self.issuers = issuers.load(issuers_file(folder))
        self.replies: list[dict[str, Any]] = []
        self.outbox = Outbox(folder, self.clock, ())
        self.desk = self._desk()
        if armed:
            self.desk.arm(True, "Li")

    def _desk(self) -> Desk:
        book = Book(self.outbox)
        alarms = Alarms(self.outbox.accept_event, self.outbox.open_events, self.clock)
        reach = Reach(self.bus, self.device, KEY, self.bus.latest)
        carrier = Carrier({"b1": reach}, book, self.clock, alarms, self.outbox.open_events)
        clerk = Clerk(self.limits, self.issuers, ("g1", "site/g1"), carrier, book, self.clock, alarms)
        return Desk(clerk, self.limits, book, self.clock)

    def restart(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.folder, self.clock, ())
        self.desk = self._desk()

    def close(self) -> None:
        self.outbox.close()

    def order(self, action: str = "open", by: str = "duty", approved: tuple[str, ...] = (), **more: Any) -> bytes:
        return order(self.clock.wall_ms(), action, by, approved, **more)

    def send(self, payload: bytes, name: str | None = None) -> dict[str, Any] | None:
        """The reply to what comes on the topic of its id (or of `name`); None when nobody answers."""
        count = len(self.replies)
        topic = name or str(json.loads(payload)["id"])
        self.desk.hear(topic, payload, self._publish)
        self.desk.step()
        return self.replies[-1] if len(self.replies) > count else None

    def _publish(self, topic: str, payload: bytes) -> None:
        reply = json.loads(payload)
        assert topic == f"replies/{reply['id']}"
        self.replies.append(reply)

    @property
    def publish(self) -> Callable[[str, bytes], None]:
        return self._publish

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(row.body) for row in self.outbox.audit()]

    def events(self) -> list[tuple[str, bool]]:
        """Kinds of events in order, and whether the record raises."""
        file = self.folder / "events.jsonl"
        self.outbox.export(file)
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        return [(row["kind"], row["cleared"] is None) for row in rows if row["stream"] == "events"]
