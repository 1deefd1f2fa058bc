"""Whoever moves a lever or switches the boards' power: the rig, or a person who is told what to do, step by step.

Nothing here decides whether that is allowed: the bench file does, before a test begins.
"""

from pathlib import Path
from typing import Protocol, TextIO

from hil_tests.hil.verdict import BenchTrouble
from hil_tests.rig import control


class Hands(Protocol):
    """Somebody at the bench. `device` is its id in the bench file."""

    def lever(self, device: str, closed: bool) -> None:
        """Move the lever. BenchTrouble when it could not be done."""
        ...

    def cut_power(self, device: str) -> None:
        """Take its power away and give it back."""
        ...


class RigHands:
    """The rig moves its own levers."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig

    def lever(self, device: str, closed: bool) -> None:
        self._inject(device, "handle", str(int(closed)))

    def cut_power(self, device: str) -> None:
        self._inject(device, "kill", "1")

    def _inject(self, device: str, key: str, value: str) -> None:
        control.ask(self._rig, {"do": "inject", "board": device, "values": {key: value}})


class Person:
    """The technician at the terminal, asked one thing after the other. `terminal`: its path."""

    def __init__(self, name: str, terminal: Path = Path("/dev/tty")) -> None:
        self.name = name
        self._terminal = terminal

    def lever(self, device: str, closed: bool) -> None:
        self.do(f"Move the lever of {device} to {'ON (closed)' if closed else 'OFF (open)'}.")

    def cut_power(self, device: str) -> None:
        self.do(f"Switch the supply of {device} off, count to three, and switch it on again.")

    def do(self, task: str) -> None:
        """Told to do something: Enter when it is done, `n` when it cannot be."""
        if self._said(f"{task}\n  Enter when done, n if it cannot be done: ").lower().startswith("n"):
            raise BenchTrouble(f"{self.name} could not do this: {task}")

    def sees(self, question: str) -> bool:
        """A question about what can be seen."""
        while True:
            answer = self._said(f"{question} [y/n]: ").lower()
            if answer[:1] in ("y", "n", "是", "否"):
                return answer[:1] in ("y", "是")

    def reads(self, what: str, unit: str) -> float:
        """A number from an instrument's face."""
        while True:
            try:
                return float(self._said(f"{what}, in {unit}: ").replace(",", "."))
            except ValueError:
                continue

    def _said(self, words: str) -> str:
        try:
            with self._terminal.open("w", encoding="utf-8") as screen, self._terminal.open(encoding="utf-8") as keys:
                return _asked(screen, keys, words)
        except OSError as error:
            raise BenchTrouble(f"Nobody can be asked here ({error.strerror}): start gewu hil at a terminal.") from error


def _asked(screen: TextIO, keys: TextIO, words: str) -> str:
    screen.write(words)
    screen.flush()
    answer = keys.readline()
    if not answer:
        raise BenchTrouble("The person at the terminal has left: start gewu hil again.")
    return answer.strip()
