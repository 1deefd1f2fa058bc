"""The names that people read, from one catalogue in Chinese and English. It names; it never decides anything."""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["zh", "en"]
Section = Literal["values", "events", "gateway"]
_COLUMN = {"zh": 0, "en": 1}


@cache
def catalogue() -> dict[str, dict[str, tuple[str, str]]]:
    """The whole of names.toml: section, name, (Chinese, English)."""
    raw = tomllib.loads(resources.files("gateway").joinpath("names.toml").read_text(encoding="utf-8"))
    return {section: {name: (both[0], both[1]) for name, both in names.items()} for section, names in raw.items()}


def called(section: Section, name: str, language: str) -> str:
    """What people call it in `language`; the name itself, its underscores as spaces, where the catalogue has none."""
    both = catalogue()[section].get(name)
    return both[_COLUMN[language]] if both else name.replace("_", " ")
