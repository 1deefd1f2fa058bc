"""What is fitted beside a breaker's metering chip: residual current, terminal temperature, the fast outputs, arc.

It looks, and fills its registers; what a value means is protection's business. A step allocates nothing.
"""

from analogue import Residual, probe
from contacts import HOLD_MS, Contact
from reading import FAULT, SIGNED_FAULT, SIGNED_UNFITTED, UNFITTED, UNKNOWN, age_word, word
from registers import INPUT


class FieldOfBreaker:
    """`residual` mA (-1 unknown), `temperature` 0.1 degree Celsius (UNKNOWN), `arc` (debounced), and `fast` and
    `module`: whether the chip's pin and the module's trip output are active or were since the last step.
    """

    def __init__(self, board, settings, meter, bank, now: int) -> None:
        fitted = settings.fitted
        self.bank = bank
        self.meter = meter
        self.residual = -1
        self.temperature = UNKNOWN
        self.fast = self.module = self.arc = False
        self._residual = None
        if "residual" in fitted:
            self._residual = Residual(
                board.analogue("residual"),
                settings.residual_zero_mv,
                settings.residual_ua_per_mv,
                settings.residual_divider,
                now,
            )
        self._probe = probe(board, settings, now)
        self._fast = board.edges("fast_output", 0) if "fast_output" in fitted else None
        self._enable = board.output("fast_enable") if self._fast else None
        self._module = board.edges("residual_output", 0) if "residual_output" in fitted else None
        self._arc = Contact(board.input("arc"), 0, HOLD_MS, now) if "arc" in fitted else None
        self._fasts = self._modules = 0
        if "siren" in fitted:
            board.open_siren()
        self._at = bank.at(b"residual")  # and terminal_temperature, inputs, sensors, two ages after it
        self._there = (
            (1 if self._residual else 0)
            | (2 if self._probe else 0)
            | (4 if self._module else 0)
            | (8 if self._fast else 0)
            | (16 if self._arc else 0)
            | (32 if "siren" in fitted else 0)
        )

    def step(self, now: int) -> None:
        if self._residual:
            self._residual.step(now)
            self.residual = -1 if self._residual.fault or not self._residual.known else self._residual.value
        if self._probe:
            self._probe.step(now)
            self.temperature = UNKNOWN if self._probe.fault or not self._probe.known else self._probe.value
        if self._fast:
            # Until the chip knows its thresholds its pin means something else (an ADE7953's: "I have started").
            armed = self.meter.armed
            self.fast = armed and (self._fast.value() == 1 or self._fast.count != self._fasts)
            self._fasts = self._fast.count
            self._enable.value(1 if armed else 0)
        if self._module:
            self.module = self._module.value() == 1 or self._module.count != self._modules
            self._modules = self._module.count
        if self._arc:
            self._arc.step(now)
            self.arc = self._arc.on
        self._publish(now)

    def _publish(self, now: int) -> None:
        # Not bound to a name: that would allocate.
        bank = self.bank
        at = self._at
        faults = (0x100 if self._residual and self.residual < 0 else 0) | (
            0x200 if self._probe and self.temperature == UNKNOWN else 0
        )
        armed = 8 if self.meter.armed else 0
        bank.put(INPUT, at, word(self._residual, UNFITTED, FAULT))
        bank.put(INPUT, at + 1, word(self._probe, SIGNED_UNFITTED, SIGNED_FAULT))
        bank.put(INPUT, at + 2, (1 if self.module else 0) | (2 if self.fast else 0) | (4 if self.arc else 0) | armed)
        bank.put(INPUT, at + 3, self._there | faults)
        bank.put(INPUT, at + 4, age_word(self._residual, now))
        bank.put(INPUT, at + 5, age_word(self._probe, now))
