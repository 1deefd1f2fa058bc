"""`[metrics]`: where Prometheus reads this gateway's counts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.tomlfile import Section


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError('it needs an address and a port, such as "127.0.0.1:9464"')
    return value


class Metrics(Section):
    """`[metrics]`: off unless `listen` is given."""

    listen: Annotated[str, AfterValidator(_listen)] | None = Field(
        None, description='the address and port to answer on, such as "127.0.0.1:9464"'
    )
