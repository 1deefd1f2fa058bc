"""One camera at work: its events with their stills, and what happens when stills cannot be kept or blurred."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from gateway.camera.evidence import EvidenceStore
from gateway.camera.eye import Change, Eye, Sight, masked
from gateway.camera.sitting import Sitting, Tools
from gateway.camera.source import SourceTrouble, Taken, taken
from gateway.camera.still import opened
from gateway.config import Camera
from gateway.errors import StoreError
from gateway.records import Event
from gateway.tests.fake_clock import FakeClock

RAISE = Change("raise", "camera.flood", "", 3, {"score": 0.9})
CLEAR = Change("clear", "camera.flood", "", 3, {"score": 0.1})
ABOUT = {"id": "gate", "source": "dir:x", "purpose": "p", "owner": "o", "sign": "s", "agree": 2}


class Scripted(Eye):
    """An eye that finds what the script says, look by look."""

    def __init__(self, script: list[list[Change]]) -> None:
        self._script = iter(script)

    def see(self, image: Image.Image, now: float) -> Sight:
        return Sight(next(self._script), None, 0.0, None)

    def cannot_see(self, reason: str, now: float) -> Sight:
        return Sight([Change("raise", "camera.blind", "", 4, {"reason": reason})], reason, 0.0, None)


class Pictures:
    """A source of so many pictures, then of trouble."""

    live = True

    def __init__(self, count: int) -> None:
        self.counts = {"undecodable": 1}
        self._left = count
        self.closed = False

    def look(self, stopped: Callable[[], bool]) -> Taken | None:
        if not self._left:
            raise SourceTrouble("stalled", "nothing comes any more")
        self._left -= 1
        return taken(Image.new("RGB", (64, 48), (200, 10, 10)))

    def close(self) -> None:
        self.closed = True


def sat(
    folder: Path, script: list[list[Change]], *, blur: bool = True, store: EvidenceStore | None = None
) -> tuple[list[Event], Sitting, Pictures]:
    """The events of a sitting over `script`, one look each, then a trouble."""
    clock, events, pictures = FakeClock(), list[Event](), Pictures(len(script))
    kept = store or EvidenceStore(folder, 86400.0, 10**7, clock)

    def ends() -> bool:
        return sitting.trouble is not None

    tools = Tools(lambda _: pictures, lambda event, _: events.append(event), clock, kept, _grey if blur else None, ends)
    sitting = Sitting(Camera.model_validate(ABOUT), lambda live, open_: Scripted(script), tools)
    sitting.run()
    return events, sitting, pictures


def _grey(picture: Image.Image | bytes) -> Image.Image:
    return (opened(picture) if isinstance(picture, bytes) else picture).convert("L").convert("RGB")


def test_before_at_and_after_each_blurred(tmp_path: Path) -> None:
    """The raising record has the first two, the clearing one all three under the same id; the files are those."""
    events, sitting, pictures = sat(tmp_path, [[], [], [RAISE], [], [], [], [CLEAR]])
    raised, cleared, blind = events
    assert [still.name.rsplit("-")[-1] for still in raised.evidence] == ["before.jpg", "at.jpg"]
    assert [still.name.rsplit("-")[-1] for still in cleared.evidence] == ["before.jpg", "at.jpg", "after.jpg"]
    assert raised.id == cleared.id
    assert cleared.cleared is not None
    for still in cleared.evidence:
        with Image.open(tmp_path / "evidence" / still.name) as image:
            red, green, _ = image.convert("RGB").getpixel((30, 20))  # type: ignore[misc]
            assert red == green
    assert (blind.kind, blind.evidence) == ("camera.blind", ())
    assert pictures.closed
    assert sitting.counts == {"undecodable": 1}


def test_an_event_that_is_over_soon_has_its_after_from_then(tmp_path: Path) -> None:
    """Cleared at the very next look."""
    _, cleared, _ = sat(tmp_path, [[RAISE], [CLEAR]])[0]
    assert [still.name.rsplit("-")[-1] for still in cleared.evidence] == ["at.jpg", "after.jpg"]


def test_what_cannot_be_blurred_is_not_kept(tmp_path: Path) -> None:
    """The event goes all the same and says why it has no still."""
    raised = sat(tmp_path, [[], [RAISE]], blur=False)[0][0]
    assert raised.evidence == ()
    assert "blurs faces" in str(raised.values["evidence"])
    assert not (tmp_path / "evidence").exists()


def test_a_full_disk_costs_the_still_and_not_the_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in the event, and the looks go on."""

    def full(self: EvidenceStore, name: str, content: bytes) -> None:
        raise StoreError("No space left on device.")

    monkeypatch.setattr(EvidenceStore, "save", full)
    raised, cleared, _ = sat(tmp_path, [[], [RAISE], [], [], [CLEAR]])[0]
    assert "No space left" in str(raised.values["evidence"])
    assert cleared.id == raised.id
    assert cleared.evidence == ()


def test_a_mask_is_black_before_anything_looks() -> None:
    """Inside its polygon; the rest is untouched, and so is the picture that came in."""
    camera = Camera.model_validate({**ABOUT, "mask": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]})
    image = Image.new("RGB", (100, 100), (9, 9, 9))
    result = masked(camera, image)
    assert result.getpixel((10, 50)) == (0, 0, 0)
    assert result.getpixel((90, 50)) == image.getpixel((10, 50)) == (9, 9, 9)
