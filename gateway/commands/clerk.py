"""The clerk: what is done with one command, from its first look to its answer. No thread and no queue of its own.

Whatever it is given is checked, written down, carried out once, put into the audit and answered; what a power cut
interrupted is only looked at (`carrier`). Who brings commands, and when, is the desk's.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from gateway.clock import Clock
from gateway.commands.alarms import Alarms
from gateway.commands.book import Book, Kept, Reply
from gateway.commands.carrier import Carrier
from gateway.commands.checks import NOT_ACCEPTED, Situation, authentic, judge, needs_confirmation
from gateway.commands.envelope import Command, parse
from gateway.commands.issuers import Issuers
from gateway.commands.strangers import Strangers
from gateway.records import Value, rfc3339

_log = logging.getLogger(__name__)
_MOST_WAITING = 20
_DRY = "dry run: every check passed, and nothing was done, for the gateway is not armed on site"
_UNSETTLED = "it is not known yet what became of the command before it"

Publish = Callable[[str, bytes], None]
"""Sends a reply: the topic's rest, such as "replies/ID", and the payload."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`[commands]`, times in milliseconds; see docs/commands.md."""

    allow_close: bool = False
    longest_ms: int = 600_000
    rate: int = 3
    rate_ms: int = 600_000


class Job(NamedTuple):
    """What came: the topic's last level, the payload, and how to answer."""

    name: str
    payload: bytes
    publish: Publish


class Waiting(NamedTuple):
    """A close that somebody on site must confirm, and how to answer it."""

    command: Command
    publish: Publish


class Clerk:
    """`names` are the gateway's: `id` and `site/id`. Its methods raise StoreError, and then nothing was begun."""

    def __init__(
        self,
        limits: Limits,
        issuers: Issuers,
        names: Iterable[str],
        carrier: Carrier,
        book: Book,
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._limits = limits
        self._issuers = issuers
        self._names = frozenset(names)
        self._carrier = carrier
        self._book = book
        self._clock = clock
        self._alarms = alarms
        self._asked: dict[str, Publish] = {}
        self._strangers = Strangers()
        self.waiting: dict[str, Waiting] = {}
        self.counts = dict.fromkeys(("done", "refused", "expired", "failed", "unknown", "strangers"), 0)

    def due(self) -> None:
        """Tell of strangers in heaps, and end what nobody confirmed in time."""
        more = self._strangers.due(self._clock.monotonic())
        if more:
            self._tell_stranger({"more": more})
        for id, one in list(self.waiting.items()):
            if one.command.expires <= self._clock.wall_ms():
                del self.waiting[id]
                self._finish(one.command, "expired", "nobody confirmed it on site in time", one.publish)

    def take(self, job: Job) -> None:
        """One message of a command topic, whoever sent it."""
        try:
            command = parse(job.payload)
            if not authentic(command, self._issuers):
                raise ValueError(f"{command.envelope.issuer!r} or one who approves is not who it says")
            if job.name.lower() != command.envelope.id.lower():
                raise ValueError("it is not the command of its topic")
        except ValueError as error:
            self.counts["strangers"] += 1
            if self._strangers.one(self._clock.monotonic()):
                self._tell_stranger({"topic": job.name[:63], "why": str(error)[:200]})
            return
        kept = self._book.result(command.envelope.id.lower())
        if kept is None:
            self._new(command, job.publish)
        else:
            self._again(command, kept, job.publish)

    def _tell_stranger(self, facts: dict[str, Any]) -> None:
        """Whoever it was learns nothing, and cannot fill the disk with rows either."""
        self._book.audit(self._clock.wall_ms(), NOT_ACCEPTED, **facts)
        self._alarms.refused(None, "", {"why": NOT_ACCEPTED, "count": facts.get("more", 1)})

    def _again(self, command: Command, kept: Kept, publish: Publish) -> None:
        """The same command once more: the same answer."""
        id = command.envelope.id.lower()
        if kept.digest != command.digest:
            self._answer(publish, self._reply(command.envelope.id, "refused", "another command had this id"))
        elif kept.reply is not None:
            self._answer(publish, kept.reply)
        elif not self._asks_for_what_is_under_way(command, publish) and id not in self.waiting:
            why = "the gateway stopped before anybody confirmed it on site; send a new one"
            self._finish(command, "failed", why, publish)

    def _new(self, command: Command, publish: Publish) -> None:
        envelope = command.envelope
        if self._asks_for_what_is_under_way(command, publish):
            return
        refusal = judge(command, self._issuers, self._situation(command, self._book.counter(envelope.issuer)))
        if refusal is not None:
            self._finish(command, refusal.result, refusal.why, publish)
        elif not self._book.armed():
            self._finish(command, "refused", _DRY, publish)
        elif self._carrier.unsettled(envelope.device):
            self._finish(command, "failed", _UNSETTLED, publish)
        else:
            self._accept(command, publish)

    def _asks_for_what_is_under_way(self, command: Command, publish: Publish) -> bool:
        """Whether this very command was interrupted: it is answered when it is known what became of it."""
        if not self._carrier.unsettled(command.envelope.device):
            return False
        left = self._book.under_way(command.envelope.device)
        if left is None or left.digest != command.digest:
            return False
        self._asked[left.id] = publish
        return True

    def _accept(self, command: Command, publish: Publish) -> None:
        if needs_confirmation(command) and len(self.waiting) >= _MOST_WAITING:
            self._finish(command, "refused", f"{_MOST_WAITING} commands wait for a confirmation already", publish)
            return
        self._carrier.begin(command)
        self._book.audit(self._clock.wall_ms(), "accepted", **facts(command), approvals=_approvals(command))
        if not needs_confirmation(command):
            self._carry_out(command, publish)
            return
        id = command.envelope.id.lower()
        self._book.keep(id, Kept(digest=command.digest, reply=None))
        self._carrier.end(command.envelope.device)
        self.waiting[id] = Waiting(command, publish)

    def confirmed(self, id: str, by: str) -> None:
        """`by` has confirmed on site what waits as `id`."""
        waiting = self.waiting.pop(id, None)
        if waiting is None:
            return  # it has expired since
        self._book.audit(self._clock.wall_ms(), "confirmed on site", id=id, by=by)
        command = waiting.command
        # What has changed since it came counts (its time, a trip, the rate); only its counter is its own by now.
        refusal = judge(command, self._issuers, self._situation(command, command.envelope.counter - 1))
        if refusal is not None:
            self._finish(command, refusal.result, refusal.why, waiting.publish)
        elif not self._book.armed():
            self._finish(command, "refused", _DRY, waiting.publish)
        elif self._carrier.unsettled(command.envelope.device):
            self._finish(command, "failed", _UNSETTLED, waiting.publish)
        else:
            self._carrier.begin(command)
            self._carry_out(command, waiting.publish)

    def _carry_out(self, command: Command, publish: Publish) -> None:
        outcome = self._carrier.carry_out(command, self._limits.rate_ms)
        self._finish(command, outcome.result, outcome.why, publish, outcome.readback)
        self._carrier.end(command.envelope.device)

    def look_back(self) -> None:
        """Find out what became of commands that were interrupted, and answer them."""
        for left, outcome in self._carrier.look_back():
            reply = self._reply(left.id, outcome.result, outcome.why, outcome.readback)
            about = {"device": left.device, "action": left.action, "issuer": left.issuer}
            self._settle(left.digest, reply, about)
            self._carrier.end(left.device)
            publish = self._asked.pop(left.id, None)
            if publish is not None:
                self._answer(publish, reply)

    # --- what it ends with ----------------------------------------------------------------------------

    def _finish(
        self, command: Command, result: str, why: str, publish: Publish, readback: dict[str, Value] | None = None
    ) -> None:
        envelope = command.envelope
        reply = self._reply(envelope.id, result, why, readback)
        self._settle(command.digest, reply, facts(command))
        if result in ("refused", "expired"):
            known = self._carrier.target(envelope.device) is not None
            self._alarms.refused(envelope.device if known else None, envelope.issuer, {"why": why})
        self._answer(publish, reply)

    def _settle(self, digest: str, reply: Reply, facts: dict[str, Any]) -> None:
        self.counts[reply.result] += 1
        self._book.keep(reply.id.lower(), Kept(digest=digest, reply=reply))
        about = facts | {"id": reply.id, "why": reply.why, "readback": reply.readback}
        self._book.audit(self._clock.wall_ms(), reply.result, **about)
        _log.info("command %s: %s%s", reply.id, reply.result, f" ({reply.why})" if reply.why else "")

    def _answer(self, publish: Publish, reply: Reply) -> None:
        publish(f"replies/{reply.id}", msgspec.json.encode(reply))

    def _reply(self, id: str, result: str, why: str, readback: dict[str, Value] | None = None) -> Reply:
        return Reply(id=id, result=result, why=why, readback=readback or {}, at=rfc3339(self._clock.wall_ms()))

    def _situation(self, command: Command, counter: int) -> Situation:
        device = command.envelope.device
        target = self._carrier.target(device)
        return Situation(
            names=self._names,
            now=self._clock.wall_ms(),
            trusted=self._clock.state() == "trusted",
            counter=counter,
            forgetful_until=self._book.forgetful_until(),
            target=target,
            allow_close=self._limits.allow_close,
            longest_ms=self._limits.longest_ms,
            rate=self._limits.rate,
            rate_ms=self._limits.rate_ms,
            recent=self._book.operated(device) if target else (),
        )


def facts(command: Command) -> dict[str, Any]:
    """What an audit row and a person on site are told of a command."""
    envelope = command.envelope
    names = ("id", "device", "action", "params", "issuer", "role", "reason", "counter")
    return {name: getattr(envelope, name) for name in names}


def _approvals(command: Command) -> list[dict[str, str]]:
    return [{"issuer": one.issuer, "role": one.role, "at": one.at} for one in command.envelope.approvals]
