"""The states that flow runs end in, and the events that automations listen for.

What a gate keeps shut ends as Failed, with a name that says why: Completed would let everything
downstream go on. A state is no authority: what may be published is said by a signed verdict alone.
"""

from __future__ import annotations

import re
from typing import Any

from prefect import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from audit_flow.model import Subject, Verdict
from audit_flow.report.neutral import neutralise

_NAMED = 5
_MAX_MESSAGE = 1_500
NAMES = {"FAILED": "Blocked", "INCONCLUSIVE": "Held"}
_EVENTS = {"PASSED": "passed", "FAILED": "blocked", "INCONCLUSIVE": "held"}


def end_state(verdict: Verdict, where: str = "") -> State[Any]:
    """Return the state that a verdict ends a flow run in; ``where`` says where to read on."""
    said = ", ".join(filter(None, (f"{verdict.in_words()}: {verdict.subject.name}", where)))
    if verdict.outcome == "PASSED":
        return passed(said)
    blocking = [f"{f.rule}: {f.about}" for f in verdict.findings if f.blocks]
    shown = "; ".join(blocking[:_NAMED]) + ("; …" if len(blocking) > _NAMED else "")
    return shut(NAMES[verdict.outcome], f"{said}. {shown}")


def passed(message: str) -> State[Any]:
    """Return the state that lets what follows go on."""
    return Completed(message=neutralise(message, _MAX_MESSAGE))


def shut(name: str, message: str) -> State[Any]:
    """Return a Failed state with a name of its own: nothing downstream runs."""
    return Failed(name=name, message=neutralise(message, _MAX_MESSAGE))


def tell_gate(verdict: Verdict) -> None:
    """Emit ``audit-flow.gate.passed``, ``.blocked`` or ``.held``."""
    tell(
        f"gate.{_EVENTS[verdict.outcome]}",
        verdict.subject,
        outcome=verdict.outcome,
        in_words=verdict.in_words(),
        record_sha256=verdict.record_sha256,
        policy_sha256=verdict.policy_sha256,
        weights_sha256=verdict.subject.weights_sha256 or "",
        blocking=[neutralise(f"{f.rule}: {f.about}", 300) for f in verdict.findings if f.blocks][
            :50
        ],
    )


def tell(event: str, subject: Subject | str, **payload: Any) -> None:
    """Emit the event ``audit-flow.<event>`` about a release or a repository."""
    name = subject if isinstance(subject, str) else subject.hub_id or subject.name
    safe = re.sub(r"[^A-Za-z0-9._/-]+", "-", name)[:200]
    emit_event(
        event=f"audit-flow.{event}",
        resource={
            "prefect.resource.id": f"audit-flow.release.{safe}",
            "prefect.resource.name": neutralise(name, 200),
        },
        payload=payload,
    )
