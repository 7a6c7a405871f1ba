"""Templates that insert fields of an item into a text, and do nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit_flow.errors import EvidenceError


@dataclass(frozen=True)
class FieldTemplate:
    """Pieces of text in order: (False, literal) or (True, name of a field)."""

    source: str
    pieces: tuple[tuple[bool, str], ...]

    def render(self, item: Mapping[str, object]) -> str:
        """Return the text for one item; EvidenceError for a field it doesn't have."""
        if self.source in item:  # lm-eval takes a template that is a field's name as that field
            return str(item[self.source])
        return "".join(_field(item, text) if named else text for named, text in self.pieces)


def _field(item: Mapping[str, object], name: str) -> str:
    if name not in item:
        raise EvidenceError(
            f"an item without the field {name[:80]!r}", expected=f"one of {sorted(item)[:20]}"
        )
    return str(item[name])


def parse_template(source: str, where: str) -> FieldTemplate:
    """Parse a Jinja template made of text and `{{field}}` alone; EvidenceError for all else.

    The template is only parsed, in a sandboxed environment, and never compiled or run.
    """
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(keep_trailing_newline=True)
    try:
        body = environment.parse(source).body
    except (TemplateSyntaxError, ValueError, SyntaxError, RecursionError) as error:
        raise EvidenceError(
            f"template {source[:80]!r}: {str(error)[:200]}",
            expected="text and {{field}}",
            where=where,
        ) from None
    pieces: list[tuple[bool, str]] = []
    for output in body:
        for node in output.nodes if isinstance(output, nodes.Output) else [output]:
            match node:
                case nodes.TemplateData(data=data):
                    pieces.append((False, data))
                case nodes.Name(name=name, ctx="load"):
                    pieces.append((True, name))
                case _:
                    raise EvidenceError(
                        f"template {source[:80]!r} uses {type(node).__name__}",
                        expected="text and {{field}} alone",
                        remedy="Expressions, filters and blocks are never run here.",
                        where=where,
                    )
    return FieldTemplate(source, tuple(pieces))
