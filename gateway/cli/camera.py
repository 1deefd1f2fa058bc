"""`gewu camera`: the classifier on files, a camera now, its speed, streams in bulk, stills, and learning on."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Cameras and their classifier.")
evidence_app = typer.Typer(no_args_is_help=True, help="The stills of events, and who took which of them.")
app.add_typer(evidence_app, name="evidence")
_WARM_UP = 3


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="JPEG, PNG or WebP pictures of any size.")],
    json_output: JsonFlag = False,
) -> None:
    """Say what pictures show: fire_smoke, rubbish, flood, road_damage, normal, or unsure."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway import shipped
    from gateway.camera import picture
    from gateway.camera.classifier import Classifier

    classifier = Classifier(shipped.models())
    rows: list[dict[str, Any]] = []
    bad = 0
    for file in files:
        try:
            verdict = classifier.classify(picture.open_file(Path(file)))
        except picture.BadPicture as error:
            say(str(error))
            bad += 1
            continue
        rows.append({"file": file, "label": verdict.label, "score": verdict.score, "scores": verdict.scores})
        if not json_output:
            plain.print(f"{file}: {verdict.label} {verdict.score:.2f}", markup=False)
    if json_output:
        print_json(rows)
    if bad:
        raise typer.Exit(1)


@app.command(name="try")
def try_(
    camera: Annotated[str, typer.Argument(metavar="ID", help="The camera's id in gewu.toml.")],
    config: ConfigOption = DEFAULT_CONFIG,
    to: Annotated[Path | None, typer.Option(metavar="FILE.jpg", help="Where the drawn picture goes; ID.jpg.")] = None,
    json_output: JsonFlag = False,
) -> None:
    """What one camera sees now: its label, its zones' indices, and the picture with both drawn in."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.cli import camera_moment
    from gateway.config import load

    read = load(config)
    found = next((one for one in read.camera if one.id == camera), None)
    if found is None:
        known = ", ".join(one.id for one in read.camera) or "none"
        raise ConfigurationError(f'There is no camera "{camera}" in {config}; it has: {known}.')
    result, image = camera_moment.look(read, found)
    file = to or Path(f"{camera}.jpg")
    image.save(file, "JPEG", quality=88)
    result["picture"] = str(file)
    if json_output:
        print_json(result)
        return
    said = f"blind: {result['blind']}" if result["blind"] else f"{result['label']} {result['score'] or 0:.2f}"
    plain.print(f"{camera}: {said}; {result['size'][0]} x {result['size'][1]}; drawn into {file}", markup=False)
    for name, level in result["zones"].items():
        plain.print(f"  zone {name}: index {level['index']}, flow {level['flow']}, dwell {level['dwell']} s")


@app.command()
def bench(
    pictures: Annotated[int, typer.Option(min=10, help="How many pictures to time.")] = 100,
    json_output: JsonFlag = False,
) -> None:
    """The classifier's speed here, beside a bare resize and a bare interpreter."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.cli.bench import show
    from hil_tests.bench import camera as measurement

    show(measurement.speed_report(pictures), json_output)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns id, source, place, purpose, owner, sign.")],
    json_output: JsonFlag = False,
) -> None:
    """Turn a video platform's list of streams into [[camera]] tables, to be pasted into gewu.toml."""
    from gateway.camera import streams

    tables = streams.read(file)
    if json_output:
        print_json(tables)
    else:
        typer.echo(streams.as_toml(tables), nl=False)


@app.command()
def sign(
    card: Annotated[Path, typer.Argument(metavar="CARD.json", help="The card beside the model.")],
    key: Annotated[Path, typer.Option(metavar="KEY.pem", help="An Ed25519 private key without a passphrase.")],
    json_output: JsonFlag = False,
) -> None:
    """Sign a model of your own; the public key that is printed goes into vision.trusted."""
    from gateway.camera import shipment, trust

    try:
        private = trust.private_key(key.read_bytes())
        text = card.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}.") from None
    public = trust.public_half(private)
    signature = card.with_suffix(shipment.SUFFIX)
    signature.write_bytes(trust.sign(text, private))
    shipment.read(card, [public])
    if json_output:
        print_json({"signature": str(signature), "key": public})
    else:
        plain.print(f'{signature} written; in gewu.toml: [vision] trusted = ["{public}"]', markup=False)


@app.command()
def confirm(
    still: Annotated[str, typer.Argument(help="The still of an event, by its name in `gewu camera evidence list`.")],
    label: Annotated[str, typer.Option(help="What it really shows, one of the classes.")],
    who: Annotated[str, typer.Option(help="Who says so.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json_output: JsonFlag = False,
) -> None:
    """Put a still into the site's folder with its right label (reject a false alarm: --label normal)."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.camera import site
    from gateway.config import load

    row = site.confirm(load(config), still, label, who)
    if json_output:
        print_json(row)
    else:
        plain.print(f"{still} teaches {label}; {row['pictures']} pictures of this site so far.", markup=False)


@app.command()
def adapt(
    config: ConfigOption = DEFAULT_CONFIG,
    back: Annotated[bool, typer.Option("--back", help="Return to the head before this one.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Adapt the head to the confirmed pictures; taken only when better here and no worse elsewhere."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.camera import site
    from gateway.config import load

    read = load(config)
    if back:
        had = site.go_back(read)
        document: dict[str, Any] = {"head": "previous" if had else "shipped"}
        said = f"The {document['head']} head is back; it is used from the next start of the gateway."
    else:
        began = time.monotonic()
        document = {**site.adapt(read), "seconds": round(time.monotonic() - began, 1)}
        said = ("Taken: " if document["accepted"] else "Not taken: ") + str(document["why"]) + "."
    if json_output:
        print_json(document)
    else:
        plain.print(said, markup=False)
    if document.get("accepted") is False:
        raise typer.Exit(1)


@evidence_app.command(name="list")
def list_(config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """What is kept and until when, and the register of what was taken or deleted; exit 1 when that was altered."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.camera import site
    from gateway.config import load

    store = site.store_of(load(config))
    document = site.listed(store)
    if json_output:
        print_json(document)
        return
    table = Table("still", "bytes", "kept until")
    for still in document["stills"]:
        table.add_row(still["name"], str(still["bytes"]), still["kept_until"] or "as long as the time is not known")
    plain.print(table)
    plain.print(f"{len(document['register'])} rows in the register, unbroken.")


@evidence_app.command()
def take(
    still: Annotated[str, typer.Argument(help="The still's name.")],
    to: Annotated[Path, typer.Option(metavar="FILE.jpg", help="Where it goes.")],
    who: Annotated[str, typer.Option(help="Who takes it.")],
    why: Annotated[str, typer.Option(help="What for.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json_output: JsonFlag = False,
) -> None:
    """Copy a still out; the register notes who, when and why."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.camera import site
    from gateway.config import load

    if not who.strip() or not why.strip():
        raise ConfigurationError("--who and --why may not be empty: the register is kept for them.")
    to.write_bytes(site.store_of(load(config)).take(still, who, why))
    if json_output:
        print_json({"file": str(to), "who": who, "why": why})
    else:
        plain.print(f"{still} is in {to}.", markup=False)
