"""`[backup]`: copies of the data as a whole, by themselves."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.keys import Duration
from gateway.tomlfile import Section


def _to(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if separator and scheme not in ("http", "https"):
        raise ValueError('backups go to a folder, or to a server as "https://host/folder"')
    if separator and ("@" in rest.split("/")[0] or not rest.split("/")[0]):
        raise ValueError("it needs a host, and no user in it: use username and password_file")
    return value


class Backup(Section):
    """`[backup]`: where copies of the data go, and how often."""

    to: Annotated[str, AfterValidator(_to)] = Field(
        min_length=1,
        description='a folder, such as "/media/usb/gewu", or a server that takes PUT, "https://host/folder"',
    )
    every: Duration = Field(86400.0, ge=60, description='from one backup to the next, such as "1d" (at least 1 minute)')
    keep: int = Field(7, ge=1, le=1000, description="how many stay there; older ones are removed")
    secrets: bool = Field(False, description="true takes private keys and passwords along")
    username: str | None = Field(None, min_length=1, description="the user name at the server")
    password_file: Path | None = Field(
        None, strict=False, description="the file that holds the password and nothing else"
    )
    ca: Path | None = Field(None, strict=False, description="the file of the CA's certificate (PEM), for https")
