"""The figures of hazard.json as the Markdown page FIGURES.md, so that no number is ever typed by hand."""

import json
from pathlib import Path
from typing import Any

from training.card import CARD

PAGE = "FIGURES.md"


def write(out: Path) -> None:
    """Renders the figures of the description in `out` beside it."""
    known = json.loads((out / CARD).read_text(encoding="utf-8"))
    (out / PAGE).write_text("\n".join(_lines(known)) + "\n", encoding="utf-8")


def _lines(known: dict[str, Any]) -> list[str]:
    figures = known["figures"]
    judged, plain, check = figures["leave_source_out"], figures["without_thresholds"], known["selfcheck"]
    blind = figures["rule_unseen"]
    low, high = judged["macro_f1_interval"]
    fewest, most = judged["false_alarm_interval"]
    return [
        "# Figures of the hazard classifier",
        "",
        "Written by `models/train.py`; do not edit. Leave-source-out cross-validation, each picture judged by an",
        "int8 model that never saw its source, except the sources named under the rotations as cut. Intervals are",
        "95 %: drawn again within sources for macro-F1, Wilson for shares. They tell chance, not new kinds of scene.",
        "",
        f"- Model {known['model']['sha256'][:16]}, {check['bytes']} bytes, {check['milliseconds']} ms a picture on",
        "  one core of the machine that trained it (other work ran beside it).",
        f"- Macro-F1, unsure counted as wrong: **{judged['macro_f1']:.3f}** ({low:.3f} to {high:.3f}) over",
        f"  {judged['pictures']} pictures; without a threshold {plain['macro_f1']:.3f}.",
        f"- False alarms on normal pictures: **{judged['false_alarm']:.3f}** ({fewest:.3f} to {most:.3f});",
        f"  without a threshold {plain['false_alarm']:.3f}. Unsure: {judged['unsure']:.3f} of all pictures.",
        "- The threshold was chosen on these scores. Each rotation judged by the threshold of the other three:",
        f"  macro-F1 **{blind['macro_f1']:.3f}**, false alarms **{blind['false_alarm']:.3f}**.",
        f"- int8 and float32 give the same label on {check['int8_float_agreement']:.4f} of {check['pictures']}"
        f" pictures; their embeddings have a mean cosine of {check['int8_float_cosine']:.4f}.",
        "",
        "## By class and source",
        "",
        "| shows | source | pictures | recall | 95 % | other hazard | unsure |",
        "|---|---|---|---|---|---|---|",
        *(_source(row) for row in judged["by_source"]),
        "",
        "## Confusion",
        "",
        "| shows | " + " | ".join([*known["labels"], "unsure"]) + " | F1 |",
        "|" + "---|" * (len(known["labels"]) + 3),
        *(
            f"| {name} | " + " | ".join(map(str, row)) + f" | {judged['f1'][name]:.3f} |"
            for name, row in zip(known["labels"], judged["confusion"], strict=True)
        ),
        "",
        "## Reliability",
        "",
        f"Expected calibration error {figures['reliability']['calibration_error']:.3f}, ten bins of the top score.",
        "",
        "| mean score | share right | pictures |",
        "|---|---|---|",
        *(f"| {b['score']:.2f} | {b['right']:.2f} | {b['pictures']} |" for b in figures["reliability"]["bins"]),
        "",
        "## Rotations",
        "",
        *(
            f"{number}. holds out {', '.join(names)}"
            for number, names in enumerate(figures["protocol"]["rotations"], 1)
        ),
        "",
        "Cut into similarity clusters, so not of an unseen source: "
        + ", ".join(figures["protocol"]["cut_into_clusters_not_unseen"])
        + ".",
    ]


def _source(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return (
        f"| {row['label']} | {row['source']} | {row['pictures']} | {row['recall']:.3f} | {low:.2f} to {high:.2f} "
        f"| {row['other_hazard']} | {row['unsure']} |"
    )
