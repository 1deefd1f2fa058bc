"""Figures of merit over labels, pure: F1, macro-F1, false alarms, confusion, reliability.

"unsure" is never right: it is a miss for every class, normal included, but it is no false alarm.
"""

from collections.abc import Sequence

from gateway.camera.classifier import NORMAL, UNSURE

Names = Sequence[str]
BINS = 10


def f1(found: Names, true: Names, label: str) -> float:
    """F1 of one class, 0 to 1."""
    pairs = list(zip(found, true, strict=True))
    hit = sum(f == label and t == label for f, t in pairs)
    wrong = sum((f == label) != (t == label) for f, t in pairs)
    return 2 * hit / (2 * hit + wrong) if hit else 0.0


def macro_f1(found: Names, true: Names, labels: Names) -> float:
    """The mean of F1 over `labels`; 0 of none."""
    return sum(f1(found, true, label) for label in labels) / len(labels) if labels else 0.0


def false_alarm(found: Names, true: Names, normal: str = NORMAL) -> float:
    """The share of normal pictures that were given a hazard; 0 where there is none."""
    of_normal = [f for f, t in zip(found, true, strict=True) if t == normal]
    return sum(f not in (normal, UNSURE) for f in of_normal) / len(of_normal) if of_normal else 0.0


def unsure(found: Names) -> float:
    """The share that is unsure; 0 of nothing."""
    return sum(f == UNSURE for f in found) / len(found) if found else 0.0


def confusion(found: Names, true: Names, labels: Names) -> list[list[int]]:
    """Rows by what is true, columns by what was found, the last column unsure."""
    pairs = list(zip(true, found, strict=True))
    return [[sum(pair == (t, f) for pair in pairs) for f in (*labels, UNSURE)] for t in labels]


def reliability(top: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float, int]]:
    """Ten bins of the top score: its mean, the share that was right, and how many; empty bins are left out."""
    bins = []
    for number in range(BINS):
        inside = [i for i, score in enumerate(top) if number / BINS < score <= (number + 1) / BINS]
        if inside:
            mean = sum(top[i] for i in inside) / len(inside)
            bins.append((mean, sum(right[i] for i in inside) / len(inside), len(inside)))
    return bins
