"""The classifier's last layer, adapted to one site by its own confirmed pictures: closed form, NumPy, seconds.

The shipped head stays the point of departure: what it gets right stays as it is, and only what people corrected is
pulled. A new head is taken only when it is better on site pictures that it did not learn from, and no worse on the
shipped anchors that it did not learn from either; the old one stays for return. It stores embeddings of scenes, never
of faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.camera import shipment, trust
from gateway.camera.classifier import NORMAL, Card, Head, judge
from gateway.camera.figures import false_alarm, macro_f1
from gateway.errors import GewuError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ANCHORS = "anchors.json"
HEAD = "head.json"
# Own choices. A corrected picture's class is to lead by as much as takes a score from even to 0.88 (two e-folds).
MARGIN = 2.0
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
LEAST_PICTURES = 12
HELD_BACK = 3  # every third site picture judges and does not teach


@dataclass(frozen=True)
class Samples:
    """Embeddings (N, 1280) and the index of each one's label."""

    embeddings: Floats
    labels: Ints

    def part(self, rows: NDArray[np.bool_]) -> "Samples":
        return Samples(self.embeddings[rows], self.labels[rows])


@dataclass(frozen=True)
class Figures:
    """`macro_f1` and `false_alarm` (0 to 1) over some samples, unsure counted as wrong."""

    macro_f1: float
    false_alarm: float


@dataclass(frozen=True)
class Outcome:
    """What an adaptation came to; `head` is None when the old one stays, and `why` says why."""

    head: Head | None
    why: str
    site_before: Figures
    site_after: Figures
    shipped_before: Figures
    shipped_after: Figures


def anchors(folder: Path, keys: Sequence[str]) -> Samples:
    """The shipped embeddings of pictures that the figures are about. Raises AlteredModel, GewuError."""
    with np.load(BytesIO(shipment.read(folder / ANCHORS, keys).content), allow_pickle=False) as stored:
        rows = stored["rows"].astype(np.float32) * stored["scales"][:, None]
        return Samples(rows, stored["labels"].astype(np.int64))


def current_head(site: Path) -> Head | None:
    """The site's own head, or None. Raises AlteredModel when it is not what this gateway made."""
    if not (site / HEAD).is_file():
        return None
    made = shipment.read(site / HEAD, [_own_public(site)])
    with np.load(BytesIO(made.content), allow_pickle=False) as stored:
        return Head(stored["weight"], stored["bias"])


def _own_public(site: Path) -> str:
    try:
        return trust.public_half(trust.private_key((site / "key.pem").read_bytes()))
    except OSError as error:
        raise GewuError(f"The site's key {site / 'key.pem'} cannot be read ({error.strerror}).") from None


def adapt(site: Samples, shipped: Samples, old: Head, card: Card) -> Outcome:
    """The best head for the site that is no worse elsewhere, or the reason why there is none."""
    held = np.arange(len(site.labels)) % HELD_BACK == 0
    judged, taught = site.part(held), site.part(~held)
    odd = np.arange(len(shipped.labels)) % 2 == 1
    guard, kept = shipped.part(odd), shipped.part(~odd)
    before, shipped_before = measure(judged, old, card), measure(guard, old, card)

    def outcome(head: Head | None, why: str, at: Head) -> Outcome:
        return Outcome(head, why, before, measure(judged, at, card), shipped_before, measure(guard, at, card))

    if len(site.labels) < LEAST_PICTURES:
        return outcome(None, f"{len(site.labels)} pictures are too few; {LEAST_PICTURES} are needed", old)
    best: Outcome | None = None
    for ridge in RIDGES:
        tried = outcome(None, "", _fitted(taught, kept, old, card, ridge))
        better = tried.site_after.macro_f1 > before.macro_f1 and tried.site_after.false_alarm <= before.false_alarm
        harmless = (
            tried.shipped_after.macro_f1 >= shipped_before.macro_f1
            and tried.shipped_after.false_alarm <= shipped_before.false_alarm
        )
        if better and harmless and (best is None or tried.site_after.macro_f1 > best.site_after.macro_f1):
            head = _fitted(taught, kept, old, card, ridge)
            best = Outcome(head, "better here, no worse elsewhere", *_figures(tried))
    return best or outcome(None, "no head is better here and no worse elsewhere; the old one stays", old)


def _figures(outcome: Outcome) -> tuple[Figures, Figures, Figures, Figures]:
    return outcome.site_before, outcome.site_after, outcome.shipped_before, outcome.shipped_after


def _fitted(taught: Samples, kept: Samples, old: Head, card: Card, ridge: float) -> Head:
    """Ridge regression of the corrections over both: what was corrected is pulled, what is kept is held."""
    x = np.concatenate([taught.embeddings, kept.embeddings]).astype(np.float64)
    wanted = np.concatenate([_corrections(taught, old, card), np.zeros((len(kept.labels), len(card.labels)))])
    x1 = np.concatenate([x, np.full((len(x), 1), float(np.abs(x).mean()))], 1)
    kernel = x1 @ x1.T
    scale = float(np.trace(kernel)) / len(kernel)
    step = np.linalg.solve(kernel + ridge * 0.01 * scale * np.eye(len(kernel)), wanted).T @ x1
    weight = old.weight + step[:, :-1]
    bias = old.bias + step[:, -1] * x1[0, -1]
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def _corrections(taught: Samples, old: Head, card: Card) -> NDArray[np.float64]:
    """How each picture's logits should move: the right class up and its best rival down, until it leads enough."""
    logits = old.logits(taught.embeddings).astype(np.float64)
    rows = np.arange(len(logits))
    others = logits.copy()
    others[rows, taught.labels] = -np.inf
    rival = others.argmax(1)
    short = np.maximum(0.0, MARGIN * card.temperature - (logits[rows, taught.labels] - logits[rows, rival]))
    moves = np.zeros_like(logits)
    moves[rows, taught.labels] += short / 2
    moves[rows, rival] -= short / 2
    return moves


def measure(samples: Samples, head: Head, card: Card) -> Figures:
    """The figures of `head` over `samples`."""
    names = [card.labels[int(label)] for label in samples.labels]
    found = [judge(row, card).label for row in head.logits(samples.embeddings)]
    present = [label for label in card.labels if label in names]
    return Figures(macro_f1(found, names, present), false_alarm(found, names, NORMAL))


def write_head(site: Path, head: Head) -> None:
    """Sign the head with the gateway's own key and put it in place; the one before stays as previous.*"""
    out = BytesIO()
    np.savez(out, weight=head.weight, bias=head.bias)
    content = out.getvalue()
    key = trust.own_key(site / "key.pem")
    card = msgspec.json.encode({"model": {"file": "head.npz", "sha256": trust.sha256(content)}})
    _keep_previous(site)
    (site / "head.npz").write_bytes(content)
    (site / HEAD).with_suffix(shipment.SUFFIX).write_bytes(trust.sign(card, key))
    (site / HEAD).write_bytes(card)


def _keep_previous(site: Path) -> None:
    for name in ("head.npz", HEAD, "head.sig"):
        (site / f"previous.{name}").unlink(missing_ok=True)
        if (site / name).is_file():
            (site / name).replace(site / f"previous.{name}")


def go_back(site: Path) -> bool:
    """Put the head before this one in its place; the shipped one (False) when there was none."""
    had = (site / f"previous.{HEAD}").is_file()
    for name in (HEAD, "head.npz", "head.sig"):
        (site / name).unlink(missing_ok=True)
    for name in ("head.npz", "head.sig", HEAD):
        if had:
            (site / f"previous.{name}").replace(site / name)
    return had


def as_json(outcome: Outcome) -> dict[str, Any]:
    """What `gewu camera adapt --json` prints."""
    document = msgspec.to_builtins(
        {name: getattr(outcome, name) for name in ("site_before", "site_after", "shipped_before", "shipped_after")}
    )
    return {"accepted": outcome.head is not None, "why": outcome.why, **document}
