"""Leave-source-out cross-validation: every picture judged by a model that never saw its source.

Tuning a model for each source would take hours, so the sources take turns in a few rotations: a rotation
holds whole sources out together, at most one of each hazard where that can be, and learns from the rest. That
is not the same as one source at a time: with the backbone frozen, where both are quick, the rotations gave a
macro-F1 of 0.739 and one source at a time 0.724. One source repository carries the whole rubbish
class, so leaving it out would leave nothing to learn from; it is cut into similarity clusters, whole clusters
go to a rotation, and the report says that its pictures are not of an unseen source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import LABELS, NORMAL, Picture

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

ROTATIONS = 4
SAME_SCENE = 0.6  # cosine of centred embeddings above which two pictures share a cluster


@dataclass(frozen=True)
class Rotations:
    """`turn` gives each picture the rotation that holds it out; `cut` names the sources that were cut up."""

    turn: Ints
    cut: tuple[str, ...]


def sources_of(pictures: Sequence[Picture]) -> tuple[list[str], Ints]:
    """Names of the sources, sorted, and each picture's index among them."""
    names = sorted({p.source for p in pictures})
    return names, np.array([names.index(p.source) for p in pictures])


def rotations(pictures: Sequence[Picture], plain: Floats) -> Rotations:
    """Deals the sources out, the largest first; `plain` holds embeddings (N, 1280) of the unaltered pictures.

    Raises AssertionError when a rotation would learn from no picture of some class or from a held-out source.
    """
    names, sources = sources_of(pictures)
    labels = np.array([p.label for p in pictures])
    turn = np.full(len(pictures), -1)
    cut = []
    held: list[list[int]] = [[] for _ in range(ROTATIONS)]
    filled = np.zeros(ROTATIONS)
    for index in np.argsort(-np.bincount(sources), kind="stable"):
        inside = sources == index
        if set(labels[~inside]) != set(range(len(LABELS))):
            turn[inside] = _clusters(plain[inside] - plain.mean(0))
            cut.append(names[index])
            continue
        hazards = set(labels[inside]) - {NORMAL}
        rivals = [sum(label in hazards for label in labels_held) for labels_held in held]
        chosen = min(range(ROTATIONS), key=lambda r: (rivals[r], filled[r]))
        turn[inside] = chosen
        held[chosen] += sorted(hazards)
        filled[chosen] += inside.sum()
    result = Rotations(turn, tuple(cut))
    _check(result, labels, sources, names)
    return result


def _check(dealt: Rotations, labels: Ints, sources: Ints, names: list[str]) -> None:
    assert (dealt.turn >= 0).all(), "a picture is in no rotation"
    for number in range(ROTATIONS):
        out = dealt.turn == number
        assert set(labels[~out]) == set(range(len(LABELS))), f"rotation {number} learns no picture of a class"
        both = {names[s] for s in set(sources[out]) & set(sources[~out])}
        assert both <= set(dealt.cut), f"rotation {number} leaks {both}"


def _clusters(embeddings: Floats) -> Ints:
    """A rotation for each row, whole clusters together, the largest clusters dealt first."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    parent = np.arange(len(unit))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in np.argwhere(np.triu(unit @ unit.T, 1) > SAME_SCENE):
        parent[root(a)] = root(b)
    roots = np.array([root(i) for i in range(len(unit))])
    clusters, sizes = np.unique(roots, return_counts=True)
    result = np.zeros(len(unit), np.int64)
    filled = np.zeros(ROTATIONS)
    for at in np.argsort(-sizes, kind="stable"):
        number = int(filled.argmin())
        result[roots == clusters[at]] = number
        filled[number] += sizes[at]
    return result
