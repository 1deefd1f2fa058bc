"""A real outbox, a fake broker and a fake clock around one delivery, for its tests."""

import json
from pathlib import Path
from typing import Any

from gateway.outbox import Outbox
from gateway.receiver.ledger import Ledger
from gateway.tests.fake_broker import FakeBroker
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, opened, reading
from gateway.uplink import native
from gateway.uplink.delivery import Delivery
from gateway.uplink.formats import format_of
from gateway.uplink.present import NoDevices
from gateway.uplink.settings import UplinkSettings

WINDOW, RESERVED = 6, 2


class DeliveryBench:
    """A real outbox, a fake broker and a fake clock around one delivery."""

    def __init__(self, folder: Path, acks: bool = False, uptime: float = 100.0, **more: Any) -> None:
        self.clock = FakeClock()
        self.clock.now = uptime
        self.broker = FakeBroker()
        self.broker.monotonic = self.clock.monotonic
        self.outbox: Outbox = opened(folder, self.clock, Route(acks=acks, max_delay=0))
        self.ledger = Ledger()
        self.counted = 0
        settings = UplinkSettings(
            name="county",
            site="s",
            gateway="g",
            url="mqtt://b:1883",
            acks=acks,
            window=WINDOW,
            reserved=RESERVED,
            **more,
        )
        form = format_of(settings, self.clock, "1", NoDevices(self.outbox))
        self.delivery = Delivery(
            settings, self.outbox, self.broker, self.clock, form,
            health=lambda: {"disk": {}}, chance=lambda: 0.5, wake=lambda: None,
        )  # fmt: skip

    def step(self, times: int = 1) -> float:
        wait = 0.0
        for _ in range(times):
            wait = self.delivery.step()
        return wait

    def fill(self, messages: int) -> None:
        for number in range(messages * 256):
            self.outbox.put_reading(reading(number))
        self.outbox.flush()

    def published(self, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
        """What was published of these kinds (all when none is named), in order."""
        found = [(topic.rsplit("/", 1)[1], json.loads(payload)) for topic, payload, _ in self.broker.published]
        return [one for one in found if not kinds or one[0] in kinds]

    def seqs(self) -> list[int]:
        return [content["seq"] for _, content in self.published("readings", "events", "gaps")]

    def receive(self) -> Ledger:
        """A receiver that gets everything published since the last call."""
        for topic, payload, _ in self.broker.published[self.counted :]:
            address = native.address(topic)
            if address and address.kind in ("readings", "events", "gaps"):
                self.ledger.accept("s/g", native.parse(address.kind, payload))
        self.counted = len(self.broker.published)
        return self.ledger

    def acknowledge(self, seq: int, epoch: str = "") -> None:
        self.broker.link.say("gewu/s/g/acks", native.encode_ack(epoch or self.outbox.epoch, seq))
