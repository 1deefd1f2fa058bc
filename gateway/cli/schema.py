"""`gewu schema`: the JSON Schemas of what people and programs write, made from the models themselves."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from gateway.cli.output import JsonFlag, print_json
from gateway.errors import GewuError

Schema = dict[str, Any]


class Subject(StrEnum):
    """What there is a schema of."""

    config = "config"
    profile = "profile"
    message = "message"
    rules = "rules"
    site = "site"
    installation = "installation"


def schema(
    subject: Annotated[Subject, typer.Argument(help="What to describe.")], json_output: JsonFlag = False
) -> None:
    """Print the JSON Schema of gewu.toml, a profile, messages, rules, a virtual village's site or an installation's."""
    print_json(SCHEMAS[subject]())  # a schema is JSON with and without --json


def _config() -> Schema:
    from gateway.config import Config

    return Config.model_json_schema()


def _profile() -> Schema:
    from gateway.profile import Profile

    return Profile.model_json_schema()


def _message() -> Schema:
    from gateway.uplink.native import schema as native_schema

    return native_schema()


def _rules() -> Schema:
    raise GewuError(
        "Rules of one's own are not in this version yet; a profile's [[event]] tables say what is an event."
    )


def _site() -> Schema:
    from pydantic import BaseModel

    from hil_tests.rig import site

    models = [value for value in vars(site).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    root = next((model for model in models if model.__name__ == "Site"), None)
    if root is None:
        raise GewuError("This installation describes no virtual village: install gewu-edge again.")
    return root.model_json_schema()


def _installation() -> Schema:
    from provisioning.site.model import SiteFile

    return SiteFile.model_json_schema()


SCHEMAS: dict[Subject, Callable[[], Schema]] = {
    Subject.config: _config,
    Subject.profile: _profile,
    Subject.message: _message,
    Subject.rules: _rules,
    Subject.site: _site,
    Subject.installation: _installation,
}
