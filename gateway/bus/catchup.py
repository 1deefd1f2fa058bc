"""Reading a device's journal from where it was last read, an exchange at a time, and what it tells. Pure.

It is asked what to read next, is told the answer, and at its end says what happened and when. An entry's own time is
seconds since that start of the board: it becomes Unix time by the board's uptime (its present start), or by any entry
of the same start that holds the clock. A start without either is bounded by the one after it.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.bus.journal import Entry, decode
from gateway.bus.planner import Planner, Request
from gateway.bus.wire import FILE_REQUEST_BYTES, Wire, file_answer_bytes
from gateway.profile.model import Journal, Profile
from gateway.records import Value
from gateway.rules.events import Occurrence

BRIEF_S = 0.05
"""So long may one exchange take when more than one entry fits: whoever trips meanwhile waits for it."""
MOST_WORDS = 120  # of one stretch: docs/firmware.md, "Journal"
MOST_BUSY = 50
"""The board reads its flash between two turns of its loop; one that is busy for so long does not come to it."""
_UPTIME, _BOOTS, _TRIPS = "uptime", "boot_count", "trip_count"
_UNKNOWN_RESIDUAL, _UNKNOWN_TEMPERATURE = 0xFFFF, -32768


@dataclass(frozen=True)
class Stretch:
    """`count` registers of `file` from `record` on: the entries from number `first` on."""

    file: int
    record: int
    count: int
    first: int


def cost(journal: Journal, wire: Wire) -> float:
    """Seconds that one exchange of a catch-up takes on the wire."""
    words = most_entries(journal, wire) * journal.words
    return wire.exchange(FILE_REQUEST_BYTES, file_answer_bytes(words))


def most_entries(journal: Journal, wire: Wire) -> int:
    """How many entries one exchange reads: what BRIEF_S allows, at least one."""
    each = 2 * journal.words * wire.t_char
    rest = BRIEF_S - wire.exchange(FILE_REQUEST_BYTES, file_answer_bytes(0))
    return max(1, min(MOST_WORDS // journal.words, int(rest / each)))


class Mark:
    """Up to which entry a device's journal is told: `since` is the first that may hold news, None before any look.

    The number that the next entry will have may be believed only when the counters were read after it and told
    nothing new: what they had not told yet may lie below it.
    """

    def __init__(self, profile: Profile) -> None:
        self.since: int | None = None
        self._next = profile.journal.next if profile.journal else None
        self._counters = {rule.counter for rule in profile.events if rule.counter}
        self._candidate: int | None = None
        self._open: set[str] = set()

    def take(self, values: Mapping[str, Value], *, owed: bool) -> None:
        """Values just read, in their order; `owed`: some occurrence is known and not told."""
        if self._candidate is not None:
            self._open -= values.keys()
            if not self._open and not owed:
                self.since, self._candidate = self._candidate, None
        elif self._next and isinstance(number := values.get(self._next), int) and number != self.since:
            self._candidate, self._open = number, set(self._counters)


class CatchUp:
    """One reading of the journal of a device with `profile`, from `since` (None: from its oldest entry) to its end."""

    def __init__(self, profile: Profile, journal: Journal, planner: Planner, wire: Wire, since: int | None) -> None:
        self._journal = journal
        names = (journal.first, journal.next, _UPTIME, _BOOTS)
        self._questions = deque(planner.plan(profile.by_value[n] for n in names if n in profile.by_value)[0])
        self._most = most_entries(journal, wire)
        self._since = since
        self._values: dict[str, Value] = {}
        self._started_at: int | None = None  # Unix milliseconds of the board's present start
        self._at = self._end = 0
        self._busy = 0
        self._entries: list[Entry] = []

    def next(self) -> Request | Stretch | None:
        """What to read now; None when all is read."""
        if self._questions:
            return self._questions[0]
        if self._at >= self._end:
            return None
        slot = self._at % self._journal.entries
        count = min(self._most, self._end - self._at, self._journal.entries - slot)
        words = self._journal.words
        return Stretch(self._journal.file, slot * words, count * words, self._at)

    def told(self, values: Mapping[str, Value], now_ms: int) -> None:
        """The answer to a Request, read at `now_ms` (Unix)."""
        self._questions.popleft()
        self._values |= values
        uptime = values.get(_UPTIME)
        if isinstance(uptime, int):
            self._started_at = now_ms - uptime * 1000
        if not self._questions:
            first, end = self._values.get(self._journal.first), self._values.get(self._journal.next)
            if isinstance(first, int) and isinstance(end, int):
                self._end = end
                known = self._since is not None and first <= self._since <= end
                self._at = self._since if known and self._since is not None else first

    def read(self, stretch: Stretch, words: list[int]) -> None:
        """The answer to a Stretch."""
        self._busy = 0
        size = self._journal.words
        for index in range(stretch.count // size):
            data = b"".join(word.to_bytes(2, "big") for word in words[index * size : (index + 1) * size])
            entry = decode(data)
            if entry is not None and entry.number == stretch.first + index:  # else overwritten meanwhile
                self._entries.append(entry)
        self._at = stretch.first + stretch.count // size

    def busy(self) -> None:
        """The device asks to be asked again. When it always does, the rest stays unread."""
        self._busy += 1
        if self._busy >= MOST_BUSY:
            self.give_up()

    def give_up(self) -> None:
        """The device cannot give its journal: there is nothing more to ask."""
        self._questions.clear()
        self._end = self._at

    def found(self, *, clock_is_right: bool) -> list[Occurrence]:
        """Trips and starts in the order in which they happened."""
        starts = dict(_starts(self._entries))
        boot = self._values.get(_BOOTS)
        if isinstance(boot, int) and self._started_at is not None and (clock_is_right or boot not in starts):
            starts[boot] = self._started_at
        found: list[Occurrence] = []
        details = _details(self._entries)
        for entry in self._entries:
            at, sure = _when(entry, starts)
            if entry.kind == "trip":
                values = _trip_values(entry, details.get(entry.number))
                found.append(Occurrence(_TRIPS, entry.c, at, sure, values))
            elif entry.kind == "start":
                found.append(Occurrence(_BOOTS, entry.boot, at, sure, {_BOOTS: entry.boot, "reset_cause": entry.a}))
        return found


def _starts(entries: Iterable[Entry]) -> Iterator[tuple[int, int]]:
    """When each start was, by the entries that hold the clock: the latest of each is the most exact."""
    for entry in entries:
        if entry.clock:
            yield entry.boot, entry.clock * 1000 - round(entry.at_s * 1000)


def _details(entries: Iterable[Entry]) -> dict[int, Entry]:
    """The entry with a trip's values, by the trip's number: the first such after it, of the same start."""
    found: dict[int, Entry] = {}
    trip: Entry | None = None
    for entry in entries:
        if entry.kind == "values" and trip is not None and trip.boot == entry.boot:
            found[trip.number] = entry
        if entry.kind in ("trip", "values", "start"):
            trip = entry if entry.kind == "trip" else None
    return found


_NEVER = 1 << 62


def _when(entry: Entry, starts: Mapping[int, int]) -> tuple[int, bool]:
    """Unix milliseconds and whether that is its own time; else it was before the next start that is known."""
    if entry.boot in starts:
        return starts[entry.boot] + round(entry.at_s * 1000), True
    later = [at for boot, at in starts.items() if boot > entry.boot]
    return min(later, default=_NEVER), False


def _trip_values(trip: Entry, detail: Entry | None) -> dict[str, Value]:
    values: dict[str, Value] = {"cause": trip.a, "trip_current": round(trip.b / 1000, 3)}
    if detail is None:
        return values
    residual = detail.b & 0xFFFF
    temperature = (detail.c & 0xFFFF ^ 0x8000) - 0x8000
    values |= {"trip_by": detail.a, "trip_voltage": (detail.b >> 16) / 10, "thermal": (detail.c >> 16) / 10}
    if residual != _UNKNOWN_RESIDUAL:
        values["trip_residual"] = residual / 1000
    if temperature != _UNKNOWN_TEMPERATURE:
        values["trip_temperature"] = temperature / 10
    return values
