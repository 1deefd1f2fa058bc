"""The way of one uplink through the outbox: records get message numbers, a message sent again is built anew.

Where it stands, and what it forgets, is in `standing.py`. It works on a connection handed in, inside its caller's
transaction; what it remembers changes only by the methods that the caller calls after the commit.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.columns import Packed
from gateway.filters import Filter
from gateway.outbox import behind, composing, gaps, readings, times
from gateway.outbox.behind import Runs
from gateway.outbox.composing import Content, Span
from gateway.outbox.standing import Standing
from gateway.outbox.streams import CORRECTIONS, EVENTS, GAPS, NAMES, NUMBERED, READINGS
from gateway.records import Correction, Event, Gap, Message

_NO_END = 2**62
# So many readings that were never composed are a backlog: what is read from now on does not wait for them.
_BACKLOG = 16 * composing.MOST_READINGS


class Composed(NamedTuple):
    """New messages with what they stand for, and from which number each stream goes on."""

    messages: list[tuple[Message, Span]]
    cursor: dict[int, int]
    behind: Runs


class Lane(Standing):
    """One uplink's lane: messages are composed, rebuilt and given up here."""

    def compose(
        self, connection: sqlite3.Connection, epoch: str, sent: int, room: int, bulk: int, due: bool
    ) -> Composed:
        """Number up to `room` new messages: every event before anything else, then at most `bulk` gaps and readings.

        A readings message that is not full is held back unless `due`.
        """
        made: list[tuple[Message, Span]] = []
        cursor = dict(self.cursor)

        zeros: dict[int, int | None] = {}

        def number(span: Span, boot: str, records: tuple[Event] | tuple[Gap] | tuple[Correction]) -> None:
            seq = self.next_seq + len(made)
            last = span.last if self.filter is not None and span.stream == EVENTS else 0
            message = Message(epoch=epoch, seq=seq, sent=sent, boot=boot, first=span.first, records=records, last=last)
            made.append((message, span))

        events, cursor[EVENTS] = composing.take_events(connection, self.filter, cursor[EVENTS], room)
        for n, boot, event in events:
            zero = zeros[self.next_seq + len(made)] = times.zero_of(connection, boot)
            number(Span(EVENTS, n, n), boot, (times.corrected_event(connection, boot, event, zero),))
        bulk = min(bulk, room - len(made))
        if bulk > 0:
            for gap_id, gap in gaps.listed(connection, self.id, cursor[GAPS], bulk):
                number(Span(GAPS, gap_id, gap_id), "", (gap,))
                cursor[GAPS] = gap_id + 1
                bulk -= 1
            for id, told in times.listed(connection, self.id, cursor[CORRECTIONS], max(0, bulk)):
                number(Span(CORRECTIONS, id, id), told.boot, (told,))
                cursor[CORRECTIONS] = id + 1
                bulk -= 1
        late = self._set_backlog_behind(connection, cursor)
        while bulk > 0:
            found = self._take(connection, cursor[READINGS], bulk)
            if found and not (found[-1].full or due or not found[-1].records):
                found.pop()  # it waits for more
            if not found:
                break
            cursor[READINGS] = found[-1].last + 1
            bulk -= self._add(connection, made, zeros, epoch, sent, found)
        while bulk > 0 and late:
            first, last = late[0]
            found = self._take(connection, first, bulk, last)
            late = behind.without(late, found[-1].last if found else last)
            bulk -= self._add(connection, made, zeros, epoch, sent, found)
        self._write(connection, made, zeros, cursor, late, sent)
        return Composed(made, cursor, late)

    def _set_backlog_behind(self, connection: sqlite3.Connection, cursor: dict[int, int]) -> Runs:
        """Move the cursor over a backlog, which then goes beside the live readings; returns what is behind."""
        first, following = cursor[READINGS], readings.next_number(connection)
        if following - first <= _BACKLOG:
            return self.behind
        cursor[READINGS] = following
        return (*self.behind, (first, following - 1))

    def _take(self, connection: sqlite3.Connection, start: int, most: int, last: int = _NO_END) -> list[Content]:
        """Whole blocks, or else the content of up to `most` messages; nothing when no reading is left."""
        whole = composing.take_blocks(connection, start, last, most) if self.whole_blocks else []
        return whole or composing.take_readings(connection, self.shelf, self.filter, start, last, most)

    def _add(
        self,
        connection: sqlite3.Connection,
        made: list[tuple[Message, Span]],
        zeros: dict[int, int | None],
        epoch: str,
        sent: int,
        found: Sequence[Content],
    ) -> int:
        """Number the messages of `found`; returns how many that made: none where the filter left nothing."""
        before = len(made)
        for content in found:
            if not content.records:
                continue
            seq = self.next_seq + len(made)
            if not isinstance(content.records, Packed):  # what leaves as it lies has its true times
                zeros[seq] = times.zero_of(connection, content.boot)
                content = times.corrected(content, zeros[seq])
            message = self._message(epoch, seq, sent, content, self.filter is not None)
            made.append((message, Span(READINGS, content.first, content.last)))
        return len(made) - before

    def _message(self, epoch: str, seq: int, sent: int, content: Content, filtered: bool) -> Message:
        return Message(
            epoch=epoch,
            seq=seq,
            sent=sent,
            boot=content.boot,
            first=content.number,
            records=content.records,
            last=content.last if filtered else 0,
        )

    def _write(
        self,
        connection: sqlite3.Connection,
        made: list[tuple[Message, Span]],
        zeros: dict[int, int | None],
        cursor: dict[int, int],
        late: Runs,
        sent: int,
    ) -> None:
        connection.executemany(
            "INSERT INTO message (uplink, seq, stream, first, last, sent, delivered, filter, zero)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
            [(self.id, message.seq, *span, sent, self.filter_id, zeros.get(message.seq)) for message, span in made],
        )
        if late != self.behind:
            behind.write(connection, self.id, late)
        if self.filter is not None or late:
            connection.executemany(
                "UPDATE progress SET looked = ? WHERE uplink = ? AND stream = ?",
                [(upto, self.id, stream) for stream, upto in cursor.items() if upto != self.cursor[stream]],
            )

    def composed(self, step: Composed) -> None:
        """The transaction of `compose` is committed: move on."""
        for message, span in step.messages:
            self.undelivered[message.seq] = span
        self.cursor = step.cursor
        self.behind = step.behind
        self.next_seq += len(step.messages)
        if self.cursor[READINGS] == self.done[READINGS]:
            self.shelf.clear()

    def rebuild(self, connection: sqlite3.Connection, epoch: str, seq: int) -> Message | None:
        """The message `seq` exactly as it was first composed; None when it, or part of it, is no longer kept."""
        found = connection.execute(
            "SELECT stream, first, last, sent, spec, zero FROM message LEFT JOIN filter ON filter.id = message.filter"
            " WHERE uplink = ? AND seq = ?",
            (self.id, seq),
        ).fetchone()
        if found is None:
            return None
        stream, first, last, sent, spec, zero = found
        if stream == READINGS:
            wanted = None if spec is None else msgspec.json.decode(spec, type=Filter)
            whole = composing.take_blocks(connection, first, last) if self.whole_blocks and wanted is None else []
            if whole and whole[0].last == last:
                return self._message(epoch, seq, sent, whole[0], False)
            content = composing.same_readings(connection, self.shelf, wanted, first, last)
            if content is None:
                return None
            return self._message(epoch, seq, sent, times.corrected(content, zero), wanted is not None)
        boot = ""
        records: tuple[Event] | tuple[Gap] | tuple[Correction]
        if stream == GAPS:
            match = [gap for gap_id, gap in gaps.listed(connection, self.id, first, 1) if gap_id == first]
            if not match:
                return None
            records = (match[0],)
        elif stream == CORRECTIONS:
            told = [found for id, found in times.listed(connection, self.id, first, 1) if id == first]
            if not told:
                return None
            boot, records = told[0].boot, (told[0],)
        else:
            events, _ = composing.take_events(connection, None, first, 1)
            if not events or events[0][0] != first:
                return None
            boot = events[0][1]
            records = (times.corrected_event(connection, boot, events[0][2], zero),)
        looked = last if spec is not None and stream == EVENTS else 0
        return Message(epoch=epoch, seq=seq, sent=sent, boot=boot, first=first, records=records, last=looked)

    def void(self, connection: sqlite3.Connection, seq: int, now_ms: int, reason: str = "no longer readable") -> None:
        """A message that nobody will get is given up: its number and its records are announced as gaps."""
        stream, first, last = connection.execute(
            "SELECT stream, first, last FROM message WHERE uplink = ? AND seq = ?", (self.id, seq)
        ).fetchone()
        connection.execute("UPDATE message SET delivered = 1 WHERE uplink = ? AND seq = ?", (self.id, seq))
        self.announce(connection, "messages", seq, seq, now_ms, reason)
        if stream in NUMBERED:
            self.announce(connection, NAMES[stream], first, last, now_ms, reason)

    def announce(
        self, connection: sqlite3.Connection, stream: str, first: int, last: int, now_ms: int, reason: str
    ) -> None:
        """Tell this uplink's receivers, and no others, not to wait for first..last."""
        gap = Gap(stream=stream, first=first, last=last, start=now_ms, end=now_ms, reason=reason)
        gaps.announce(connection, self.id, gap)

    def kept(self, connection: sqlite3.Connection, first: int, last: int) -> list[int]:
        """The numbers first..last of messages that can still be sent again."""
        found = connection.execute(
            "SELECT seq FROM message WHERE uplink = ? AND seq BETWEEN ? AND ? ORDER BY seq", (self.id, first, last)
        )
        return [row[0] for row in found]
