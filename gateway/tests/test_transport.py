"""The line against another implementation, and against answers that are wrong in every way."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.transport import Line, fault
from gateway.bus.trouble import BusTrouble, Cause, PortTrouble
from gateway.bus.wire import Wire
from gateway.errors import DeviceRefused
from gateway.tests.pymodbus_slave import device, serving
from gateway.tests.scripted_slave import Answer, framed, registers, scripted

GOOD = registers(1, 4, 11, 22)
Opener = Callable[..., Line]


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (GOOD, None),
        (b"", "no-answer"),
        (GOOD[:-1], "cut"),
        (GOOD[:3], "cut"),
        (GOOD[:-1] + b"\0", "crc"),
        (registers(2, 4, 11, 22), "wrong-unit"),
        (registers(1, 3, 11, 22), "wrong-answer"),
        (registers(1, 4, 11), "wrong-answer"),
        (framed(1, 4, 3, 0, 1, 0, 2), "wrong-answer"),  # a byte count that is not that of the frame
        (framed(1, 0x84, 2), "exception"),
        (framed(2, 0x84, 2), "wrong-unit"),
        (framed(1, 0x83, 2), "wrong-answer"),
    ],
)
def test_a_frame_is_judged_by_unit_function_count_and_checksum(frame: bytes, cause: Cause | None) -> None:
    """Only the answer to this very request has no fault."""
    assert fault(frame, 1, 4, 9) == cause


@given(st.binary(max_size=12))
def test_noise_is_never_an_answer(noise: bytes) -> None:
    """Random bytes are some fault or other, and never a crash."""
    assert noise == GOOD or fault(noise, 1, 4, 9) is not None


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_no_flipped_bit_goes_through(bit: int) -> None:
    """A good answer with any one bit flipped is refused."""
    broken = bytearray(GOOD)
    broken[bit // 8] ^= 1 << bit % 8
    assert fault(bytes(broken), 1, 4, 9) is not None


@pytest.fixture
def line_to() -> Iterator[Opener]:
    """Opens lines with a short patience, and closes them."""
    opened: list[Line] = []

    def open_(port: str, patience: float = 0.5) -> Line:
        opened.append(Line("test", port, Wire(115200), patience))
        return opened[-1]

    yield open_
    for line in opened:
        line.close()


@pytest.mark.integration
def test_every_function_agrees_with_another_implementation(line_to: Opener) -> None:
    """pymodbus serves functions 1 to 6, 15, 16 and 2B/0E; what was put there is read, and written is read back."""
    inputs = {address: address * 300 % 65536 for address in range(125)}
    with serving([device(1, inputs, {3: 9}), device(247)], "Gewu", "gewu-breaker") as slave:
        line = line_to(slave.port)
        assert line.read(1, "input", 0, 125) == [inputs[address] for address in range(125)]
        assert line.read(1, "holding", 3, 1) == [9]
        assert line.read(1, "coil", 0, 9) == [1] + [0] * 8
        assert line.read(1, "discrete", 0, 1) == [1]
        assert line.read(247, "input", 0, 1) == [0]
        line.write_registers(1, 5, [1, 65535])
        line.write_register(1, 7, 4)
        assert line.read(1, "holding", 5, 3) == [1, 65535, 4]
        line.write_coil(1, 3, True)
        line.write_coils(1, 4, [True, False, True])
        assert line.read(1, "coil", 3, 4) == [1, 1, 0, 1]
        assert line.identity(1) == {0: "Gewu", 1: "gewu-breaker"}
        with pytest.raises(DeviceRefused, match=r"address 1 has no such registers .* input 199 to 200") as refused:
            line.read(1, "input", 199, 2)
        assert refused.value.code == 2


@pytest.mark.integration
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda _: b"", "no-answer"),
        (lambda _: GOOD[:6], "cut"),
        (lambda _: GOOD[:-1] + b"\0", "crc"),
        (lambda _: registers(9, 4, 11, 22), "wrong-unit"),
        (lambda _: registers(1, 3, 11, 22), "wrong-answer"),
    ],
)
def test_a_useless_answer_is_named_by_its_cause(line_to: Opener, answer: Answer, cause: str) -> None:
    """The sentence names bus, address, what was asked and what to look at; the next answer is taken again."""
    with scripted(answer) as slave:
        line = line_to(slave.port)
        line._port.timeout = 0.05
        with pytest.raises(BusTrouble, match=r"Bus test: .* address 1 .* a read of input 0 to 1; ") as trouble:
            line.read(1, "input", 0, 2)
        assert trouble.value.cause == cause
        slave.answer = lambda _: GOOD
        line._port.timeout = 0.5
        assert line.read(1, "input", 0, 2) == [11, 22]


@pytest.mark.integration
def test_a_write_is_believed_when_it_is_repeated(line_to: Opener) -> None:
    """The answer to a write repeats address and value: another address, or another value, is a wrong answer."""
    with scripted(lambda request: framed(*request[:6])) as slave:
        line = line_to(slave.port)
        line.write_register(1, 7, 4)
        line.write_registers(1, 7, [4, 5])
        line.write_coil(1, 3, True)
        line.write_coils(1, 3, [True] * 9)
        assert slave.requests[-1] == bytes((1, 15, 0, 3, 0, 9, 2, 0xFF, 1))
        slave.answer = lambda request: framed(*request[:5], request[5] ^ 1)
        with pytest.raises(BusTrouble, match="answered something that was not asked to a write of holding 7"):
            line.write_register(1, 7, 4)
        with pytest.raises(BusTrouble) as trouble:
            line.write_coils(1, 3, [True])
        assert trouble.value.cause == "wrong-answer"


@pytest.mark.integration
def test_a_file_is_read_by_function_20(line_to: Opener) -> None:
    """One part of a file: what comes with another length or type inside is no answer, and "busy" is a refusal."""
    good = framed(1, 0x14, 6, 5, 6, 0x12, 0x34, 0xAB, 0xCD)
    with scripted(lambda _: good) as slave:
        line = line_to(slave.port)
        assert line.read_file(1, 2, 48, 2) == [0x1234, 0xABCD]
        assert slave.requests == [bytes((1, 0x14, 7, 6, 0, 2, 0, 48, 0, 2))]
        assert line.busy_s == pytest.approx(Wire(115200).exchange(12, len(good)))
        wrong = [(6, 3, 6), (6, 5, 7), (5, 5, 6)]
        slave.answer = lambda _: framed(1, 0x14, *wrong.pop(), 0, 1, 0, 2)
        while wrong:
            with pytest.raises(BusTrouble) as trouble:
                line.read_file(1, 2, 48, 2)
            assert trouble.value.cause == "wrong-answer"
        slave.answer = lambda _: framed(1, 0x94, 6)
        with pytest.raises(DeviceRefused, match="is busy"):
            line.read_file(1, 2, 48, 2)


@pytest.mark.integration
@pytest.mark.parametrize("parity", ["E", "O"])
def test_a_pty_is_opened_again_with_parity(parity: str) -> None:
    """A pty knows no parity and its driver says so from the second time on; the line opens all the same."""
    with scripted(lambda _: GOOD) as slave:
        for _ in range(3):
            line = Line("test", slave.port, Wire(19200, parity), 0.5)
            try:
                assert line.read(1, "input", 0, 2) == [11, 22]
            finally:
                line.close()


@pytest.mark.integration
def test_an_exception_does_not_wait_for_the_rest(line_to: Opener) -> None:
    """Five bytes are a whole exception: it is told at once, not after the time-out of a long answer."""
    with scripted(lambda _: framed(1, 0x84, 2)) as slave:
        line = line_to(slave.port, patience=30.0)
        with pytest.raises(DeviceRefused):
            line.read(1, "input", 0, 100)


@pytest.mark.integration
def test_a_late_answer_is_not_taken_for_the_next(line_to: Opener) -> None:
    """What arrives after its time-out is thrown away, also when it comes with the answer to the next request."""
    with scripted(lambda _: [(0.25, registers(1, 4, 1, 1))]) as slave:
        line = line_to(slave.port)
        line._port.timeout = 0.02
        with pytest.raises(BusTrouble):
            line.read(1, "input", 0, 2)
        line._port.timeout = 1.0
        slave.answer = lambda _: registers(2, 4, 33, 44)
        # The late answer of unit 1 comes while unit 2 is asked: that is no value of unit 2.
        with pytest.raises(BusTrouble) as trouble:
            line.read(2, "input", 0, 2)
        assert trouble.value.cause == "wrong-unit"
        assert line.read(2, "input", 0, 2) == [33, 44]


@pytest.mark.integration
def test_old_bytes_are_flushed_before_a_request(line_to: Opener) -> None:
    """An answer that is followed by garbage is taken, and the garbage is not the next answer."""
    with scripted(lambda _: GOOD + b"\x55" * 40) as slave:
        line = line_to(slave.port)
        for _ in range(3):
            assert line.read(1, "input", 0, 2) == [11, 22]


@pytest.mark.integration
def test_long_identities_come_in_parts(line_to: Opener) -> None:
    """A device that says "more follows" is asked on from the object it names."""

    def answer(request: bytes) -> bytes:
        if request[4] == 0:
            return framed(1, 0x2B, 0x0E, 1, 1, 0xFF, 1, 1, 0, 4, *b"Gewu")
        return framed(1, 0x2B, 0x0E, 1, 1, 0, 0, 2, 1, 2, *b"gb", 2, 3, *b"1.0")

    with scripted(answer) as slave:
        assert line_to(slave.port).identity(1) == {0: "Gewu", 1: "gb", 2: "1.0"}


@pytest.mark.integration
def test_a_port_in_use_names_its_holder(line_to: Opener) -> None:
    """The second to open a port is told who has it."""
    with scripted(lambda _: b"") as slave:
        line_to(slave.port)
        with pytest.raises(PortTrouble, match=rf"{slave.port} is in use by .*\(process \d+\)"):
            line_to(slave.port)


def test_a_missing_port_says_what_to_do() -> None:
    """No such device: plug it in, or correct the name."""
    with pytest.raises(PortTrouble, match=r"/dev/ttyNONE does not exist; plug the adapter in"):
        Line("test", "/dev/ttyNONE", Wire(9600))


@pytest.mark.integration
def test_a_port_that_goes_away_is_port_trouble(line_to: Opener) -> None:
    """Pulled out in the middle of work: PortTrouble, not a crash and not a silent device."""
    with scripted(lambda _: GOOD) as slave:
        line = line_to(slave.port)
        assert line.read(1, "input", 0, 2) == [11, 22]
    for _ in range(2):
        with pytest.raises(PortTrouble, match="is gone"):
            line.read(1, "input", 0, 2)


@pytest.mark.integration
def test_a_serial_server_works_like_a_port(line_to: Opener) -> None:
    """socket://host:port carries the same frames, and says so when nobody listens."""

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while heard := connection.recv(256):
                connection.sendall(GOOD if heard[1] == 4 else b"")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: Any = server.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        line = line_to(f"socket://127.0.0.1:{port}")
        assert line.read(1, "input", 0, 2) == [11, 22]
        line.close()
        thread.join(5)
    with pytest.raises(PortTrouble, match="cannot be reached"):
        line_to(f"socket://127.0.0.1:{port}")
