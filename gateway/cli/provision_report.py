"""`gewu provision report`: the acceptance sheet, signed; and the proof that one is still what was signed."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_options import needs
from gateway.errors import ConfigurationError

KeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="The installer's key; else ~/.config/gewu/installer-key.pem, made if absent."),
]
_NAME = "Name, for the sheet and its signature field."


def report(
    plan: Annotated[Path | None, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The page; JSON and signature are written beside it.")] = Path(
        "acceptance.html"
    ),
    site: Annotated[
        str | None, typer.Option("--site", help="What the sheet is headed with; else the plan's name.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    flash_journal: Annotated[
        Path | None,
        typer.Option("--flash-journal", help="Record of flashing, for the images; else provision.journal.jsonl."),
    ] = None,
    upstream: Annotated[
        Path | None, typer.Option("--upstream", help="CSV (id, upstream): the certified protection of each circuit.")
    ] = None,
    photo: Annotated[list[Path] | None, typer.Option("--photo", help="A photo, or a folder of them.")] = None,
    installer: Annotated[str | None, typer.Option("--installer", help=_NAME)] = None,
    tester: Annotated[str | None, typer.Option("--tester", help=_NAME)] = None,
    second: Annotated[str | None, typer.Option("--second", help=_NAME)] = None,
    customer: Annotated[str | None, typer.Option("--customer", help=_NAME)] = None,
    key: KeyOption = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Only prove that this sheet is what was signed.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the acceptance sheet of a plan (HTML for A4, JSON, signature), or --check one."""
    if check is not None:
        _check(check, key, as_json)
        return
    if plan is None:
        raise ConfigurationError("Give --plan PLAN.csv to write a sheet, or --check FILE to prove one.")
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--out {out} is the page: name it .html; the JSON goes beside it.")
    people = {"installer": installer, "tester": tester, "second": second, "customer": customer}
    named = {role: name for role, name in people.items() if name}
    needs("PIL")
    sheet = _write(plan, out, site, journal, flash_journal, upstream, photo or [], named, key)
    if as_json:
        print_json(sheet)
    else:
        plain.print(f"{out}: {len(sheet['devices'])} devices, {len(sheet['findings'])} findings.", markup=False)
        for finding in sheet["findings"]:
            plain.print(f"     {finding}", markup=False)
    if sheet["findings"]:
        raise typer.Exit(1)


def _write(
    plan: Path, out: Path, site: str | None, journal: Path | None, flash_journal: Path | None, upstream: Path | None,
    photo: list[Path], people: dict[str, str], key: Path | None,
) -> dict[str, Any]:  # fmt: skip
    from gateway import __version__
    from gateway.clock import SystemClock
    from gateway.records import rfc3339
    from gateway.wholefile import write_whole
    from provisioning import acceptance, installer_key
    from provisioning.acceptance_page import page
    from provisioning.history import pasts
    from provisioning.journal import read_lines
    from provisioning.photos import read_photos
    from provisioning.plan_file import read_plan
    from provisioning.upstream import read_upstream

    rows, at = read_plan(plan), rfc3339(SystemClock().wall_ms())
    lines = read_lines(journal or plan.with_suffix(".journal.jsonl"))
    flashed = read_lines(flash_journal or plan.with_name("provision.journal.jsonl"))
    photos, signer = read_photos(photo), installer_key.open_key(key or installer_key.default_path())
    about = {
        "site": site or plan.stem,
        "at": at,
        "tool": __version__,
        "plan": {"file": plan.name, "sha256": hashlib.sha256(plan.read_bytes()).hexdigest()},
    }
    sheet = acceptance.document(
        rows, pasts(lines), [*lines, *flashed], read_upstream(rows, upstream), people, photos, about
    )
    data = json.dumps(sheet, ensure_ascii=False, indent=2).encode() + b"\n"
    mark = installer_key.fingerprint(installer_key.public_of(signer))
    facts, signature = out.with_suffix(".json"), out.with_suffix(".sig")
    write_whole(facts, data)
    write_whole(out, page(sheet, photos, hashlib.sha256(data).hexdigest(), mark).encode())
    installer_key.sign(signer, [out, facts], at, signature)
    say(f"signed by the key {mark} ({signature})")
    return sheet


def _check(path: Path, key: Path | None, as_json: bool) -> None:
    from provisioning import installer_key

    proved = installer_key.check(path)
    own = key or installer_key.default_path()
    mine = own.exists() and installer_key.public_of(installer_key.open_key(own)).hex() == proved["public"]
    if as_json:
        print_json(proved | {"own": mine})
        return
    plain.print(f"{', '.join(proved['files'])}: as signed on {proved['at']}.", markup=False)
    whose = "this installer's own" if mine else "not this installer's own: compare it with whom you expect"
    plain.print(f"Key {proved['fingerprint']}, {whose}.")
