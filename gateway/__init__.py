"""The Gewu gateway: reads devices on a bus, keeps what it accepted, sends it on."""

__version__ = "0.1.0"
