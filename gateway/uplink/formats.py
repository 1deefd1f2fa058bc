"""Which wire format an uplink speaks: the one place that knows them all. It does no input or output."""

from gateway.clock import Clock
from gateway.errors import ConfigurationError
from gateway.uplink.format import Format
from gateway.uplink.homeassistant import HomeAssistantFormat
from gateway.uplink.native_format import NativeFormat
from gateway.uplink.present import Present
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.sparkplug import SparkplugFormat
from gateway.uplink.thingsboard import ThingsBoardFormat


def format_of(settings: UplinkSettings, clock: Clock, version: str, present: Present) -> Format:
    """The format that `settings.format` names, for the life of one uplink.

    Raises ConfigurationError for a name that this release does not know.
    """
    match settings.format:
        case "gewu":
            return NativeFormat(settings, clock, version)
        case "sparkplug":
            return SparkplugFormat(settings, clock, present, version)
        case "thingsboard":
            return ThingsBoardFormat(settings, clock, present, version)
        case "homeassistant":
            return HomeAssistantFormat(settings, clock, present, version)
    raise ConfigurationError(f"Uplink {settings.name}: there is no format {settings.format!r}.")
