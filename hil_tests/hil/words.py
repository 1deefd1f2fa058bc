"""Sentences in the two languages of the paper."""

from typing import NamedTuple


class Words(NamedTuple):
    """The same in English and Chinese."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.en
