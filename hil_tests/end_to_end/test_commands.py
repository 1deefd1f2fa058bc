"""Commands over the whole path: signed above, through a broker and a gateway, obeyed by the real firmware."""

import itertools
import json
import queue
import sqlite3
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.bus.poller import BusPoller
from gateway.bus.transport import Line
from gateway.bus.trouble import no_use
from gateway.bus.wire import wire_of
from gateway.clock import SystemClock
from gateway.config import load as load_config
from gateway.orders import desk_of
from gateway.outbox import Outbox
from gateway.profile import load as load_profile
from gateway.records import rfc3339
from gateway.tests.command_samples import issuers_file, order
from hil_tests.brokers import Mosquitto, free_port
from hil_tests.end_to_end.scene import Program, Site, gewu, wait_for
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.master import Master
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning.settings import slot_bytes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
KEY = bytes(range(32))
_MAIL = load_profile("gewu-breaker").mailbox
MAILBOX = _MAIL.command_register if _MAIL else -1
PLAN: dict[str, Any] = {
    "bus": [{"name": "north", "baud": 19200, "board": [{"id": "b1", "address": 1, "load": 6.0, "actuator": True}]}],
}
# A gateway that a power cut ends when the frame is on the bus and its result is not known.
CUT = """
import os, signal, sys
from gateway import points
from gateway.cli.main import main
points.watch(lambda name: name == "command.written" and os.kill(os.getpid(), signal.SIGKILL))
sys.argv[0] = "gewu"
main()
"""


def keyed(folder: Path, board: Board, bus: Bus) -> None:
    """As provisioning leaves a board: with a key of its own; it may be closed a second after it opened."""
    fill(folder, board, bus)
    given = settings_of(board, bus) | {"key": KEY.hex(), "protection": {"reclose_wait": 1}}
    (folder / "settings.a").write_bytes(slot_bytes(given, 1))


@pytest.fixture
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(PLAN, "test"), tmp_path_factory.mktemp("village"), load=keyed) as up:
        yield up


class Above:
    """Whoever commands: publishes envelopes and hears the replies."""

    def __init__(self, client: paho.Client) -> None:
        self._client = client
        self.replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        client.on_message = lambda _client, _data, message: self.replies.put(json.loads(message.payload))

    def send(self, payload: bytes, id: str | None = None) -> None:
        topic = f"gewu/test/gw/commands/{id or json.loads(payload)['id']}"
        self._client.publish(topic, payload, qos=1).wait_for_publish(30)

    def answered(self, payload: bytes) -> dict[str, Any]:
        """The reply, sent again as an operator would until there is one."""
        for _ in range(6):
            self.send(payload)
            try:
                return self.replies.get(timeout=15)
            except queue.Empty:
                continue
        raise AssertionError("nobody answers")


@contextmanager
def above(broker: Mosquitto) -> Iterator[Above]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="above")
    here = Above(client)
    subscribed: queue.SimpleQueue[int] = queue.SimpleQueue()
    client.on_subscribe = lambda _client, _data, mid, _codes, _properties: subscribed.put(mid)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        client.subscribe("gewu/test/gw/replies/+", qos=1)
        subscribed.get(timeout=30)
        yield here
    finally:
        client.disconnect()
        client.loop_stop()


def configured(site: Site, village: Village, broker: Mosquitto, more: str = "") -> None:
    """A gateway with a desk: issuers, the board's key, arms not yet raised."""
    keys = site.folder / "device-keys.toml"
    keys.write_text(f'[keys]\nb1 = "{KEY.hex()}"\n')
    keys.chmod(0o600)
    port = village.state()["buses"][0]["port"]
    bus = f'[[bus]]\nname = "north"\nport = "{port}"\nbaud = 19200\n'
    bus += '[[bus.device]]\nid = "b1"\nprofile = "gewu-breaker"\naddress = 1\n'
    commands = f'[commands]\nkeys = "{issuers_file(site.folder).name}"\ndevice_keys = "{keys.name}"\n{more}'
    site.configure(commands + bus, broker.url)


def ready(site: Site) -> None:
    wait_for("the breaker is read", lambda: (site.device("b1") or {}).get("online"))
    wait_for("the uplink is connected", lambda: (site.status() or {"uplinks": [{}]})["uplinks"][0].get("connected"))


def open_(village: Village) -> bool:
    return not village.state()["boards"][0]["closed"]


def signed(number: int = 1, **more: Any) -> bytes:
    return order(SystemClock().wall_ms(), number=number, counter=number, gateway="test/gw", **more)


def test_an_order_opens_a_breaker_once_and_the_audit_proves_it(
    site: Site, village: Village, mosquitto: Mosquitto
) -> None:
    """Dry until armed on site; then done, read back, the same for the same envelope; a forged one moves nothing."""
    port = free_port()
    configured(site, village, mosquitto, f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    gateway = site.start_gateway()
    ready(site)
    with above(mosquitto) as desk:
        dry = desk.answered(signed(1))
        assert (dry["result"], dry["why"][:7], open_(village)) == ("refused", "dry run", False)
        gewu("commands", "arm", "--by", "Li", "--config", site.config)
        forged = signed(9).replace(b"smoke in unit 2", b"smoke in unit 3")
        desk.send(forged)
        payload = signed(2)
        done = desk.answered(payload)
        assert (done["id"], done["result"], done["readback"]["closed"]) == (str(uuid.UUID(int=2)), "done", False)
        assert open_(village)
        assert desk.answered(payload) == done
        assert desk.answered(signed(3, action="close", by="chief", approved=("second", "third")))["result"] == "refused"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    assert 'gewu_commands_total{result="strangers"} 1.0' in told
    assert 'gewu_commands_total{result="done"} 1.0' in told
    shown = json.loads(gewu("commands", "show", "--json", "--config", site.config))
    assert (shown["armed"], shown["allow_close"], shown["waiting"]) == (True, False, [])
    proved = json.loads(gewu("audit", "verify", "--json", "--config", site.config))
    assert (proved["ok"], proved["rows"]) == (True, 6)
    gateway.stop()
    assert json.loads(gewu("audit", "verify", "--json", "--config", site.config)) == proved
    with closing(sqlite3.connect(site.data_dir / "outbox.db")) as database, database:
        database.execute("UPDATE audit SET body = replace(body, 'done', 'none') WHERE n = 5")
    assert "row 5 is not what was written" in gewu("audit", "verify", "--config", site.config, status=1)


def test_two_approvals_close_a_breaker(site: Site, village: Village, mosquitto: Mosquitto) -> None:
    """The whole way to the motor on the real firmware, where closing is enabled on site; one approval alone waits for
    somebody there."""
    configured(site, village, mosquitto, "allow_close = true\nrate = 30\n")
    site.start_gateway()
    ready(site)
    gewu("commands", "arm", "--by", "Li", "--config", site.config)
    numbers = itertools.count(1)

    def shown() -> list[dict[str, Any]]:
        waiting: list[dict[str, Any]] = json.loads(gewu("commands", "show", "--json", "--config", site.config))[
            "waiting"
        ]
        return waiting

    # A board that has just opened refuses for a second (`reclose_wait`): then they order anew, as people would.
    def by_two(desk: Above) -> bool:
        payload = signed(next(numbers), action="close", by="chief", approved=("second", "third"))
        reply = desk.answered(payload)
        assert desk.answered(payload) == reply
        return bool(reply["result"] == "done" and reply["readback"]["closed"])

    def by_one_on_site(desk: Above) -> bool:
        desk.send(signed(next(numbers), action="close", by="chief", approved=("second",)))
        (waiting,) = wait_for("the close waits", shown)
        assert open_(village)
        gewu("commands", "confirm", waiting["id"], "--by", "Wang", "--config", site.config)
        return bool(desk.replies.get(timeout=60)["result"] == "done")

    with above(mosquitto) as desk:
        for close in (by_two, by_one_on_site):
            assert desk.answered(signed(next(numbers)))["result"] == "done"
            assert open_(village)
            wait_for("the board lets itself be closed", lambda: close(desk), 60)  # noqa: B023
            assert not open_(village)
    assert json.loads(gewu("audit", "verify", "--json", "--config", site.config))["ok"]


def test_an_order_that_comes_after_its_expiry_moves_nothing(site: Site, village: Village, mosquitto: Mosquitto) -> None:
    """E2 on the real firmware: the broker keeps it while the gateway is away; it is refused, in the audit and an event,
    and the board has never heard of it."""
    configured(site, village, mosquitto)
    gateway = site.start_gateway()
    ready(site)
    gewu("commands", "arm", "--by", "Li", "--config", site.config)
    gateway.stop()
    clock = SystemClock()
    ends = clock.wall_ms() + 1500
    payload = signed(1, expires_at=rfc3339(ends))
    receiver = site.start_receiver(mosquitto.url)
    with above(mosquitto) as desk:
        desk.send(payload)
        wait_for("its expiry", lambda: clock.wall_ms() > ends)
        gateway = site.start_gateway()
        reply = desk.replies.get(timeout=60)
        assert (reply["id"], reply["result"]) == (str(uuid.UUID(int=1)), "expired")
        assert desk.answered(payload) == reply
    wait_for("the event", lambda: site.events("security.command"))
    proved = json.loads(gewu("audit", "verify", "--json", "--config", site.config))
    assert (proved["ok"], proved["rows"]) == (True, 2)  # who armed it, and the refusal
    gateway.stop()
    receiver.stop()
    assert not open_(village)
    with Master(village.state()["buses"][0]["port"]) as master:
        assert master.registers(1, 107, 2) == [0, 0]  # command_counter: no frame was carried out


def test_a_power_cut_between_the_write_and_its_result(site: Site, village: Village, mosquitto: Mosquitto) -> None:
    """E3 on the real firmware: the state is read at the next start, told, and nothing is sent a second time."""
    configured(site, village, mosquitto)
    gateway = site.start_gateway()
    ready(site)
    gewu("commands", "arm", "--by", "Li", "--config", site.config)
    gateway.stop()
    cut = Cut(site.folder, "run", "--config", site.config)
    site.programs.append(cut)
    ready(site)
    payload = signed(1)
    with above(mosquitto) as desk:
        desk.send(payload)
        cut.process.wait(60)
        wait_for("the breaker opened", lambda: open_(village))
        site.start_gateway()
        ready(site)
        found = desk.answered(payload)
        assert (found["result"], found["why"]) == ("done", "found so after a restart of the gateway")
        assert found["readback"]["closed"] is False
        assert desk.answered(payload) == found
    for program in site.programs:
        if program.process.poll() is None:
            program.stop()
    with Master(village.state()["buses"][0]["port"]) as master:
        high, low = master.registers(1, 107, 2)
        assert (high, low) == (0, 1)  # command_counter: one frame was carried out


class Losing(Line):
    """A line that loses what belongs to a command: the frame itself, or the answer to it; each once."""

    lose: ClassVar[list[str]] = []

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        fault = self.lose.pop(0) if self.lose and address == MAILBOX else ""
        if fault != "frame":
            super().write_registers(unit, address, values)
        if fault:
            raise no_use("no-answer", self.name, unit, "a command")


@pytest.mark.parametrize("lost", [["answer"], ["frame", "answer"]])
def test_a_lost_answer_is_read_back_and_nothing_is_done_twice(
    tmp_path: Path, village: Village, lost: list[str]
) -> None:
    """E4 on the real firmware: whatever is lost of a frame, the breaker moved once and the reply says so."""
    port = village.state()["buses"][0]["port"]
    device = {"id": "b1", "profile": "gewu-breaker", "address": 1}
    config = load_config(written(tmp_path, f'port = "{port}"\nbaud = 19200\n', device))
    clock = SystemClock()
    outbox = Outbox(tmp_path / "data", clock, ())
    Losing.lose = list(lost)
    bus = BusPoller(config.bus[0], clock, outbox, connect=losing)
    replies: list[dict[str, Any]] = []
    try:
        bus.start()
        wait_for("the breaker is read", lambda: bus.status().devices[0].online)
        desk = desk_of(config, [bus], (), outbox, clock)
        assert desk is not None
        desk.arm(True, "Li")
        desk.hear(str(uuid.UUID(int=1)), signed(1), lambda _topic, payload: replies.append(json.loads(payload)))
        desk.step()
    finally:
        bus.request_stop()
        bus.join(10)
        outbox.close()
    assert (replies[0]["result"], replies[0]["readback"]["closed"]) == ("done", False)
    assert Losing.lose == []
    assert open_(village)
    with Master(port) as master:
        assert master.registers(1, 107, 2) == [0, 1]


def losing(bus: Any) -> Line:
    return Losing(bus.name, bus.port, wire_of(bus.port, bus.baud, bus.parity, bus.stopbits), bus.timeout)


def written(folder: Path, bus: str, device: dict[str, Any]) -> Path:
    """A configuration with a desk and one breaker."""
    keys = folder / "device-keys.toml"
    keys.write_text(f'[keys]\nb1 = "{KEY.hex()}"\n')
    keys.chmod(0o600)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in device.items())
    file = folder / "gewu.toml"
    file.write_text(
        f'[gateway]\nid = "gw"\nsite = "test"\n[commands]\nkeys = "{issuers_file(folder).name}"\n'
        f'device_keys = "{keys.name}"\n[[bus]]\nname = "north"\n{bus}[[bus.device]]\n{lines}'
    )
    return file


class Cut(Program):
    """See `CUT`."""

    def __init__(self, folder: Path, *command: str | Path) -> None:
        self._script = [sys.executable, "-c", CUT, *map(str, command)]
        super().__init__(folder, *command)

    def _spawn(self) -> Any:
        self._command = self._script
        return super()._spawn()
