"""A site's own head: taken only when it is better there and no worse elsewhere, signed, and given back on request."""

from pathlib import Path

import numpy as np
import pytest

from gateway import shipped
from gateway.camera import learning, trust
from gateway.camera.classifier import Classifier, Head
from gateway.camera.figures import confusion, f1, false_alarm, macro_f1, reliability, unsure
from gateway.camera.learning import LEAST_PICTURES, Samples
from gateway.camera.trust import AlteredModel


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(shipped.models())


@pytest.fixture(scope="module")
def anchors() -> Samples:
    return learning.anchors(shipped.models(), [trust.MAKER])


def odd_site(classifier: Classifier, anchors: Samples, count: int) -> Samples:
    """A place where normal looks like damage: its embeddings lie nearer to that class, in a way of their own."""
    labels = classifier.card.labels
    head = classifier.shipped_head()
    normal = anchors.embeddings[anchors.labels == labels.index("normal")][:count]
    damage = head.weight[labels.index("road_damage")] - head.weight[labels.index("normal")]
    raised = 6 * classifier.card.temperature  # what it leads by: from even to a score of 0.998
    own = np.random.default_rng(3).normal(0, 1, damage.shape).astype(np.float32)
    shift = raised * damage / np.linalg.norm(damage) ** 2 + own / np.linalg.norm(own) * 4
    return Samples((normal + shift).astype(np.float32), np.full(len(normal), labels.index("normal")))


@pytest.mark.integration
def test_what_people_reject_is_learned_and_nothing_else_is_lost(classifier: Classifier, anchors: Samples) -> None:
    """Held-back pictures of the site get better; the shipped figures do not get worse."""
    old, card = classifier.shipped_head(), classifier.card
    outcome = learning.adapt(odd_site(classifier, anchors, 45), anchors, old, card)
    assert outcome.site_before.macro_f1 < 0.7
    assert outcome.head is not None, outcome.why
    assert outcome.site_after.macro_f1 > outcome.site_before.macro_f1
    assert outcome.shipped_after.macro_f1 >= outcome.shipped_before.macro_f1
    assert outcome.shipped_after.false_alarm <= outcome.shipped_before.false_alarm


@pytest.mark.integration
def test_wrong_labels_are_not_learned(classifier: Classifier, anchors: Samples) -> None:
    """Labels drawn by lot make no better head, so the old one stays."""
    site = Samples(anchors.embeddings[:60], np.random.default_rng(1).integers(0, 5, 60))
    assert learning.adapt(site, anchors, classifier.shipped_head(), classifier.card).head is None


def test_too_few_pictures_teach_nothing(classifier: Classifier, anchors: Samples) -> None:
    """The reason is a sentence with both numbers."""
    few = odd_site(classifier, anchors, LEAST_PICTURES - 1)
    outcome = learning.adapt(few, anchors, classifier.shipped_head(), classifier.card)
    assert outcome.head is None
    assert str(LEAST_PICTURES) in outcome.why


def a_head(value: float) -> Head:
    return Head(np.full((5, 1280), value, np.float32), np.zeros(5, np.float32))


def test_a_head_is_signed_by_its_gateway_and_can_be_given_back(tmp_path: Path) -> None:
    """Written twice, the first comes back; given back again, the shipped one is in force."""
    for value in (1.0, 2.0):
        learning.write_head(tmp_path, a_head(value))
    current = learning.current_head(tmp_path)
    assert current is not None
    assert current.weight[0, 0] == 2.0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert learning.go_back(tmp_path)
    current = learning.current_head(tmp_path)
    assert current is not None
    assert current.weight[0, 0] == 1.0
    assert not learning.go_back(tmp_path)
    assert learning.current_head(tmp_path) is None


def test_an_altered_head_is_refused(tmp_path: Path) -> None:
    """As any altered model."""
    learning.write_head(tmp_path, a_head(1.0))
    (tmp_path / "head.npz").write_bytes(b"something else")
    with pytest.raises(AlteredModel):
        learning.current_head(tmp_path)


def test_figures() -> None:
    """Unsure is a miss and no alarm; a class nobody found has an F1 of 0."""
    true = ["a", "a", "b", "normal", "normal", "normal", "normal"]
    found = ["a", "unsure", "a", "normal", "b", "unsure", "normal"]
    assert f1(found, true, "a") == pytest.approx(0.5)
    assert f1(found, true, "b") == 0
    assert macro_f1(found, true, ["a", "b"]) == pytest.approx(0.25)
    assert false_alarm(found, true) == 0.25
    assert unsure(found) == pytest.approx(2 / 7)
    assert confusion(found, true, ["a", "b", "normal"]) == [[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 2, 1]]
    (low, high) = reliability([0.95, 0.91, 0.15], [True, False, True])
    assert low == (0.15, 1.0, 1)
    assert high[0] == pytest.approx(0.93)
    assert high[1:] == (0.5, 2)
