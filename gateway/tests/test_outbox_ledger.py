"""Whatever happens in whatever order: accepted = delivered + queued + dropped, and the receiver misses nothing."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.outbox import Outbox
from gateway.receiver.ledger import Ledger
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, opened, reading
from gateway.uplink import native


class OutboxLedger(RuleBasedStateMachine):
    """One outbox, one uplink, one receiver; the process may die at any moment between two calls."""

    @initialize(acks=st.booleans())
    def begin(self, acks: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.route = Route(acks=acks, max_delay=1.0)
        self.outbox: Outbox = opened(self.folder, self.clock, self.route)
        self.ledger = Ledger()
        self.accepted = self.uncommitted = self.alarms = 0
        self.bytes: dict[int, bytes] = {}

    @rule(count=st.integers(1, 300))
    def put(self, count: int) -> None:
        for number in range(count):
            self.outbox.put_reading(reading(number))
        self.uncommitted += count

    @rule(clear=st.booleans())
    def alarm(self, clear: bool) -> None:
        self.alarms += not clear
        self.outbox.accept_event(event(f"e{self.alarms}", 1_795_000_000_001 if clear else None), "k")
        self.accepted += 1
        self.committed()

    @rule(seconds=st.floats(0, 5000))
    def wait_and_flush(self, seconds: float) -> None:
        self.clock.now += seconds
        self.outbox.flush()
        self.committed()

    @rule(room=st.integers(1, 6), bulk=st.integers(0, 6), arrives=st.booleans(), confirmed=st.booleans())
    def send(self, room: int, bulk: int, arrives: bool, confirmed: bool) -> None:
        messages = self.outbox.next_messages("county", room, min(room, bulk))
        if messages:
            self.committed()
        for message in messages:
            _, payload = native.encode(message)
            assert message.seq not in self.bytes
            self.bytes[message.seq] = payload
            if arrives:
                self.arrive(message.seq, confirmed)

    @rule(confirmed=st.booleans())
    def send_again(self, confirmed: bool) -> None:
        for seq in self.outbox.undelivered("county"):
            self.arrive(seq, confirmed)

    @rule()
    def die(self) -> None:
        connection = self.outbox._connection
        assert connection is not None
        connection.close()
        self.uncommitted = 0
        self.outbox = opened(self.folder, self.clock, self.route)

    def arrive(self, seq: int, confirmed: bool) -> None:
        message = self.outbox.message("county", seq)
        self.committed()
        assert message is not None
        kind, payload = native.encode(message)
        assert payload == self.bytes[seq]
        self.ledger.accept("s/g", native.parse(kind, payload))
        if confirmed and self.route.acks:
            self.outbox.acknowledge("county", message.epoch, self.ledger.epoch("s/g", message.epoch).safe())
        elif confirmed:
            self.outbox.mark_delivered("county", [seq])

    def committed(self) -> None:
        """Whatever commits, commits what waits too."""
        self.accepted += self.uncommitted
        self.uncommitted = 0

    @invariant()
    def balanced(self) -> None:
        if not hasattr(self, "outbox"):
            return
        found = self.outbox.stats()
        assert found.accepted == found.delivered + found.queued + found.dropped
        # A burst commits early, by itself.
        assert self.accepted <= found.accepted <= self.accepted + self.uncommitted
        self.uncommitted -= found.accepted - self.accepted
        self.accepted = found.accepted
        assert found.dropped == 0
        assert (found.oldest is None) == (found.queued == 0)

    def teardown(self) -> None:
        if not hasattr(self, "outbox"):
            return
        # The link works again: everything arrives.
        self.outbox.flush()
        self.committed()
        self.send_again(confirmed=True)
        self.clock.now += 10
        while self.outbox.stats().queued:
            self.send(room=6, bulk=6, arrives=True, confirmed=True)
        report = self.ledger.report()
        assert (report["lost"], report["delivered"]) == (0, self.accepted)
        self.outbox.close()
        shutil.rmtree(self.folder)


TestOutboxLedger = OutboxLedger.TestCase
TestOutboxLedger.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
