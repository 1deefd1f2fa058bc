"""From the tables of `gewu.toml` to the settings that an uplink's adapters need. Pure."""

from gateway.config.model import Gateway
from gateway.config.model import Uplink as Configured
from gateway.uplink.settings import UplinkSettings, Waits, Way


def settings_of(uplink: Configured, gateway: Gateway) -> UplinkSettings:
    """The settings of `uplink`, as its adapters need them."""
    fallback = uplink.fallback
    return UplinkSettings(
        name=uplink.name,
        site=gateway.site,
        gateway=gateway.id,
        url=uplink.url,
        format=uplink.format,
        encoding=uplink.encoding,
        max_delay=uplink.max_delay,
        language=uplink.language,
        primary_host=uplink.primary_host,
        acks=uplink.acks,
        trust_time=uplink.trust_time,
        ca=uplink.ca,
        cert=uplink.cert,
        key=uplink.key,
        username=uplink.username,
        password_file=uplink.password_file,
        keepalive=int(uplink.keepalive),
        window=uplink.window,
        mqtt=uplink.mqtt,
        source=uplink.source,
        fallback=None if fallback is None else Way(fallback.url or uplink.url, fallback.source),
        waits=Waits(uplink.backoff.first, uplink.backoff.early, uplink.backoff.late),
        max_bytes_per_second=uplink.max_bytes_per_second,
        max_bytes_per_month=uplink.max_bytes_per_month,
    )
