"""The closed-form head as the training fits it, so that a bench can leave a source out without PyTorch.

The same formula as models/training/head.py (a shrunken discriminant that counts differences between sources as
noise), with the recipe chosen there; its test holds the one against the other.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.camera.classifier import Head

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SHRINK, NUISANCE, SOURCE_POWER, NORMAL_WEIGHT = 0.3, 10.0, 0.25, 3.0


def fit(x: Floats, labels: Ints, sources: Ints, normal: int, classes: int) -> Head:
    """A head from embeddings (N, D), the label and the source of each."""
    rows = x.astype(np.float64)
    weights = _weights(labels, sources, normal)
    means = np.stack(
        [np.average(rows[labels == one], axis=0, weights=weights[labels == one]) for one in range(classes)]
    )
    spread = np.zeros((x.shape[1], x.shape[1]))
    for label in range(classes):
        for source in np.unique(sources[labels == label]):
            of = (labels == label) & (sources == source)
            middle = np.average(rows[of], axis=0, weights=weights[of])
            rest = (rows[of] - middle) * np.sqrt(weights[of])[:, None]
            shift = middle - means[label]
            spread += rest.T @ rest + NUISANCE * weights[of].sum() * np.outer(shift, shift)
    spread /= weights.sum()
    flat = np.trace(spread) / len(spread) * np.eye(len(spread))
    weight = np.linalg.solve((1 - SHRINK) * spread + SHRINK * flat, means.T).T
    return Head(weight.astype(np.float32), (-0.5 * (weight * means).sum(1)).astype(np.float32))


def _weights(labels: Ints, sources: Ints, normal: int) -> NDArray[np.float64]:
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        groups, counts = np.unique(sources[labels == label], return_counts=True)
        share = counts.astype(float) ** (1 - SOURCE_POWER)
        for group, count, part in zip(groups, counts, share / share.sum(), strict=True):
            weights[(labels == label) & (sources == group)] = part / count
        if label == normal:
            weights[labels == label] *= NORMAL_WEIGHT
    return np.asarray(weights / weights.mean())
