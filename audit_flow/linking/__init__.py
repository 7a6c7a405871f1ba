"""Joining claims and evidence by digest into one lineage record."""

from audit_flow.analysis.weight_names import is_weight_file
from audit_flow.linking.accounts import at_once, before, differences, given_gpus
from audit_flow.linking.earlier import job_logs
from audit_flow.linking.graph import link
from audit_flow.linking.jobs import JobGroup, job_groups, used_gpus, used_hours

__all__ = [
    "JobGroup",
    "at_once",
    "before",
    "differences",
    "given_gpus",
    "is_weight_file",
    "job_groups",
    "job_logs",
    "link",
    "used_gpus",
    "used_hours",
]
