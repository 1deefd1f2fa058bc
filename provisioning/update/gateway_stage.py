"""The stage "gateway": a new environment beside the one that runs, tried under a deadline, left when it is not well."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.errors import GewuError
from gateway.outbox.snapshot import copy_at_rest, renew
from provisioning import slots
from provisioning.update.update_file import GatewayPart

DEADLINE_S = 180.0
_SAVED = "before-update"
_STORE = "outbox.db"


class Service(Protocol):
    """The gateway as the system runs it. Each raises GewuError."""

    def stop(self) -> None: ...
    def start(self) -> None: ...
    def restart(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GatewayStage:
    """`wheels`: the unpacked part; `home`: the environments; `config`, `data_dir`: of the gateway that runs here."""

    part: GatewayPart
    wheels: Path
    home: Path
    config: Path
    data_dir: Path
    service: Service
    now_ms: Callable[[], int]
    deadline_s: float = DEADLINE_S

    @property
    def name(self) -> str:
        return "gateway"

    def plan(self) -> list[str]:
        now = slots.whole(self.home, slots.current(self.home))
        if now is not None and now["wheels"] == slots.digest(self.wheels):
            return [] if slots.trial(self.home) is None else [f"version {self.part.version} is on trial"]
        was = now["version"] if now else "none"
        steps = [f"environment {slots.free(self.home)} gets version {self.part.version}; now {was} runs"]
        if self._migrates():
            steps.append("the outbox gets a new form; a copy is kept until the new version is well")
        return steps

    def apply(self) -> None:
        if slots.trial(self.home) is not None:  # switched before a cut
            self.service.restart()
            return
        known = slots.doctor(self.home, self.config)
        try:
            slot = slots.build(self.home, self.wheels)
            if not self._migrates():
                slots.switch(self.home, slot, known)
                self.service.restart()
                return
            self.service.stop()  # nothing may be accepted between the copy and the switch
            try:
                slots.switch(self.home, slot, known, [(str(self._save()), str(self.data_dir / _STORE))])
            finally:
                self.service.start()
        except (slots.SlotError, OSError) as error:
            raise GewuError(str(error)) from error

    def check(self) -> str | None:
        why = slots.judge(self.home, slots.healthy(self.home, self.config), self.deadline_s)
        if why is not None:  # left already; what runs is still the new one
            self.service.restart()
        return why

    def undo(self) -> None:
        if slots.back(self.home, "the update was undone") is not None:
            self.service.restart()

    def _migrates(self) -> bool:
        """Whether the environment before could not read what the new one makes of the store."""
        before = slots.current(self.home)
        known = slots.schema(self.home, before) if before else None
        return known is not None and known < self.part.schema and (self.data_dir / _STORE).is_file()

    def _save(self) -> Path:
        """A copy of the store that begins a new epoch, for what the trial numbers must never be numbered again."""
        folder = self.data_dir / _SAVED
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()
        saved = folder / _STORE
        copy_at_rest(self.data_dir, saved)
        renew(folder, self.now_ms())
        owner = (self.data_dir / _STORE).stat()
        os.chown(saved, owner.st_uid, owner.st_gid)  # this runs as root, the gateway does not
        return saved
