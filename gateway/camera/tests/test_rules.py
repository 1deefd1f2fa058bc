"""The pure rules of one camera: zones, hours, motion, blindness, fullness, hazards, detections."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from gateway.camera import zones
from gateway.camera.blind import HOLD_S, Blindness
from gateway.camera.classifier import Verdict
from gateway.camera.detections import Detections
from gateway.camera.detector import Box
from gateway.camera.grey import HEIGHT, WIDTH, Grey, grey_of
from gateway.camera.hazard import Hazards
from gateway.camera.motion import SHARE, Motion
from gateway.camera.occupancy import Occupancy, Zone
from gateway.config import Camera, hours

TRIANGLE = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]


def noise(seed: int, level: float = 2.0) -> Grey:
    """What a sensor adds."""
    return np.asarray(np.random.default_rng(seed).normal(0, level, (HEIGHT, WIDTH)), np.float32)


def scene(seed: int = 0) -> Grey:
    """A grey with something in it, and a sensor's noise."""
    base = np.linspace(60, 180, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, 0)
    base[40:, ::8] += 30
    return base + noise(seed)


def test_a_zone_holds_what_lies_inside_its_corners() -> None:
    """Half the frame lies in the triangle; a point is inside as its cell is."""
    cells = zones.cells_of(TRIANGLE, 90, 160)
    assert cells.mean() == pytest.approx(0.5, abs=0.01)
    assert zones.holds(TRIANGLE, (0.2, 0.2))
    assert not zones.holds(TRIANGLE, (0.8, 0.8))


@pytest.mark.parametrize(
    ("spans", "minute", "wanted"),
    [
        ([], 0, True),
        (["07:00-22:30"], 7 * 60, True),
        (["07:00-22:30"], 22 * 60 + 30, False),
        (["22:00-06:00"], 23 * 60, True),
        (["22:00-06:00"], 5 * 60, True),
        (["22:00-06:00"], 12 * 60, False),
        (["06:00-24:00", "00:00-01:00"], 30, True),
    ],
)
def test_hours_of_duty(spans: list[str], minute: int, wanted: bool) -> None:
    """Spans end before their last minute and may go over midnight; none means always."""
    assert hours.on(spans, minute) is wanted


@pytest.mark.parametrize("span", ["7-9", "07:00", "25:00-26:00", "08:61-09:00", "08:00-08:00"])
def test_a_wrong_span_is_a_sentence(span: str) -> None:
    """It says how one is written."""
    with pytest.raises(ValueError, match="07:00-22:30"):
        hours.minutes(span)


def test_motion_is_what_changes_and_not_the_light() -> None:
    """Noise and brighter light are no motion; a car is, and only while it moves."""
    motion = Motion()
    assert motion.step(scene(0))[0] == 0
    assert motion.step(scene(1))[0] < SHARE
    assert motion.step(scene(2) + 25)[0] < SHARE
    car = scene(3)
    car[50:60, 20:50] = 20
    assert motion.step(car)[0] > SHARE
    for number in range(30):
        still = scene(number + 4)
        still[50:60, 20:50] = 20
        share = motion.step(still)[0]
    assert share < SHARE


def blind_after(looks: Sequence[tuple[Grey, float]], live: bool = True) -> list[str | None]:
    state = Blindness(live=live)
    return [state.step(grey, sharp, number * 2.0) for number, (grey, sharp) in enumerate(looks)]


SEES = [(scene(number), 10.0) for number in range(15)]


@pytest.mark.parametrize(
    ("grey", "sharp", "reason"),
    [
        (np.full((HEIGHT, WIDTH), 4, np.float32), 0.1, "black"),
        (np.full((HEIGHT, WIDTH), 120, np.float32), 0.2, "covered"),
        (scene(99), 1.0, "defocused"),
    ],
)
def test_blind_is_told_with_its_reason_and_ends(grey: Grey, sharp: float, reason: str) -> None:
    """After HOLD_S and three looks, not before; the same on the way back."""
    after = blind_after([*SEES, *[(grey + noise(n, 0.3), sharp) for n in range(6)], *SEES])
    assert after[: len(SEES) + int(HOLD_S / 2)] == [None] * (len(SEES) + int(HOLD_S / 2))
    assert after[len(SEES) + 5] == reason
    assert after[-1] is None


def test_frozen_is_a_live_picture_that_never_changes() -> None:
    """Half a minute of the very same bits; a folder of stills may show one picture for ever."""
    same = [(scene(0), 10.0)] * 25
    assert blind_after(same)[-1] == "frozen"
    assert blind_after(same, live=False)[-1] is None


def test_no_picture_at_all_counts_sooner_whatever_the_words() -> None:
    """A stalled stream that then cannot be opened is one trouble, told at the second time."""
    state = Blindness()
    assert state.no_picture("stalled", 10.0) is None
    assert state.no_picture("unreachable", 21.0) == "unreachable"


def occupied(zone: Zone, frames: Sequence[Grey], moving: bool) -> tuple[list[str], Occupancy]:
    rule = Occupancy([zone])
    cells = np.full((HEIGHT, WIDTH), moving)
    found: list[str] = []
    for number, grey in enumerate(frames):
        found += [change for change, _, _ in rule.step(grey, cells, number * 2.0)]
    return found, rule


CELLS = zones.cells_of([(0, 0.4), (1, 0.4), (1, 1), (0, 1)], HEIGHT, WIDTH)


def standing(seed: int) -> Grey:
    """Something large stands in the lower part."""
    grey = scene(seed)
    grey[50:85, 20:80] = 15
    return grey


def test_a_way_is_blocked_by_what_stays() -> None:
    """Raised once after its seconds, cleared when it is gone; what keeps moving is traffic."""
    zone = Zone("exit", "blocked", CELLS, 0.2, 20.0)
    frames = [*map(scene, range(3)), *map(standing, range(20)), *map(scene, range(8))]
    assert occupied(zone, frames, moving=False)[0] == ["raise", "clear"]
    assert occupied(zone, frames, moving=True)[0] == []


def test_crowding_has_an_index_a_flow_and_a_dwell() -> None:
    """The index is over the share that counts as full, the dwell in seconds."""
    found, rule = occupied(
        Zone("square", "crowding", CELLS, 0.2, 10.0), [*map(scene, range(3)), *map(standing, range(12))], True
    )
    level = rule.levels["square"]
    assert found == ["raise"]
    assert level.index == pytest.approx(60 * 35 / CELLS.sum() / 0.2, rel=0.05)
    assert level.flow == 1.0
    assert 20 <= level.dwell <= 24


def test_a_new_scene_is_learned_anew_without_an_event() -> None:
    """A camera that was turned shows another scene: after ten looks that one is the empty one."""
    other = [scene(n)[:, ::-1] * 0.5 + 90 for n in range(30)]
    found, rule = occupied(Zone("z", "blocked", CELLS, 0.1, 4.0), [*map(scene, range(3)), *other], moving=False)
    assert found == []
    assert rule.levels["z"].index < 0.2


def verdict(label: str, score: float) -> Verdict:
    rest = 1 - score
    other = "normal" if label != "normal" else "flood"
    return Verdict(label, score, {"flood": 0.0, "rubbish": 0.0, "normal": 0.0, other: rest, label: score})


LIMITS = (["flood", "rubbish"], 0.6)


def test_one_hazard_is_one_event_however_long() -> None:
    """A single alarm is none; three that agree are one; it ends when three do not."""
    rule = Hazards(*LIMITS)
    calm, flood = verdict("normal", 0.9), verdict("flood", 0.9)
    looks = [calm, flood, calm, calm, flood, flood, flood, *[flood] * 50, calm, flood, calm, calm, calm]
    changes = [(number, do, label) for number, look in enumerate(looks) for do, label, _ in rule.step(look)]
    assert [(do, label) for _, do, label in changes] == [("raise", "flood"), ("clear", "flood")]
    assert changes[0][0] == 6
    assert not rule.open_


def test_a_hazard_from_before_a_restart_is_not_raised_again() -> None:
    """It is open, and can be cleared."""
    rule = Hazards(*LIMITS, open_={"flood"})
    assert not [one for _ in range(9) for one in rule.step(verdict("flood", 0.9))]
    assert [one[0] for _ in range(5) for one in rule.step(verdict("normal", 0.9))] == ["clear"]


def test_the_median_must_reach_the_threshold_too() -> None:
    """Labels that agree by a hair among low scores do not suffice."""
    rule = Hazards(*LIMITS)
    low = Verdict("flood", 0.61, {"flood": 0.3, "rubbish": 0.0, "normal": 0.7})
    assert not [one for _ in range(5) for one in rule.step(low)]


def test_another_hazard_takes_the_place_of_the_first() -> None:
    """Not two at once: the score of each counts for itself."""
    rule = Hazards(*LIMITS, open_={"flood"})
    split = Verdict("rubbish", 0.7, {"flood": 0.2, "rubbish": 0.7, "normal": 0.1})
    changes = [change for _ in range(5) for change in rule.step(split)]
    assert [(do, label) for do, label, _ in changes] == [("clear", "flood"), ("raise", "rubbish")]
    assert changes[1][2] == pytest.approx(0.7)


class Found:
    """A detector that finds what it is told."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []

    def find(self, image: Image.Image) -> list[Box]:
        return self.boxes


def test_a_detectors_rule_is_label_zone_count_and_time() -> None:
    """Two bikes with their wheels in the lobby, for ten seconds; one, or elsewhere, or a dog, is nothing."""
    camera = Camera.model_validate(
        {
            "id": "c",
            "source": "dir:x",
            "purpose": "p",
            "owner": "o",
            "sign": "s",
            "zone": [{"name": "lobby", "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}],
            "detector": [{"model": "m.json", "label": "bike", "name": "ebike", "zone": "lobby", "count": 2}],
        },
        strict=False,
    )
    finder = Found()
    rule = Detections(camera, {"ebike": finder}, set())
    inside, above = Box("bike", 0.9, 0.1, 0.2, 0.3, 0.8), Box("bike", 0.9, 0.5, 0.1, 0.7, 0.3)
    dog = Box("dog", 0.9, 0.5, 0.6, 0.7, 0.9)
    changes: list[tuple[int, str]] = []
    for number in range(40):
        finder.boxes = [inside, above, dog] if number < 10 else [inside, inside, above] if number < 25 else []
        changes += [(number, do) for do, _, _ in rule.step(Image.new("RGB", (8, 8)), number * 2.0)]
    assert changes == [(15, "raise"), (30, "clear")]


def test_a_grey_is_small_and_sharpness_is_detail() -> None:
    """The same size from any picture; a blurred one is less sharp."""
    rng = np.random.default_rng(1)
    sharp = Image.fromarray(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8))
    soft = sharp.resize((40, 30)).resize((640, 480))
    assert grey_of(sharp)[0].shape == (HEIGHT, WIDTH)
    assert grey_of(sharp)[1] > 5 * grey_of(soft)[1]
