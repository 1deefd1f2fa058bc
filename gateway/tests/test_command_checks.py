"""Each check of a command by itself and in its order; issuers' files; the envelope; the audit's chain."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import board_keys, issuers
from gateway.commands.audit import chained, verify
from gateway.commands.checks import Situation, Target, authentic, judge
from gateway.commands.envelope import MOST_BYTES, Command, parse, sign
from gateway.commands.interlocks import CLEARED_ON_SITE, standing
from gateway.commands.strangers import Strangers
from gateway.errors import ConfigurationError
from gateway.profile import load
from gateway.records import rfc3339
from gateway.tests.command_samples import PEOPLE, issuers_file, order

NOW = 1_795_000_000_000
CAN = frozenset({"open", "close", "acknowledge", "identify", "set"})
FINE = Situation(
    names=frozenset({"g1", "site/g1"}),
    now=NOW,
    trusted=True,
    counter=0,
    target=Target(critical=False, can=CAN),
    allow_close=True,
    longest_ms=600_000,
    rate=3,
    rate_ms=600_000,
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> issuers.Issuers:
    return issuers.load(issuers_file(tmp_path_factory.mktemp("issuers")))


def command(*words: Any, **more: Any) -> Command:
    return parse(order(NOW, *words, **more))


def why(known: issuers.Issuers, one: Command, **situation: Any) -> str | None:
    refusal = judge(one, known, msgspec.structs.replace(FINE, **situation))
    return None if refusal is None else f"{refusal.result}: {refusal.why}"


CLOSE = ("close", "chief", ("second", "third"))


@pytest.mark.parametrize("words", [("open",), ("identify",), ("acknowledge",), CLOSE, ("close", "chief", ("second",))])
def test_what_nothing_stands_against(known: issuers.Issuers, words: Any) -> None:
    """Authentic, and no check has a word against it; the name of the site may stand before the gateway's."""
    assert authentic(command(*words), known)
    assert why(known, command(*words)) is None
    assert why(known, command(*words, gateway="site/g1")) is None


@pytest.mark.parametrize(
    ("words", "more", "situation", "said"),
    [
        (("open",), {"gateway": "g2"}, {}, "refused: it is for the gateway g2"),
        (("open",), {"gateway": "other/g1"}, {}, "refused: it is for the gateway other/g1"),
        (("open",), {}, {"trusted": False}, "refused: the gateway's clock is not set"),
        (("open",), {}, {"now": NOW + 60_000}, "expired: it was to be carried out before"),
        (("open",), {}, {"now": NOW - 30_001}, "refused: it is dated"),
        (("open",), {"issued_at": rfc3339(NOW + 20_000), "expires_at": rfc3339(NOW + 9_000)}, {}, "refused: it exp"),
        (("open",), {"expires_at": rfc3339(NOW + 600_001)}, {}, "refused: it may be valid for 600 s at most"),
        (("open",), {"counter": 7}, {"counter": 7}, "refused: the counter 7 was used; take one above 7"),
        (("open",), {}, {"forgetful_until": NOW}, "refused: it was issued before this gateway's data was restored"),
        (("close", "duty", ("second", "third")), {}, {}, "refused: duty as operator may not close"),
        (("open", "duty"), {"role": "supervisor"}, {}, "refused: duty as supervisor may not open"),
        (("close", "chief", ("second", "duty")), {}, {}, "refused: duty as operator may not close"),
        (("open",), {"device": "b9"}, {"target": None}, "refused: there is no device b9 here"),
        (("open",), {}, {"target": Target(critical=False, can=frozenset())}, "refused: b1 cannot open from afar"),
        (("open",), {"params": {"x": 1}}, {}, "refused: open takes no params"),
        (("identify",), {"params": {"seconds": True}}, {}, "refused: identify takes params"),
        (("identify",), {"params": {"seconds": 601}}, {}, "refused: identify takes params"),
        (("set", "tech", ("other",)), {}, {}, "refused: set takes the settings"),
        (("set", "tech", ("other",)), {"params": {"x": "y" * 190}}, {}, "refused: set takes the settings"),
        (("set", "tech"), {"params": {"rating": 20}}, {}, "refused: settings need the approval"),
        (CLOSE, {}, {"allow_close": False}, "refused: closing from afar is not enabled on site"),
        (("close", "chief"), {}, {}, "refused: closing needs two approvals"),
        (("close", "chief", ("chief",)), {}, {}, "refused: closing needs two approvals"),
        (CLOSE, {}, {"target": Target(critical=False, can=CAN, interlocks=("because",))}, "refused: because"),
        (("open",), {}, {"target": Target(critical=True, can=CAN)}, "refused: its load is critical"),
        (("open", "duty", ("duty",)), {}, {"target": Target(critical=True, can=CAN)}, "refused: its load is critical"),
        (("open",), {}, {"recent": (NOW - 1, NOW - 2, NOW - 3)}, "refused: b1 was operated 3 times in 600 s"),
    ],
)  # fmt: skip
def test_what_stands_against_a_command(
    known: issuers.Issuers, words: Any, more: Any, situation: Any, said: str
) -> None:
    """One sentence, of the first thing in order."""
    found = why(known, command(*words, **more), **situation)
    assert found is not None
    assert found.startswith(said)


def test_a_second_person_opens_what_is_critical_and_blinking_is_never_too_often(known: issuers.Issuers) -> None:
    """Two persons suffice for a critical load; the rate counts operations only."""
    critical = Target(critical=True, can=CAN)
    assert why(known, command("open", "duty", ("chief",)), target=critical) is None
    assert why(known, command("identify"), recent=(NOW, NOW, NOW), target=critical) is None


def test_the_order_tells_least(known: issuers.Issuers) -> None:
    """With everything wrong, the first word is the gateway's; then time, counter, role, device."""
    wrong = {"now": NOW + 60_000, "counter": 9, "target": None, "allow_close": False}
    said = [
        why(known, command("close", "duty", gateway="g2"), **wrong),
        why(known, command("close", "duty"), **wrong),
        why(known, command("close", "duty"), **(wrong | {"now": NOW})),
        why(known, command("close", "duty"), **(wrong | {"now": NOW, "counter": 0})),
        why(known, command("close", "chief"), **(wrong | {"now": NOW, "counter": 0})),
    ]
    words = ["for the gateway", "carried out before", "counter", "may not", "no device"]
    assert [word in str(one) for word, one in zip(words, said, strict=True)] == [True] * 5


def test_a_changed_byte_is_another_command(known: issuers.Issuers) -> None:
    """Every key of the envelope is signed; what an approval covers too."""
    document = json.loads(order(NOW, "open", "duty", ("chief",)))
    for name, value in (("device", "b2"), ("reason", "x"), ("counter", 2), ("params", {"a": 1}), ("approvals", [])):
        assert not authentic(parse(json.dumps(document | {name: value}).encode()), known)
    other = json.loads(order(NOW, "open", "duty", ("chief",), device="b2"))
    moved = {name: value for name, value in document.items() if name != "sig"} | {"approvals": other["approvals"]}
    assert not authentic(parse(sign(moved, PEOPLE["duty"])), known)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"}, {"action": "explode"}, {"counter": 0}, {"counter": 1.5}, {"extra": 1}, {"device": ""},
        {"issued_at": "yesterday, at ten"}, {"reason": "x" * 1001}, {"params": {"n": 2**60}}, {"approvals": [{}]},
        {"approvals": [1]},
    ],
)  # fmt: skip
def test_an_envelope_has_one_shape(change: dict[str, Any]) -> None:
    """Unknown keys, wrong types and values out of bounds are no command."""
    document = json.loads(order(NOW)) | change
    with pytest.raises(ValueError):
        parse(json.dumps(document).encode())
    with pytest.raises(ValueError, match="more than"):
        parse(b" " * (MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "issuer is missing"),
        ('[[issuer]]\nname = "a"\nkey = "AAAA"\nroles = ["operator"]', "not an Ed25519 public key"),
        ('[[issuer]]\nname = "a"\nkey = "%"\nroles = ["operator"]', "not an Ed25519 public key"),
        ('[[issuer]]\nname = "a"\nkey = "KEY"\nroles = ["king"]', 'has the role "king"'),
        ('[[issuer]]\nname = "a"\nkey = "KEY"\nroles = ["operator"]\n' * 2, 'two issuers have the name "a"'),
        ('[[issuer]]\nname = "a"\nkey = "KEY"\nroles = ["operator"]\nprivate_key = "x"', "never belongs on a gateway"),
    ],
)
def test_a_wrong_file_of_issuers(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is a sentence that names the file."""
    file = tmp_path / "issuers.toml"
    file.write_text(text.replace("KEY", "A" * 43 + "="))
    with pytest.raises(ConfigurationError, match=said):
        issuers.load(file)
    one = '[[issuer]]\nname = "{}"\nkey = "' + "A" * 43 + '="\nroles = ["operator"]\n'
    file.write_text(one.format("a") + one.format("b"))
    with pytest.raises(ConfigurationError, match="two issuers have the key"):
        issuers.load(file)


def test_the_boards_keys_are_secrets(tmp_path: Path) -> None:
    """A file that others may read is refused; no sentence repeats what is in it."""
    file = tmp_path / "keys.toml"
    file.write_text(f'[keys]\nb1 = "{"ab" * 32}"\n')
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        board_keys.load(file)
    file.chmod(0o600)
    assert board_keys.load(file) == {"b1": b"\xab" * 32}
    file.write_text('[keys]\nb1 = "c0ffee"\n')
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits") as refused:
        board_keys.load(file)
    assert "c0ffee" not in str(refused.value)
    file.write_text('b1 = "c0ffee"\n')
    with pytest.raises(ConfigurationError, match="one table"):
        board_keys.load(file)


def test_interlocks_come_from_values_and_from_open_events() -> None:
    """Residual, short circuit, over-temperature and what could not break; an overcurrent trip alone does not stand."""
    breaker = load("gewu-breaker")
    rules = {rule.kind: rule for rule in breaker.events}
    for kind, words in CLEARED_ON_SITE.items():
        values = {str(rules[kind].when): rules[kind].equals}
        for found in (standing(breaker, values, ()), standing(breaker, {}, {kind})):
            assert [words in sentence for sentence in found] == [True]
    assert standing(breaker, {"cause": 1, "closed": False}, {"trip.overcurrent", "device.lost"}) == ()
    assert len(standing(breaker, {"acknowledge_needed": True, "locked_out": True}, ())) == 2


def rows(*bodies: bytes) -> list[tuple[int, int, bytes, bytes]]:
    made, previous = [], b""
    for number, body in enumerate(bodies, 1):
        previous = chained(previous, body)
        made.append((number, 0, body, previous))
    return made


def test_one_altered_row_of_the_audit_is_found() -> None:
    """Altered, taken out, swapped, cut off: the first that does not fit is named, and quoted."""
    bodies = [json.dumps({"at": "T", "what": f"w{number}"}).encode() for number in range(5)]
    whole = rows(*bodies)
    assert verify(whole, least=5).document() == {
        "ok": True, "rows": 5, "head": whole[-1][3].hex(), "broken": None, "why": "",
    }  # fmt: skip
    assert verify([]).broken is None
    altered = [*whole[:2], (3, 0, b"{}", whole[2][3]), *whole[3:]]
    assert (verify(altered).broken, verify(altered).rows) == (3, 2)
    quoted = [*whole[:2], (3, 0, bodies[4], whole[2][3]), *whole[3:]]
    assert "w4" in verify(quoted).why
    as_text: Any = [*whole[:2], (3, 0, bodies[2].decode(), whole[2][3])]
    assert verify(as_text).broken == 3
    assert verify(whole[:2] + whole[3:]).why == "row 3 is missing"
    assert verify([whole[1], whole[0]]).broken == 1
    rehashed = [*whole[:2], *rows(*bodies[:2], b"{}")[2:], *whole[3:]]
    assert verify(rehashed).broken == 4
    assert verify(whole[:4], least=5).why == "it ends after 4 rows, and there were 5"


def test_strangers_are_told_at_once_and_then_in_heaps() -> None:
    """Ten seconds lie between two rows; the count is exact."""
    strangers = Strangers()
    assert [strangers.one(now) for now in (0.0, 1.0, 2.0)] == [True, False, False]
    assert [strangers.due(now) for now in (9.0, 10.0, 30.0)] == [0, 2, 0]
    assert [strangers.one(now) for now in (31.0, 32.0)] == [True, False]


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_whatever_comes_is_a_command_or_a_sentence(payload: bytes) -> None:
    """Any bytes, and valid envelopes with one value exchanged: nothing but ValueError."""
    with pytest.raises(ValueError):
        parse(payload)


@given(
    st.sampled_from(sorted(json.loads(order(NOW)))),
    st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
)
def test_an_envelope_with_a_strange_value_is_a_command_or_a_sentence(
    known: issuers.Issuers, name: str, value: Any
) -> None:
    """Every key with values of every kind; what is accepted is as it was signed or not authentic."""
    document = json.loads(order(NOW))
    try:
        one = parse(json.dumps(document | {name: value}).encode())
    except ValueError:
        return  # the sentence goes into the audit
    assert value == document[name] or not authentic(one, known)
