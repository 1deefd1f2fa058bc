"""A patrol's report: one HTML file with its pictures inside, in Chinese and English. Pure."""

import base64
from collections.abc import Sequence
from html import escape

from gateway.camera.still import encoded
from gateway.camera.tour import Stop

CHINESE = {
    "fire_smoke": "烟火",
    "rubbish": "暴露垃圾",
    "flood": "路面积水",
    "road_damage": "道路破损",
    "normal": "正常",
    "unsure": "无法判定",
}
_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:70em}img{max-width:28em;display:block}"
    "td,th{padding:.5em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}.bad{background:#fde8e8}"
)


def page(name: str, at: str, stops: Sequence[Stop]) -> str:
    """The whole page; nothing in it is loaded from elsewhere."""
    findings = sum(stop.finding is not None for stop in stops)
    rows = "\n".join(_row(number, stop) for number, stop in enumerate(stops, 1))
    return f"""<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>{escape(name)}</title><style>{_STYLE}</style></head><body>
<h1>轮巡报告 Patrol report: {escape(name)}</h1>
<p>{escape(at)} · 点位 stops {len(stops)} · 发现问题 findings {findings}</p>
<p>图像已作人脸与车牌模糊处理;机器判断仅供人工核实。Faces and number plates are blurred; a machine's label is
a suggestion for a person to check.</p>
<table><tr><th>#</th><th>点位 camera</th><th>地点 place</th><th>结果 result</th><th>图像 picture</th></tr>
{rows}
</table></body></html>
"""


def _row(number: int, stop: Stop) -> str:
    picture = "无图像 no picture"
    if stop.image is not None:
        data = base64.b64encode(encoded(stop.image)).decode()
        picture = f'<img alt="{escape(stop.camera)}" src="data:image/jpeg;base64,{data}">'
    shade = ' class="bad"' if stop.finding else ""
    return (
        f"<tr{shade}><td>{number}</td><td>{escape(stop.camera)}{_preset(stop)}</td><td>{escape(stop.place)}</td>"
        f"<td>{escape(_result(stop))}</td><td>{picture}</td></tr>"
    )


def _preset(stop: Stop) -> str:
    return f"<br>预置位 preset: {escape(stop.preset)}" if stop.preset else ""


def _result(stop: Stop) -> str:
    if stop.sight is None:
        return f"无法访问 unreachable: {stop.finding}"
    turned = f" · 云台 head: {stop.note}" if stop.note else ""
    if stop.sight["blind"]:
        return f"失明 {stop.finding}"
    label = str(stop.sight["label"] or "normal")
    score = stop.sight["score"]
    shown = f"{CHINESE.get(label, '')} {label}"
    return (f"{shown} {score:.2f}" if score is not None else shown) + turned
