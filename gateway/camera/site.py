"""What a site teaches its classifier: confirmed or rejected stills, as embeddings, with the consent given for it.

Nothing comes here unasked: a person names a still and what it shows, and `vision.consent` says who agreed to it.
The picture itself is never copied; it goes when its time has come.
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from gateway import shipped
from gateway.camera import learning, trust
from gateway.camera.classifier import Classifier
from gateway.camera.evidence import EvidenceStore
from gateway.camera.learning import Samples
from gateway.camera.picture import decode
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.errors import ConfigurationError, GewuError
from gateway.records import rfc3339

_NOTES = "confirmed.jsonl"


def store_of(config: Config) -> EvidenceStore:
    """The stills of this gateway."""
    vision = config.vision
    return EvidenceStore(config.gateway.data_dir, vision.keep, vision.max_bytes, SystemClock())


def listed(store: EvidenceStore) -> dict[str, Any]:
    """What `gewu camera evidence list --json` prints. Raises GewuError when the register was altered."""
    stills = [
        {
            "name": path.name,
            "bytes": path.stat().st_size,
            "kept_until": None if until is None else rfc3339(until),
        }
        for path, until in store.stills()
    ]
    return {"stills": stills, "used": store.used(), "register": store.register.rows()}


def confirm(config: Config, still: str, label: str, who: str) -> dict[str, Any]:
    """Let `still` teach `label`. Raises GewuError; nothing is kept without consent, and never the picture itself."""
    if config.vision.consent is None:
        raise ConfigurationError(
            "vision.consent is not set: write there who agreed that pictures of this site teach its classifier."
        )
    classifier = Classifier(shipped.models(), _keys(config))
    labels = classifier.card.labels
    if label not in labels:
        raise ConfigurationError(f"--label {label}: it is one of {', '.join(labels)}.")
    content = store_of(config).take(still, who, f"teaches {label} under: {config.vision.consent}")
    embedding, _ = classifier.look(decode(content, still))
    row = {"still": still, "label": label, "who": who, "consent": config.vision.consent, "at": rfc3339(_now())}
    folder = _folder(config)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = base64.b64encode(embedding.astype(np.float16).tobytes()).decode()
    with (folder / _NOTES).open("a", encoding="utf-8") as notes:
        notes.write(json.dumps({**row, "model": classifier.sha256, "embedding": seen}, ensure_ascii=False) + "\n")
    return {**row, "pictures": len(_confirmed(folder, classifier.sha256))}


def adapt(config: Config) -> dict[str, Any]:
    """Fit, judge and, when it is accepted, put in place the site's own head. Raises GewuError."""
    folder = _folder(config)
    classifier = Classifier(shipped.models(), _keys(config))
    rows = _confirmed(folder, classifier.sha256)
    if not rows:
        raise GewuError("This site has confirmed no pictures yet: see `gewu camera confirm --help`.")
    seen = [np.frombuffer(base64.b64decode(row["embedding"]), np.float16) for row in rows]
    labels = [classifier.card.labels.index(row["label"]) for row in rows]
    site = Samples(np.stack(seen).astype(np.float32), np.array(labels, np.int64))
    old = learning.current_head(folder) or classifier.shipped_head()
    outcome = learning.adapt(site, learning.anchors(shipped.models(), _keys(config)), old, classifier.card)
    if outcome.head is not None:
        learning.write_head(folder, outcome.head)
    return {"pictures": len(rows), **learning.as_json(outcome)}


def go_back(config: Config) -> bool:
    """Whether the head before the current one is back; False: the shipped one."""
    return learning.go_back(_folder(config))


def _keys(config: Config) -> tuple[str, ...]:
    return (trust.MAKER, *config.vision.trusted)


def _folder(config: Config) -> Path:
    return config.gateway.data_dir / "site"


def _now() -> int:
    return time.time_ns() // 1_000_000


def _confirmed(folder: Path, model: str) -> list[dict[str, Any]]:
    """The latest word on each still, as far as this model saw it; embeddings of another say nothing."""
    notes = folder / _NOTES
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
    latest = {row["still"]: row for row in map(json.loads, lines) if row["model"] == model}
    return [latest[still] for still in sorted(latest)]
