"""What a fault cost, in numbers that add up over any number of runs."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Records `lost` of those `accepted`, messages that came twice, runs, and how often each fault struck where.

    `troubles` are sentences about broken promises; a run without loss may have some.
    """

    lost: int = 0
    duplicates: int = 0
    accepted: int = 0
    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            self.lost + other.lost,
            self.duplicates + other.duplicates,
            self.accepted + other.accepted,
            self.runs + other.runs,
            self.kills + other.kills,
            self.troubles + other.troubles,
        )

    def clean(self) -> bool:
        """Nothing lost, no promise broken."""
        return not self.lost and not self.troubles
