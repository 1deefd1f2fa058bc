"""A measurement chip's raw number times a fixed factor, in integers that fit an ESP32's 31 bits."""


class Factor:
    """raw * numerator / denominator * millionths / 1000000 for a raw value of 24 bits, with a mantissa of 17 bits or,
    where it must, 18: eight millionths at most are lost. `millionths` is what calibration found."""

    def __init__(self, numerator: int, denominator: int, millionths: int = 1_000_000) -> None:
        numerator *= millionths
        denominator *= 1_000_000
        shift = 12
        while (numerator << shift) // denominator < 1 << 16:
            shift += 1
        self.mantissa = (numerator << shift) // denominator
        self.shift = shift - 12
        if self.mantissa >= 1 << 18:  # 4095 times it is the most that 31 bits hold
            raise ValueError("divider and shunt give a factor that does not fit")

    def of(self, raw: int) -> int:
        low = (raw & 0xFFF) * self.mantissa >> 12
        return ((raw >> 12) * self.mantissa + low) >> self.shift
