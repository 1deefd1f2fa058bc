"""The paper: one HTML page in Chinese and English that prints on A4. Pure: the run's document in, text out.

It loads nothing from anywhere, so that it reads the same in ten years; pictures are part of it.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from hil_tests.curve import limits
from hil_tests.curve import picture as curve_picture
from hil_tests.hil.histogram import draw, percentiles

_STYLE = """
@page { size: A4; margin: 16mm 14mm 18mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.4 "Noto Sans", "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC",
  "WenQuanYi Micro Hei", sans-serif; color: #111; max-width: 182mm; margin: 8mm auto; }
h1 { font-size: 17pt; margin: 0 0 2mm; } h2 { font-size: 12.5pt; margin: 7mm 0 2mm; border-bottom: 1px solid #888; }
h1, h2, h3 { break-after: avoid; } h3 { font-size: 10.5pt; margin: 4mm 0 1mm; }
table { border-collapse: collapse; width: 100%; margin: 1mm 0 3mm; } thead { display: table-header-group; }
th, td { border: 1px solid #bbb; padding: .7mm 1.6mm; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #f0f0f0; font-weight: 600; } td.n, th.n { text-align: right; white-space: nowrap; }
tr, .case, figure { break-inside: avoid; } .zh { color: #333; } small, .small { font-size: 8.5pt; color: #444; }
.v { font-weight: 700; white-space: nowrap; } .PASS, .met { color: #176617; } .FAIL, .missed { color: #b00020; }
.SETUP-ERROR, .undecided { color: #9a5b00; } .NOT-RUN { color: #555; }
.big { font-size: 15pt; padding: 2mm 4mm; border: 2px solid currentColor; display: inline-block; margin: 2mm 0; }
.case { border: 1px solid #bbb; border-left: 4px solid #b00020; padding: 2mm 3mm; margin: 2mm 0; }
.case.SETUP-ERROR { border-left-color: #9a5b00; } .case.FAIL, .case.SETUP-ERROR { color: #111; }
.trips { font-size: 8.5pt; } .trips td:first-child, .trips th:first-child { white-space: nowrap; }
pre { font: 7.5pt/1.3 monospace; background: #f6f6f6; padding: 1.5mm; white-space: pre-wrap; overflow-wrap: anywhere;
  margin: 1mm 0; } figure { margin: 2mm 0; }
svg { display: block; width: 100%; max-height: 108mm; border: 1px solid #ddd; }
.sign td { height: 16mm; } .hash { font: 7.5pt monospace; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } }
"""
_VERDICTS = {"PASS": "通过", "FAIL": "不合格", "SETUP-ERROR": "台架故障", "NOT-RUN": "未执行"}
_SUITES = {
    "identity": ("Identity and wiring", "身份与接线"),
    "modbus": ("Modbus conformance", "Modbus 一致性"),
    "protection": ("Protection", "保护"),
    "alarms": ("Alarms", "报警"),
    "metering": ("Metering accuracy", "计量准确度"),
    "journal": ("Journal and clock", "事件日志与时钟"),
    "authority": ("Authority", "命令授权"),
    "update": ("Update and rollback", "升级与回退"),
    "power": ("Power cut", "断电"),
    "traffic": ("Bus under load", "总线负载"),
    "path": ("End to end", "端到端"),
    "gateway": ("Gateway faults", "网关故障"),
    "store": ("The gateway's store", "网关存储"),
    "camera": ("Camera", "摄像头"),
}
_KINDS = {"virtual": "虚拟台架", "desk": "工作台", "site": "现场"}
_QUANTITIES = {"amps": "A", "volts": "V", "residual": "A IΔ", "celsius": "°C"}
# Word and colour of each judgement; "not met": out of the fitted hardware's reach, as the board itself says.
_JUDGED = {
    "met": ("met 符合", "met"),
    "missed": ("missed 不符合", "missed"),
    "undecided": ("undecided 无法判定", "undecided"),
    "not met": ("NOT MET 不满足", "missed"),
}


def page(body: dict[str, Any]) -> str:
    """The whole page of a document (see `report.document`)."""
    parts = [
        _head(body),
        _summary(body),
        _findings(body["tests"]),
        _bench(body),
        _curves(body),
        _trips(body["trips"]),
        _accuracy(body["accuracy"]),
        _latencies(body["latencies"]),
        _not_run(body["tests"]),
        _all(body["tests"]),
        _signatures(body),
    ]
    title = escape(f"Gewu HIL {body['bench']['name']} {body['began'][:10]}")
    return (
        '<!doctype html>\n<html lang="zh"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(filter(None, parts)) + "\n"
        "</body></html>\n"
    )


def _head(body: dict[str, Any]) -> str:
    counts = body["verdicts"]
    worst = next((name for name in ("FAIL", "SETUP-ERROR", "PASS") if counts[name]), "NOT-RUN")
    scope = "smoke 快速" if body["smoke"] else "full 全套"
    kind = body["bench"]["kind"]
    return (
        "<h1>格物 硬件在环测试报告<br><small>Gewu hardware-in-the-loop report</small></h1>"
        f'<div class="big v {worst}">{worst} {_VERDICTS[worst]}</div>'
        f"<p>{escape(body['bench']['name'])} · {kind} {_KINDS[kind]} · {scope}<br>"
        f"{escape(body['began'])} – {escape(body['ended'])} (UTC)</p>"
        '<p class="small">Points of standards are tested as this page names them; this is no claim of compliance. '
        "本页所列标准条款仅为测试项目，不构成合规声明。"
        "NOT-RUN and SETUP-ERROR are never a pass. 未执行与台架故障均不算通过。</p>"
    )


def _summary(body: dict[str, Any]) -> str:
    rows = []
    for name in dict.fromkeys(test["suite"] for test in body["tests"]):
        of = [test["verdict"] for test in body["tests"] if test["suite"] == name]
        rows.append([_suite(name), *(_count(verdict, of.count(verdict)) for verdict in _VERDICTS)])
    total = body["verdicts"]
    rows.append(["<b>Total 合计</b>", *(_count(verdict, total[verdict]) for verdict in _VERDICTS)])
    heads = ["Suite 项目", *(f"{verdict}<br>{zh}" for verdict, zh in _VERDICTS.items())]
    return "<h2>Summary 汇总</h2>" + _table(heads, rows)


def _count(verdict: str, count: int) -> str:
    return f'<span class="v {verdict}">{count}</span>' if count else "0"


def _findings(tests: Sequence[dict[str, Any]]) -> str:
    bad = [test for test in tests if test["verdict"] in ("FAIL", "SETUP-ERROR")]
    if not bad:
        return ""
    return "<h2>What is wrong, and what to do 问题与处理</h2>" + "".join(_finding(test) for test in bad)


def _finding(test: dict[str, Any]) -> str:
    pairs = [
        ("Expected 应为", test["expected"]),
        ("Came 实为", test["came"] or _both(test["reason"], test["reason_zh"])),
        ("Next step 下一步", _both(test["step"], test["step_zh"])),
        ("Then also 随后", "; ".join(test["also"])),
    ]
    lines = "".join(f"<div><b>{name}:</b> {escape(text)}</div>" for name, text in pairs if text)
    trace = f"<pre>{escape(chr(10).join(test['trace']))}</pre>" if test["trace"] else ""
    return (
        f'<div class="case {test["verdict"]}"><h3>{_verdict(test["verdict"])} '
        f"{escape(_both(test['title'], test['title_zh']))} · {escape(test['device'] or '-')}</h3>{lines}{trace}</div>"
    )


def _bench(body: dict[str, Any]) -> str:
    bench = body["bench"]
    devices = [
        [
            device["id"], f"{device['bus']} {device['baud']}", device["address"], device["profile"],
            body["serials"].get(device["id"], "-"), body["versions"].get(device["id"], "-"),
            f"{device['rating']} A {device['curve']}" if device["profile"].endswith("breaker") else "-",
        ]
        for device in bench["devices"]
    ]  # fmt: skip
    instruments = [
        [one["use"], f"{one.get('maker', '')} {one.get('model', '')}".strip(), one.get("serial", "-"),
         one.get("uncertainty", "-")]
        for one in bench["instruments"]
    ]  # fmt: skip
    software = body["software"]
    heads = ["Device 装置", "Bus 总线", "Address 地址", "Profile 档案", "Serial 序列号", "Firmware 固件", "Rating 额定"]
    return (
        "<h2>Devices, instruments, software 装置、仪器、软件</h2>"
        + _table(heads, _escaped(devices))
        + _table(["Use 用途", "Instrument 仪器", "Serial 序列号", "Uncertainty 不确定度"], _escaped(instruments))
        + f"<p>gewu {escape(software['gewu'])}, Python {escape(software['python'])}, {escape(software['machine'])}<br>"
        f"Allowed 允许: {escape(', '.join(bench['allowed']) or 'reading only 仅读取')}</p>"
        + "".join(f'<div class="small">{escape(note)}</div>' for note in body["notes"])
    )


def _curves(body: dict[str, Any]) -> str:
    figures = "".join(f"<figure>{_curve(device, body)}</figure>" for device in body["bench"]["devices"])
    drawn = figures.replace("<figure></figure>", "")
    return f"<h2>Trip curves 脱扣曲线</h2>{drawn}" if drawn else ""


def _curve(device: dict[str, Any], body: dict[str, Any]) -> str:
    """The band of the standard with all that was measured of this device; empty when nothing was."""
    points = [(x, seconds) for x, seconds in body["curves"].get(device["id"], ())]
    measured = [
        (row["multiple"], row["seconds"])
        for row in body["trips"]
        if row["device"] == device["id"] and row["quantity"] == "amps" and row["seconds"] is not None
    ]
    if not points and not measured:
        return ""
    title = f"{device['id']}: {device['rating']} A, curve {device['curve']} 曲线 (○ measured 实测)"
    band = limits.overcurrent(device["rating"], device["curve"])
    return curve_picture.draw(title, "I / In", points, band, measured=measured)


def _trips(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    heads = [
        "Device<br>装置", "Point<br>项目", "Injected<br>注入", "Trip time<br>脱扣时间", "Limits<br>限值",
        "Board's own<br>装置自记", "Result<br>结论", "By, provenance<br>来源",
    ]  # fmt: skip
    cells = [
        [
            row["device"],
            f"{row['element']}, {row['point']}",
            f"{_plus(row['value'], row['value_uncertainty'])} {_QUANTITIES[row['quantity']]}",
            "no trip 未脱扣" if row["seconds"] is None else f"{_plus(row['seconds'], row['uncertainty_s'])} s",
            _limits(row),
            "-" if row["board_s"] is None else f"{row['board_s']:.3g} s",
            _judged(row["judgement"]),
            f"{row['instrument']}{'' if row['real_time'] else ' (virtual time 虚拟时间)'}; {row['provenance']}",
        ]
        for row in rows
    ]
    return "<h2>Trip times 脱扣时间</h2>" + _table(heads, _escaped(cells), "trips")


def _limits(row: dict[str, Any]) -> str:
    if row["longest"] is None:
        return f"no trip within {row['lowest']:g} s"
    return f"{row['lowest']:g} – {row['longest']:g} s"


def _plus(value: float, uncertainty: float) -> str:
    return f"{value:.4g} ± {uncertainty:.2g}" if uncertainty else f"{value:.4g}"


def _accuracy(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    heads = ["Device 装置", "Quantity 量", "Reference 标准", "Measured 实测", "Allowed 允许差", "Result 结论"]
    cells = [
        [
            row["device"],
            row["quantity"],
            f"{_plus(row['reference'], row['uncertainty'])} {row['unit']}",
            f"{row['measured']:.4g} {row['unit']}",
            f"± {row['limit']:.3g} {row['unit']}",
            _judged(row["judgement"]),
        ]
        for row in rows
    ]
    return "<h2>Metering accuracy 计量准确度</h2>" + _table(heads, _escaped(cells))


def _latencies(rows: Sequence[dict[str, Any]]) -> str:
    parts = []
    for row in rows:
        if not row["milliseconds"]:
            continue
        figures = ", ".join(f"{name} {value:.2f} ms" for name, value in percentiles(row["milliseconds"]).items())
        about = f"{row['bus']}, {row['baud']} baud: {len(row['milliseconds'])} answers, {row['errors']} errors"
        parts.append(f"<figure>{draw(about, row['milliseconds'])}<figcaption>{figures}</figcaption></figure>")
    if not parts:
        return ""
    return (
        "<h2>Time to answer 应答时间</h2>"
        '<p class="small">From the end of the request to the first byte of the answer. 自请求结束至应答首字节。</p>'
        + "".join(parts)
    )


def _not_run(tests: Sequence[dict[str, Any]]) -> str:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        if test["verdict"] == "NOT-RUN":
            name = f"{test['title']} [{test['device'] or '-'}]"
            by_reason.setdefault((test["reason"] or "-", test["reason_zh"] or "-"), []).append(name)
    if not by_reason:
        return ""
    rows = [[_both(*reason), "; ".join(names)] for reason, names in by_reason.items()]
    return "<h2>Not run, and why 未执行及原因</h2>" + _table(["Reason 原因", "Tests 项目"], _escaped(rows))


def _all(tests: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            _suite(test["suite"]),
            f'{escape(test["title"])}<br><span class="zh">{escape(test["title_zh"])}</span>',
            escape(test["device"] or "-"),
            _verdict(test["verdict"]),
            f"{test['seconds']:.1f} s",
        ]
        for test in tests
    ]
    return "<h2>All tests 全部项目</h2>" + _table(
        ["Suite 项目", "Test 测试", "On 对象", "Verdict 结论", "Took 用时"], rows
    )


def _signatures(body: dict[str, Any]) -> str:
    people = body["people"]
    rows = [
        ["Technician 测试人", escape(people["technician"]), "", ""],
        ["Second person 第二人", escape(people["second"]), "", ""],
        ["For the owner 业主", "", "", ""],
    ]
    heads = ["", "Name 姓名", "Date 日期", "Signature 签名"]
    return (
        "<h2>Signatures 签名</h2>"
        + _table(heads, rows, "sign")
        + f'<p class="hash">SHA-256 {escape(body["sha256"])}<br>gewu hil --check DIR</p>'
    )


def _judged(judgement: str) -> "_Raw":
    word, colour = _JUDGED[judgement]
    return _Raw(f'<span class="v {colour}">{word}</span>')


class _Raw(str):
    """HTML already."""


def _escaped(rows: Iterable[Iterable[Any]]) -> list[list[str]]:
    return [[cell if isinstance(cell, _Raw) else escape(str(cell)) for cell in row] for row in rows]


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _suite(name: str) -> str:
    return escape(" ".join(_SUITES.get(name, (name, ""))).strip())


def _verdict(verdict: str) -> str:
    return f'<span class="v {verdict}">{verdict} {_VERDICTS[verdict]}</span>'


def _both(english: str | None, chinese: str | None) -> str:
    return " / ".join(dict.fromkeys(filter(None, (english, chinese))))
