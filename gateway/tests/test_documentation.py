"""Every key of the configuration and of profiles is documented; a new key without its line fails here."""

import json
import re
import threading
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from pydantic import BaseModel

from gateway.agent import Agent
from gateway.clock import SystemClock
from gateway.commands.book import Reply
from gateway.commands.envelope import Envelope
from gateway.config import Config, load
from gateway.outbox.stats import Stats
from gateway.profile import Profile
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import event, opened, reading

DOCS = Path(__file__).resolve().parents[2] / "docs"


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and all models of its fields."""
    found = {model}

    def look(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.update(models(annotation))
        for part in get_args(annotation):
            look(part)

    for field in model.model_fields.values():
        look(field.annotation)
    return found


def keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize(("root", "page"), [(Config, "configuration.md"), (Profile, "profiles.md")])
def test_every_key_has_its_line(root: type[BaseModel], page: str) -> None:
    """Tables appear as headings, keys in the first column of a table."""
    text = (DOCS / page).read_text(encoding="utf-8")
    first_columns = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| "))
    named = set(re.findall(r"`([a-z0-9_]+)`", first_columns))
    headings = " ".join(line for line in text.splitlines() if line.startswith("## "))
    for model in models(root) - {root}:
        assert not set(keys(model)) - named, model.__name__
    for table in keys(root):
        assert f"[{table}]" in headings, table


@pytest.mark.parametrize("root", [Config, Profile])
def test_every_key_describes_itself(root: type[BaseModel]) -> None:
    """The sentences for missing and wrong keys, and the schema, use these descriptions."""
    for model in models(root):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


@pytest.mark.parametrize(("status", "page"), [(Stats, "outbox.md"), (Reply, "commands.md"), (Envelope, "commands.md")])
def test_every_field_that_others_read_is_documented(status: type[msgspec.Struct], page: str) -> None:
    """The keys of `outbox stats`, of a command's reply and of its envelope stand in their page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for field in status.__struct_fields__:
        assert re.search(rf"[`\"]{field}[`\"]", text), field


@pytest.mark.integration
def test_every_key_of_the_health_message_is_documented(tmp_path: Path) -> None:
    """docs/metrics.md has a line for each, measured or added by the gateway."""
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    config = tmp_path / "gewu.toml"
    config.write_text('[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n')
    gateway = Agent(load(config), SystemClock())
    told = gateway.health()
    stop = threading.Event()
    stop.set()
    gateway.run(stop)
    for key, value in told.items():
        (row,) = re.findall(rf"^\| `{key}` \|.*$", text, re.M)
        for inner in value if isinstance(value, dict) else ():
            assert f"`{inner}`" in row, f"{key}.{inner}"


def test_every_key_of_an_exported_record_is_documented(tmp_path: Path) -> None:
    """docs/outbox.md names what a line of `gewu outbox export` holds, of readings and of events."""
    text = (DOCS / "outbox.md").read_text(encoding="utf-8").partition("`export [--into FILE]`")[2].partition("\n## ")[0]
    outbox = opened(tmp_path, FakeClock())
    outbox.put_reading(reading(1))
    outbox.accept_event(event(), "k")
    outbox.flush()
    outbox.export(tmp_path / "lines")
    outbox.close()
    lines = (tmp_path / "lines").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    for key in {key for line in lines for key in json.loads(line)}:
        assert f"`{key}`" in text, key
