"""The pair under load: every device asked in turn without a pause, each answer timed and looked at."""

import struct
import time

import pytest

from gateway.bus.transport import READ_FUNCTION
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Bus
from hil_tests.hil.board import Board
from hil_tests.hil.probe import Probe
from hil_tests.hil.verdict import Latency, Measures, expect

pytestmark = pytest.mark.step(
    "look at termination and bias, take one device off after the other, and try a lower speed",
    "检查终端电阻与偏置；逐台断开设备；或降低波特率",
)
_SOAK_S, _SMOKE_S = 30.0, 3.0
_MOST_BLOCK = 26  # registers of one request


@pytest.mark.smoke
@pytest.mark.check("a moment of full load: no answer missing, none wrong", "短时满载：无丢失、无错误应答")
def test_moment(bench: Bench, bus: Bus, line: Probe, measures: Measures) -> None:
    """every question of three seconds answered"""
    loaded(bench, bus, line, measures, _SMOKE_S)


@pytest.mark.check("half a minute of full load: no answer missing, none wrong", "半分钟满载：无丢失、无错误应答")
def test_soak(bench: Bench, bus: Bus, line: Probe, measures: Measures) -> None:
    """every question of thirty seconds answered"""
    loaded(bench, bus, line, measures, _SOAK_S)


def loaded(bench: Bench, bus: Bus, line: Probe, measures: Measures, seconds: float) -> None:
    boards = [bench.board(device) for device in bus.device]
    questions = [(board, live_block(board)) for board in boards]
    milliseconds: list[float] = []
    errors = wrong = asked = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        board, (pdu, octets) = questions[asked % len(questions)]
        answer = line.ask(bytes((board.unit,)) + pdu)
        asked += 1
        if not answer or answer[1] & 0x80:
            errors += 1
            continue
        wrong += answer[:3] != bytes((board.unit, pdu[0], octets))
        milliseconds.append((line.first_at - line.sent_at - (len(pdu) + 3) * line.wire.t_char) * 1000)
    measures.latencies.append(
        Latency(bus=bus.name, baud=bus.baud, milliseconds=[round(one, 3) for one in milliseconds], errors=errors)
    )
    expect(not errors, f"{asked} answers to {asked} questions", f"{errors} missing")
    expect(not wrong, "no wrong answers", f"{wrong}")


def live_block(board: Board) -> tuple[bytes, int]:
    """The request for the first stretch of input registers, and the octets that it brings."""
    registers = sorted((r for r in board.profile.registers if r.kind == "input"), key=lambda r: r.address)
    start = end = registers[0].address
    for register in registers:
        if register.address != end or register.end - start > _MOST_BLOCK:
            break
        end = register.end
    return struct.pack(">BHH", READ_FUNCTION["input"], start, end - start), 2 * (end - start)
