"""The site file: what is accepted, and the sentence for what is not."""

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from hil_tests.rig.site import Bus, parse_site, read_site

BOARD = {"id": "b1", "address": 1}


def test_the_contract_s_example_is_read(tmp_path: Path) -> None:
    """Every key of the contract's site file is known, the initial values of `inject` beside them."""
    path = tmp_path / "site.toml"
    path.write_text(
        '[[bus]]\nname = "north"\nbaud = 9600\nstopbits = 1\nnoise = 0.0\n'
        '[[bus.board]]\nid = "b0101"\nprofile = "gewu-breaker"\naddress = 1\nrating = 16\ncurve = "C"\n'
        "load = 6.0\nfresh = false\nvoltage = 231\nresidual = 0.035\ntemperature = 71\nhandle = 0\n",
        encoding="utf-8",
    )
    board = read_site(path).bus[0].board[0]
    assert (board.voltage, board.residual, board.temperature, board.handle) == (231, 0.035, 71, False)


@pytest.mark.parametrize(("keys", "bits"), [({}, 10), ({"stopbits": 2}, 11), ({"parity": "E"}, 11)])
def test_a_character_s_bits_follow_the_settings(keys: dict[str, object], bits: int) -> None:
    """8N1 has 10 bits, 8N2 and 8E1 have 11."""
    assert Bus.model_validate({"name": "n", **keys}).bits == bits


def test_two_boards_may_share_an_address() -> None:
    """A duplicate address is a fault to rehearse, not an error of the file."""
    site = parse_site({"bus": [{"name": "n", "board": [BOARD, {"id": "b2", "address": 1}]}]}, "s")
    assert [board.address for board in site.bus[0].board] == [1, 1]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"bus": [{"name": "n", "bord": []}]}, ["bord", '"board"']),
        ({"bus": [{"name": "n", "board": [{**BOARD, "adress": 2}]}]}, ["adress", '"address"']),
        ({"bus": [{"name": "n", "board": [BOARD, BOARD]}]}, ["two boards", "'b1'"]),
        ({"bus": [{"name": "n"}, {"name": "n"}]}, ["two buses", "'n'"]),
        ({"bus": [{"name": "n", "board": [{"id": "b1"}]}]}, ["address", "1 to 247"]),
        ({"bus": [{"name": "n", "board": [{**BOARD, "address": 248}]}]}, ["address", "247"]),
        ({"bus": [{"name": "n", "noise": 2}]}, ["noise", "1"]),
        ({}, ["bus"]),
    ],
)
def test_a_wrong_site_names_file_and_key(document: dict[str, object], words: list[str]) -> None:
    """One sentence with the file, the key, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        parse_site(document, "village.toml")
    assert all(word in str(caught.value) for word in ["village.toml", *words])
