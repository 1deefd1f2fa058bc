"""What is fitted beside a sensor's metering chip: climate, probe, gas, contacts, motion, pulses.

It looks, fills its registers and says what alarms; the siren sounds with no gateway. A step allocates nothing.
"""

from analogue import Gas, probe
from contacts import HOLD_MS, SOS_MS, Contact, Motion
from micropython import const
from reading import FAULT, SIGNED_FAULT, SIGNED_UNFITTED, UNFITTED, age_word, word
from registers import INPUT

_PULSE_QUIET_MS = const(10)  # reeds bounce for some milliseconds; S0 pulses last 30 and more

# Contacts by their bit in the registers `inputs` and `sensors`: name, level that means it, how long it is held.
# A door's reed is closed by its magnet while the door is shut, so that a broken wire is an open door.
_CONTACTS = (
    ("smoke", 0, HOLD_MS),
    ("water", 0, HOLD_MS),
    ("door", 1, HOLD_MS),
    ("sos", 0, SOS_MS),
    ("arc", 0, HOLD_MS),
)
_SMOKE = const(1)
_WATER = const(2)
_DOOR = const(4)
_SOS = const(8)
_MOTION = const(16)
_OCCUPIED = const(32)
_GAS = const(64)
_ARC = const(128)
_INPUT_BITS = (_SMOKE, _WATER, _DOOR, _SOS, _ARC)
_FITTED_BITS = (1, 2, 4, 8, 64)
_ALARMS = _SMOKE | _WATER | _DOOR | _SOS | _GAS | _ARC
_GAS_FAULT = const(0x2000)
_CLIMATE_FAULT = const(0x4000)
_PROBE_FAULT = const(0x8000)


class FieldOfSensor:
    """`alarms`: bits of the register `inputs` that alarm. Pulses go into `memory`, which keeps them."""

    def __init__(self, board, settings, memory, bank, now: int) -> None:
        fitted = settings.fitted
        self.bank = bank
        self.memory = memory
        self.alarms = 0
        there = 0
        self._contacts = []
        for index in range(len(_CONTACTS)):
            name, level, hold = _CONTACTS[index]
            if name in fitted:
                contact = Contact(board.input(name), level, hold, now)
                self._contacts.append((_INPUT_BITS[index], contact))
                there |= _FITTED_BITS[index]
        self._sos = None
        for bit, contact in self._contacts:
            if bit == _SOS:
                self._sos = contact
        self._motion = Motion(board.input("motion"), settings.occupied_s, now) if "motion" in fitted else None
        self._gas = None
        if "gas" in fitted:
            self._gas = Gas(board.analogue("gas"), settings.gas_alarm_mv, settings.gas_warm_s, now)
        self._pulse = board.edges("pulse", _PULSE_QUIET_MS) if "pulse" in fitted else None
        self._climate = None
        if "sht3x" in fitted:
            from sht3x import Sht3x

            self._climate = Sht3x(board.i2c(), now)
        self._probe = probe(board, settings, now)
        if "siren" in fitted:
            board.open_siren()
        self._there = (
            there
            | (0x10 if self._motion else 0)
            | (0x20 if self._gas else 0)
            | (0x80 if self._pulse else 0)
            | (0x100 if self._climate else 0)
            | (0x200 if self._probe else 0)
            | (0x400 if "siren" in fitted else 0)
        )
        self._pulses = self._motions = 0
        self._at = bank.at(b"inputs")
        self._level = bank.at(b"temperature")  # and humidity, probe_temperature, gas_level, sos_count after it
        self._motion_at = bank.at(b"motion_count")
        self._occupied_at = bank.at(b"occupied_seconds")
        self._pulses_at = bank.at(b"pulses")
        self._ages = bank.at(b"climate_age")  # and probe_age, gas_age after it

    def step(self, now: int) -> None:
        bits = 0
        for bit, contact in self._contacts:
            contact.step(now)
            if contact.on:
                bits |= bit
        if self._motion:
            bits |= self._move(now)
        if self._gas:
            self._gas.step(now)
            if self._gas.alarm:
                bits |= _GAS
        if self._pulse:
            # The pin is looked at so that a test's stand-in hears its edges; the ESP32 needs no look.
            self._pulse.value()
            more = (self._pulse.count - self._pulses) & 0xFFFF
            self._pulses = self._pulse.count
            self.memory.pulses = (self.memory.pulses + more) & 0x3FFFFFFF
        if self._climate:
            self._climate.step(now)
        if self._probe:
            self._probe.step(now)
        self.alarms = bits & _ALARMS
        self._publish(now, bits)

    def _move(self, now: int) -> int:
        motion = self._motion
        motion.step(now)
        more = (motion.contact.count - self._motions) & 0xFFFF
        self._motions = motion.contact.count
        self.bank.add_long(INPUT, self._motion_at, more)
        self.bank.add_long(INPUT, self._occupied_at, motion.seconds)
        motion.seconds = 0
        return (_MOTION if motion.contact.on else 0) | (_OCCUPIED if motion.occupied else 0)

    def _faults(self) -> int:
        gas, climate, probed = self._gas, self._climate, self._probe
        return (
            (_GAS_FAULT if gas and (gas.fault or not gas.known) else 0)
            | (_CLIMATE_FAULT if climate and (climate.fault or not climate.known) else 0)
            | (_PROBE_FAULT if probed and (probed.fault or not probed.known) else 0)
        )

    def _publish(self, now: int, bits: int) -> None:
        # Not bound to a name: that would allocate.
        bank = self.bank
        climate = self._climate
        at = self._level
        bank.put(INPUT, self._at, bits)
        bank.put(INPUT, self._at + 1, self._there | self._faults())
        bank.put(INPUT, at, word(climate, SIGNED_UNFITTED, SIGNED_FAULT))
        damp = UNFITTED if climate is None else FAULT if climate.fault or not climate.known else climate.humidity
        bank.put(INPUT, at + 1, damp)
        bank.put(INPUT, at + 2, word(self._probe, SIGNED_UNFITTED, SIGNED_FAULT))
        bank.put(INPUT, at + 3, word(self._gas, UNFITTED, FAULT))
        bank.put(INPUT, at + 4, self._sos.count if self._sos else 0)
        bank.put_long(INPUT, self._pulses_at, self.memory.pulses)
        bank.put(INPUT, self._ages, age_word(climate, now))
        bank.put(INPUT, self._ages + 1, age_word(self._probe, now))
        bank.put(INPUT, self._ages + 2, age_word(self._gas, now))
