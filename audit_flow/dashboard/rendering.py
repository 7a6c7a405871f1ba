"""The templates: those of the report, and the dashboard's own around them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from audit_flow.dashboard.facts import facts
from audit_flow.dashboard.site import moment
from audit_flow.report.html import environment
from audit_flow.report.neutral import neutralise

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def templates() -> Environment:
    """Return the environment of the report with the dashboard's templates before it."""
    from jinja2 import ChoiceLoader, PackageLoader

    own = environment()
    own.loader = ChoiceLoader(
        [
            PackageLoader("audit_flow.dashboard", "templates"),
            PackageLoader("audit_flow.report", "templates"),
        ]
    )
    own.filters |= {
        "moment": moment,
        "piece": piece,
        "facts": facts,
        "quoted": quoted,
        "sentence": sentence,
    }
    own.globals |= {"verbatim": verbatim}
    return own


def piece(text: str) -> Markup:
    """Return part of a line, harmless, with the blanks at its ends kept."""
    from markupsafe import Markup, escape

    head = " " if text[:1].isspace() else ""
    tail = " " if text.strip() and text[-1:].isspace() else ""
    return escape(Markup("{}{}{}").format(head, neutralise(text), tail))


def sentence(text: str) -> str:
    """Return a reason as a sentence: a capital at its head, one full stop at its end."""
    plain = text.strip()
    end = "" if plain[-1:] in {".", "!", "?", "…", ""} else "."
    return f"{plain[:1].upper()}{plain[1:]}{end}"


def verbatim(text: str) -> Markup:
    """Return a visitor's own text for the field that he wrote it in, escaped and else unchanged."""
    from markupsafe import escape

    return escape(text)


def quoted(text: str) -> str:
    """Return a text as one part of an address."""
    return quote(text, safe="")
