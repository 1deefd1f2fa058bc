"""TOML files that people write, read strictly: each thing that is wrong becomes one sentence.

It owns the way from a file to a checked pydantic model and the wording of what is wrong. It never decides
what a key means (that is the model's) and never changes a file.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.errors import ConfigurationError

ModelT = TypeVar("ModelT", bound="Section")
Location = tuple[int | str, ...]
NAME_PATTERN = r"^\w[\w.-]*$"
"""A name that people choose: letters of any script, digits and "_", then also "." and "-"."""

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a text in quotes",
    "bool": "true or false",
    "list": "a list in square brackets",
    "dict": "a table",
    "model": "a table",
}


class Section(BaseModel):
    """A table of a TOML file: unknown keys are errors, and no value is silently converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read(path: Path, what: str = "configuration") -> dict[str, Any]:
    """The raw tables of `path`; ConfigurationError when it is absent, unreadable or no TOML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows editors put a mark in front
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigurationError(f"There is no {what} file {path}; give its path, or create it.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from None


def check(model: type[ModelT], raw: Mapping[str, Any]) -> tuple[ModelT | None, list[str]]:
    """The model of `raw`, or None and a sentence for each key that is wrong (without the file's name)."""
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, [_sentence(model, found) for found in error.errors(include_url=False)]


def refuse(path: Path | str, sentences: Iterable[str]) -> None:
    """Raise ConfigurationError with one line for each sentence, if there is any."""
    lines = [f"{path}: {sentence}" for sentence in sentences]
    if lines:
        raise ConfigurationError("\n".join(lines))


def key(location: Location) -> str:
    """A place in a file as people write it: ("bus", 0, "device", 2, "address") is bus[0].device[2].address."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def rows(raw: object, name: str) -> list[tuple[int, dict[str, Any]]]:
    """The tables of an array `[[name]]` as they stand, whatever else is wrong with the file."""
    found = raw.get(name) if isinstance(raw, dict) else None
    if not isinstance(found, list):
        return []
    return [(index, row) for index, row in enumerate(found) if isinstance(row, dict)]


def _sentence(model: type[BaseModel], found: ErrorDetails) -> str:
    location = found["loc"]
    kind, given, context = found["type"], found["input"], found.get("ctx", {})
    where = key(location) or "the file"
    if kind == "extra_forbidden":
        return _unknown(model, location)
    field = _field(model, location)
    about = field.description if field and field.description else ""
    if kind == "missing":
        return f"{where} is missing" + (f"; it is {about}." if about else ".")
    if kind == "value_error":
        return f"{where} is {_shown(given)}, but {context['error']}."
    return f"{where} is {_shown(given)}, but it must be {_wanted(kind, context, about)}."


def _wanted(kind: str, context: Mapping[str, Any], about: str) -> str:
    limits = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
        "literal_error": "{expected}",
        "too_short": "a list of at least {min_length}",
        "too_long": "a list of at most {max_length}",
        "finite_number": "a finite number",
    }
    if kind in limits:
        return limits[kind].format(**context).replace("'", '"')
    plain = _TYPES.get(kind.removesuffix("_type").removesuffix("_from_float"))
    if kind == "string_pattern_mismatch" or plain is None:
        return about or kind.replace("_", " ")
    return f"{plain}: {about}" if about else plain


def _unknown(model: type[BaseModel], location: Location) -> str:
    name = str(location[-1])
    owner = _model_at(model, location[:-1])
    known = _keys(owner) if owner else []
    where = f"{key(location)} is not a known key"
    hints: Mapping[str, str] = getattr(owner, "HINTS", {})
    if name in hints:
        return f"{where}: {hints[name]}."
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.0)
    return where + (f'; the nearest known key is "{near[0]}".' if near else ".")


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _named(model: type[BaseModel], name: object) -> FieldInfo | None:
    for python_name, field in model.model_fields.items():
        if name == (field.alias or python_name):
            return field
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType):
        return next(filter(None, map(_model_in, get_args(annotation))), None)
    return None


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or here is None:
            continue
        field = _named(here, part)
        here = _model_in(field.annotation) if field else None
    return here


def _field(model: type[BaseModel], location: Location) -> FieldInfo | None:
    names = [(index, part) for index, part in enumerate(location) if isinstance(part, str)]
    for index, part in reversed(names):  # a union adds parts that are no keys: take the nearest that is
        owner = _model_at(model, location[:index])
        if owner and (field := _named(owner, part)):
            return field
    return None


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
