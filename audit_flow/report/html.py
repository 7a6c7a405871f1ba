"""The report as one HTML page: no script, no outside asset, only its own style sheet."""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from audit_flow.report import chain, plot
from audit_flow.report.interface import AuditResult, Look
from audit_flow.report.neutral import NAME_LIMIT, neutralise
from audit_flow.report.reading import (
    LIMITS,
    LIMITS_LINK,
    SILENT,
    Reading,
    docs_link,
    outcome_status,
    plural,
    short,
    signed_points,
    status_of,
)

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_BRIEF, _NEARLY = 240, 60
_SIZE_STEP = 1000
_SIZE_UNITS = ("kB", "MB", "GB", "TB", "PB")


class HtmlFormat:
    """One self-contained page that reads well on a phone, on a desk, in the dark and on paper."""

    name = "html"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the page; ``verbose`` opens what is folded away, width and colour are CSS's."""
        from markupsafe import Markup

        reading = Reading(result)
        style = files("audit_flow.report").joinpath("templates/report.css").read_text("utf-8")
        page = _template().render(
            r=reading,
            verdict=result.verdict,
            record=result.record,
            axis=plot.shared_axis(reading.scores),
            stations=chain.stations(result.record),
            waivers=_waivers(reading),
            limits=LIMITS,
            limits_link=LIMITS_LINK,
            silent=SILENT,
            verbose=look.verbose,
            style=Markup(style),  # noqa: S704 - our own file, hashed in the policy of the page
            style_hash=_csp_hash(style),
        )
        return page.rstrip() + "\n"


def human_size(size: int) -> str:
    """Return bytes in SI units: ``812 B``, ``4.98 GB``."""
    if size < _SIZE_STEP:
        return f"{size} B"
    power = min(int(math.log10(size) / 3 + 1e-9), len(_SIZE_UNITS))
    return f"{size / _SIZE_STEP**power:.3g} {_SIZE_UNITS[power - 1]}"


def brief(text: str) -> str:
    """Return the beginning of a text, for a list; nothing is cut off for a few characters."""
    return neutralise(text, _BRIEF + _NEARLY if len(text) <= _BRIEF + _NEARLY else _BRIEF)


def _waivers(reading: Reading) -> list[tuple[Any, str]]:
    verdict = reading.result.verdict
    used = dict.fromkeys(f.waiver for f in verdict.waived)
    unused = ((w, "expired" if w.expired else "unused") for w in verdict.unused_waivers)
    return [*((w, "in use") for w in used), *unused]


def _csp_hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _neutral(value: Any) -> Any:
    """Make every piece of text that the template prints harmless; escaping comes after."""
    # Markup is the template's own; only plain text can come from a repository.
    plain = isinstance(value, str) and not hasattr(value, "__html__")
    return neutralise(value) if plain else value


@cache
def _template() -> Template:
    return environment().get_template("report.html.j2")


def environment() -> Environment:
    """Return the Jinja environment that escapes and neutralises every text that it prints."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("audit_flow.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "brief": brief,
        "docs_link": docs_link,
        "human_size": human_size,
        "name": lambda text: neutralise(text, NAME_LIMIT),
        "points": signed_points,
        "short": short,
        "status": status_of,
        "outcome": outcome_status,
    }
    environment.globals |= {"plural": plural, "draw": plot.plot, "is_plottable": plot.is_plottable}
    return environment
