"""Every fault of the bus once, with the real firmware on it: what it does to a master, and that it goes as it came."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from hil_tests.rig.master import Master
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = pytest.mark.integration
BAUD = 38400
WELL = {"noise": "0", "drop": "0", "collide": "0", "delay": "0", "echo": "0", "unplug": "0"}
ASK_B1, ASK_S2 = (bytes((unit, 4, 0, 0, 0, 2)) for unit in (1, 2))


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards = [{"id": "b1", "address": 1}, {"id": "s2", "address": 2, "profile": "gewu-sensor"}]
    with socket.create_server(("127.0.0.1", 0)) as server:
        links = [{"name": "county", "to": server.getsockname()[1], "delay": 0.1}]
        site = parse_site({"bus": [{"name": "north", "baud": BAUD, "board": boards}], "link": links}, "test")
        with Village(site, tmp_path_factory.mktemp("village")) as village:
            yield village


@pytest.fixture
def north(village: Village) -> Iterator[str]:
    """The bus's port; afterwards both boards answer again."""
    port = village.state()["buses"][0]["port"]
    yield port
    village.inject("north", WELL)
    for board in ("b1", "s2"):
        village.inject(board, {"stuck": "0", "silent": "0"})
    with Master(port) as master:
        for question in (ASK_B1, ASK_S2):
            master.demand(question, 30.0)


def share(master: Master, times: int, question: bytes = ASK_B1) -> float:
    """The part of the questions that got a whole answer from the right board."""
    return sum(master.ask(question)[:2] == question[:2] for _ in range(times)) / times


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to this: {what}"


@pytest.mark.parametrize("fault", ["noise", "drop", "collide"])
def test_a_bad_line_costs_answers(village: Village, north: str, fault: str) -> None:
    """Corrupted, lost and talked-over characters: some answers are missing, and none is wrong."""
    chance = "0.5" if fault == "collide" else "0.05"
    with Master(north, 0.3) as master:
        until(lambda: share(master, 1) == 1, "an answer")
        village.inject("north", {fault: chance})
        heard: list[bytes] = []

        def missing() -> bool:
            heard.extend(master.ask(ASK_B1) for _ in range(5))
            return b"" in heard

        until(missing, "an answer was missing")
        assert {answer[:2] for answer in heard} <= {b"", ASK_B1[:2]}


def test_delay_makes_answers_late(village: Village, north: str) -> None:
    """They come, and later than a master waits that has no patience."""
    village.inject("north", {"delay": "0.6"})
    with Master(north, 0.3) as hasty:
        assert hasty.ask(ASK_B1) == b""
    with Master(north, 5.0) as patient:
        until(lambda: share(patient, 1) == 1, "an answer for who waits")


def test_own_echo_comes_back(village: Village, north: str) -> None:
    """Where nobody answers, the master hears its own frame; and the boards, which hear themselves too, go on."""
    nobody = bytes((77, 4, 0, 0, 0, 2))
    with Master(north, 0.3) as master:
        until(lambda: master.ask(nobody) == b"", "silence: what the test before delayed may still come")
        village.inject("north", {"echo": "1"})
        until(lambda: master.ask(nobody) == nobody, "the echo")
        village.inject("north", {"echo": "0"})
        until(lambda: share(master, 3) == 1, "whole answers again")


def test_a_stuck_driver_takes_the_bus_from_everybody(village: Village, north: str) -> None:
    """Another board's driver never lets go: b1 is not understood, though it is well."""
    with Master(north, 0.3) as master:
        until(lambda: share(master, 1) == 1, "an answer")
        village.inject("s2", {"stuck": "1"})
        assert share(master, 5) == 0


def test_an_address_that_two_boards_have(village: Village, north: str) -> None:
    """s2 was given the address of b1: nobody answers at its own, and those at the other talk over one another."""
    with Master(north, 0.3) as master:
        village.inject("s2", {"address": "1"})
        try:
            until(lambda: master.ask(ASK_S2) == b"" and share(master, 10) < 1, "the two collide")
        finally:
            village.inject("s2", {"address": "2"})


def test_a_board_at_a_wrong_speed(village: Village, north: str) -> None:
    """b1 was given 9600 baud: the others answer, it does not; at the bus's speed it is back."""
    with Master(north, 0.3) as master:
        village.inject("b1", {"baud": "9600"})
        until(lambda: share(master, 3) == 0 and share(master, 1, ASK_S2) == 1, "b1 is not understood")
        village.inject("b1", {"baud": str(BAUD)})
        until(lambda: share(master, 1) == 1, "b1 is back")


def test_an_adapter_that_is_pulled(village: Village, north: str) -> None:
    """The port is gone, and comes back at the same path with the boards behind it."""
    village.inject("north", {"unplug": "1"})
    assert not Path(north).exists()
    village.inject("north", {"unplug": "0"})
    with Master(north) as master:
        until(lambda: share(master, 1) == 1, "an answer")


def test_a_link_to_a_server_is_parted(village: Village) -> None:
    """Through the link the server is reached; parted, nobody is, and afterwards again."""
    (link,) = village.state()["links"]
    where = link["host"], link["port"]
    assert (link["kind"] == "proxy") == bool(link["why"])
    began = time.monotonic()
    with socket.create_connection(where, timeout=30):
        pass
    assert link["kind"] == "proxy" or time.monotonic() - began >= 0.2
    if link["kind"] == "namespace":  # a proxy takes a connection that it cannot lead on
        village.inject("county", {"partition": "1"})
        with pytest.raises(OSError):
            socket.create_connection(where, timeout=0.3)
    village.inject("county", {"partition": "0", "delay": "0"})
    with socket.create_connection(where, timeout=30):
        pass
    with pytest.raises(ConfigurationError, match="loss"):
        village.inject("county", {"loss": "2"})


def test_what_cannot_be_is_refused_and_changes_nothing(village: Village, north: str) -> None:
    """An address beyond 247, a name that neither a board nor a bus has."""
    with pytest.raises(ConfigurationError, match="address=300"):
        village.inject("s2", {"address": "300"})
    with pytest.raises(ConfigurationError, match="b7"):
        village.inject("b7", {"noise": "0.1"})
    with Master(north) as master:
        until(lambda: share(master, 1, ASK_S2) == 1, "s2 answers")
