"""The build: the table follows the profiles, the bytes repeat, the flash has room."""

from pathlib import Path
from typing import Any

import pytest

from gateway import profile, shipped
from gateway.errors import ConfigurationError, GewuError
from gateway.profile import Profile
from provisioning import firmware_build

FLASH_LIMIT = 64_000  # bytes, as asked for


def test_the_table_in_the_checkout_is_that_of_the_profiles() -> None:
    """Stale? `gewu firmware build` writes it anew."""
    assert (shipped.firmware() / "table.py").read_text(encoding="ascii") == firmware_build.generate_table()


def test_the_table_holds_every_readable_register() -> None:
    """Each name once a role, with its address and words as the profile has them."""
    scope: dict[str, Any] = {}
    exec(firmware_build.generate_table(), scope)
    for constant, name in firmware_build.ROLES.items():
        vendor, title, model, flags, names, rows, bits, limits = scope[constant]
        source = profile.load(name)
        assert (vendor, title, model) == (source.head.vendor.encode(), name.encode(), source.head.model.encode())
        readable = [r for r in source.registers if r.readable]
        assert names.decode().split() == [r.name for r in readable]
        assert [(rows[at + 1] << 8 | rows[at + 2], rows[at + 3]) for at in range(0, len(rows), 5)] == [
            (r.address, r.size) for r in readable
        ]
        assert bits.keys() == {r.name.encode() for r in readable if r.type == "bits"}
        assert limits[next(r.address for r in readable if r.name == "identify_seconds")] == (0, 600)
        kinds = ("coil", "discrete", "holding", "input")
        for kind, marks in zip(kinds, flags, strict=True):
            covered = {a for r in source.registers if r.kind == kind for a in range(r.address, r.end)}
            assert {address for address, mark in enumerate(marks) if mark & 1} == covered


@pytest.mark.parametrize(
    "register",
    [
        {"type": "f32"},
        {"type": "u32", "word_order": "little"},
        {"type": "u16", "scale": 0.5},
        {"type": "u16", "scale": 0.1, "offset": 3},
    ],
)
def test_a_register_that_the_firmware_cannot_keep_is_refused(
    register: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence with profile and register, not a wrong value on the bus."""
    odd = Profile.model_validate(
        {"profile": {"name": "odd"}, "register": [{"name": "thing", "kind": "input", "address": 0, **register}]}
    )
    monkeypatch.setattr(profile, "load", lambda _name: odd)
    with pytest.raises(ConfigurationError, match=r"odd.*'thing'"):
        firmware_build.generate_table()


@pytest.mark.integration
def test_a_build_has_the_same_bytes_each_time_and_fits(tmp_path: Path) -> None:
    """One .mpy a module, main.py as it is, all together within 64 kB, no trace of where it was built."""
    first, second = tmp_path / "a", tmp_path / "deeper" / "b"
    names = [path.name for path in firmware_build.build(first)]
    firmware_build.build(second)
    assert "main.py" in names
    assert "protection.mpy" in names
    assert len(names) == len(firmware_build.firmware_files())
    for name in names:
        content = (first / name).read_bytes()
        assert content == (second / name).read_bytes()
        assert str(tmp_path).encode() not in content
    assert sum(firmware_build.size(first).values()) <= FLASH_LIMIT


def test_a_source_that_does_not_compile_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's last line with the module, or the line that is no Python at all."""
    broken = tmp_path / "broken.py"
    monkeypatch.setattr(firmware_build, "firmware_files", lambda: {"broken.py": broken})
    for text, sentence in (
        ("def (:\n", r"broken\.py, line 1: "),
        ("match 1:\n    case 1:\n        pass\n", "mpy-cross refused broken: SyntaxError"),
    ):
        broken.write_text(text)
        with pytest.raises(GewuError, match=sentence):
            firmware_build.build(tmp_path / "out")


def test_an_installed_wheel_is_never_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a checkout's table is brought up to date, and only when it is stale."""
    monkeypatch.setattr(shipped, "firmware", lambda: tmp_path)
    monkeypatch.setattr(shipped, "checkout", lambda: None)
    assert not firmware_build.write_table()
    assert not (tmp_path / "table.py").exists()
    monkeypatch.setattr(shipped, "checkout", lambda: tmp_path)
    assert firmware_build.write_table()
    assert not firmware_build.write_table()
