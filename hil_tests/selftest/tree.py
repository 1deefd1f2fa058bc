"""A copy of the program in a folder of its own, and one small wound in it. The original is only read."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway import shipped
from gateway.errors import GewuError
from hil_tests.selftest.mutations import Mutation

_PACKAGES = ("gateway", "provisioning", "hil_tests")
_ROOT = Path(shipped.__file__).parents[1]
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "tests", "models")


@contextmanager
def copied(mutation: Mutation | None = None) -> Iterator[Path]:
    """The folder with the packages and the firmware beside them; GewuError when the mutation does not fit any more."""
    with TemporaryDirectory(prefix="gewu-selftest-") as name:
        root = Path(name)
        for package in _PACKAGES:
            shutil.copytree(_ROOT / package, root / package, ignore=_LEFT_OUT)
        # A checkout has the firmware beside the packages, and there the copy finds it first.
        shutil.copytree(shipped.firmware(), root / "firmware", ignore=_LEFT_OUT)
        if mutation is not None:
            wound(root, mutation)
        yield root


def wound(root: Path, mutation: Mutation) -> None:
    """Make the one change in `root`. GewuError when its text is not there exactly once: then it proves nothing."""
    file = root / mutation.file
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if text.count(mutation.old) != 1:
        raise GewuError(
            f"The mutation {mutation.name!r} does not fit {mutation.file} any more (its text is there "
            f"{text.count(mutation.old)} times): write it anew in hil_tests/selftest/mutations.py."
        )
    file.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
