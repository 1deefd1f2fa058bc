"""From logits to an honest label: temperature, one alarm threshold, and the right to say "unsure".

Fitted on cross-validated logits only, because scores of pictures that a head has learned from say nothing
about new cameras. The rule itself is `decide`; models/reference.py states it a second time, independently.
One threshold for all hazards: one for each fits the sources at hand and fails on others (README.md, "The rule").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import LABELS, NORMAL, UNSURE
from training.measure import false_alarm, macro_f1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HAZARDS = tuple(i for i in range(len(LABELS)) if i != NORMAL)
STEPS = np.round(np.arange(0.20, 0.996, 0.01), 2)
COST_OF_EXCESS = 20.0  # macro-F1 points given up for each point of false alarms above the limit


@dataclass(frozen=True)
class Rule:
    """`temperature` divides the logits; `alarm` and `calm` are scores in 0..1 (see `decide`)."""

    temperature: float
    alarm: float
    calm: float


def scores(logits: NDArray[np.float32], temperature: float) -> Floats:
    """Softmax of logits / temperature, (N, classes), rows sum to 1."""
    z = logits.astype(np.float64) / temperature
    z -= z.max(1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(1, keepdims=True)


def decide(score: Floats, rule: Rule) -> Ints:
    """The likeliest hazard where its score reaches `alarm`, else normal where that reaches `calm`, or unsure."""
    of_hazards = score[:, HAZARDS]
    hazard, alarm = np.array(HAZARDS)[of_hazards.argmax(1)], of_hazards.max(1) >= rule.alarm
    return np.where(alarm, hazard, np.where(score[:, NORMAL] >= rule.calm, NORMAL, UNSURE))


def temperature_of(logits: NDArray[np.float32], labels: Ints, weights: NDArray[np.float32]) -> float:
    """The temperature with the least weighted log loss, from a fixed grid."""
    grid = np.geomspace(0.25, 40, 120)
    rows = np.arange(len(labels))
    losses = [-(weights * np.log(scores(logits, t)[rows, labels] + 1e-12)).mean() for t in grid]
    return float(round(grid[int(np.argmin(losses))], 3))


def fit_rule(
    logits: NDArray[np.float32], labels: Ints, weights: NDArray[np.float32], limit: float, calm: float
) -> Rule:
    """Temperature, then the threshold with the most macro-F1 and false alarms of at most `limit`.

    `weights` level the sources, so that one large source does not set the threshold alone; false alarms keep the
    limit both levelled and counted by picture. `calm` is the least score at which a picture that raises no alarm is
    called normal rather than unsure.
    """
    temperature = temperature_of(logits, labels, weights)
    score = scores(logits, temperature)

    def worth(candidate: Rule) -> float:
        found = decide(score, candidate)
        alarms = max(false_alarm(found, labels, weights), false_alarm(found, labels))
        return macro_f1(found, labels, weights) - COST_OF_EXCESS * max(0.0, alarms - limit)

    return max((Rule(temperature, float(step), calm) for step in STEPS), key=worth)
