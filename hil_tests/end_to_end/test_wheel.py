"""The wheel: built from the checkout, installed in a clean environment far away, it does the main job."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean virtual environment far from the checkout with the wheel and its locked dependencies; its bin folder."""
    place = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place / "dist", ROOT, cwd=place)
    (wheel,) = (place / "dist").glob("gewu_edge-*.whl")
    # pip of this environment serves the new one, which so holds nothing but what the wheel asks for.
    venv.create(place / "env", with_pip=False)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        place / "env",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=place)
    run(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    return place / "env" / "bin"


def clean_environment(home: Path, bin_folder: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": f"{bin_folder}:/usr/sbin:/usr/bin:/bin",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """`gewu demo --for 15` from the wheel, with the broker that it brings itself, ends 0 with nothing lost."""
    env = clean_environment(tmp_path, installed)
    run(
        installed / "gewu",
        "demo",
        "--for",
        "15",
        "--broker",
        "amqtt",
        "--no-console",
        "--report",
        "r.json",
        cwd=tmp_path,
        env=env,
    )
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["lost"] == 0
    assert report["boards"] == 10
    assert report["kills"] == 1


def test_profiles_and_firmware_travel_inside(installed: Path, tmp_path: Path) -> None:
    """The shipped profiles are listed and the firmware builds, with no checkout in sight."""
    env = clean_environment(tmp_path, installed)
    names = {
        profile["name"]
        for profile in json.loads(run(installed / "gewu", "profile", "list", "--json", cwd=tmp_path, env=env))
    }
    assert {"gewu-breaker", "gewu-sensor"} <= names
    run(installed / "gewu", "firmware", "build", "--out", tmp_path / "mpy", cwd=tmp_path, env=env)
    assert list((tmp_path / "mpy").rglob("*.mpy"))
