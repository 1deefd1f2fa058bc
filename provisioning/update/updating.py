"""An update from its file to its outcomes: checked, staged on disk, carried out stage by stage. This wires the rest."""

import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import ConfigurationError, GewuError
from provisioning import slots
from provisioning.journal import Journal
from provisioning.update.gateway_stage import DEADLINE_S, GatewayStage, Service
from provisioning.update.models_stage import ModelsStage
from provisioning.update.stages import Outcome, Stage, newest, run
from provisioning.update.update_file import Manifest, UpdateRefused, read, unpack

_STAGING = "staging"
_PAUSE_S = 2.0
_ROOM = 4
"""An environment takes some three times its wheels, and those lie beside it until it is made."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the update happens: `home` of the environments, the gateway's configuration, its service, trusted keys."""

    home: Path
    config: Config
    service: Service
    makers: Sequence[str]
    model_makers: Sequence[str]
    clock: Clock
    deadline_s: float = DEADLINE_S
    writable: Callable[[], AbstractContextManager[None]] = nullcontext
    boards: Callable[[Path], Stage] | None = None
    """Makes the stage of the boards from the unpacked part; it waits for the night with the root as it was."""


def look(file: Path, site: Site, journal: Journal, older: bool) -> Manifest:
    """The manifest of an update that may be carried out here. Raises UpdateRefused, ConfigurationError."""
    manifest = read(file, site.makers)
    done = newest(journal)
    if manifest.serial < done and not older:
        raise UpdateRefused(f"{file} has number {manifest.serial}, older than {done}, which this gateway has already.")
    part = manifest.gateway
    python = ".".join(platform.python_version_tuple()[:2])
    if part is not None and (part.machine != platform.machine() or python not in part.pythons):
        fits = f"{part.machine} with Python {' or '.join(part.pythons)}"
        raise ConfigurationError(f"{file} is for {fits}; this is {platform.machine()} with Python {python}.")
    return manifest


def update(file: Path, manifest: Manifest, site: Site, journal: Journal, say: Callable[[str], None]) -> list[Outcome]:
    """Carry out an update that `look` let pass. Resumes where a cut ended it. Raises UpdateRefused, GewuError."""
    if manifest.boards and site.boards is None:
        raise ConfigurationError(
            f"{file} has firmware for boards, and this gateway has none that takes it, or not their keys: name them as "
            "commands.device_keys in gewu.toml, or give --no-boards. Nothing was touched."
        )
    staged = site.home / _STAGING / str(manifest.serial)
    try:
        with site.writable():
            if not staged.is_dir():
                _room(file, site.home)
                shutil.rmtree(site.home / _STAGING, ignore_errors=True)  # of another update
                say("checking and unpacking")
                unpack(file, manifest, staged)
            outcomes = run(stages_of(manifest, staged, site), journal, manifest.serial, say)
        if manifest.boards and site.boards is not None and all(outcome.why is None for outcome in outcomes):
            outcomes += run([site.boards(staged / "boards")], journal, manifest.serial, say)
        with site.writable():
            shutil.rmtree(site.home / _STAGING, ignore_errors=True)
    except OSError as error:
        raise GewuError(
            f"{error.filename or site.home} cannot be written: {error.strerror}; nothing was switched."
        ) from error
    return outcomes


def stages_of(manifest: Manifest, staged: Path, site: Site) -> list[Stage]:
    """The stages, in their order: a new environment brings its own models, so those of the update come after."""
    found: list[Stage] = []
    data_dir = site.config.gateway.data_dir
    if manifest.gateway is not None:
        found.append(
            GatewayStage(
                manifest.gateway, staged / "gateway", site.home, site.config.file, data_dir, site.service,
                site.clock.wall_ms, site.deadline_s,
            )
        )  # fmt: skip
    if manifest.models:
        known = slots.doctor(site.home, site.config.file) or []
        well = _watched(slots.healthy(site.home, site.config.file), known, site.deadline_s)
        found.append(ModelsStage(staged / "models", site.home, site.model_makers, site.service, well))
    return found


def _watched(
    healthy: Callable[[list[str]], str | None], known: list[str], deadline_s: float
) -> Callable[[], str | None]:
    """Whether the gateway becomes well in time."""

    def well() -> str | None:
        end = time.monotonic() + deadline_s
        while (wrong := healthy(known)) is not None and time.monotonic() < end:
            time.sleep(_PAUSE_S)
        return wrong

    return well


def _room(file: Path, home: Path) -> None:
    free, needed = shutil.disk_usage(home).free, file.stat().st_size * _ROOM
    if free < needed:
        raise GewuError(
            f"{home} has {free / 1e6:.0f} MB free, and this update needs {needed / 1e6:.0f} MB: make room first. "
            "Nothing was touched."
        )


def home_of(running: str = sys.prefix) -> Path:
    """The folder of environments that this program runs from. ConfigurationError where it was installed otherwise."""
    slot = Path(running)
    if not (slot / slots.WHOLE).is_file():
        raise ConfigurationError(
            "This gewu does not run from an environment of its package (/opt/gewu): update it the way it was installed."
        )
    return slot.parent
