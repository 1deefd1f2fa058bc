"""`[[sink]]`: local takers of the records beside MQTT."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.config.keys import Duration, Id
from gateway.config.uplink_tables import Filter
from gateway.tomlfile import Section


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError('its port must be a number of 1 to 65535, such as "https://host:8443/records"') from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError('a webhook begins with http:// or https:// and a host, such as "https://host/records"')
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong in the URL; use secret_file")
    return value


class Sink(Section):
    """`[[sink]]`: a webhook, or files by day in a folder."""

    name: Id = Field(description="the sink's name, in letters, digits, '_', '.' and '-'; sink1, sink2 by default")
    type: Literal["webhook", "csv", "jsonl"] = Field(description='"webhook", "csv" or "jsonl"')
    max_delay: float = Field(2.0, ge=0, le=3600, description="seconds that a reading may wait to share a message")
    filter: Filter | None = Field(None, description="the table [sink.filter], as that of an uplink")
    url: Annotated[str, AfterValidator(_url)] | None = Field(
        None, description='webhook: where to POST, such as "https://host/records"'
    )
    secret_file: Path | None = Field(
        None, strict=False, description="webhook: the file that holds the key of the signature and nothing else"
    )
    ca: Path | None = Field(None, strict=False, description="webhook: the file of the CA's certificate (PEM)")
    timeout: Duration = Field(10.0, ge=0.1, le=300, description="webhook: the longest wait for an answer")
    tries: int = Field(5, ge=1, le=1000, description="webhook: how often a refused message is offered")
    folder: Path | None = Field(None, strict=False, description="csv, jsonl: the folder of the files")
    keep_days: int = Field(365, ge=1, le=36500, description="csv, jsonl: how many days' files are kept beside today's")
