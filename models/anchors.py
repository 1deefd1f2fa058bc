"""Makes models/anchors.npz: `python models/anchors.py --dataset DIR`, once for each new model.

The embeddings of the data set's validation pictures, one byte a number, with their labels and nothing else: no
picture, no name. A site's head is held against them before it is taken (gateway/camera/learning.py). Sign the card
afterwards (`gewu camera sign`).
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image
from reference import Classifier

HERE = Path(__file__).parent


def main() -> None:
    """Reads the manifest, writes anchors.npz and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    folder = parser.parse_args().dataset
    classifier = Classifier()
    labels = classifier.card["labels"]
    rows, scales, of = [], [], []
    for line in (folder / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]:
        file, split, name = line.split(",")[:3]
        if split != "val":
            continue
        with Image.open(folder / file) as image:
            embedding = classifier.embedding(image)
        scale = float(np.abs(embedding).max()) / 127
        rows.append(np.round(embedding / scale).astype(np.int8))
        scales.append(scale)
        of.append(labels.index(name))
    np.savez_compressed(
        HERE / "anchors.npz", rows=np.stack(rows), scales=np.array(scales, np.float32), labels=np.array(of, np.int8)
    )
    content = (HERE / "anchors.npz").read_bytes()
    card = {
        "name": "anchors",
        "model": {"file": "anchors.npz", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)},
        "of": classifier.card["model"]["sha256"],
        "pictures": len(of),
        "holds": "embeddings and labels of the data set's validation pictures; no picture and no name",
    }
    (HERE / "anchors.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
