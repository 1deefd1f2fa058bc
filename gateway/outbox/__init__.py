"""The outbox: the only queue between what the gateway accepted and what its receivers have."""

from gateway.outbox.outbox import Outbox
from gateway.outbox.stats import Stats

__all__ = ["Outbox", "Stats"]
