"""The sick networks of a running rig: one for each `[[link]]` of the site, changed by name like a board or a bus."""

from contextlib import ExitStack
from typing import Any

from hil_tests.faults.link import SickLink, sick_link
from hil_tests.rig.circuit import parse_pairs
from hil_tests.rig.site import Link

NUMBERS = {"loss": (0.0, 1.0), "delay": (0.0, 60.0)}
FLAGS = ("partition",)


class Links:
    """All of them, by name. `why` is the sentence why this machine has no namespaces; None when it has."""

    def __init__(self, links: list[Link]) -> None:
        self.why: str | None = None
        self._links: dict[str, SickLink] = {}
        self._set: dict[str, dict[str, float]] = {}
        with ExitStack() as ending:
            for link in links:
                self._links[link.name] = ending.enter_context(sick_link(link.to, self._note))
                self._set[link.name] = {"loss": link.loss, "delay": link.delay, "partition": 0.0}
                self._apply(link.name)
            self._ending = ending.pop_all()

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def inject(self, name: str, pairs: dict[str, str]) -> None:
        """KEY=VALUE pairs; ConfigurationError, nothing changed, names what is wrong."""
        self._set[name] |= parse_pairs(pairs, NUMBERS, FLAGS)
        self._apply(name)

    def state(self) -> list[dict[str, Any]]:
        """Where clients connect to."""
        return [
            {"name": name, "host": link.host, "port": link.port, "kind": link.kind, "why": self.why}
            for name, link in self._links.items()
        ]

    def close(self) -> None:
        self._ending.close()

    def _apply(self, name: str) -> None:
        link, wanted = self._links[name], self._set[name]
        link.heal()
        link.lose(wanted["loss"])
        link.delay(wanted["delay"])
        if wanted["partition"]:
            link.partition()

    def _note(self, sentence: str) -> None:
        self.why = sentence
