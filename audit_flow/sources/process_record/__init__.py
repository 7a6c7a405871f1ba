"""Running a command of the operator's and writing down what went in, what came out, and where."""

from audit_flow.sources.process_record.predicate import LINK, RecordedRun, predicate_of
from audit_flow.sources.process_record.record import Plan, record_run
from audit_flow.sources.process_record.software import without_secrets

__all__ = ["LINK", "Plan", "RecordedRun", "predicate_of", "record_run", "without_secrets"]
