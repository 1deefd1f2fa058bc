"""`gewu hil`: the hardware-in-the-loop suite on a virtual bench, a desk or an installed site."""

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from hil_tests.hil.bench_file import BenchFile

_BAD = ("FAIL", "SETUP-ERROR")


def hil(
    virtual: Annotated[bool, typer.Option("--virtual", help="A bench of virtual boards, started here.")] = False,
    bench: Annotated[Path | None, typer.Option("--bench", metavar="FILE.toml", help="The bench (docs/hil.md).")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The quick suite: at most a minute.")] = False,
    suite: Annotated[list[str] | None, typer.Option("--suite", help="Only this suite, such as modbus.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Gets report.html, junit.xml and report.json.")
    ] = None,
    serve: Annotated[
        Path | None,
        typer.Option("--serve", metavar="FILE.toml", help="Offer the bench over socket://, written to FILE; test not."),
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="DIR", help="Is the report in DIR as it was handed over?")
    ] = None,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Break the product on purpose: does the suite turn red?")
    ] = False,
    json_output: JsonFlag = False,
) -> None:
    """Prove boards, buses and a gateway; ends with 1 on FAIL or SETUP-ERROR, and hands over a paper (docs/hil.md)."""
    if sum((virtual, bench is not None, check is not None, selftest)) != 1:
        raise ConfigurationError("`gewu hil` takes one of --virtual, --bench FILE.toml, --selftest and --check DIR.")
    if check is not None:
        _check(check, json_output)
        return
    if missing := [name for name in ("pytest", "apsw") if find_spec(name) is None]:
        raise ConfigurationError(f"`gewu hil` needs {' and '.join(missing)}: pip install 'gewu-edge[hil]'.")
    if selftest:
        _selftest(json_output)
        return
    from hil_tests.hil import bench_file
    from hil_tests.hil import virtual as virtual_bench

    chosen = virtual_bench.shipped(smoke) if virtual else bench_file.read_bench(bench or Path())
    if serve is not None:
        _serve(chosen, serve, json_output)
        return
    _run(chosen, smoke, suite or [], report, json_output)


def _opened(chosen: "BenchFile", over_tcp: bool = False) -> "AbstractContextManager[BenchFile]":
    """A virtual bench that is not up yet is brought up; every other stands already."""
    from hil_tests.hil.virtual import up

    return up(chosen, over_tcp) if chosen.bench.kind == "virtual" and not chosen.rig else nullcontext(chosen)


def _run(chosen: "BenchFile", smoke: bool, suites: list[str], folder: Path | None, json_output: bool) -> None:
    import signal
    import time

    from hil_tests.hil import report as paper
    from hil_tests.hil import session
    from hil_tests.hil.progress import Progress
    from hil_tests.hil.verdict import counted

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every child ends in order
    plan = session.Plan(smoke=smoke, suites=suites)
    if wrong := sorted(set(suites) - set(session.suites(plan))):
        raise ConfigurationError(f"--suite {wrong[0]}: there are {', '.join(session.suites(plan))}.")
    began = time.time()
    say("the bench comes up")
    with _opened(chosen) as opened, Progress(asks=chosen.people.present) as progress:
        results = session.run(opened, plan, progress.told)
        document = paper.document(opened, results, began, time.time(), smoke)
    if folder is not None:
        paper.write(document, folder)
    counts = counted(results)
    if json_output:
        print_json({"verdicts": counts, "tests": document["tests"], "sha256": document["sha256"]})
    else:
        _show(results, counts, folder)
    if any(counts[verdict] for verdict in _BAD):
        raise typer.Exit(1)


def _show(results: list[Any], counts: dict[str, int], folder: Path | None) -> None:
    lines: list[str] = []
    for one in results:
        if one.verdict in _BAD:
            lines += [
                f"{one.verdict}  {one.title.en} [{one.device or '-'}]",
                f"  expected: {one.expected or '-'}",
                f"  came:     {one.came or one.reason}",
                *(f"    {line}" for line in one.trace[-12:]),
                f"  next:     {one.step or '-'}",
            ]
    for reason in sorted({str(one.reason) for one in results if one.verdict == "NOT-RUN"}):
        count = sum(one.verdict == "NOT-RUN" and str(one.reason) == reason for one in results)
        lines.append(f"NOT-RUN  {count}: {reason}")
    lines.append(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if folder is not None:
        lines.append(f"report in {folder}")
    for line in lines:
        plain.print(line, markup=False)


def _serve(chosen: "BenchFile", file: Path, json_output: bool) -> None:
    """Until Ctrl-C or SIGTERM."""
    import signal
    import sys
    import threading

    from hil_tests.hil.bench_file import write_bench

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with _opened(chosen, over_tcp=True) as opened:
        write_bench(opened, file)
        if json_output:
            print_json({"bench": str(file), "buses": {bus.name: bus.port for bus in opened.bus}})
        else:
            plain.print(f"the bench is up: gewu hil --bench {file}")
        sys.stdout.flush()  # whoever started it waits for this
        while not ended.wait(1.0):
            pass


def _check(folder: Path, json_output: bool) -> None:
    from hil_tests.hil import report as paper

    troubles = paper.check(folder)
    if json_output:
        print_json({"ok": not troubles, "troubles": troubles})
    for trouble in troubles:
        say(trouble)
    if not troubles and not json_output:
        plain.print(f"the report in {folder} is as it was handed over.")
    if troubles:
        raise typer.Exit(1)


def _selftest(json_output: bool) -> None:
    """Each mutant is one test: PASS when its check was red on it and green on sound code."""
    import msgspec

    from hil_tests.selftest.run import run as try_mutants

    rows = try_mutants(say)
    survivors = sum(not row.caught for row in rows)
    if json_output:
        counts = {"PASS": len(rows) - survivors, "FAIL": survivors, "SETUP-ERROR": 0, "NOT-RUN": 0}
        print_json({"verdicts": counts, "tests": [msgspec.to_builtins(row) for row in rows]})
    else:
        _show_mutants(rows)
    if survivors:
        raise typer.Exit(1)


def _show_mutants(rows: list[Any]) -> None:
    for row in rows:
        verdict = "caught    " if row.caught else "NOT CAUGHT"
        plain.print(f"{verdict}  {row.mutation}: {row.says} ({row.file})")
        plain.print(f"            by {row.check}: {row.sound} on sound code, {row.mutant} on the mutant: {row.came}")
