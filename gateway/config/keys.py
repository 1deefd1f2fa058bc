"""Kinds of values that several tables of `gewu.toml` use: names, sizes, durations."""

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.config.quantity import parse_duration, parse_size
from gateway.tomlfile import NAME_PATTERN

# A level of an MQTT topic, a client's id and a word in a log: letters of any script, and nothing that splits those.
Id = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema({"type": ["string", "integer"]})]
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema({"type": ["string", "number"]})]
