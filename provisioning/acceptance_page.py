"""The acceptance sheet as a page that prints on A4: Chinese and English, one file, nothing fetched from anywhere. Pure.

Every text from outside is escaped; the page has no script. Red is said in words as well, for many printers have none.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from provisioning.acceptance import is_uncalibrated
from provisioning.photos import Photo

_STYLE = """
@page { size: A4; margin: 14mm 12mm 16mm;
  @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt } }
* { box-sizing: border-box }
body { font: 9pt/1.35 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei",
  "DejaVu Sans", Arial, sans-serif; color: #111; margin: 0 auto; max-width: 186mm; padding: 4mm 0 }
h1 { font-size: 17pt; margin: 0 0 1mm } h2 { font-size: 12pt; margin: 6mm 0 2mm; border-bottom: .5pt solid #111;
  break-after: avoid } h3 { font-size: 10pt; margin: 0 0 1mm }
p { margin: 0 0 2mm }
table { border-collapse: collapse; width: 100% }
thead { display: table-header-group }
tr { break-inside: avoid }
th, td { border: .4pt solid #777; padding: .8mm 1.2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee; font-weight: 600 }
.all td, .all th { font-size: 8pt }
.key { white-space: nowrap; width: 1% }
.red { color: #b00000; font-weight: 600 }
.note { border: 1pt solid #111; padding: 2mm 3mm; margin: 3mm 0; break-inside: avoid }
.device { break-inside: avoid; border: .6pt solid #111; padding: 1.5mm 2.5mm; margin: 0 0 2.5mm; font-size: 8pt }
.facts { columns: 3; column-gap: 4mm; margin: 0; padding: 0; list-style: none }
.facts li { break-inside: avoid; overflow-wrap: anywhere } .facts b { font-weight: 400; color: #555 }
.photos { display: grid; grid-template-columns: 1fr 1fr; gap: 4mm }
figure { margin: 0; break-inside: avoid }
img { display: block; width: auto; height: auto; max-width: 100%; max-height: 100mm }
figcaption { font-size: 8pt }
.sign { break-inside: avoid } .sign td { height: 16mm; width: 25% }
.mono { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: 7.5pt; overflow-wrap: anywhere }
@media print { a { color: inherit; text-decoration: none } body { padding: 0 } }
"""
UPSTREAM_FIRST = (
    "本装置的电子部分仅为补充保护：每一回路上级须装经认证的断路器（MCB 或 RCBO），并按本装置不存在来选型。",
    "The electronics are supplementary: a certified MCB or RCBO stays upstream of every circuit, chosen as if this "
    "device did not exist. Tested against the points that the handbook names; no compliance is claimed.",
)
ROLES = {
    "installer": "安装 Installed by",
    "tester": "测试 Tested by",
    "second": "第二人 Second person",
    "customer": "接收 Accepted by",
}
_FIGURES = (
    ("voltage", "电压 Voltage", " V"), ("current", "电流 Current", " A"), ("power", "功率 Power", " W"),
    ("frequency", "频率 Frequency", " Hz"), ("residual", "剩余电流 Residual current", " A"),
    ("terminal_temperature", "端子温度 Terminal", " °C"), ("thermal", "热积累 Thermal memory", " %"),
    ("breaking_capacity", "分断能力 Breaking capacity", " A"), ("boot_count", "启动次数 Starts", ""),
)  # fmt: skip
_IMAGES = {0: "factory", 1: "a", 2: "b"}


def page(sheet: Mapping[str, Any], photos: Sequence[Photo], digest: str, fingerprint: str) -> str:
    """The page of `sheet`; `digest` is the SHA-256 of its JSON form, `fingerprint` that of the key that signs both."""
    title = f"验收单 Acceptance sheet {sheet['site']}"
    body = [
        f"<h1>{_e(title)}</h1>",
        _head(sheet),
        f'<div class="note"><p>{_e(UPSTREAM_FIRST[0])}</p><p>{_e(UPSTREAM_FIRST[1])}</p></div>',
        _findings(sheet["findings"]),
        "<h2>回路一览 Circuits</h2>",
        _circuits(sheet["devices"]),
        "<h2>逐台记录 Device by device</h2>",
        *map(_device, sheet["devices"]),
        _photos(photos),
        _signatures(sheet["people"]),
        "<h2>签名 Signature of the tool</h2>",
        f'<p>JSON SHA-256 <span class="mono">{digest}</span><br>Ed25519 <span class="mono">{_e(fingerprint)}</span><br>'
        "核对 Check: <span class=mono>gewu provision report --check FILE</span></p>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_e(title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _head(sheet: Mapping[str, Any]) -> str:
    devices = sheet["devices"]
    verified = sum(one["verified"] is not None and one["verified"]["ok"] for one in devices)
    tripped = sum(bool(one["trips"]) and one["trips"][-1]["ok"] for one in devices)
    rows = [
        ("地点 Site", _e(sheet["site"])),
        ("日期 Date", _e(_when(sheet["at"]))),
        ("计划 Plan", f"{_e(sheet['plan']['file'])} <span class=mono>{_e(sheet['plan']['sha256'])}</span>"),
        ("设备 Devices", f"{len(devices)}; 核验合格 verified well {verified}; 试跳合格 tripped well {tripped}"),
        *((ROLES.get(role, role), _e(name)) for role, name in sheet["people"].items()),
        ("工具 Tool", f"gewu {_e(sheet['tool'])}"),
    ]
    return (
        "<table>"
        + "".join(f'<tr><th class="key">{_e(name)}</th><td>{value}</td></tr>' for name, value in rows)
        + "</table>"
    )


def _findings(findings: Sequence[str]) -> str:
    head = f"<h2>问题 Findings ({len(findings)})</h2>"
    if not findings:
        return head + "<p>无 None.</p>"
    return head + '<ul class="red">' + "".join(f"<li>{_e(one)}</li>" for one in findings) + "</ul>"


def _circuits(devices: Sequence[Mapping[str, Any]]) -> str:
    names = (
        "编号 Id", "位置与回路 Place, circuit", "上级认证保护 Certified upstream", "额定 Rated", "地址 Addr.",
        "序列号 Serial", "V / A", "核验 Verified", "试跳 Trip",
    )  # fmt: skip
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in _circuit(one)) + "</tr>" for one in devices)
    return (
        '<table class="all"><thead><tr>' + "".join(f"<th>{_e(n)}</th>" for n in names) + f"</tr></thead>{rows}</table>"
    )


def _circuit(one: Mapping[str, Any]) -> tuple[str, ...]:
    verified = one["verified"]
    figures = verified["figures"] if verified else {}
    trip = one["trips"][-1] if one["trips"] else None
    upstream = _e(one["upstream"]) if one["upstream"] else _red("未填写 MISSING") if one["circuit"] else "-"
    return (
        _e(one["id"]) + (" " + _red("关键 critical") if one["critical"] else ""),
        _e(f"{one['place']} {one['circuit']}"),
        upstream,
        _e(_rated(one)),
        str(one["address"]),
        _e(one["serial"] or "-") + (f" ({_e(one['check'])})" if one["check"] else ""),
        f"{_number(figures.get('voltage'))} / {_number(figures.get('current'))}",
        "合格 ok" if verified and verified["ok"] else _red("不符 differs" if verified else "未核验 no"),
        "-" if trip is None else f"合格 ok {trip['opened_s']} s" if trip["ok"] else _red("不合格 failed"),
    )


def _device(one: Mapping[str, Any]) -> str:
    verified = one["verified"]
    facts = [
        ("上级认证保护 Certified upstream", one["upstream"] or (None if one["circuit"] else "-")),
        ("额定 Rated", _rated(one)),
        ("地址 Address", one["address"]),
        ("序列号 Serial", one["serial"]),
        ("芯片 Chip", one["chip"] or "-"),
        ("MicroPython", one["micropython"] or "-"),
        ("镜像 Image SHA-256", (one["image_sha256"] or "-")[:16]),
        ("设置校验 Settings", one["settings"] or "-"),
        ("调试完成 Commissioned", _when(one["commissioned"])),
        ("电表校准 Calibration", _calibration(one["calibration"])),
    ]
    if one["update"]:
        update = one["update"]
        facts.append(("升级 Update", f"{update['version']} {update['state']} {_when(update['at'])}"))
    if verified:
        figures = verified["figures"]
        release = f"{verified['release'] or '-'}, image {_IMAGES.get(figures.get('image'), '-')}"
        facts += [("核验 Verified", _when(verified["at"])), ("固件 Firmware", release)]
        facts += [(title, f"{_number(figures[n])}{unit}") for n, title, unit in _FIGURES if n in figures]
        if verified["not_met"]:
            facts.append(
                ("由上级装置承担 Left to the upstream device", ", ".join(verified["not_met"]).replace("_", " "))
            )
    head = f"<h3>{_e(one['id'])}  {_e(one['place'])}  {_e(one['circuit'])}</h3>"
    items = "".join(f"<li><b>{_e(name)}</b> {_value(value)}</li>" for name, value in facts)
    return f'<div class="device">{head}<ul class="facts">{items}</ul>{_marks(one)}</div>'


def _marks(one: Mapping[str, Any]) -> str:
    """What is wrong with it, and its test trips."""
    found = [] if one["verified"] is None else [_red(text) for text in one["verified"]["differences"]]
    if is_uncalibrated(one["calibration"]) and one["commissioned"]:
        found.append(_red("电表未校准，不得用于计费 Not calibrated: do not bill by it"))
    for trip in one["trips"]:
        who = " + ".join(_e(name) for name in (trip["by"], trip["second"]) if name)
        what = f"试跳 Test trip {_e(_when(trip['at']))}, {who}: "
        if trip["ok"]:
            found.append(f"{what}{trip['opened_s']} s, {_number(trip['before_a'])} A → {_number(trip['after_a'])} A")
        else:
            found.append(what + _red(trip["why"]))
    return "".join(f"<div>{text}</div>" for text in found)


def _photos(photos: Sequence[Photo]) -> str:
    if not photos:
        return ""
    figures = "".join(
        f'<figure><img alt="{_e(one.caption)}" width="{one.width}" height="{one.height}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(one.data).decode()}">'
        f"<figcaption>{_e(one.caption)}</figcaption></figure>"
        for one in photos
    )
    return f'<h2>照片 Photos</h2><div class="photos">{figures}</div>'


def _signatures(people: Mapping[str, str]) -> str:
    fields = ("姓名 Name", "签字 Signature", "日期 Date")
    head = "".join(f"<th>{_e(name)}</th>" for name in ("", *fields))
    shown = [role for role in ROLES if role != "second" or role in people]
    rows = "".join(
        f"<tr><th>{_e(ROLES[role])}</th><td>{_e(people.get(role, ''))}</td><td></td><td></td></tr>" for role in shown
    )
    return f'<div class="sign"><h2>签字 Signatures</h2><table><thead><tr>{head}</tr></thead>{rows}</table></div>'


def _rated(one: Mapping[str, Any]) -> str:
    rated = f"{one['curve'] or ''}{one['rating']} A" if one["rating"] else "-"
    return rated + (f" {one['residual']} mA" if one["residual"] else "")


def _calibration(record: Any) -> str | None:
    if isinstance(record, Mapping):
        return ", ".join(f"{name} {value}" for name, value in record.items())
    return None if record is None else str(record)


def _when(moment: str | None) -> str | None:
    """2026-11-22T03:00:00.000Z as people write it; None stays None."""
    return None if moment is None else f"{moment[:10]} {moment[11:16]} UTC"


def _value(value: object) -> str:
    return _red("缺 missing") if value is None or value == "" else _e(value)


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else _e(value)


def _red(text: object) -> str:
    return f'<span class="red">{_e(text)}</span>'


def _e(value: object) -> str:
    return escape(str(value))
