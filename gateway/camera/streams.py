"""A video platform's list of streams (CSV) into [[camera]] tables. It reads one file and changes nothing."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

from gateway.config import Camera
from gateway.errors import ConfigurationError
from gateway.tomlfile import check, refuse

NEEDED = ("id", "source", "place", "purpose", "owner", "sign")
OPTIONAL = ("vantage", "view", "username", "password_file", "interval", "onvif")


def read(file: Path) -> list[dict[str, Any]]:
    """One table a row. Raises ConfigurationError with a sentence for each mistake, by line."""
    rows = csv.DictReader(StringIO(_text(file)))
    lacking = [name for name in NEEDED if name not in (rows.fieldnames or [])]
    if lacking:
        raise ConfigurationError(
            f"{file}: the columns {', '.join(lacking)} are missing; needed are {', '.join(NEEDED)}, "
            f"optional {', '.join(OPTIONAL)}."
        )
    tables: list[dict[str, Any]] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        table: dict[str, Any] = {
            name: value.strip() for name in (*NEEDED, *OPTIONAL) if (value := row.get(name)) and value.strip()
        }
        if "interval" in table:
            table["interval"] = _number(table["interval"])
        _, sentences = check(Camera, table)
        wrong += [f"line {line}: {sentence}" for sentence in sentences]
        name = str(table.get("id"))
        if name in seen:
            wrong.append(f"line {line}: the id {name} is that of line {seen[name]} too.")
        seen.setdefault(name, line)
        tables.append(table)
    refuse(file, wrong)
    return tables


def as_toml(tables: list[dict[str, Any]]) -> str:
    """The tables as they stand in gewu.toml."""
    return "\n".join("[[camera]]\n" + "".join(f"{k} = {_value(v)}\n" for k, v in table.items()) for table in tables)


def _value(value: str | float) -> str:
    # A JSON text is a TOML basic string, once control characters are escaped, which json does.
    return json.dumps(value, ensure_ascii=False)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigurationError(f"{file} is neither UTF-8 nor GB18030 text; save it as one of them.")
