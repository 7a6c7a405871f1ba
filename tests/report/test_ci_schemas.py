"""What CI reads holds to the formats' own rules, written down here for the parts that are used.

Sources: OASIS SARIF 2.1.0 (errata 01), sections 3.13 to 3.52: the properties that an object may
have, those it must have, and their values; the JUnit schema of the Jenkins xUnit plugin
(``junit-10.xsd``): elements, their order, their attributes.
"""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, settings

from audit_flow.report import render
from tests.report import builders
from tests.report.hostile import any_text, audit_named
from tests.report.test_ci_formats import hostile

TEXT: dict[str, Any] = {"type": "string"}
URI = {"type": "string", "format": "uri-reference", "minLength": 1}
BAG = {"type": "object", "properties": {"tags": {"type": "array", "items": TEXT}}}


def of(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that may have these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": {**properties, "properties": BAG},
    }


def many(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **more}


MESSAGE = {**of(text=TEXT, markdown=TEXT, id=TEXT, arguments=many(TEXT)), "minProperties": 1}
MULTIFORMAT = of("text", text=TEXT, markdown=TEXT)
LOCATION = of(
    physicalLocation=of(
        artifactLocation=of(uri=URI, uriBaseId=TEXT, index={"type": "integer", "minimum": -1}),
        region=of(
            startLine={"type": "integer", "minimum": 1},
            startColumn={"type": "integer", "minimum": 1},
        ),
    ),
    message=MESSAGE,
)
SUPPRESSION = of(
    "kind",
    kind={"enum": ["inSource", "external"]},
    status={"enum": ["accepted", "underReview", "rejected"]},
    justification=TEXT,
)
RESULT = of(
    "message",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level={"enum": ["none", "note", "warning", "error"]},
    message=MESSAGE,
    locations=many(LOCATION),
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    suppressions=many(SUPPRESSION, uniqueItems=True),
)
RULE = of(
    "id", id=TEXT, name=TEXT, shortDescription=MULTIFORMAT, fullDescription=MULTIFORMAT,
    help=MULTIFORMAT, helpUri={"type": "string", "format": "uri"},
)  # fmt: skip
RUN = of(
    "tool",
    tool=of("driver", driver=of("name", name=TEXT, version=TEXT, informationUri=URI,
                                rules=many(RULE, uniqueItems=True))),
    invocations=many(of("executionSuccessful", executionSuccessful={"type": "boolean"},
                        exitCode={"type": "integer"}), uniqueItems=True),
    automationDetails=of(id=TEXT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=many(RESULT),
)  # fmt: skip
LOG = {
    **of("version runs", version={"const": "2.1.0"}, runs=many(RUN)),
    "$schema": "https://json-schema.org/draft/2020-12/schema",
}
LOG["properties"]["$schema"] = URI
SARIF = jsonschema.Draft202012Validator(LOG)

# Each element: its attributes (with * where one is required), and what may stand in it, in order.
JUNIT: dict[str, tuple[str, str]] = {
    "testsuites": ("name time tests failures disabled errors skipped", "testsuite"),
    "testsuite": (
        "name* tests failures errors skipped time timestamp hostname id package",
        "properties testcase system-out system-err",
    ),
    "properties": ("", "property"),
    "property": ("name* value*", ""),
    "testcase": (
        "name* classname assertions time status",
        "skipped error failure system-out system-err",
    ),
    "failure": ("type message", ""),
    "error": ("type message", ""),
    "skipped": ("message", ""),
    "system-out": ("", ""),
}


def faults(element: ElementTree.Element) -> list[str]:
    """Return how an element and all in it break the schema."""
    attributes, inner = (text.split() for text in JUNIT[element.tag])
    allowed = {a.rstrip("*") for a in attributes}
    found = [f"{element.tag}: {a}" for a in element.attrib if a not in allowed]
    found += [f"no {a}" for a in attributes if a[-1] == "*" and a[:-1] not in element.attrib]
    names = [child.tag for child in element]
    found += [f"{n} in {element.tag}" for n in names if n not in inner]
    if not found and element.tag != "testcase":
        found += ["order"] * (names != sorted(names, key=inner.index))
    return found + [fault for child in element if child.tag in JUNIT for fault in faults(child)]


@pytest.mark.parametrize("audit", sorted(builders.ALL))
def test_every_audit_holds_to_the_formats(audit: str) -> None:
    result = builders.ALL[audit]()
    SARIF.validate(json.loads(render("sarif", result)))
    assert faults(ElementTree.fromstring(render("junit", result))) == []


@settings(deadline=None)
@given(hostile)
def test_no_text_breaks_the_formats(result: Any) -> None:
    SARIF.validate(json.loads(render("sarif", result)))
    assert faults(ElementTree.fromstring(render("junit", result))) == []


@settings(deadline=None)
@given(any_text)
def test_no_name_breaks_the_formats(text: str) -> None:
    result = audit_named(text)
    SARIF.validate(json.loads(render("sarif", result)))
    assert faults(ElementTree.fromstring(render("junit", result))) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.update(version="2.0.0"),
        lambda log: log["runs"][0].pop("tool"),
        lambda log: log["runs"][0]["results"][0].update(level="fatal"),
        lambda log: log["runs"][0]["results"][0].update(severity="high"),
        lambda log: log["runs"][0]["results"][0].pop("message"),
    ],
)
def test_a_log_that_is_none_is_found(change: Any) -> None:
    log = json.loads(render("sarif", builders.ALL["failed"]()))
    change(log)
    assert not SARIF.is_valid(log)


@pytest.mark.parametrize(
    ("old", "new"),
    [(' name="', ' title="'), ("<properties>", "<settings/><properties>"), ("failure", "fault")],
)
def test_a_report_that_is_none_is_found(old: str, new: str) -> None:
    text = render("junit", builders.ALL["failed"]())
    top = ElementTree.fromstring(text.replace(old, new))
    assert faults(top)
