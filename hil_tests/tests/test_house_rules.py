"""The checks on the code itself: style, types, layers. They run in `./gewu test` like any other test."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_FOLDERS = ["gateway", "provisioning", "hil_tests", "firmware", "models"]
pytestmark = pytest.mark.integration


def run(*command: str) -> None:
    """Run a tool of the environment in the root; its own words are the failure."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    """Lint rules hold everywhere."""
    run("ruff", "check", ".")


def test_ruff_would_format_nothing() -> None:
    """The formatter has nothing to change."""
    run("ruff", "format", "--check", ".")


@pytest.mark.timeout(300)
def test_mypy_strict() -> None:
    """Types hold, strictly, over source and tests."""
    run("mypy", "gateway", "provisioning", "hil_tests")


def test_layers() -> None:
    """Nobody imports upwards or sideways: see docs/architecture.md and [tool.importlinter]."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def firmware_modules() -> list[Path]:
    return sorted((ROOT / "firmware").rglob("*.py"))


@pytest.mark.parametrize("path", [p for p in firmware_modules() if "tests" not in p.parts], ids=lambda p: p.name)
def test_only_the_board_module_imports_machine(path: Path) -> None:
    """Hardware is touched through one module; nothing else of the firmware imports `machine` or `esp32`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    if path.name != "board.py":
        assert not names & {"machine", "esp32", "esp"}


@pytest.mark.parametrize("folder", PYTHON_FOLDERS)
def test_every_module_says_what_it_is_for(folder: str) -> None:
    """Every module opens with a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert not silent, f"no docstring at the top of: {', '.join(silent)}"
