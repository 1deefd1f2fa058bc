"""Finding a profile by its name or file and reading it. It never guesses: an unknown name is an error."""

import difflib
from functools import lru_cache
from pathlib import Path

from gateway import shipped as shipped_files
from gateway import tomlfile
from gateway.errors import ConfigurationError
from gateway.profile import checks
from gateway.profile.model import Profile


def shipped() -> list[str]:
    """The names of the profiles that travel with the program, in order."""
    return sorted(path.stem for path in shipped_files.PROFILES.glob("*.toml"))


def load(name_or_path: str, beside: Path | None = None) -> Profile:
    """A profile by its shipped name, or by the name or path of a file.

    Relative files are looked for in the folder `beside` (that of the configuration; the working folder when
    None), with or without the ending .toml. A shipped name wins. Raises ConfigurationError with one line for
    each thing that is wrong.
    """
    path = locate(name_or_path, beside)
    if path is None:
        known = shipped()
        near = difflib.get_close_matches(name_or_path, known, n=1)
        raise ConfigurationError(
            f'There is no profile "{name_or_path}": it is neither a shipped name ({", ".join(known)}) '
            f"nor a file in {(beside or Path()).resolve()}" + (f'; did you mean "{near[0]}"?' if near else ".")
        )
    stamp = path.stat()
    return _read(path, (stamp.st_mtime_ns, stamp.st_size))


def locate(name_or_path: str, beside: Path | None = None) -> Path | None:
    """The file behind a profile's name, or None."""
    if name_or_path in shipped():
        return shipped_files.PROFILES / f"{name_or_path}.toml"
    folder = beside or Path()
    candidates = [folder / name_or_path, folder / f"{name_or_path}.toml"]
    return next((path for path in candidates if path.is_file()), None) if name_or_path else None


def read(path: Path) -> Profile:
    """The profile in the file `path`, checked; ConfigurationError with one line for each mistake."""
    raw = tomlfile.read(path, "profile")
    profile, wrong = tomlfile.check(Profile, raw)
    tomlfile.refuse(path, [*wrong, *checks.sentences(raw)])
    assert profile is not None  # refuse() has raised otherwise
    return profile


@lru_cache(maxsize=64)
def _read(path: Path, _stamp: tuple[int, int]) -> Profile:
    return read(path)  # 32 breakers on a bus share one profile: the stamp makes an edited file a new entry
