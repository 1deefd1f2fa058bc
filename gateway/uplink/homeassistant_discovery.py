"""The discovery messages of Home Assistant: one retained JSON a device, with all its entities. Pure; it knows no state.

One device here is one device there, below a device that is the gateway. What is left out of a later message would
stay in Home Assistant for good, so a component that is gone is named with nothing but its platform, which removes it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.names import called
from gateway.uplink import homeassistant_entities as entities
from gateway.uplink.homeassistant_entities import Component, entity_id, object_id
from gateway.uplink.link import Publication
from gateway.uplink.present import KnownDevice
from gateway.uplink.settings import UplinkSettings

PREFIX = "homeassistant"
_encode = msgspec.json.Encoder().encode
# Of the gateway itself: its name in the catalogue, where it stands in the health message, and what it is.
GATEWAY: tuple[tuple[str, tuple[str, ...], Component], ...] = (
    ("queued", ("queue", "queued"), {"state_class": "measurement"}),
    ("dropped", ("queue", "dropped"), {"state_class": "total_increasing"}),
    ("disk_free", ("disk", "free"), {"device_class": "data_size", "unit_of_measurement": "B"}),
    ("temperature", ("temperature",), {"device_class": "temperature", "unit_of_measurement": "°C"}),
)


class Discovery:
    """The topics of one gateway's states, and the messages that announce them."""

    def __init__(self, settings: UplinkSettings, version: str) -> None:
        self._settings = settings
        self._uid = object_id(f"{settings.site}-{settings.gateway}")
        self._origin = {"name": "Gewu", "sw_version": version}
        self._base = f"gewu/{settings.site}/{settings.gateway}/homeassistant"
        self.status = f"{self._base}/status"
        self.health = f"{self._base}/health"

    def topic(self, device: str, what: str) -> str:
        """Where a device's `state`, `events` or `availability` is."""
        return f"{self._base}/{device}/{what}"

    def components(self, device: KnownDevice) -> dict[str, Component]:
        """The entities of a device by their key."""
        uid, language = self._device_uid(device.id), self._settings.language
        found = {name: entities.value(name, register, language) for name, register in device.values().items()}
        for name, component in found.items():
            component |= self._ids(uid, device.id, name, component) | {"state_topic": self.topic(device.id, "state")}
        for kind in device.events():
            component = entities.event(kind, language)
            component |= self._ids(uid, device.id, kind, component) | {"state_topic": self.topic(device.id, "events")}
            found[f"event.{kind}"] = component
        return found

    def device(self, device: KnownDevice, former: Mapping[str, str]) -> Publication:
        """The message of a device; `former` are the platforms of every component that it ever had."""
        uid, head, found = self._device_uid(device.id), device.profile.head, self.components(device)
        gone = {
            name: {"platform": platform}
            for name, platform in former.items()
            if name not in found or found[name]["platform"] != platform
        }
        about = {"name": device.id, "manufacturer": head.vendor, "model": head.model or head.name}
        area = {"suggested_area": device.place.rpartition("/")[2]} if device.place else {}
        topics = (self.status, self.topic(device.id, "availability"))
        content = {
            "device": {"identifiers": [uid], **about, **area, "via_device": self._uid},
            "availability": [{"topic": topic} for topic in topics],
            "availability_mode": "all",
        }
        return self._message(uid, content, gone | found)

    def gateway(self) -> Publication:
        """The message of the gateway itself."""
        language, found = self._settings.language, {}
        for name, _, what in GATEWAY:
            value = {"state_topic": self.health, "value_template": f"{{{{ value_json['{name}'] }}}}"}
            found[name] = {"platform": "sensor", **what, **value, "availability": [{"topic": self.status}]}
        found["connected"] = {
            "platform": "binary_sensor",
            "device_class": "connectivity",
            "state_topic": self.status,
            "payload_on": "online",
            "payload_off": "offline",
        }
        for name, component in found.items():
            component |= self._ids(self._uid, self._settings.gateway, name, component)
            component |= {"name": called("gateway", name, language), "entity_category": "diagnostic"}
        about = {"identifiers": [self._uid], "name": self._settings.gateway, "manufacturer": "Gewu", "model": "gateway"}
        return self._message(self._uid, {"device": about}, found)

    def removal(self, device: str) -> list[Publication]:
        """A retained message goes when an empty one takes its place; with its discovery the device goes."""
        own = [self.topic(device, what) for what in ("state", "events", "availability")]
        return [Publication(topic, b"", retain=True) for topic in (self._config(self._device_uid(device)), *own)]

    def _message(self, uid: str, content: dict[str, Any], components: Mapping[str, Component]) -> Publication:
        whole = {**content, "origin": self._origin, "qos": 1, "components": components}
        return Publication(self._config(uid), _encode(whole), retain=True)

    def _ids(self, uid: str, owner: str, name: str, component: Component) -> Component:
        return {"unique_id": f"{uid}_{name}", "default_entity_id": entity_id(component["platform"], owner, name)}

    def _device_uid(self, device: str) -> str:
        return object_id(f"{self._uid}-{device}")

    def _config(self, uid: str) -> str:
        return f"{PREFIX}/device/{uid}/config"
