"""Environments of a few bytes: a wheel whose `gateway` answers as its file says, and a pip that unpacks it.

What is tried with them is the switching; the real pip and the real wheels are in the package's own test.
"""

import hashlib
import zipfile
from pathlib import Path

from provisioning import slots

_PIP = """
import pathlib, sys, sysconfig, zipfile
wheels = pathlib.Path(sys.argv[sys.argv.index("--find-links") + 1])
for wheel in wheels.glob("gewu_edge-*.whl"):
    zipfile.ZipFile(wheel).extractall(sysconfig.get_path("purelib"))
"""
# As `gewu --version` and `gewu doctor --json`; a sick version finds something.
_GATEWAY = """
import json, pathlib, sys
if "--version" in sys.argv:
    print("gewu {version}")
else:
    sick = pathlib.Path(sys.prefix).parent.joinpath("sick-{version}").exists()
    found = ["Bus north: 3 of 200 polls failed."] + (["No gateway runs on this data folder."] if sick else [])
    print(json.dumps({{"ok": False, "findings": [{{"what": one, "why": "", "do": ""}} for one in found]}}))
"""


def wheels(folder: Path, version: str, schema: int = 1) -> Path:
    """A folder of wheels of `version`, which writes this schema of the outbox."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "pip-0-py3-none-any.whl", "w") as pip:
        pip.writestr("pip/__main__.py", _PIP)
    wheel = folder / f"gewu_edge-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as gewu:
        gewu.writestr("gateway/__init__.py", "")
        gewu.writestr("gateway/outbox/migrations.py", f"def released():\n    return [({schema}, '')]\n")
        gewu.writestr("gateway/__main__.py", _GATEWAY.format(version=version))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / slots.REQUIREMENTS).write_text(f"gewu-edge=={version} --hash=sha256:{digest}\n", encoding="ascii")
    return folder


def sicken(home: Path, version: str) -> None:
    """From now on a gateway of this version is not well."""
    (home / f"sick-{version}").touch()
