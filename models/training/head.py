"""The linear head on frozen embeddings: a shrunken linear discriminant that distrusts its sources.

Where the pictures of one class differ between repositories (their cameras, their towns, their editors), that
difference is nuisance and not hazard. It is added, weighted, to the covariance that the discriminant divides
by, so directions that tell sources apart count little (within-class covariance normalisation, Hatch et al.
2006). Closed form: the same embeddings give the same head, in a second, without PyTorch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import LABELS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """logits = embedding @ weight.T + bias; weight is (classes, 1280), bias (classes,)."""

    weight: Floats
    bias: Floats

    def logits(self, embeddings: Floats) -> Floats:
        """(..., 1280) to (..., classes)."""
        return embeddings @ self.weight.T + self.bias


@dataclass(frozen=True)
class Recipe:
    """How a head is fitted; the values were chosen by `loso`, not on the validation folder.

    shrink: share of the covariance replaced by its mean variance. nuisance: weight of the scatter between
    sources of one class. source_power: 1 gives every source of a class the same total weight, 0 every
    picture the same. normal_weight: total weight of normal, a hazard class having 1.
    """

    shrink: float = 0.3
    nuisance: float = 10.0
    source_power: float = 0.25
    normal_weight: float = 3.0


def sample_weights(labels: Ints, sources: Ints, recipe: Recipe) -> Floats:
    """One weight a picture, mean 1: classes level (normal heavier), sources within a class levelled in part."""
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        of_label = labels == label
        groups, counts = np.unique(sources[of_label], return_counts=True)
        share = counts.astype(float) ** (1 - recipe.source_power)
        share /= share.sum()
        for group, count, part in zip(groups, counts, share, strict=True):
            weights[of_label & (sources == group)] = part / count
        if LABELS[label] == "normal":
            weights[of_label] *= recipe.normal_weight
    return (weights / weights.mean()).astype(np.float32)


def fit(views: Floats, labels: Ints, sources: Ints, recipe: Recipe) -> Head:
    """A head from views (V, N, 1280) of N pictures with their labels and sources."""
    count = len(views)
    weights = np.tile(sample_weights(labels, sources, recipe), count).astype(np.float64)
    x = views.reshape(-1, views.shape[-1]).astype(np.float64)
    y, group = np.tile(labels, count), np.tile(sources, count)
    means = np.stack([_mean(x, weights, y == label) for label in range(len(LABELS))])
    within = np.zeros((x.shape[1], x.shape[1]))
    between = np.zeros_like(within)
    for label in range(len(LABELS)):
        for source in np.unique(group[y == label]):
            rows = (y == label) & (group == source)
            mean = _mean(x, weights, rows)
            rest = (x[rows] - mean) * np.sqrt(weights[rows])[:, None]
            within += rest.T @ rest
            shift = mean - means[label]
            between += weights[rows].sum() * np.outer(shift, shift)
    spread = (within + recipe.nuisance * between) / weights.sum()
    flat = np.trace(spread) / len(spread) * np.eye(len(spread))
    weight = np.linalg.solve((1 - recipe.shrink) * spread + recipe.shrink * flat, means.T).T
    bias = -0.5 * (weight * means).sum(1)
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def _mean(x: NDArray[np.float64], weights: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.average(x[rows], axis=0, weights=weights[rows])
