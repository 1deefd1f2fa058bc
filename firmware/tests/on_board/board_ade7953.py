"""The ADE7953's driver against packets made by the data sheet's formulas."""

import harness
import micropython
from ade7953 import Ade7953

SHUNT, DIVIDER = 100, 5789
I_FULL = 0.0625 / 1.41421356 / (SHUNT * 1e-6)  # A rms
V_FULL = 0.5 / 1.41421356 * DIVIDER


class Chip:
    """Answers each packet from `values` (register: number) as the chip does; `mute` and `spoil` are its faults."""

    def __init__(self, now=0):
        self.uart = harness.Uart()
        self.meter = Ade7953(self.uart, SHUNT, DIVIDER, now)
        self.written = {}
        self.packets = []
        self.mute = False
        self.spoil = None
        self.late = 0  # ms that every fifth answer is late
        self.answers = 0
        self.coming = []  # (when, bytes)
        self.now = now
        self.values = {0x32E: 1 << 20, 0x10E: 4474}
        self.shows(6, 230, 1300)

    def shows(self, amps, volts, watts, peak_volts=None):
        full = I_FULL * V_FULL
        raw = int(watts / full * 4862401)
        self.values[0x31A] = int(min(amps / I_FULL, 1) * 9032007)
        self.values[0x31C] = int(volts / V_FULL * 9032007)
        self.values[0x312] = raw & 0xFFFFFFFF
        self.values[0x327] = int((peak_volts or volts) / V_FULL * 6500000)

    def answer(self, packet):
        if len(self.packets) < 8:
            self.packets.append(packet)
        address = packet[1] << 8 | packet[2]
        if packet[0] == 0xCA:
            self.written[address] = int.from_bytes(packet[3:], "little")
            return
        assert packet[0] == 0x35
        value = self.written.get(address, self.values.get(address, 0))
        size = 2 if address == 0x10E else 1 if address == 0x008 else 4
        data = bytes(value >> 8 * index & 0xFF for index in range(size))
        if address == 0x32E:
            self.values[0x32E] = 0
        if self.spoil:
            data = self.spoil(address, data)
        self.answers += 1
        if not self.mute:
            wire = 15 if self.late else 0
            self.coming.append((self.now + (wire if self.answers % 5 else self.late), data))
            self._deliver()

    def _deliver(self):
        for item in tuple(self.coming):
            if item[0] <= self.now:
                self.uart.feed(item[1])
                self.coming.remove(item)

    def run(self, ms):
        for _ in range(ms // 5):
            self.now += 5
            self._deliver()
            self.meter.step(self.now)
            sent = self.uart.sent()
            if sent:
                self.answer(sent)


def near(value, wanted, part=2000):
    return abs(value - wanted) <= 1 + abs(wanted) // part


def test_it_configures_and_checks_what_the_chip_took():
    chip = Chip()
    chip.meter.arm(113000, 4200)
    chip.run(600)
    assert chip.packets[0] == b"\xca\x00\xfe\xad"
    assert chip.packets[1] == b"\xca\x01\x20\x30\x00"
    assert chip.written[0x008] == 3
    assert near(chip.written[0x325], int(113 / I_FULL * 6500000), 500), chip.written
    assert near(chip.written[0x324], int(420 / V_FULL * 6500000), 500)
    assert chip.written[0x32C] == 1 << 13 | 1 << 16
    assert chip.meter.armed


def test_a_threshold_that_the_chip_lost_is_written_again():
    chip = Chip()
    chip.meter.arm(113000, 4200)
    chip.run(600)
    chip.written[0x325] = 0xFFFFFF
    chip.values[0x32E] = 1 << 20  # it has started anew
    chip.run(1000)
    assert chip.meter.armed
    assert chip.written[0x325] != 0xFFFFFF


def test_a_gain_that_the_chip_missed_is_written_again_before_anything_is_believed():
    """With another gain it would show an eighth of the current, and nothing would open."""
    chip = Chip()
    deaf = [2]  # so often it misses the gain

    def answer(packet, hear=chip.answer):
        if packet[:3] == b"\xca\x00\x08" and deaf[0]:
            deaf[0] -= 1
        else:
            hear(packet)

    chip.answer = answer
    chip.run(500)
    assert not chip.meter.alive
    chip.run(1500)
    assert chip.written[0x008] == 3
    assert chip.meter.alive
    assert near(chip.meter.current, 6000), chip.meter.current


def test_values_come_out_in_milliampere_decivolt_deciwatt_and_centihertz():
    chip = Chip()
    for amps, volts, watts in ((0.05, 231.7, 9.0), (6.0, 230.0, 1311.0), (63.0, 198.2, 12000.0), (5.0, 230.0, -1000.0)):
        chip.shows(amps, volts, watts)
        chip.run(1500)
        meter = chip.meter
        assert meter.alive
        assert near(meter.current, int(amps * 1000 + 0.5)), meter.current
        assert near(meter.voltage, int(volts * 10 + 0.5)), meter.voltage
        assert abs(meter.power - watts * 10) <= 5, (meter.power, watts)
        assert meter.frequency == 22375000 // 4475
        assert near(meter.surge, int(volts * 10 + 0.5)), meter.surge


def test_the_peak_is_seen_within_a_tenth_of_a_second():
    chip = Chip()
    chip.run(1500)
    chip.shows(6, 230, 1300, peak_volts=400)
    chip.run(100)
    assert near(chip.meter.surge, 4000), chip.meter.surge
    assert near(chip.meter.voltage, 2300)


def test_what_the_chip_saw_is_latched_until_cleared():
    chip = Chip()
    chip.meter.arm(113000, 4200)
    chip.run(1000)
    chip.values[0x32E] = 1 << 13
    chip.run(1000)
    assert (chip.meter.over_current, chip.meter.over_voltage) == (True, False)
    chip.meter.clear()
    chip.values[0x32E] = 1 << 16
    chip.run(1000)
    assert (chip.meter.over_current, chip.meter.over_voltage) == (False, True)


def test_full_scale_is_saturation():
    chip = Chip()
    chip.shows(I_FULL * 0.95, 230, 60000)
    chip.run(1000)
    assert not chip.meter.saturated
    chip.shows(I_FULL * 2, 230, 60000)
    chip.run(1000)
    assert chip.meter.saturated


def test_a_lost_or_extra_byte_costs_one_answer():
    for change in (lambda data: data[:-1], lambda data: data + b"\x55", lambda data: b"\x00" + data):
        chip = Chip()
        chip.run(1000)
        spoiled = []

        def spoil(address, data, change=change, spoiled=spoiled):
            if address == 0x31A and len(spoiled) < 3:
                spoiled.append(address)
                return change(data)
            return data

        chip.spoil = spoil
        chip.run(1000)
        assert chip.meter.damaged == 3, chip.meter.damaged
        assert near(chip.meter.current, 6000), chip.meter.current
        assert chip.meter.alive


def test_a_late_answer_is_never_that_of_the_next_question():
    """The loop or the chip was held up: the answer comes when it is no longer awaited, and is thrown away."""
    chip = Chip()
    chip.run(600)
    chip.late = 75
    for _ in range(200):
        chip.run(25)
        assert near(chip.meter.current, 6000), (chip.now, chip.meter.current)
        assert near(chip.meter.voltage, 2300), (chip.now, chip.meter.voltage)
        assert near(chip.meter.power, 13000), chip.meter.power
    assert chip.meter.alive
    assert chip.meter.damaged


def test_values_against_physics_are_not_believed():
    for register, value in ((0x31A, 0xFFFFFF), (0x31C, 0x8FFFFF), (0x312, 2000000), (0x10E, 100)):
        chip = Chip()
        chip.run(1000)
        chip.values[register] = value
        before = (chip.meter.current, chip.meter.voltage, chip.meter.power, chip.meter.frequency)
        chip.run(600)
        assert chip.meter.implausible >= 1, hex(register)
        assert (chip.meter.current, chip.meter.voltage, chip.meter.power, chip.meter.frequency) == before


def test_a_byte_too_much_at_the_top_is_damage():
    chip = Chip()
    chip.run(1000)
    chip.values[0x31A] |= 0x01000000
    chip.run(300)
    assert chip.meter.damaged >= 1
    assert near(chip.meter.current, 6000)


def test_a_silent_chip_is_a_fault_and_comes_back():
    chip = Chip()
    chip.run(1000)
    chip.mute = True
    chip.run(2500)
    assert not chip.meter.alive
    assert chip.meter.fault
    assert chip.meter.age(chip.now) > 2000
    chip.mute = False
    chip.run(1500)
    assert chip.meter.alive
    assert not chip.meter.fault


def test_one_silent_value_is_a_fault_too():
    chip = Chip()
    chip.run(1000)
    chip.spoil = lambda address, data: b"" if address == 0x31C else data
    chip.run(4000)
    assert chip.meter.fault
    assert not chip.meter.alive


def test_energy_is_power_over_time():
    chip = Chip()
    chip.shows(60, 230, 13000)
    chip.run(60000)
    assert 205 <= chip.meter.energy <= 217, chip.meter.energy


def test_a_step_allocates_nothing():
    chip = Chip()
    chip.meter.arm(113000, 4200)
    chip.run(1500)
    answer = bytes(4)
    micropython.heap_lock()
    try:
        for now in range(2000, 3000, 5):
            chip.meter.step(now)
            if chip.uart.size:
                chip.uart.size = 0
                chip.uart.feed(answer)
    finally:
        micropython.heap_unlock()
    assert chip.meter.sequence > 10


harness.run(globals())
