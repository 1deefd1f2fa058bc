"""`gewu camera` and `gewu patrol` as a technician types them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hil_tests.cameras import scenes
from hil_tests.cameras.onvif import OnvifCamera

pytestmark = pytest.mark.integration

CONFIG = """
[gateway]
id = "a"
site = "s"
data_dir = "data"
[[camera]]
id = "gate"
source = "dir:gate"
place = "North gate"
purpose = "test"
owner = "test"
sign = "none: rendered"
zone = [{ name = "road", polygon = [[0, 0.5], [1, 0.5], [1, 1]], watch = "blocked" }]
[[camera]]
id = "gone"
source = "dir:nowhere"
purpose = "test"
owner = "test"
sign = "none: rendered"
[[patrol]]
name = "evening"
stops = ["gate", "gone", "unknown"]
dwell = 0.1
"""


def gewu(folder: Path, *words: str, status: int = 0) -> tuple[Any, str]:
    """What a command prints as JSON, and what it says on stderr."""
    command = [sys.executable, "-m", "gateway", *words, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stdout + done.stderr
    return (json.loads(done.stdout) if done.stdout else None), done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "gate").mkdir()
    scenes.flooded_street().save(tmp_path / "gate" / "1.png")
    (tmp_path / "gewu.toml").write_text(CONFIG)
    return tmp_path


def test_pictures_are_classified_and_bad_ones_named(tmp_path: Path) -> None:
    """The shape of the contract, the files as given; one sentence for each bad file, the others all the same."""
    scenes.street().save(tmp_path / "a.jpg", quality=95)
    scenes.flooded_street().save(tmp_path / "b.webp", lossless=True)
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:5000])
    Image.new("L", (20_000, 2_000)).save(tmp_path / "wide.png")
    files = ["a.jpg", "text.jpg", "cut.jpg", "wide.png", "none.png", "./b.webp"]
    rows, said = gewu(tmp_path, "camera", "classify", *files, status=1)
    assert [(row["file"], row["label"]) for row in rows] == [("a.jpg", "normal"), ("./b.webp", "flood")]
    assert set(rows[0]) == {"file", "label", "score", "scores"}
    assert sum(rows[0]["scores"].values()) == pytest.approx(1)
    assert len([line for line in said.splitlines() if line.startswith("gewu: ")]) == 4


def test_a_patrol_lists_who_cannot_be_reached_too(site: Path) -> None:
    """One report with pictures inside, in both languages; findings are exit 1."""
    document, _ = gewu(site, "patrol", "run", "evening", status=1)
    assert [stop["label"] for stop in document["stops"]] == ["flood", None, None]
    assert document["findings"] == 3
    page = (site / "evening.html").read_text(encoding="utf-8")
    assert page.count("<img") == 1
    for words in ("轮巡报告", "路面积水 flood", "无法访问 unreachable", "North gate"):
        assert words in page
    gewu(site, "patrol", "run", "morning", status=2)


def test_a_patrol_turns_a_camera_to_its_presets(tmp_path: Path) -> None:
    """Each is looked at through the camera's own picture of the moment; it is left at its home."""
    with OnvifCamera({"street": scenes.street(), "corner": scenes.flooded_street()}) as dome:
        source = f'source = "{dome.snapshot}"\nonvif = "{dome.onvif}"'
        (tmp_path / "gewu.toml").write_text(
            CONFIG.replace('source = "dir:gate"', source).replace('"gate", "gone", "unknown"', '"gate"')
        )
        document, _ = gewu(tmp_path, "patrol", "run", "evening", status=1)
        seen = [(stop["preset"], stop["label"]) for stop in document["stops"]]
        assert seen == [("street", "normal"), ("corner", "flood")]
        assert dome.moves == ["street", "corner", "home"]


def test_a_camera_is_tried_without_a_gateway(site: Path) -> None:
    """Its verdict, its zones and the drawn picture; an unknown one is a wrong argument."""
    document, _ = gewu(site, "camera", "try", "gate", "--to", "now.jpg")
    assert (document["label"], document["size"]) == ("flood", [640, 480])
    with Image.open(site / "now.jpg") as drawn:
        assert drawn.size == (640, 480)
    gewu(site, "camera", "try", "gone", status=1)
    _, said = gewu(site, "camera", "try", "nobody", status=2)
    assert "it has: gate, gone" in said


def test_a_platforms_list_becomes_cameras(tmp_path: Path) -> None:
    """GB18030 as platforms export it; each mistake is named by its line."""
    head = "id,source,place,purpose,owner,sign,vantage,onvif\n"
    good = (
        head + "gate,rtsp://10.0.0.2/1,清溪村/村口,公共安全,村委会,照片12,high,http://10.0.0.2/onvif/device_service\n"
    )
    (tmp_path / "list.csv").write_bytes(good.encode("gb18030"))
    tables, _ = gewu(tmp_path, "camera", "import", "list.csv")
    assert (tables[0]["place"], tables[0]["onvif"]) == ("清溪村/村口", "http://10.0.0.2/onvif/device_service")
    (tmp_path / "list.csv").write_text(good + "gate,ftp://x,p,p,,s,,\n", encoding="utf-8")
    _, said = gewu(tmp_path, "camera", "import", "list.csv", status=2)
    assert "line 3: source" in said
    assert "line 3: owner is missing" in said
    assert "that of line 2 too" in said


def test_an_operators_model_is_signed_and_learning_asks_for_consent(site: Path) -> None:
    """A key, a signature, the line for gewu.toml; and nothing is learned unasked."""
    subprocess.run([sys.executable, "-c", KEY_MAKER], cwd=site, check=True, timeout=60)
    document, _ = gewu(site, "camera", "sign", "m.json", "--key", "key.pem")
    assert len(document["key"]) == 64
    assert (site / "m.sig").is_file()
    _, said = gewu(site, "camera", "confirm", "1-x.jpg", "--label", "normal", "--who", "Li", status=2)
    assert "vision.consent" in said
    _, said = gewu(site, "camera", "adapt", status=1)
    assert "confirmed no pictures" in said
    document, _ = gewu(site, "camera", "evidence", "list")
    assert document == {"stills": [], "used": 0, "register": []}


KEY_MAKER = """
import hashlib, json
from pathlib import Path
from gateway.camera import trust
trust.own_key(Path("key.pem"))
Path("m.tflite").write_bytes(b"model")
Path("m.json").write_text(json.dumps({"model": {"file": "m.tflite", "sha256": hashlib.sha256(b"model").hexdigest()}}))
"""
