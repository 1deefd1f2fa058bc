"""What stands against closing a breaker from afar: trips whose cause must be cleared on site. Pure.

It reads a device's latest values by its profile and the events that are open. It never clears anything: that is
done at the device, by its button or its lever (docs/firmware.md, "Closing").
"""

from collections.abc import Collection, Iterator, Mapping

from gateway.profile import Profile
from gateway.records import Value

CLEARED_ON_SITE = {
    "trip.residual": "it tripped by residual current",
    "trip.instantaneous": "it tripped by a short circuit",
    "trip.temperature": "it tripped by over-temperature",
    "trip.failed": "it was told to open and current still flowed",
    "trip.withheld": "the current was above its breaking capacity",
}
"""Contract section 6 names the first three; a breaker that could not break is no safer."""
_FLAGS = {
    "acknowledge_needed": "a trip is not acknowledged at the device",
    "locked_out": "it is locked out at the device",
}
_ON_SITE = "; the cause must be cleared on site"


def standing(profile: Profile, values: Mapping[str, Value], open_kinds: Collection[str]) -> tuple[str, ...]:
    """Sentences, one for each thing that stands against closing; `open_kinds` are the device's open events."""
    return tuple(dict.fromkeys(_standing(profile, values, open_kinds)))


def _standing(profile: Profile, values: Mapping[str, Value], open_kinds: Collection[str]) -> Iterator[str]:
    for rule in profile.events:
        why = CLEARED_ON_SITE.get(rule.kind)
        now = rule.when is not None and rule.when in values and values[rule.when] == rule.equals
        if why is not None and (now or rule.kind in open_kinds):
            yield why + _ON_SITE
    for name, why in _FLAGS.items():
        if values.get(name) is True:
            yield why + _ON_SITE
