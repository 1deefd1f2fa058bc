"""Makes the hazard classifier: `python models/train.py --dataset DIR --out models/`.

Four rotations of leave-source-out cross-validation give the figures, the temperature and the threshold, each
through its own int8 model; nothing is chosen by the validation folder. Then one model learns from everything
but `extra` and is written as hazard.tflite with hazard.json. It never runs on a gateway and no test imports it.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import selfcheck
import torch
from training import backbone, calibrate, card, export, features, loso, measure, table
from training.data import LABELS, UNSURE, Picture, read_manifest, with_drawn
from training.head import Head, Recipe, fit, sample_weights
from training.tune import UNALTERED, Schedule, embed, tune

SEED = 0
SISTER = "lite1"
SIDE = 304  # more than the 240 it was trained at: sources never seen gained a point (README.md)
VIEWS = 3
EXAMPLES = 200  # pictures that set the value ranges of the quantised model
# 0.05 is asked for: rotations keep it by the threshold that the others choose with this limit, not with 0.037.
FALSE_ALARM_LIMIT = 0.036
CALM = 0.40  # a score of normal below this, and no alarm, is "unsure"; of 0 to 0.7 it gave the most macro-F1


@dataclass(frozen=True)
class Work:
    """What every rotation needs, cheap to hand to another process."""

    pictures: list[Picture]  # the real ones first
    cache: Path
    views: int
    recipe: Recipe
    schedule: Schedule

    def early(self) -> features.Early:
        """The early features, which `prepare` has computed."""
        return features.Early([self.file(number) for number in range(self.views)])

    def file(self, number: int) -> Path:
        """Where the early features of one view lie."""
        return self.cache / features.file_of(self.schedule.start, self.pictures, number, SISTER, SIDE, SEED)

    def real(self) -> list[Picture]:
        """The pictures that nothing was drawn into: those that figures are made of."""
        return [p for p in self.pictures if not p.drawn]

    def columns(self) -> tuple[loso.Ints, loso.Ints]:
        """Labels and sources of all pictures."""
        return np.array([p.label for p in self.pictures]), loso.sources_of(self.pictures)[1]


@dataclass(frozen=True)
class Made:
    """A finished model: tuned backbone, head, float32 and int8 TFLite."""

    net: backbone.Backbone
    head: Head
    whole: bytes
    small: bytes


def main() -> int:
    """Runs the pipeline; 0 when every self-check passed."""
    parser = argparse.ArgumentParser(description="Trains the hazard classifier.")
    parser.add_argument("--dataset", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, help="where hazard.tflite and hazard.json go")
    parser.add_argument("--cache", type=Path, default=Path("build/hazard"), help="early features, reusable")
    parser.add_argument("--jobs", type=int, default=2, help="rotations at a time, one core each")
    parser.add_argument("--with-extra", action="store_true", help="learn from the folder extra as well")
    options = parser.parse_args()
    work = Work(with_drawn(read_manifest(options.dataset)), options.cache, VIEWS, Recipe(), Schedule())
    build(work, options.dataset, options.out, options.jobs, options.with_extra)
    return 0


def build(work: Work, dataset: Path, out: Path, jobs: int, with_extra: bool) -> None:
    """Judges, trains, exports and checks."""
    torch.set_num_threads(1)
    real = work.real()
    everything = np.arange(len(real))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(prepare, [work] * work.views, range(work.views)))
    plain = embed(backbone.load(SISTER), work.schedule.start, work.early(), 0, everything)
    dealt = loso.rotations(real, plain)
    # What is drawn into a scene is held out with the scene.
    turn = np.array([dealt.turn[at if p.scene < 0 else p.scene] for at, p in enumerate(work.pictures)])
    learned = np.flatnonzero([with_extra or p.split != "extra" for p in work.pictures])
    selfcheck.no_leak([work.pictures[i] for i in learned], real, with_extra)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        last = pool.submit(learn, work, learned)
        turns = [pool.submit(rotate, work, turn, number) for number in range(loso.ROTATIONS)]
        logits = np.full((len(everything), len(LABELS)), np.nan, np.float32)
        for number, judged in enumerate(turns):
            logits[dealt.turn == number] = judged.result()
        np.save(work.cache / "held-out-logits.npy", logits)
        made = last.result()
    rule, figures = judge(work, dealt, logits)
    card.write(out, made.small, SIDE, SISTER, rule, figures, dataset, with_extra)
    order = np.random.default_rng(SEED).permutation(everything)[:400]
    sample = [real[i] for i in order]
    results = selfcheck.check(out, made.whole, sample, rule)
    card.add(out, "selfcheck", results)
    table.write(out)
    brief = {key: value for key, value in figures["leave_source_out"].items() if key != "by_source"}
    print(json.dumps({"selfcheck": results, "leave_source_out": brief}, indent=1))


def prepare(work: Work, number: int) -> None:
    """Computes the early features of one view."""
    torch.set_num_threads(1)
    net = backbone.load(SISTER)
    features.compute(net, work.schedule.start, work.pictures, number, SIDE, SEED, work.file(number))


def learn(work: Work, rows: loso.Ints) -> Made:
    """A model from the pictures at `rows`, and from nothing else."""
    torch.set_num_threads(1)
    labels, sources = work.columns()
    published = backbone.load(SISTER)
    early = work.early()
    net = tune(published, early, rows, labels, sources, work.recipe, work.schedule, SEED)
    views = np.stack([embed(net, work.schedule.start, early, view, rows) for view in UNALTERED])
    head = fit(views, labels[rows], sources[rows], work.recipe)
    whole = export.float_model(net, head, SIDE)
    order = np.random.default_rng(SEED).permutation(rows)[:EXAMPLES]
    examples = [features.view_of(work.pictures[i], n % work.views, SIDE, SEED) for n, i in enumerate(order)]
    return Made(net, head, whole, export.int8_model(whole, examples))


def rotate(work: Work, turn: loso.Ints, number: int) -> loso.Floats:
    """Logits of the pictures that rotation `number` holds out, through the int8 model of that rotation."""
    made = learn(work, np.flatnonzero(turn != number))
    run = export.Runner(made.small)
    held_out = np.flatnonzero(turn[: len(work.real())] == number)
    logits = [run(features.view_of(work.pictures[i], 0, SIDE, SEED))[1] for i in held_out]
    print(f"rotation {number + 1} of {loso.ROTATIONS} judged", flush=True)
    return np.stack(logits)


def judge(
    work: Work, dealt: loso.Rotations, logits: loso.Floats
) -> tuple[calibrate.Rule, dict[str, dict[str, object]]]:
    """Temperature and threshold from the held-out logits, and the figures that they give."""
    real = work.real()
    labels = np.array([p.label for p in real])
    names, sources = loso.sources_of(real)
    weights = sample_weights(labels, sources, work.recipe)
    rule = calibrate.fit_rule(logits, labels, weights, FALSE_ALARM_LIMIT, CALM)
    score = calibrate.scores(logits, rule.temperature)
    found = calibrate.decide(score, rule)
    blind = rule_unseen(logits, labels, weights, dealt.turn)
    unforced = logits.argmax(1)
    bins, error = measure.reliability(score, labels)
    return rule, {
        "protocol": {
            "rotations": [
                sorted({names[s] for s in sources[dealt.turn == number]}) for number in range(loso.ROTATIONS)
            ],
            "cut_into_clusters_not_unseen": list(dealt.cut),
        },
        "leave_source_out": measure.summary(found, labels, sources, names, SEED),
        "rule_unseen": {
            "macro_f1": round(measure.macro_f1(blind, labels), 4),
            "false_alarm": round(measure.false_alarm(blind, labels), 4),
            "unsure": round(float((blind == UNSURE).mean()), 4),
        },
        "without_thresholds": {
            "macro_f1": round(measure.macro_f1(unforced, labels), 4),
            "false_alarm": round(measure.false_alarm(unforced, labels), 4),
        },
        "reliability": {"bins": bins, "calibration_error": round(error, 4)},
    }


def rule_unseen(logits: loso.Floats, labels: loso.Ints, weights: loso.Floats, turn: loso.Ints) -> loso.Ints:
    """The verdicts where each rotation is judged by temperature and threshold of the other rotations."""
    found = np.empty_like(labels)
    for number in range(loso.ROTATIONS):
        others, held_out = turn != number, turn == number
        rule = calibrate.fit_rule(logits[others], labels[others], weights[others], FALSE_ALARM_LIMIT, CALM)
        found[held_out] = calibrate.decide(calibrate.scores(logits[held_out], rule.temperature), rule)
    return found


if __name__ == "__main__":
    sys.exit(main())
