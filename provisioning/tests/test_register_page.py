"""The register tables in docs/firmware.md are those of the profiles."""

from gateway import profile, shipped
from provisioning import firmware_build, register_page


def test_the_page_is_not_stale() -> None:
    """Stale? `gewu firmware build` writes the tables anew."""
    root = shipped.checkout()
    assert root is not None
    page = (root / register_page.PAGE).read_text(encoding="utf-8")
    names = tuple(firmware_build.ROLES.values())
    assert register_page.filled(page, names) == page
    for name in names:
        assert register_page.table(profile.load(name)) in page


def test_a_table_has_every_register_once() -> None:
    """Bits with their numbers, scales and spans as on the wire."""
    text = register_page.table(profile.load("gewu-breaker"))
    for register in profile.load("gewu-breaker").registers:
        assert text.count(f"| `{register.name}` |") == 1
    assert "| input | 9 to 10 | `current` | u32 × 0.001 | A | r |" in text
    assert "0 `closed`, 1 `tripped`" in text
    assert register_page.filled("no marks", ("gewu-breaker",)) == "no marks"
