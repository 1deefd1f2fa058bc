"""The traffic between USB and REPL."""

from hil_tests.rig.repl import Relay


def test_what_follows_an_interrupt_waits_for_the_prompt() -> None:
    """Ctrl-C reaches the program, the bytes behind it reach the prompt, not the program."""
    relay = Relay()
    relay.from_host(b"\r\x03\r\x01")
    assert relay.to_board("running", 0.0) == b"\r\x03"
    assert relay.to_board("running", 0.1) == b""
    assert relay.to_board("prompt", 0.2) == b"\r\x01"


def test_a_program_that_ignores_the_interrupt_gets_the_rest_later() -> None:
    """After a second the program is taken to read its input itself."""
    relay = Relay()
    relay.from_host(b"\x03more")
    assert relay.to_board("running", 0.0) == b"\x03"
    assert relay.to_board("running", 1.1) == b"more"


def test_nothing_is_typed_at_a_board_that_boots() -> None:
    """What comes meanwhile is kept."""
    relay = Relay()
    relay.from_host(b"x")
    assert relay.to_board("booting", 0.0) == b""
    assert relay.to_board("prompt", 0.1) == b"x"


def test_lines_end_as_a_board_ends_them() -> None:
    """A bare line feed becomes CR LF, a CR LF stays, also across two reads."""
    relay = Relay()
    assert relay.to_host(b"a\nb\r\nc\r") == b"a\r\nb\r\nc\r"
    assert relay.to_host(b"\nd") == b"\nd"


def test_raw_mode_is_kept_over_a_soft_reset() -> None:
    """A board that was in raw mode is put back into it before anything else is typed at it."""
    relay = Relay()
    relay.to_host(b"raw REPL; CTRL-B")
    relay.to_host(b" to exit\n>")
    assert relay.raw
    relay.restarted()
    relay.to_host(b'MicroPython\nType "help()" for more information.\n>>> ')
    relay.from_host(b"print(1)\x04")
    assert relay.to_board("prompt", 0.0) == b"\x01"
    assert relay.to_board("prompt", 0.1) == b""
    relay.to_host(b"raw REPL; CTRL-B to exit\n>")
    assert relay.to_board("prompt", 0.2) == b"print(1)\x04"
