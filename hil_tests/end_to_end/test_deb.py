"""The Debian package: built, looked at, installed in an empty root without a network, updated there, removed.

`hil_tests/debian_root.sh` does the same in a clean Debian 12 and 13, with root's rights; see docs/gateway-setup.md.
"""

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.camera.trust import public_half
from provisioning import slots

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"3.{sys.version_info.minor}"
UNITS = ("gewu.service", "gewu-trial.service", "gewu-overlay.service")
MOST_EXPOSED = 2.0  # what this project asks of its units; systemd calls that "OK"
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
# What systemd does with gewu.service, as far as an update asks: the environment that is current, started anew.
SYSTEMCTL = """#!/bin/sh
echo "$1" >>"$STATE/asked"
if [ -f "$STATE/pid" ]; then
    pid=$(cat "$STATE/pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm "$STATE/pid"
fi
if [ "$1" != stop ]; then
    "$PYTHON" -I "$SLOTS" starting --home "$HOME_OF"
    setsid "$HOME_OF/current/bin/python" -P -m gateway run --config "$CONFIG" >>"$STATE/log" 2>&1 &
    echo $! >"$STATE/pid"
fi
"""


def run(*command: str | Path, env: dict[str, str] | None = None, status: int = 0) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == status, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .deb for this machine and this Python alone: half the wheels, the same work."""
    out = tmp_path_factory.mktemp("deb")
    made = run(sys.executable, "-m", "gateway", "provision", "deb", "--out", out, "--python", PYTHON, "--json")
    return Path(json.loads(made)["file"])


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", package, folder)
    return folder


def dpkg(root: Path, *words: str | Path) -> str:
    """dpkg on an empty root: the scripts run outside of it and write inside of it, as Debian's own builders do."""
    for name in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    forced = "--force-script-chrootless,depends,not-root"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return run("dpkg", f"--root={root}", forced, *words, env={"GEWU_PYTHON": sys.executable, "PATH": path})


def test_what_is_in_it(package: Path, unpacked: Path) -> None:
    """Control fields, a conffile, wheels only for what it is for, and nothing that others could write to."""
    fields = run("dpkg-deb", "-f", package)
    assert "Package: gewu-edge\n" in fields
    assert f"Architecture: {'arm64' if platform.machine() == 'aarch64' else 'amd64'}\n" in fields
    assert run("dpkg-deb", "-I", package, "conffiles") == "/etc/default/gewu\n"
    listed = run("dpkg-deb", "-c", package)
    assert all(re.match(r"[d-]rw[x-]r-[x-]r-[x-] root/root ", line) for line in listed.splitlines()), listed
    wheels = [path.name for path in (unpacked / "usr/share/gewu/wheels").glob("*.whl")]
    other = f"cp3{11 if sys.version_info.minor != 11 else 13}"
    assert not [name for name in wheels if f"-{other}-{other}-" in name]
    assert any(name.startswith("gewu_edge-") for name in wheels)
    assert any(name.startswith("esptool-") for name in wheels), "what has no wheel on the index is built"


def test_the_units_are_right_and_hardened(unpacked: Path) -> None:
    """systemd finds nothing wrong with them, and scores their exposure at 2.0 or less."""
    for program in ("bin/sh", "usr/bin/python3", "opt/gewu/current/bin/python", "usr/bin/systemctl"):
        place = unpacked / program
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o755)
    for target in ("sysinit", "basic", "shutdown", "network", "local-fs", "multi-user", "umount"):
        (unpacked / f"usr/lib/systemd/system/{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    for unit in UNITS:
        said = subprocess.run(
            ["systemd-analyze", "verify", f"--root={unpacked}", f"/usr/lib/systemd/system/{unit}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (said.returncode, [line for line in said.stderr.splitlines() if "gewu" in line]) == (0, []), said.stderr
    for unit in UNITS[:2]:
        text = (unpacked / "usr/lib/systemd/system" / unit).read_text(encoding="utf-8")
        # Both ask the kernel whether the clock is synchronised; forbidden that, no clock is ever believed.
        assert re.search(r"^SystemCallFilter=.*\bclock_adjtime\b", text, re.MULTILINE)
        assert "\nProtectClock=yes" not in text
        scored = run("systemd-analyze", "security", "--offline=true", unpacked / "usr/lib/systemd/system" / unit)
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", scored)
        assert found is not None
        assert float(found[1]) <= MOST_EXPOSED


@pytest.fixture
def machine(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty root, and a `systemctl` for the gateway that will be installed there; its home of environments."""
    home = tmp_path / "root/opt/gewu"
    config = tmp_path / "gewu.toml"
    config.write_text('[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n', encoding="ascii")
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL, encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    places = {"STATE": tmp_path, "HOME_OF": home, "CONFIG": config, "PYTHON": sys.executable}
    for name, value in {**places, "SLOTS": unpacked / "usr/share/gewu/slots.py"}.items():
        monkeypatch.setenv(name, str(value))
    yield home
    run("systemctl", "stop")


def test_its_whole_life(machine: Path, package: Path, tmp_path: Path) -> None:
    """Installed without a network, updated by a signed file, a sick environment left by itself, removed, purged."""
    root = tmp_path / "root"
    dpkg(root, "--install", package)
    installed_well(root, machine)
    run("systemctl", "start")
    first, second = updated(machine, package, tmp_path)
    left_again(machine, tmp_path, first, second)
    run("systemctl", "stop")
    removed_and_purged(root)


def installed_well(root: Path, home: Path) -> None:
    """The environment works and is the package's own, the units are enabled, the user is made."""
    python = home / "current/bin/python"
    assert run(python, "-P", "-m", "gateway", "--version").startswith("gewu ")
    assert run(python, "-P", "-c", "import gateway, sys; print(gateway.__file__)").startswith(str(root))
    assert "gewu:" in (root / "etc/passwd").read_text()
    assert re.search(r"^dialout:.*gewu", (root / "etc/group").read_text(), re.MULTILINE)
    assert (root / "etc/systemd/system/multi-user.target.wants/gewu.service").is_symlink()


def updated(home: Path, package: Path, folder: Path) -> tuple[str, str]:
    """A signed update is tried and stays, models and all; again is no change. The slots before and after."""
    marked = home / "current" / slots.WHOLE
    marked.write_text(json.dumps({"version": "0.0.9", "wheels": "of another release"}), encoding="ascii")
    key, file = Ed25519PrivateKey.generate(), folder / "update.tar"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    made: list[str | Path] = ["--out", file, "--key", folder / "key.pem", "--package", package]
    run(sys.executable, "-m", "gateway", "provision", "pack", *made, "--models", ROOT / "models")
    gewu: list[str | Path] = [home / "current/bin/python", "-P", "-m", "gateway"]
    todo = [*gewu, "provision", "update", file, "--config", folder / "gewu.toml", "--json"]
    first = slots.current(home)
    run(*todo, status=1)
    assert not (home / "staging").exists(), "its maker is not trusted: nothing was touched"
    (folder / "makers").write_text(public_half(key) + "\n", encoding="ascii")
    stages = json.loads(run(*todo))["stages"]
    assert [(stage["stage"], stage["state"]) for stage in stages] == [("gateway", "done"), ("models", "done")]
    second = slots.current(home)
    assert {first, second} == {"a", "b"}
    assert (home / "current/models").is_symlink()
    assert [stage["state"] for stage in json.loads(run(*todo))["stages"]] == ["no change", "no change"]
    return str(first), str(second)


def left_again(home: Path, folder: Path, first: str, second: str) -> None:
    """An environment whose gateway does not run is left; the one before runs again, and tells it as an event."""
    (agent,) = (home / first).rglob("gateway/agent.py")
    agent.unlink()
    look = slots.healthy(home, folder / "gewu.toml")
    assert look([]) is None
    slots.switch(home, first, [])
    run("systemctl", "restart")
    why = slots.judge(home, look, deadline_s=0.5, pause_s=0.1)
    assert why is not None
    assert "No gateway runs on this data folder" in why
    assert slots.current(home) == second
    run("systemctl", "restart")
    deadline = time.monotonic() + 60
    while (found := look([])) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found is None
    exported = run(
        home / "current/bin/python", "-P", "-m", "gateway", "outbox", "export", "--config", folder / "gewu.toml"
    )
    assert '"gateway.update"' in exported


def removed_and_purged(root: Path) -> None:
    """Removal takes the program, purging takes configuration and data."""
    for name in ("etc/gewu/gewu.toml", "var/lib/gewu/outbox.db"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    dpkg(root, "--remove", "gewu-edge")
    assert not (root / "opt/gewu").exists()
    assert (root / "var/lib/gewu/outbox.db").exists()
    dpkg(root, "--purge", "gewu-edge")
    assert not (root / "etc/gewu").exists()
    assert not (root / "var/lib/gewu").exists()
