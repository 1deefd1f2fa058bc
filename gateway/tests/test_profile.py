"""Device profiles: what is accepted, found, and refused with which sentence."""

from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.profile import load, shipped
from gateway.profile.load import read


def register(name: str = "a", address: int = 0, type_: str = '"u16"', kind: str = "holding", more: str = "") -> str:
    return f'[[register]]\nname = "{name}"\nkind = "{kind}"\naddress = {address}\ntype = {type_}\n{more}\n'


HEAD = '[profile]\nname = "p"\n'
EVENT = '[[event]]\nkind = "alarm.water"\nwhen = "a"\ngrade = 2\n'


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_profile_is_right(name: str) -> None:
    """Each file that travels with the program passes its own checks and is named like its file; ours are known by
    their identification."""
    profile = load(name)
    assert profile.name == name
    assert profile.identity is not None or profile.head.vendor != "Gewu"


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Only name, kind, address and type are required."""
    path = tmp_path / "p.toml"
    path.write_text(HEAD + register())
    one = read(path).registers[0]
    defaults: dict[str, Any] = {
        "word_order": "big", "byte_order": "big", "scale": 1.0, "offset": 0.0, "poll": "normal", "deadband": 0.0,
        "at_least": 300, "access": "r", "valid": None, "unit": "", "bits": [],
    }  # fmt: skip
    assert {key: getattr(one, key) for key in defaults} == defaults


@pytest.mark.parametrize("name", ["Voltage_L1", "U1", "cos-phi.L1", "1st", "电压"])
def test_values_are_named_as_their_makers_name_them(name: str, tmp_path: Path) -> None:
    """Letters of any script and case, digits, "_", "." and "-" make a value's name, and a profile's."""
    path = tmp_path / "p.toml"
    path.write_text(HEAD.replace('"p"', '"iEM3155_v2.1"') + register(name))
    assert list(read(path).by_value) == [name]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (register(), "profile is missing"),
        (HEAD + register("a", 0, '"u32"') + register("b", 1), 'register[1] "b" overlaps register[0] "a": '
         'holding 1 to 1 '
         "meets 0 to 1; correct address or type."),
        (HEAD + register() + register(address=1), 'register[1]: the name "a" is taken by register[0]; each '
         'needs its own.'),
        (HEAD + register("w", 0, '"bits"', more='bits = [[0, "a"], [1, "b"], [1, "c"]]'),
         'register[0] "w": bit 1 is named twice.'),
        (HEAD + register("w", 0, '"bits"', more='bits = [[0, "b"]]') + register("b", 1),
         'register[1]: the name "b" is taken by register[0]; each needs its own.'),
        (HEAD + register("w", 0, '"bits"', more='bits = [[16, "b"]]'), "bit 16 does not exist"),
        (HEAD + register("w", 0, '"bits"'), 'type "bits" needs the list bits'),
        (HEAD + register(more='bits = [[0, "b"]]'), 'bits belong to type "bits"'),
        (HEAD + register(address=65535, type_='"u32"'), "goes beyond the last address 65535"),
        (HEAD + register(address=65536), "register[0].address is 65536, but it must be at most 65535."),
        (HEAD + "max_registers = 1\n" + register(type_='"u32"'), "more than the profile's max_registers = 1"),
        (HEAD + register(type_='"string"'), "a string needs its length"),
        (HEAD + register(more="length = 2"), "length belongs to a string"),
        (HEAD + register(kind="coil"), 'a coil holds one bit, so its type must be "bool" and not "u16"'),
        (HEAD + register(kind="input", more='access = "rw"'), "an input cannot be written"),
        (HEAD + register(more='access = "w"\npoll = "fast"'), 'it can only be written, so poll must be "never"'),
        (HEAD + register(more="valid = [5, 1]"), "valid must go from the lowest to the highest"),
        (HEAD + register(more="scale = 0"), "scale is 0"),
        (HEAD + register(type_='"bool"', more="scale = 2.0"), "scale has no meaning"),
        (HEAD + register(type_='"u24"'), 'register[0].type is "u24", but it must be "bool", "u16", "i16"'),
        (HEAD + register(more='pol = "fast"'), 'register[0].pol is not a known key; the nearest known key is '
         '"poll".'),
        (HEAD + register("A B"), 'register[0].name is "A B", but it must be'),
        (HEAD + register() + EVENT.replace('"a"', '"x"'), 'event[0].when names "x", but no register gives such '
         'a value; '
         "known are a."),
        (HEAD + register() + EVENT + 'values = ["y"]', 'event[0].values names "y"'),
        (HEAD + register() + EVENT + 'counter = "y"', 'event[0].counter names "y"'),
        (HEAD + register(more='poll = "never"') + EVENT, 'event[0].when names "a", which is never polled'),
        (HEAD + register() + EVENT.replace("2", "5"), "event[0].grade is 5, but it must be at most 4."),
        (HEAD + "[profile.identity]\nvalue = 5\n" + register(), "profile.identity needs register and value "
         "together."),
        (HEAD + '[profile.identity]\nregister = "x"\nvalue = 5\n' + register(), 'names "x", but there is no such'),
    ],
)  # fmt: skip
def test_one_mistake_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Each names the file, the register or rule, and what would be right."""
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read(path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert sentence in line


def test_several_mistakes_are_all_told(tmp_path: Path) -> None:
    """A wrong key in one place hides nothing elsewhere."""
    path = tmp_path / "p.toml"
    path.write_text(HEAD + register(more="scael = 2") + register("b", 0) + register("c", 9, '"string"'))
    with pytest.raises(ConfigurationError) as refused:
        read(path)
    assert len(str(refused.value).splitlines()) == 3


def test_registers_of_different_kinds_may_share_an_address(tmp_path: Path) -> None:
    """Each kind is a space of its own, and neighbours do not overlap."""
    path = tmp_path / "p.toml"
    path.write_text(HEAD + register("a", 0, '"u32"') + register("b", 2) + register("c", 0, kind="input"))
    assert len(read(path).registers) == 3


def test_profiles_are_found_by_name_or_beside_the_configuration(tmp_path: Path) -> None:
    """A shipped name, a file name, or a name without its ending; an edited file is read anew."""
    (tmp_path / "meter.toml").write_text(HEAD + register())
    assert load("gewu-breaker", tmp_path).name == "gewu-breaker"
    assert load("meter", tmp_path) is load("meter.toml", tmp_path)
    (tmp_path / "meter.toml").write_text(HEAD + register() + register("bb", 1))
    assert len(load(str(tmp_path / "meter.toml")).registers) == 2
    with pytest.raises(ConfigurationError, match=r'There is no profile "metre": .*gewu-breaker, gewu-sensor'):
        load("metre", tmp_path)


def test_identity_by_a_register(tmp_path: Path) -> None:
    """A device without identification objects is known by what a register holds."""
    path = tmp_path / "p.toml"
    path.write_text(HEAD + '[profile.identity]\nregister = "a"\nvalue = 112\n' + register())
    identity = read(path).identity
    assert identity is not None
    assert (identity.register_name, identity.value, identity.objects) == ("a", 112, {})
