"""The port that a reviewer's decision goes through, and the history that keeps it.

A decision names the exact digests it is about and is refused when they have changed. The history
is append-only and hash-chained; whoever waits for a decision (a Prefect flow) is told afterwards.
"""

from audit_flow.approval.answer import Answer, take
from audit_flow.approval.decide import Asked, decide, decided_on
from audit_flow.approval.entry import Entry
from audit_flow.approval.history import History
from audit_flow.approval.prefect_http import PrefectHttp
from audit_flow.approval.standing import Standing, standing
from audit_flow.approval.waiting import FlowRun, NobodyWaits, Resumer, Waiting

__all__ = [
    "Answer",
    "Asked",
    "Entry",
    "FlowRun",
    "History",
    "NobodyWaits",
    "PrefectHttp",
    "Resumer",
    "Standing",
    "Waiting",
    "decide",
    "decided_on",
    "standing",
    "take",
]
