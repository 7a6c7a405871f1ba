"""The Prefect side of a review, over its HTTP API alone (no Prefect is imported).

Source: Prefect 3 REST API, ``POST /flow_runs/filter`` and ``POST /flow_runs/{id}/resume``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from audit_flow.approval.waiting import TAG, FlowRun
from audit_flow.errors import ApprovalError, InputError
from audit_flow.model import Review
from audit_flow.sources.hub.names import split_address

_TIMEOUT_SECONDS = 10.0
_MAX_ANSWER = 8 * 1024 * 1024
_MAX_RUNS = 200
_UNDER_WAY = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class PrefectHttp:
    """Asks one Prefect server which runs are under way, and resumes those that wait.

    ``api`` is the address that ends in ``/api``; ``auth`` the value of its Authorization header.
    """

    def __init__(self, api: str, auth: str | None = None) -> None:
        parts = split_address(api)
        if (
            parts is None
            or parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
        ):
            raise InputError(
                f"the address {api[:200]!r}", expected="Prefect's API, such as http://host:4200/api"
            )
        self._api = api.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if auth:
            self._headers["Authorization"] = auth

    def runs(self) -> tuple[FlowRun, ...]:
        """Return the runs that are not at their end, newest first; raises ApprovalError."""
        wanted = {
            "flow_runs": {"state": {"type": {"any_": list(_UNDER_WAY)}}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": _MAX_RUNS,
        }
        return flow_runs(self._post("/flow_runs/filter", wanted))

    def resume(self, run_id: str, review: Review, entry_sha256: str) -> None:
        """Resume a suspended run with the decision as its input; raises ApprovalError."""
        if not _UUID.fullmatch(run_id):
            raise ApprovalError(f"the flow run {run_id[:100]!r}", expected="the id of a flow run")
        given = {
            "decision": review.decision,
            "reviewer": review.reviewer,
            "reason": review.reason,
            "record_sha256": review.decided.record_sha256,
            "review_sha256": entry_sha256,
        }
        answer = self._post(f"/flow_runs/{run_id}/resume", {"run_input": given})
        status = answer.get("status") if isinstance(answer, dict) else None
        if status != "ACCEPT":
            raise ApprovalError(
                f"Prefect did not resume run {run_id}: {status or 'no answer'}",
                expected="a run that waits for its input",
                remedy="The review is kept; start the flow again, it will find the review.",
            )

    def _post(self, path: str, content: dict[str, Any]) -> Any:
        import urllib3

        timeout = urllib3.Timeout(total=_TIMEOUT_SECONDS)
        try:
            with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
                answer = pool.request(
                    "POST", self._api + path, body=json.dumps(content), headers=self._headers,
                    preload_content=False, redirect=False,
                )  # fmt: skip
                data = answer.read(_MAX_ANSWER + 1)
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._silent(type(error).__name__) from error
        if answer.status >= 300 or len(data) > _MAX_ANSWER:
            raise self._silent(f"status {answer.status}, {len(data)} bytes")
        return parse_answer(data)

    def _silent(self, what: str) -> ApprovalError:
        return ApprovalError(
            f"Prefect did not answer as it should ({what})",
            where=self._api,
            remedy="Check that the server runs and that the address is right.",
        )


def parse_answer(data: bytes) -> Any:
    """Return the JSON of an answer; ApprovalError for what is none."""
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError) as error:
        raise ApprovalError("Prefect answered with no JSON") from error


def flow_runs(found: Any) -> tuple[FlowRun, ...]:
    """Return the runs in an answer to ``/flow_runs/filter``; rows that are none are left out."""
    rows = found if isinstance(found, list) else []
    return tuple(_flow_run(row) for row in rows if isinstance(row, dict))


def _flow_run(row: dict[str, Any]) -> FlowRun:
    stated = row.get("tags")
    tags = [t for t in stated if isinstance(t, str)] if isinstance(stated, list) else []
    digests = [t.removeprefix(TAG) for t in tags if t.startswith(TAG)]
    return FlowRun(
        id=str(row.get("id") or ""),
        name=str(row.get("name") or "")[:300],
        state=str(row.get("state_name") or row.get("state_type") or "")[:100],
        since=str(row.get("start_time") or row.get("expected_start_time") or "")[:40],
        record_sha256=digests[0][:64] if digests else None,
        waits=row.get("state_type") == "PAUSED",
    )
