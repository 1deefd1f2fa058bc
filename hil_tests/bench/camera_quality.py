"""How good the classifier is over a labelled folder, and whether that figure means anything: who has seen what.

Two ways: the shipped model as it is, which flatters where it has learned from these pictures; and leave one source
out, where the last layer is fitted anew without the judged source. The embeddings below that layer have then still
seen the source; only the training's own cross-validation (models/FIGURES.md) has not, so it stands beside.
"""

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from gateway import shipped
from gateway.camera import figures, picture
from gateway.camera.classifier import Card, Classifier, Head, Verdict, judge
from gateway.camera.picture import BadPicture
from gateway.errors import ConfigurationError
from hil_tests.bench import camera_head
from hil_tests.bench.row import Row

# From the issue: macro-F1 with unsure counted as wrong, and false alarms on normal single pictures.
LEAST_F1, MOST_FALSE = 0.87, 0.05
# Cases of the training's own cross-validation, and their names in the model card.
_TRAINED = {
    "leave one source out, whole training (model card)": "leave_source_out",
    "the same, threshold chosen without the judged sources": "rule_unseen",
}
_FOLDS = 3
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class Labelled(msgspec.Struct, frozen=True):
    """One picture of the folder: its file, what it shows, where it came from."""

    file: str
    label: str
    source: str


class Judged(msgspec.Struct, frozen=True):
    """One way of judging: figures, confusion (rows true, columns found, the last unsure), reliability."""

    case: str
    note: str
    pictures: int
    macro_f1: float
    false_alarm: float
    unsure: float
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]
    by_source: list[tuple[str, str, int, float, float]]


class Quality(msgspec.Struct, frozen=True):
    """Everything about one folder. `bad`: sentences about pictures that could not be used. `card`: the figures of
    the training's own cross-validation, by case, where this is the folder that it learned from."""

    labels: list[str]
    seen: bool
    bad: list[str]
    judged: list[Judged]
    card: dict[str, dict[str, float]]


def read(folder: Path, labels: Iterable[str]) -> list[Labelled]:
    """From manifest.csv (file, cls, source), else folders named after the classes. Raises ConfigurationError."""
    known = set(labels)
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        if not rows or not {"file", "cls"} <= set(rows[0]):
            raise ConfigurationError(f"{manifest} needs at least the columns file and cls.")
        found = [Labelled(row["file"], row["cls"], row.get("source") or "unknown") for row in rows]
    else:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        found = [Labelled(str(path.relative_to(folder)), path.parent.name, "unknown") for path in files]
    fitting = [one for one in found if one.label in known]
    if not fitting:
        raise ConfigurationError(
            f"{folder} has no pictures of known classes: it needs manifest.csv, or folders named "
            f"{', '.join(sorted(known))}."
        )
    return fitting


def measure(folder: Path) -> Quality:
    """Judge every picture of `folder`. Raises ConfigurationError when there is nothing to judge."""
    classifier = Classifier(shipped.models())
    card = classifier.card
    embeddings, kept, bad = [], [], []
    for one in read(folder, card.labels):
        try:
            embedding, _ = classifier.look(picture.open_file(folder / one.file))
        except BadPicture as error:
            bad.append(str(error))
            continue
        embeddings.append(embedding)
        kept.append(one)
    if not kept:
        raise ConfigurationError(f"No picture of {folder} could be used: {bad[0]}")
    x = np.stack(embeddings)
    whole = json.loads((shipped.models() / "hazard.json").read_bytes())
    seen = _hash(folder) == whole["dataset"]["manifest_sha256"]
    head = classifier.shipped_head()
    flattering = "it has learned from these very pictures" if seen else "it has never seen this folder"
    judged = [
        _judged(
            "shipped model, which learned from these" if seen else "shipped model",
            flattering,
            kept,
            [judge(row, card) for row in head.logits(x)],
            card,
        )
    ]
    apart = _left_out(x, kept, card)
    if apart is not None:
        judged.append(apart)
    if seen:
        judged.reverse()  # the flattering one last
    trained = {case: whole["figures"][name] for case, name in _TRAINED.items()} if seen else {}
    return Quality(card.labels, seen, bad, judged, trained)


def rows(quality: Quality) -> list[Row]:
    """The figures as a bench prints them."""
    found: list[Row] = []
    for case, card in quality.card.items():
        found += _rows(case, card["macro_f1"], card["false_alarm"], card["unsure"])
    for one in quality.judged:
        found += _rows(one.case, one.macro_f1, one.false_alarm, one.unsure)
    if quality.bad:
        found.append(Row(case="pictures", metric="unusable", value=float(len(quality.bad)), unit="pictures"))
    return found


def _rows(case: str, macro_f1: float, false_alarm: float, unsure: float) -> list[Row]:
    return [
        Row(case=case, metric="macro_f1", value=round(macro_f1, 4), unit="", limit=LEAST_F1),
        Row(case=case, metric="false_alarm", value=round(false_alarm, 4), unit="", limit=MOST_FALSE),
        Row(case=case, metric="unsure", value=round(unsure, 4), unit=""),
    ]


def _left_out(x: np.ndarray[tuple[int, int], np.dtype[np.float32]], kept: list[Labelled], card: Card) -> Judged | None:
    """Each picture judged by a head that was fitted without its source. None where that cannot be done.

    A source that carries a whole class is cut into thirds instead, and the note names it.
    """
    labels = np.array([card.labels.index(one.label) for one in kept])
    names = sorted({one.source for one in kept})
    sources = np.array([names.index(one.source) for one in kept])
    classes = len(card.labels)
    if len(names) < 2 or len(set(labels.tolist())) < classes or min(np.bincount(labels, minlength=classes)) < _FOLDS:
        return None
    verdicts: list[Verdict | None] = [None] * len(kept)
    cut = []
    third = np.array([int(hashlib.sha256(one.file.encode()).hexdigest(), 16) % _FOLDS for one in kept])
    for number, name in enumerate(names):
        inside = sources == number
        parts = [inside]
        if len(set(labels[~inside].tolist())) < classes:
            cut.append(name)
            parts = [inside & (third == fold) for fold in range(_FOLDS)]
        for part in parts:
            if len(set(labels[~part].tolist())) < classes:
                return None
            head: Head = camera_head.fit(x[~part], labels[~part], sources[~part], card.labels.index("normal"), classes)
            for row in np.flatnonzero(part):
                verdicts[row] = judge(head.logits(x[row]), card)
    note = "the last layer without the judged source; the layers below have seen it"
    if cut:
        note += f"; cut into thirds, so not unseen: {', '.join(cut)}"
    return _judged(
        "leave one source out, last layer only", note, kept, [one for one in verdicts if one is not None], card
    )


def _judged(case: str, note: str, kept: list[Labelled], verdicts: list[Verdict], card: Card) -> Judged:
    found, true = [one.label for one in verdicts], [one.label for one in kept]
    top = [max(one.scores.values()) for one in verdicts]
    right = [max(one.scores, key=one.scores.__getitem__) == t for one, t in zip(verdicts, true, strict=True)]
    present = [label for label in card.labels if label in true]
    return Judged(
        case=case,
        note=note,
        pictures=len(kept),
        macro_f1=figures.macro_f1(found, true, present),
        false_alarm=figures.false_alarm(found, true),
        unsure=figures.unsure(found),
        confusion=figures.confusion(found, true, card.labels),
        reliability=figures.reliability(top, right),
        by_source=_by_source(kept, found),
    )


def _by_source(kept: list[Labelled], found: list[str]) -> list[tuple[str, str, int, float, float]]:
    """Class, source, pictures, recall, share unsure."""
    table = []
    for label, source in sorted({(one.label, one.source) for one in kept}):
        here = [f for f, one in zip(found, kept, strict=True) if (one.label, one.source) == (label, source)]
        table.append((label, source, len(here), here.count(label) / len(here), figures.unsure(here)))
    return table


def _hash(folder: Path) -> str | None:
    manifest = folder / "manifest.csv"
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else None
