"""From single verdicts to a hazard that is raised once and cleared once. Pure.

A single picture raises false alarms; so the median of recent looks must reach the model's threshold and the last
looks must agree. It is cleared in the same way. However long it lasts, it is one event.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from gateway.camera.classifier import NORMAL, Verdict

Change = tuple[Literal["raise", "clear"], str, float]
"""What to do, the class, and the median of its recent scores."""


@dataclass
class Hazards:
    """`threshold` for each of the `hazards`; `agree`: looks in a row that must say the same; the median is over
    `window` looks. `open_` holds the classes that are raised, also those from before a restart.
    """

    hazards: Sequence[str]
    threshold: float
    agree: int = 3
    window: int = 5
    open_: set[str] = field(default_factory=set)
    _recent: deque[Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=max(self.window, self.agree))

    def step(self, verdict: Verdict) -> list[Change]:
        """What this look changes."""
        self._recent.append(verdict)
        if len(self._recent) < self.agree:
            return []
        last = [one.label for one in self._recent][-self.agree :]
        changes: list[Change] = []
        for label in self.hazards:
            score = median(one.scores[label] for one in self._recent)
            if label not in self.open_:
                if score >= self.threshold and all(one == label for one in last):
                    self.open_.add(label)
                    changes.append(("raise", label, score))
            elif score < self.threshold and all(one != label for one in last):
                self.open_.discard(label)
                changes.append(("clear", label, score))
        return changes

    def curious(self) -> bool:
        """Whether the next look matters even when nothing moves: something is open, or not plainly normal."""
        return bool(self.open_) or len(self._recent) < self.agree or any(one.label != NORMAL for one in self._recent)
