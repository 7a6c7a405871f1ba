"""Publishing to a Hub: only what passed, in one commit, looked at again as a stranger."""

from audit_flow.publish.interface import Order, Outcome, SignedVerdict, Target, Tokens
from audit_flow.publish.publishing import look_at_target, publish, publish_staged
from audit_flow.publish.statement import read as read_publication

__all__ = [
    "Order",
    "Outcome",
    "SignedVerdict",
    "Target",
    "Tokens",
    "look_at_target",
    "publish",
    "publish_staged",
    "read_publication",
]
