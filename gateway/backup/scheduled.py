"""The backups that `[backup]` asks for, wired: the place, the making and the schedule of a running gateway."""

from collections.abc import Callable
from pathlib import Path

from gateway.backup.making import Made, make
from gateway.backup.places import Access, Place, place
from gateway.backup.schedule import Schedule
from gateway.clock import Clock
from gateway.config import Config


def place_of(config: Config, to: str | None = None) -> Place | None:
    """The place of `[backup]`, or `to` with its credentials; None when neither is given. Raises ConfigurationError."""
    wanted = config.backup
    if to is None and wanted is None:
        return None
    access = Access(wanted.username, wanted.password_file, wanted.ca) if wanted else Access()
    return place(to or (wanted.to if wanted else ""), access)


def schedule_of(config: Config, snapshot: Callable[[Path], None], clock: Clock) -> Schedule | None:
    """The schedule of `[backup]`; None without that table. `snapshot` writes the outbox to a path."""
    where = place_of(config)
    if config.backup is None or where is None:
        return None
    secrets = config.backup.secrets

    def taken(file: Path) -> bool:
        snapshot(file)
        return True

    def made() -> Made:
        return make(config, config.file, where, taken, clock.wall_ms(), secrets)

    return Schedule(config.backup, config.gateway.data_dir, where, made, clock)
