"""From logits to an honest label: temperature, alarm thresholds, and the right to say "unsure".

Fitted on cross-validated logits only, because scores of pictures that a head has learned from say nothing
about new cameras. The rule itself is `decide`; models/reference.py states it a second time, independently.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.data import LABELS, NORMAL, UNSURE
from training.measure import false_alarm, macro_f1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HAZARDS = tuple(i for i in range(len(LABELS)) if i != NORMAL)
STARTS = (0.98, 0.9, 0.8, 0.7, 0.6, 0.5)
STEPS = np.round(np.arange(0.20, 0.99, 0.02), 2)
COST_OF_EXCESS = 20.0  # macro-F1 points given up for each point of false alarms above the limit


@dataclass(frozen=True)
class Rule:
    """temperature divides the logits; thresholds are scores in 0..1, one a label in the order of LABELS."""

    temperature: float
    thresholds: tuple[float, ...]


def scores(logits: NDArray[np.float32], temperature: float) -> Floats:
    """Softmax of logits / temperature, (N, classes), rows sum to 1."""
    z = logits.astype(np.float64) / temperature
    z -= z.max(1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(1, keepdims=True)


def decide(score: Floats, rule: Rule) -> Ints:
    """The likeliest hazard if it reaches its threshold, else normal if that reaches its own, else unsure."""
    limits = np.array(rule.thresholds)
    hazard = np.array(HAZARDS)[score[:, HAZARDS].argmax(1)]
    alarm = score[np.arange(len(score)), hazard] >= limits[hazard]
    calm = score[:, NORMAL] >= limits[NORMAL]
    return np.where(alarm, hazard, np.where(calm, NORMAL, UNSURE))


def temperature_of(logits: NDArray[np.float32], labels: Ints, weights: NDArray[np.float32]) -> float:
    """The temperature with the least weighted log loss, from a fixed grid."""
    grid = np.geomspace(0.25, 40, 120)
    rows = np.arange(len(labels))
    losses = [-(weights * np.log(scores(logits, t)[rows, labels] + 1e-12)).mean() for t in grid]
    return float(round(grid[int(np.argmin(losses))], 3))


def fit_rule(
    logits: NDArray[np.float32], labels: Ints, weights: NDArray[np.float32], limit: float, calm: float
) -> Rule:
    """Temperature, then thresholds by coordinate ascent: most macro-F1 with false alarms at most `limit`.

    The ascent starts from several levels, the strictest first, and keeps the best end: from a lax start alone
    it would pay for the false alarms of all hazards with the first one's recall.
    `weights` level the sources, so that one large source does not set the thresholds alone; false alarms keep the
    limit both levelled and counted by picture. `calm` is the least score at which a picture that raises no alarm is
    called normal rather than unsure.
    """
    temperature = temperature_of(logits, labels, weights)
    score = scores(logits, temperature)

    def worth(candidate: Rule) -> float:
        found = decide(score, candidate)
        alarms = max(false_alarm(found, labels, weights), false_alarm(found, labels))
        excess = max(0.0, alarms - limit)
        return macro_f1(found, labels, weights) - COST_OF_EXCESS * excess

    ends = [_ascend(Rule(temperature, (start,) * len(HAZARDS) + (calm,)), worth) for start in STARTS]
    return max(ends, key=worth)


def _ascend(rule: Rule, worth: Callable[[Rule], float]) -> Rule:
    """Takes the best single change of one hazard's threshold until none helps."""
    best = worth(rule)
    while True:
        changes = [
            replace(rule, thresholds=tuple(float(step) if i == hazard else t for i, t in enumerate(rule.thresholds)))
            for hazard in HAZARDS
            for step in STEPS
        ]
        change = max(changes, key=worth)
        if worth(change) <= best + 1e-9:
            return rule
        rule, best = change, worth(change)
