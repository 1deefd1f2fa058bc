"""Whether a command may be carried out: the checks in the order that tells a stranger least. Pure.

Nothing specific is said before the signature is known to be right; then whether it is ours, in time, new, allowed,
possible, safe, and not too often. Each check assumes those before it.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from gateway.commands.envelope import Command
from gateway.commands.issuers import Issuers

EARLY_TOLERANCE_MS = 30_000
"""Two clocks that are both set may differ by so much."""
NOT_ACCEPTED = "not accepted"
"""The only word for whatever is not signed by a known issuer."""


class Refusal(NamedTuple):
    """Why not; `result` is that of the reply."""

    result: Literal["refused", "expired"]
    why: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway knows of the device: the actions it can do, and what stands against closing it now."""

    critical: bool
    can: frozenset[str]
    interlocks: tuple[str, ...] = ()


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything outside the command that counts. Times are Unix milliseconds.

    `names` are this gateway's (`id` and `site/id`); `counter` is the highest that this issuer has used; what was
    issued up to `forgetful_until` may have been counted and forgotten; `recent` are the times of the device's
    operations within the rate's window; `target` None is a device that nobody configured.
    """

    names: frozenset[str]
    now: int
    trusted: bool
    counter: int
    target: Target | None
    allow_close: bool
    longest_ms: int
    rate: int
    rate_ms: int
    recent: tuple[int, ...] = ()
    forgetful_until: int = 0


def authentic(command: Command, issuers: Issuers) -> bool:
    """Whether the envelope and every approval in it are signed by those they name."""
    envelope = command.envelope
    if not issuers.signed(envelope.issuer, command.signed, envelope.sig):
        return False
    return all(
        issuers.signed(approval.issuer, data, approval.sig)
        for approval, data in zip(envelope.approvals, command.approved, strict=True)
    )


def judge(command: Command, issuers: Issuers, at: Situation) -> Refusal | None:
    """The first thing that stands against an authentic command; None when nothing does."""
    return next(_against(command, issuers, at), None)


def needs_confirmation(command: Command) -> bool:
    """Whether a person on site must still confirm it: a close with one approval."""
    return command.envelope.action == "close" and len(_persons(command)) < 2


def _against(command: Command, issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    for check in _CHECKS:
        yield from check(command, issuers, at)


def _ours(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    if command.envelope.gateway not in at.names:
        yield Refusal("refused", f"it is for the gateway {command.envelope.gateway}")


def _in_time(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    if not at.trusted:
        yield Refusal("refused", "the gateway's clock is not set, so it cannot tell whether this came in time")
    if command.expires <= at.now:
        yield Refusal("expired", f"it was to be carried out before {command.envelope.expires_at}")
    if command.issued > at.now + EARLY_TOLERANCE_MS:
        yield Refusal("refused", f"it is dated {command.envelope.issued_at}, which is still to come")
    if command.expires <= command.issued:
        yield Refusal("refused", "it expires before it was issued")
    if command.expires - command.issued > at.longest_ms:
        yield Refusal("refused", f"it may be valid for {at.longest_ms / 1000:g} s at most")


def _new(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    if command.issued <= at.forgetful_until:
        yield Refusal("refused", "it was issued before this gateway's data was restored; send it anew")
    if command.envelope.counter <= at.counter:
        yield Refusal("refused", f"the counter {command.envelope.counter} was used; take one above {at.counter}")


def _allowed(command: Command, issuers: Issuers, _at: Situation) -> Iterator[Refusal]:
    envelope = command.envelope
    persons = [(envelope.issuer, envelope.role), *((one.issuer, one.role) for one in envelope.approvals)]
    for name, role in persons:
        if not issuers.may(name, role, envelope.action):
            yield Refusal("refused", f"{name} as {role} may not {envelope.action}")


def _possible(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    envelope = command.envelope
    if at.target is None:
        yield Refusal("refused", f"there is no device {envelope.device} here")
    elif envelope.action not in at.target.can:
        yield Refusal("refused", f"{envelope.device} cannot {envelope.action} from afar")
    yield from _PARAMS.get(envelope.action, _no_params)(command)


def _safe(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    action, persons = command.envelope.action, len(_persons(command))
    assert at.target is not None  # refused by the check before
    if action == "close":
        if not at.allow_close:
            yield Refusal("refused", "closing from afar is not enabled on site (commands.allow_close)")
        if not persons:
            yield Refusal("refused", "closing needs two approvals, or one and a confirmation on site")
        for why in at.target.interlocks:
            yield Refusal("refused", why)
    if action == "open" and at.target.critical and not persons:
        yield Refusal("refused", "its load is critical: opening needs the approval of a second person")
    if action == "set" and not persons:
        yield Refusal("refused", "settings need the approval of a second person")


def _not_too_often(command: Command, _issuers: Issuers, at: Situation) -> Iterator[Refusal]:
    recent = [when for when in at.recent if at.now - when < at.rate_ms]
    if command.envelope.action in ("open", "close", "set") and len(recent) >= at.rate:
        yield Refusal(
            "refused", f"{command.envelope.device} was operated {len(recent)} times in {at.rate_ms // 1000} s"
        )


def _persons(command: Command) -> set[str]:
    """Who approved, without the issuer: nobody approves what he ordered himself."""
    return {approval.issuer for approval in command.envelope.approvals} - {command.envelope.issuer}


def _no_params(command: Command) -> Iterator[Refusal]:
    if command.envelope.params:
        yield Refusal("refused", f"{command.envelope.action} takes no params")


def _seconds(command: Command) -> Iterator[Refusal]:
    params = command.envelope.params
    seconds = params.get("seconds", 1)
    if params.keys() - {"seconds"} or type(seconds) is not int or not 1 <= seconds <= 600:
        yield Refusal("refused", 'identify takes params of {"seconds": 1 to 600}')


def _settings(command: Command) -> Iterator[Refusal]:
    # 190 bytes are what a command frame holds (docs/firmware.md, Authority).
    if not command.envelope.params or len(msgspec.json.encode(command.envelope.params)) > 190:
        yield Refusal("refused", "set takes the settings that change as params, at most 190 bytes of JSON")


_PARAMS: dict[str, Callable[[Command], Iterator[Refusal]]] = {"identify": _seconds, "set": _settings}
_CHECKS = (_ours, _in_time, _new, _allowed, _possible, _safe, _not_too_often)
