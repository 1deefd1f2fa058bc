"""The run as JUnit XML, for machines that collect test results. Pure.

FAIL is a failure, SETUP-ERROR an error, NOT-RUN skipped: nothing that did not run is ever a pass there.
"""

import re
from typing import Any
from xml.etree import ElementTree as Xml

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS = {"FAIL": "failure", "SETUP-ERROR": "error", "NOT-RUN": "skipped"}


def junit(body: dict[str, Any]) -> bytes:
    """The document (see `report.document`) as one `testsuites` element."""
    root = Xml.Element("testsuites", {"name": "gewu hil"} | _counts(body["tests"]))
    names = list(dict.fromkeys(test["suite"] for test in body["tests"]))
    for name in names:
        tests = [test for test in body["tests"] if test["suite"] == name]
        suite = Xml.SubElement(root, "testsuite", {"name": name, "timestamp": body["began"]} | _counts(tests))
        properties = Xml.SubElement(suite, "properties")
        for key in ("sha256", "began", "ended"):
            Xml.SubElement(properties, "property", name=key, value=str(body[key]))
        for test in tests:
            _case(suite, test)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: Xml.Element, test: dict[str, Any]) -> None:
    case = Xml.SubElement(
        suite, "testcase", classname=test["suite"], name=_clean(test["id"]), time=f"{test['seconds']:.3f}"
    )
    element = _ELEMENTS.get(test["verdict"])
    if element is None:
        return
    told = Xml.SubElement(case, element, message=_clean(test["reason"] or test["came"] or test["verdict"]))
    lines = [f"{key}: {test[key]}" for key in ("expected", "came", "step") if test[key]]
    told.text = _clean("\n".join([*lines, *test["trace"], *test["also"]]))


def _counts(tests: list[dict[str, Any]]) -> dict[str, str]:
    of = [test["verdict"] for test in tests]
    return {
        "tests": str(len(of)),
        "failures": str(of.count("FAIL")),
        "errors": str(of.count("SETUP-ERROR")),
        "skipped": str(of.count("NOT-RUN")),
        "time": f"{sum(test['seconds'] for test in tests):.3f}",
    }


def _clean(text: str) -> str:
    """XML knows no control characters."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
