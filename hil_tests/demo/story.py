"""What happens in the demo, and when: pure, so that the story can be read and tested without playing it."""

from typing import Literal, NamedTuple

Scene = Literal[
    "busy evening", "overload", "street floods", "broker gone", "broker back", "gateway killed", "repaired", "end"
]

# Multiple of the rated current that is injected. 4.8 In is below the instantaneous band of curve C, so the thermal
# element trips after about 7 s; a story too short for that shows the instantaneous element instead.
THERMAL_MULTIPLE = 4.8
INSTANTANEOUS_MULTIPLE = 12.0
_SHORTEST_THERMAL_STORY_S = 25.0

VICTIM = "b0103"
BUSY = {"b0101": 11.0, "b0202": 9.5, "s0201": 30.0}


class Step(NamedTuple):
    """`at` is in seconds from the first reading."""

    at: float
    scene: Scene


def timeline(seconds: float) -> list[Step]:
    """The story scaled to last `seconds` from the first reading to the end."""
    share: list[tuple[float, Scene]] = [
        (0.06, "busy evening"),
        (0.10, "overload"),
        (0.14, "street floods"),
        (0.48, "broker gone"),
        (0.66, "broker back"),
        (0.76, "gateway killed"),
        (0.88, "repaired"),
        (1.00, "end"),
    ]
    return [Step(round(part * seconds, 3), scene) for part, scene in share]


def overload_multiple(seconds: float) -> float:
    """How many times its rated current the victim carries, so that it trips before the broker goes."""
    return THERMAL_MULTIPLE if seconds >= _SHORTEST_THERMAL_STORY_S else INSTANTANEOUS_MULTIPLE


def caption(scene: Scene) -> str:
    """One line for the audience."""
    return {
        "busy evening": "evening: three loads rise",
        "overload": f"{VICTIM} is overloaded and will trip by its own protection",
        "street floods": "in front of the camera at the gate (a rendered scene) water covers the street",
        "broker gone": "the broker disappears; everything waits in the outbox",
        "broker back": "the broker is back",
        "gateway killed": "the gateway is killed with SIGKILL and restarts",
        "repaired": f"the fault is mended and {VICTIM} closed by hand at its lever",
        "end": "the end: what waits is delivered",
    }[scene]
