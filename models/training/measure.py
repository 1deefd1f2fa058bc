"""Figures of merit, pure: macro-F1, false alarms, recall a source with its interval, reliability.

"Unsure" is never right: it is a miss for every class, normal included, but it is not a false alarm.
"""

import math

import numpy as np
from numpy.typing import NDArray

from training.data import LABELS, NORMAL, UNSURE

Ints = NDArray[np.int64]
Weights = NDArray[np.float32] | NDArray[np.float64] | None

Z95 = 1.96
BINS = 10


def f1_of(found: Ints, labels: Ints, weights: Weights = None) -> list[float]:
    """F1 of each class, weighted by picture where weights are given."""
    w = np.ones(len(labels)) if weights is None else weights
    result = []
    for label in range(len(LABELS)):
        hit = w[(found == label) & (labels == label)].sum()
        wrong = w[(found == label) != (labels == label)].sum()
        result.append(float(2 * hit / (2 * hit + wrong)) if hit else 0.0)
    return result


def macro_f1(found: Ints, labels: Ints, weights: Weights = None) -> float:
    """Mean of F1 over the classes."""
    return float(np.mean(f1_of(found, labels, weights)))


def false_alarm(found: Ints, labels: Ints, weights: Weights = None) -> float:
    """Share of normal pictures that were given a hazard."""
    w = np.ones(len(labels)) if weights is None else weights
    normal = labels == NORMAL
    return float(w[normal & (found != NORMAL) & (found != UNSURE)].sum() / w[normal].sum())


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share, z2 = hits / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap_f1(found: Ints, labels: Ints, sources: Ints, seed: int, rounds: int = 1000) -> tuple[float, float]:
    """95 % interval of macro-F1, pictures drawn again within each source."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(sources == s) for s in np.unique(sources)]
    values = []
    for _ in range(rounds):
        rows = np.concatenate([rng.choice(g, len(g)) for g in groups])
        values.append(macro_f1(found[rows], labels[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def reliability(score: NDArray[np.float64], labels: Ints) -> tuple[list[dict[str, float]], float]:
    """Ten bins of the top score with its mean and the share that was right, and the calibration error."""
    top, right = score.max(1), score.argmax(1) == labels
    bins, error = [], 0.0
    for number in range(BINS):
        inside = (top > number / BINS) & (top <= (number + 1) / BINS)
        if not inside.any():
            continue
        mean, share, count = float(top[inside].mean()), float(right[inside].mean()), int(inside.sum())
        bins.append({"score": round(mean, 4), "right": round(share, 4), "pictures": count})
        error += abs(mean - share) * count / len(labels)
    return bins, error


def by_source(found: Ints, labels: Ints, sources: Ints, names: list[str]) -> list[dict[str, object]]:
    """One row for each label and source: recall with its 95 % interval, wrong hazards, unsure."""
    rows = []
    for label, name in enumerate(LABELS):
        for index, source in enumerate(names):
            of = (labels == label) & (sources == index)
            if not of.any():
                continue
            hits, count = int((found[of] == label).sum()), int(of.sum())
            low, high = wilson(hits, count)
            alarms = int(((found[of] != label) & (found[of] != NORMAL) & (found[of] != UNSURE)).sum())
            rows.append(
                {
                    "label": name,
                    "source": source,
                    "pictures": count,
                    "recall": round(hits / count, 4),
                    "interval": [round(low, 4), round(high, 4)],
                    "other_hazard": alarms,
                    "unsure": int((found[of] == UNSURE).sum()),
                }
            )
    return rows


def summary(found: Ints, labels: Ints, sources: Ints, names: list[str], seed: int) -> dict[str, object]:
    """Everything the card prints about one set of decisions, as plain JSON values."""
    normal = labels == NORMAL
    alarms = int((normal & (found != NORMAL) & (found != UNSURE)).sum())
    confusion = [
        [int(((labels == a) & (found == b)).sum()) for b in (*range(len(LABELS)), UNSURE)] for a in range(len(LABELS))
    ]
    return {
        "pictures": len(labels),
        "macro_f1": round(macro_f1(found, labels), 4),
        "macro_f1_interval": [round(v, 4) for v in bootstrap_f1(found, labels, sources, seed)],
        "f1": dict(zip(LABELS, (round(v, 4) for v in f1_of(found, labels)), strict=True)),
        "false_alarm": round(false_alarm(found, labels), 4),
        "false_alarm_interval": [round(v, 4) for v in wilson(alarms, int(normal.sum()))],
        "unsure": round(float((found == UNSURE).mean()), 4),
        "confusion": confusion,
        "by_source": by_source(found, labels, sources, names),
    }
