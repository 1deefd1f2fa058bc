"""Identity and wiring: the right board at the right address, in health, with what the plan says is fitted."""

import pytest

from gateway.bus.jsonl import parse
from gateway.errors import GewuError
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Bus, Device
from hil_tests.hil.board import Board
from hil_tests.hil.probe import Probe
from hil_tests.hil.verdict import Measures, expect
from hil_tests.hil.words import Words

_WRONG_BOARD = Words(
    "read the label: is this the board of the plan? If so, give it its address again",
    "核对标签：是否为计划中的板？若是，请重新设置地址",
)
pytestmark = [pytest.mark.smoke, pytest.mark.step(*_WRONG_BOARD)]
_FAULTS = ("meter_fault", "safe_mode", "hardware_fault", "breaker_failure")


@pytest.mark.check("it answers at its address", "在其地址应答")
def test_answers(board: Board) -> None:
    """an answer to Read Device Identification"""
    found = board.identity()
    expect(found, "an identification", "no answer", _look_at_wiring())


@pytest.mark.check("vendor, model and firmware are those of the profile", "厂商、型号与固件符合设备档案")
def test_identity(board: Board, device: Device, measures: Measures) -> None:
    """the identification that the profile names, and a firmware release"""
    found = board.identity()
    identity = board.profile.identity
    wanted = identity.objects if identity is not None else {}
    for number, text in wanted.items():
        expect(found.get(number) == text, f"object {number} to be {text!r}", repr(found.get(number)), _WRONG_BOARD)
    measures.versions[device.id] = found.get(2, "unknown")


@pytest.mark.check("its serial number is that of the plan", "序列号与计划一致")
@pytest.mark.needs("serial")
def test_serial(board: Board, device: Device, measures: Measures) -> None:
    """the serial number of the bench file"""
    found = board.value("serial")
    expect(found == device.serial, f"serial number {device.serial!r}", repr(found), _WRONG_BOARD)
    measures.serials[device.id] = str(found)


@pytest.mark.check("rating, curve and residual current are those of the plan", "额定电流、曲线、剩余电流与计划一致")
@pytest.mark.only(role="breaker")
def test_settings(board: Board, device: Device) -> None:
    """the rating and the curve of the bench file"""
    step = Words("load the settings of the plan into the board", "将计划中的设置写入该板")
    expect(board.value("rating") == device.rating, f"a rating of {device.rating} A", board.value("rating"), step)
    curve = chr(int(board.number("curve")))
    expect(curve == device.curve, f"curve {device.curve}", curve, step)
    if device.residual:
        found = board.value("residual_rated")
        expect(found == device.residual, f"a rated residual current of {device.residual} A", found, step)


@pytest.mark.check("it reports no fault of its own", "自身无故障")
def test_health(live: Board) -> None:
    """no meter fault, no safe mode, no hardware fault"""
    step = Words("look at the fault in docs/firmware.md; do not mount this board", "查 docs/firmware.md；不得安装此板")
    standing = [name for name in _FAULTS if name in live.profile.by_value and live.value(name)]
    expect(not standing, "no fault", ", ".join(standing), step)


@pytest.mark.check("what the plan says is fitted is there and is well", "计划中的附件已安装且正常")
@pytest.mark.only(role="breaker")
def test_fitted(live: Board, device: Device) -> None:
    """each fitted part named by the board, none faulty"""
    step = Words("check the plug of that part and the board's settings", "检查该附件的插头与设置")
    names = {
        "residual": "residual_fitted",
        "residual_output": "residual_output_fitted",
        "fast_output": "fast_output_fitted",
        "ntc": "terminal_fitted",
        "arc": "arc_fitted",
    }
    for part, flag in names.items():
        expect(live.value(flag) == (part in device.fitted), f"{flag} {part in device.fitted}", live.value(flag), step)
    for fault in ("residual_fault", "terminal_fault"):
        expect(not live.value(fault), f"no {fault}", "it stands", step)


@pytest.mark.check("the contact's wire tells the truth", "触点反馈线正确")
@pytest.mark.only(role="breaker")
@pytest.mark.needs("hands")
@pytest.mark.permission("trip")
def test_contact(bench: Bench, device: Device, breaker: Board) -> None:
    """lever off: contact open; lever on: contact closed"""
    step = Words("check the wire of the auxiliary contact", "检查辅助触点接线")
    for closed in (False, True):
        bench.hands.lever(device.id, closed)
        said = "closed" if closed else "open"
        try:
            breaker.until(lambda closed=closed: breaker.value("contact") is closed, said, 5.0)  # type: ignore[misc]
        except GewuError as error:
            expect(False, f"a contact that is {said}", str(error), step)


@pytest.mark.check("nobody else has its address", "地址唯一")
def test_alone(board: Board) -> None:
    """five identifications that are all the same, and no foreign answers counted"""
    step = Words("two devices have this address: take one off and look again", "地址重复：断开其中一台再试")
    answers = {str(sorted(board.identity().items())) for _ in range(5)}
    expect(len(answers) == 1, "always the same answer", f"{len(answers)} different ones", step)
    if "bus_foreign" in board.profile.by_value:
        before = board.number("bus_foreign")
        board.identity()
        expect(board.number("bus_foreign") == before, "no foreign answers under its address", "some", step)


@pytest.mark.check("USB says the same as the bus", "USB 与总线数据一致")
def test_usb(board: Board, device: Device) -> None:
    """a whole line on USB with the serial number and the address"""
    step = Words("check the USB cable (with the mains off, or through an isolator)", "检查 USB 线（先断开市电）")
    if not device.usb:
        pytest.skip("the bench file names no `usb` of this board")
    line = usb_line(device.usb)
    report = parse(line)
    expect(report is not None, "a line that can be read", repr(line[:80]), step)
    assert report is not None
    serial = board.value("serial")
    expect(report.serial == serial, f"serial number {serial!r}", report.serial, step)
    expect(report.address == device.address, f"address {device.address}", report.address, step)


@pytest.mark.check("its lamp blinks when it is asked to identify itself", "应要求闪灯")
@pytest.mark.needs("person")
@pytest.mark.permission("write")
def test_lamp(bench: Bench, device: Device, board: Board) -> None:
    """a person sees this board's LED change eight times a second"""
    board.write("identify_seconds", 30)
    seen = bench.person.sees(f"Does the LED of {device.id} change quickly now (eight times a second)?")
    board.write("identify_seconds", 0)
    expect(seen, "a lamp that blinks quickly", "the person saw none", _WRONG_BOARD)


@pytest.mark.check("nobody answers where nobody should", "空地址无应答")
def test_empty_addresses(bus: Bus, line: Probe) -> None:
    """silence at three addresses that no device of the bench has"""
    step = Words("a device is on this pair that the plan does not have: find it", "总线上有计划外设备：请找出")
    taken = {device.address for device in bus.device}
    for unit in [unit for unit in (101, 102, 103, 104, 105, 106) if unit not in taken][:3]:
        heard = line.ask(bytes((unit, 0x2B, 0x0E, 1, 0)))
        expect(not heard, f"silence at address {unit}", heard.hex(" "), step)


def usb_line(path: str) -> bytes:
    """The first whole line that comes."""
    import serial

    with serial.serial_for_url(path, baudrate=115200, timeout=5) as port:
        port.reset_input_buffer()
        port.readline()
        return bytes(port.readline())


def _look_at_wiring() -> Words:
    return Words(
        "check A and B, the ground wire, termination and the board's supply; then `gewu bus scan`",
        "检查 A/B 线、地线、终端电阻与供电；再运行 gewu bus scan",
    )
