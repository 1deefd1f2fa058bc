"""`gewu.toml`: what it may say, and the sentences for what is wrong with it."""

from gateway.config.load import load, notices
from gateway.config.model import Bus, Camera, Config, Device, Gateway, Patrol, Store, Uplink, Vision

__all__ = ["Bus", "Camera", "Config", "Device", "Gateway", "Patrol", "Store", "Uplink", "Vision", "load", "notices"]
