"""Device profiles: which registers a device model has, what they mean, and what becomes an event.

The one place where register addresses are read. Pure apart from `load`, which reads one TOML file.
"""

from gateway.profile.load import load, shipped
from gateway.profile.model import EventRule, Identity, Profile, Register

__all__ = ["EventRule", "Identity", "Profile", "Register", "load", "shipped"]
