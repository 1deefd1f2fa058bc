"""Readings packed by column, without loss: at rest in the outbox, and on the wire in the compact encoding."""

from gateway.columns.lazy import Packed
from gateway.columns.packing import MOST_READINGS, opened, pack, unpack
from gateway.columns.quick import pack_quickly
from gateway.columns.unpacked import Unpacked

__all__ = ["MOST_READINGS", "Packed", "Unpacked", "opened", "pack", "pack_quickly", "unpack"]
