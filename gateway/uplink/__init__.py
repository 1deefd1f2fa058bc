"""The uplinks: the native MQTT format and its delivery from the outbox to a broker."""

from gateway.uplink.inbox import Inbox
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.status import UplinkStatus
from gateway.uplink.uplink import Uplink

__all__ = ["Inbox", "Uplink", "UplinkSettings", "UplinkStatus"]
