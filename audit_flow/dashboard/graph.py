"""The lineage as a drawing: nodes in five columns, edges with their digests, gaps dashed.

What is missing is amber; red is what something contradicts.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from audit_flow.model import Finding, Gap, LineageRecord, Link, Signature, Verdict
from audit_flow.report.reading import worst

COLUMNS = ("Data and settings", "Training", "Weights", "Evaluations", "Claims")
_MOST = 30
_WIDE, _HIGH, _DOWN, _ACROSS, _TOP = 196, 52, 18, 118, 40
_COLUMN = {
    "dataset": 0, "file": 0, "training-config": 0, "base-candidate": 0, "folder-change": 0,
    "gpu-job": 1, "stage": 1, "checkpoints": 1, "weights": 2, "eval-run": 3,
    "score": 4, "base-model": 4, "checksum": 4, "training": 4, "statement": 4,
}  # fmt: skip
_CLAIMS = {"score", "base-model", "checksum", "training", "statement"}
_ALWAYS = {"dataset", "gpu-job", "weights", "eval-run", "stage"} | _CLAIMS
_GAP_COLUMN = {"datasets": 0, "base-model": 0, "training": 1, "pipeline": 1, "weights": 2,
               "evaluations": 3}  # fmt: skip
# What fits into a box, in px, and how wide the letters of its two sizes are at most.
_INNER = _WIDE - 12
_NAME_PX, _DETAIL_PX = 12.0, 10.5


@dataclass(frozen=True)
class Node:
    """A box: what it is, where it stands (px), and the page that it opens."""

    key: str
    kind: str
    title: str
    detail: str
    href: str
    column: int
    tone: str
    sign: str = ""
    x: int = 0
    y: int = 0

    @property
    def shown(self) -> str:
        """The title as far as it fits, its end kept."""
        if _width(self.title, _NAME_PX) <= _INNER:
            return self.title
        head = _fitting(self.title, _NAME_PX, _INNER * 0.35)
        tail = _fitting(self.title[::-1], _NAME_PX, _INNER * 0.55)[::-1]
        return f"{head}…{tail}"

    @property
    def shown_detail(self) -> str:
        """The detail as far as it fits."""
        if _width(self.detail, _DETAIL_PX) <= _INNER:
            return self.detail
        return _fitting(self.detail, _DETAIL_PX, _INNER * 0.92) + "…"


@dataclass(frozen=True)
class Edge:
    """A line between two boxes; a broken one is a gap, in its tone. Label places are in px."""

    path: str
    label: str
    label_x: int
    label_y: int
    broken: bool
    words: str
    tone: str = "seen"


@dataclass(frozen=True)
class Drawing:
    """The whole picture, ``width`` × ``height`` px."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    heads: tuple[tuple[int, str], ...]
    left_out: int
    width: int
    height: int
    box_width: int = _WIDE
    box_height: int = _HIGH


def draw(record: LineageRecord, base: str, verdict: Verdict | None = None) -> Drawing:
    """Lay the lineage of a record out; ``base`` is the address that the pages of nodes begin with.

    A claim that nothing joins is drawn as a gap, unless ``verdict`` says that it was shown to hold.
    At most 30 boxes of a column are drawn; those with links or gaps come first.
    """
    scene = _Scene(record, base, verdict.findings if verdict else ())
    nodes, left_out = _placed(scene)
    edges = tuple(_edges(scene, {n.key: n for n in nodes}))
    heads = tuple((_x(i), name) for i, name in enumerate(COLUMNS))
    height = max((n.y for n in nodes), default=_TOP) + _HIGH + _DOWN
    return Drawing(tuple(nodes), edges, heads, left_out, _x(len(COLUMNS) - 1) + _WIDE + 24, height)


@dataclass(frozen=True)
class _Scene:
    record: LineageRecord
    base: str
    findings: tuple[Finding, ...] = ()

    @cached_property
    def found(self) -> dict[str, list[Finding]]:
        """What was found about each thing."""
        about: dict[str, list[Finding]] = {}
        for finding in self.findings:
            about.setdefault(finding.about, []).append(finding)
        return about

    @cached_property
    def things(self) -> dict[str, tuple[Any, str]]:
        """Evidence and claims by id, with the page of each."""
        found: dict[str, tuple[Any, str]] = {}
        for number, claim in enumerate(self.record.claims):
            found[claim.id] = (claim, f"{self.base}/claims/{number}")
        for number, item in enumerate(self.record.evidence):
            found[item.id] = (item, f"{self.base}/evidence/{number}")
        return found

    @cached_property
    def alias(self) -> dict[str, str]:
        """A file that is a dataset or a configuration is drawn as that, once."""
        speaking = {
            e.source: e.id for e in self.record.evidence if e.kind in {"dataset", "training-config"}
        }
        return {
            e.id: speaking[e.source]
            for e in self.record.evidence
            if e.kind == "file" and e.source in speaking
        }

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links with every end that is drawn under another name renamed."""
        ends = self.alias
        return tuple(
            x.model_copy(
                update={
                    "source": ends.get(x.source, x.source),
                    "target": ends.get(x.target, x.target),
                }
            )
            for x in self.record.links
        )

    @cached_property
    def linked(self) -> Counter[str]:
        """How many links each thing has."""
        return Counter(end for link in self.links for end in (link.source, link.target))

    @cached_property
    def signed(self) -> frozenset[str]:
        """The files that a signature was compared with and that are as they were signed."""
        return frozenset(
            path
            for s in self.record.evidence
            if isinstance(s, Signature) and s.outcome == "PASSED"
            for path in s.covers
        )


def _placed(scene: _Scene) -> tuple[list[Node], int]:
    wanted = [n for n in _things(scene) if n.kind in _ALWAYS or scene.linked[n.key]]
    columns: list[list[Node]] = [[] for _ in COLUMNS]
    for node in [*_gaps(scene), *_ordered(wanted, scene)]:
        columns[node.column].append(node)
    left_out = sum(max(len(column) - _MOST, 0) for column in columns)
    placed = [
        replace(node, x=_x(i), y=_TOP + row * (_HIGH + _DOWN))
        for i, column in enumerate(columns)
        for row, node in enumerate(column[:_MOST])
    ]
    return placed, left_out


def _things(scene: _Scene) -> Iterable[Node]:
    for key, (thing, href) in scene.things.items():
        column = _COLUMN.get(thing.kind)
        if column is None or key in scene.alias:
            continue
        if thing.kind == "weights" and thing.role == "base":
            column = 0
        tone, detail = "seen", _detail(thing)
        if thing.kind in _CLAIMS:
            tone, detail = _claimed(key, scene)
        sign = "signed" if getattr(thing, "source", "") in scene.signed else ""
        yield Node(key, thing.kind, _title(thing), detail, href, column, tone, sign)


def _claimed(key: str, scene: _Scene) -> tuple[str, str]:
    """Return tone and words of a claim: contradicted, shown to hold, joined, or loose."""
    status = worst(scene.found.get(key, []))
    if status.tone == "fail":
        return "fail", "claimed · contradicted"
    if status.tone == "pass":
        return "seen", "claimed · holds"
    return ("seen", "claimed") if scene.linked[key] else ("open", "claimed · joined to nothing")


def _ordered(nodes: list[Node], scene: _Scene) -> list[Node]:
    """Put what has links first, and what a stage logged right below it."""
    by_key = {n.key: n for n in nodes}
    first = sorted(nodes, key=lambda n: (not scene.linked[n.key], n.kind != "stage", n.key))
    logged: dict[str, list[str]] = {}
    for link in scene.links:
        if link.relation == "logged":
            logged.setdefault(link.source, []).append(link.target)
    order: dict[str, Node] = {}
    for node in first:
        for key in (node.key, *logged.get(node.key, ())):
            if key in by_key:
                order.setdefault(key, by_key[key])
    below = {t for targets in logged.values() for t in targets}
    heads = [k for k in order if k not in below]
    chain = [k for head in heads for k in (head, *logged.get(head, ())) if k in by_key]
    return [by_key[k] for k in dict.fromkeys([*chain, *order])]


def _gaps(scene: _Scene) -> Iterable[Node]:
    for number, gap in enumerate(scene.record.gaps):
        column = _GAP_COLUMN[gap.topic]
        ends = [scene.things[i][0] for i in gap.evidence if i in scene.things]
        if ends and column > 0:
            # A gap that names evidence stands before it: that is where the lineage breaks.
            column = max(min(_COLUMN.get(e.kind, column) for e in ends) - 1, 0)
        yield Node(f"gap:{number}", "broken" if gap.contradicted else "gap",
                   gap.name.replace("-", " "), gap.about, f"#gap-{number + 1}", column,
                   _tone(gap))  # fmt: skip


def _edges(scene: _Scene, nodes: dict[str, Node]) -> Iterable[Edge]:
    told: set[tuple[str, str]] = set()
    for link in scene.links:
        source, target = nodes.get(link.source), nodes.get(link.target)
        if source is None or target is None:
            continue
        fan = (link.source, link.digest.hex)
        label = "" if fan in told else f"{link.digest.hex[:10]}…"
        told.add(fan)
        words = f"{link.relation}, {link.digest.algorithm}:{link.digest.hex}"
        yield _edge(source, target, label, words)
    for number, gap in enumerate(scene.record.gaps):
        yield from _broken(gap, nodes.get(f"gap:{number}"), nodes)


def _broken(gap: Gap, node: Node | None, nodes: dict[str, Node]) -> Iterable[Edge]:
    if node is None:
        return
    ends = [nodes[i] for i in gap.evidence if i in nodes]
    if not ends:
        after = [n for n in nodes.values() if n.column == node.column + 1]
        ends = [n for n in after if n.tone != "seen"][:1] or after[:1]
    for end in ends:
        yield replace(_edge(node, end, "", f"gap: {gap.name}"), broken=True, tone=_tone(gap))


def _edge(source: Node, target: Node, label: str, words: str) -> Edge:
    if source.column == target.column:
        return _beside(source, target, label, words)
    forward = source.column < target.column
    x1 = source.x + (_WIDE if forward else 0)
    x2 = target.x + (0 if forward else _WIDE)
    y1, y2 = source.y + _HIGH // 2, target.y + _HIGH // 2
    bend = max(abs(x2 - x1) // 2, 30) * (1 if forward else -1)
    path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    # Near its source, where no other line runs yet.
    return Edge(path, label, x1 + (42 if forward else -42), y1 - 5, False, words)


def _beside(source: Node, target: Node, label: str, words: str) -> Edge:
    if 0 < target.y - source.y <= _HIGH + _DOWN:
        x = source.x + _WIDE // 2
        path = f"M{x} {source.y + _HIGH}L{x} {target.y}"
        return Edge(path, label, x + 44, target.y - 5, False, words)
    x, y1, y2 = source.x + _WIDE, source.y + _HIGH // 2, target.y + _HIGH // 2
    path = f"M{x} {y1}C{x + 40} {y1} {x + 40} {y2} {x} {y2}"
    return Edge(path, label, x + 50, (y1 + y2) // 2, False, words)


def _title(thing: Any) -> str:
    match thing.kind:
        case "score":
            return f"{thing.benchmark} {thing.written()}"
        case "eval-run":
            return f"{thing.task} {thing.value}{' %' if thing.unit == 'percent' else ''}"
        case "stage":
            return str(thing.name)
        case "base-model":
            return str(thing.base)
        case "training":
            return f"{thing.name}: {thing.value}"
        case "checksum":
            return str(thing.path)
        case _:
            return str(thing.source)


def _detail(thing: Any) -> str:
    digest = getattr(thing, "root_sha256", None) or getattr(thing, "sha256", None)
    trust = getattr(thing, "trust", None)
    parts = (digest[:10] + "…" if digest else "", trust.value if trust else "claimed")
    return " · ".join(p for p in parts if p)


def _tone(gap: Gap) -> str:
    return "fail" if gap.contradicted else "open"


def _width(text: str, size: float) -> float:
    """Return how many px a text takes at most, in a font of this size."""
    return sum(_letter(c) for c in text) * size


def _letter(character: str) -> float:
    if unicodedata.east_asian_width(character) in {"W", "F"} or character in "WMmw@%…—":
        return 1.0
    if character in "iljft.,:;'|!()[] ":
        return 0.38
    return 0.75 if character.isupper() else 0.57


def _fitting(text: str, size: float, room: float) -> str:
    """Return the beginning of a text that fits into so many px."""
    kept = 0
    for character in text:
        room -= _letter(character) * size
        if room < 0:
            break
        kept += 1
    return text[:kept]


def _x(column: int) -> int:
    return 12 + column * (_WIDE + _ACROSS)
