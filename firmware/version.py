"""The firmware's release, as device identification (object 2) and the USB report give it."""

VERSION = b"0.1.0"
