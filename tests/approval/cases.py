"""Verdicts and decisions to be reviewed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from audit_flow.approval import Asked, Entry, History, decide
from audit_flow.approval.decide import decided_on
from audit_flow.model import Decided, Verdict
from tests.store.releases import Answer, release

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def verdict(outcome: Answer = "PASSED", **subject: Any) -> Verdict:
    return release(outcome, **subject)[1]


def asked(on: Verdict, seen: str = "none", **changes: Any) -> Asked:
    parts = {"decision": "approve", "reason": "every claim holds", "decided": decided_on(on)}
    return Asked.model_validate({**parts, "seen": seen, **changes})


def kept(history: History, on: Verdict, reviewer: str = "ana", **changes: Any) -> Entry:
    return decide(asked(on, **changes), reviewer, on, history, now=NOW)


def other(decided: Decided, field: str) -> Decided:
    return decided.model_copy(update={field: "f" * 64})
