"""The .deb itself: files in their places, control file and scripts, and dpkg-deb around them.

It holds wheels for every Python it is for and makes the environment where it is installed, offline.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway import __version__
from gateway.errors import ConfigurationError, GewuError
from provisioning import slots
from provisioning.deb.wheels import gather

NAME = "gewu-edge"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_HERE = Path(__file__).resolve().parent
_SYSTEM = _HERE.parent / "system"
_UNITS = ("gewu.service", "gewu-trial.service", "gewu-overlay.service")
_CONFFILE = "/etc/default/gewu"
_DEFAULTS = '# Further options of `gewu run`, such as "--verbose".\nGEWU_OPTIONS=""\n'
# -P: never a module that happens to lie in the current folder.
_COMMAND = '#!/bin/sh\nexec /opt/gewu/current/bin/python -P -m gateway "$@"\n'


def build(checkout: Path, out: Path, architecture: str, pythons: Sequence[str], say: Callable[[str], None]) -> Path:
    """The package for `architecture` (amd64, arm64) in the folder `out`. Raises TryAgain, GewuError."""
    if shutil.which("dpkg-deb") is None:
        raise ConfigurationError("There is no dpkg-deb: make the package on Debian, Ubuntu or Raspberry Pi OS.")
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"{NAME}_{__version__}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=out, prefix=".deb-") as work:
        tree = Path(work) / "tree"
        wheels = tree / "usr/share/gewu/wheels"
        wheels.mkdir(parents=True)
        gather(checkout, wheels, MACHINES[architecture], pythons, say)
        _place(tree, checkout)
        _control(tree, architecture)
        say(f"{made.name}")
        # Wheels are compressed already.
        new = Path(work) / made.name
        _dpkg_deb("--root-owner-group", "-Znone", "--build", str(tree), str(new))
        new.replace(made)
    return made


def _place(tree: Path, checkout: Path) -> None:
    """The files beside the wheels, with Debian's modes."""
    for unit in _UNITS:
        _write(tree / "usr/lib/systemd/system" / unit, (_SYSTEM / unit).read_bytes())
    _write(tree / "usr/lib/sysusers.d/gewu.conf", (_SYSTEM / "sysusers.conf").read_bytes())
    _write(tree / "usr/sbin/gewu-root", (_SYSTEM / "gewu-root").read_bytes(), 0o755)
    _write(tree / "usr/bin/gewu", _COMMAND.encode(), 0o755)
    _write(tree / "usr/share/gewu/slots.py", Path(slots.__file__).read_bytes())
    _write(tree / _CONFFILE[1:], _DEFAULTS.encode())
    for page in sorted((checkout / "docs").glob("*.md")):
        _write(tree / f"usr/share/doc/{NAME}/{page.name}", page.read_bytes())
    _write(tree / f"usr/share/doc/{NAME}/copyright", (checkout / "LICENSE").read_bytes())
    _write(tree / f"usr/share/doc/{NAME}/changelog.md", (checkout / "CHANGELOG.md").read_bytes())
    (tree / "etc/gewu").mkdir(parents=True)
    for folder in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)


def _control(tree: Path, architecture: str) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) // 1024
    sums = "".join(f"{_md5(path)}  {path.relative_to(tree)}\n" for path in files)
    text = (
        f"Package: {NAME}\nVersion: {__version__}\nArchitecture: {architecture}\nMaintainer: Gewu <gewu@localhost>\n"
        f"Installed-Size: {size}\nSection: net\nPriority: optional\n"
        "Depends: python3 (>= 3.11), python3 (<< 3.14), init-system-helpers, systemd | systemd-standalone-sysusers\n"
        "Recommends: mosquitto\n"
        "Description: edge gateway for smart breakers, sensors and cameras\n"
        " Reads buses of breakers and sensors, keeps every record until it is delivered,\n"
        " and brings its own Python environment, made offline at installation.\n"
    )
    _write(tree / "DEBIAN/control", text.encode())
    _write(tree / "DEBIAN/conffiles", f"{_CONFFILE}\n".encode())
    _write(tree / "DEBIAN/md5sums", sums.encode())
    for name in ("postinst", "prerm", "postrm"):
        _write(tree / "DEBIAN" / name, (_HERE / "scripts" / name).read_bytes(), 0o755)
    (tree / "DEBIAN").chmod(0o755)


def _md5(path: Path) -> str:
    """What `dpkg --verify` compares; it is against rot, not against people."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _dpkg_deb(*words: str) -> None:
    done = subprocess.run(["dpkg-deb", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise GewuError(f"dpkg-deb could not make the package: {said[-1] if said else 'it said nothing'}")
