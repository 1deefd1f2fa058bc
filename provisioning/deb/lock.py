"""Which wheels a Python on a machine needs, by the lock file, and pip's list of them with their hashes. Pure.

Markers are judged for the target, which pip would judge for the Python that it runs in.
"""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_NEWEST_GLIBC = 36  # Debian 12 has glibc 2.36, Debian 13 a later one
_OLD_TAGS = {"x86_64": ("manylinux2014", "manylinux2010", "manylinux1"), "aarch64": ("manylinux2014",)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One locked requirement: `text` as it stands, with its hashes."""

    name: str
    version: str
    marker: str
    text: str

    def without_marker(self) -> str:
        """For a pip that runs elsewhere than its packages will."""
        return self.text.replace(f" ; {self.marker}", "", 1) if self.marker else self.text


def entries(lock: str) -> Iterator[Entry]:
    """The requirements of a lock file."""
    lines = [line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    begins = [at for at, line in enumerate(lines) if not line.startswith(" ")]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        head = lines[begin].rstrip("\\").strip()
        pinned, _, marker = head.partition(" ; ")
        name, _, version = pinned.partition("==")
        yield Entry(normal(name), version.strip(), marker.strip(), "\n".join(lines[begin:end]))


def wanted(entry: Entry, python: str, machine: str) -> bool:
    """Whether a CPython of this version, such as "3.11", on such a machine installs it."""
    if not entry.marker:
        return True
    # pip brings the reader of markers; any release of a minor version answers them alike.
    markers = importlib.import_module("pip._vendor.packaging.markers")
    target = {
        "python_version": python, "python_full_version": f"{python}.0", "implementation_version": f"{python}.0",
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "platform_machine": machine,
        "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": "",
    }  # fmt: skip
    return bool(markers.Marker(entry.marker).evaluate(target))


def platforms(machine: str) -> list[str]:
    """The tags of wheels that run on Debian 12 and 13."""
    modern = [f"manylinux_2_{minor}_{machine}" for minor in range(5, _NEWEST_GLIBC + 1)]
    return modern + [f"{tag}_{machine}" for tag in _OLD_TAGS[machine]]


def normal(name: str) -> str:
    """A distribution's name in its one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def of_wheel(file: str) -> tuple[str, str]:
    """(name, version) of a wheel by its file's name."""
    name, version = file.split("-")[:2]
    return normal(name), version


def requirements(needed: Iterable[Entry], wheels: Mapping[str, str]) -> str:
    """pip's list for the target: each entry with its marker and the hashes of its wheels (file name: SHA-256)."""
    found: dict[tuple[str, str], list[str]] = {}
    for file, digest in sorted(wheels.items()):
        found.setdefault(of_wheel(file), []).append(digest)
    lines = []
    for entry in needed:
        marker = f" ; {entry.marker}" if entry.marker else ""
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in found[(entry.name, entry.version)])
        lines.append(f"{entry.name}=={entry.version}{marker}{hashes}\n")
    return "".join(lines)
