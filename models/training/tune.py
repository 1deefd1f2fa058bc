"""Gentle tuning of the backbone's last blocks: linear probe first, then small steps, then weights averaged.

The head starts at the discriminant of the frozen backbone, so the first gradients do not wreck the features
(Kumar et al. 2022); pictures are mixed pairwise, which keeps sources from being learned by heart; the tuned
weights are averaged with the published ones (WiSE-FT, Wortsman et al. 2022). The early blocks never move.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.backbone import EMBEDDING, Backbone
from training.data import LABELS
from training.features import Early
from training.head import Head, Recipe, fit, sample_weights

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FIRST_LOGITS = 3.0  # spread of the starting head's logits: decided, not saturated
EMBED_BATCH = 64
UNALTERED = (0, 1)  # the views that a head is fitted on: as it is, and mirrored


@dataclass(frozen=True)
class Schedule:
    """`start` is the first block that moves; `kept` the share of the tuned weights in the average."""

    start: int = 14
    steps: int = 320
    batch: int = 32
    rate: float = 2e-4
    warm_up: int = 30
    smoothing: float = 0.05
    mixing: float = 0.4
    kept: float = 0.6


def embed(net: Backbone, start: int, early: Early, view: int, rows: Ints) -> Floats:
    """Embeddings (N, 1280) of one view of the pictures at `rows`."""
    parts = []
    for at in range(0, len(rows), EMBED_BATCH):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            batch = early.batch(view, rows[at : at + EMBED_BATCH])
            parts.append(net.late(batch, start).float().numpy())
    return np.concatenate(parts)


def tune(
    published: Backbone,
    early: Early,
    rows: Ints,
    labels: Ints,
    sources: Ints,
    recipe: Recipe,
    schedule: Schedule,
    seed: int,
) -> Backbone:
    """A tuned copy of `published`, learned from the pictures at `rows` alone; labels and sources are of all."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    views = np.stack([embed(published, schedule.start, early, view, rows) for view in UNALTERED])
    first = fit(views, labels[rows], sources[rows], recipe)
    net = copy.deepcopy(published).to(memory_format=torch.channels_last)
    linear = _linear(first, views[0])
    moving = [p for block in net.blocks[schedule.start :] for p in block.parameters()]
    moving += list(net.head.parameters())
    for parameter in moving:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW([*moving, *linear.parameters()], lr=schedule.rate, weight_decay=0.01)
    chances = sample_weights(labels[rows], sources[rows], recipe).astype(np.float64)
    chances /= chances.sum()
    for step in range(schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * _pace(step, schedule)
        chosen = rows[rng.choice(len(rows), schedule.batch, p=chances)]
        x, y = _mixed(early.batch(int(rng.integers(early.views)), chosen), labels[chosen], schedule, rng)
        loss = functional.cross_entropy(linear(net.late(x, schedule.start)), y)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moving, 1.0)
        optimiser.step()
    return _averaged(net, published, schedule.kept)


def _linear(head: Head, embeddings: Floats) -> torch.nn.Linear:
    logits = head.logits(embeddings)
    scale = FIRST_LOGITS / float((logits - logits.mean(1, keepdims=True)).std())
    linear = torch.nn.Linear(EMBEDDING, len(LABELS))
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(head.weight * scale))
        linear.bias.copy_(torch.from_numpy(head.bias * scale))
    return linear


def _pace(step: int, schedule: Schedule) -> float:
    """Linear warm-up times a half cosine to zero."""
    return min(1.0, (step + 1) / schedule.warm_up) * (0.5 + 0.5 * float(np.cos(np.pi * step / schedule.steps)))


def _mixed(
    x: torch.Tensor, labels: Ints, schedule: Schedule, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each picture mixed with another of the batch, and the labels alike, smoothed."""
    classes = len(LABELS)
    y = functional.one_hot(torch.from_numpy(labels), classes).float()
    y = y * (1 - schedule.smoothing) + schedule.smoothing / classes
    share = float(rng.beta(schedule.mixing, schedule.mixing))
    other = torch.from_numpy(rng.permutation(len(labels)))
    mixed = share * x + (1 - share) * x[other]
    return mixed.contiguous(memory_format=torch.channels_last), share * y + (1 - share) * y[other]


def _averaged(tuned: Backbone, published: Backbone, kept: float) -> Backbone:
    with torch.no_grad():
        for new, old in zip(tuned.parameters(), published.parameters(), strict=True):
            new.mul_(kept).add_(old, alpha=1 - kept)
    return tuned.eval().requires_grad_(False)
