"""Whatever is sent to the API, it answers as its description says, and never breaks down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboard.served import ANA, Served

pytestmark = pytest.mark.slow
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def send_everything(url: str, keys: list[str], headers: dict[str, str]) -> set[int]:
    """Send what the description allows and what it does not; return the statuses that came."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from schemathesis import checks

    schema = schemathesis.openapi.from_url(
        f"{url}/api/v1/openapi.json", headers={"Authorization": f"Bearer {ANA}"}
    )
    checks.load_all_checks()
    wanted = checks.CHECKS.get_by_names(CHECKED)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 13
    modes = list(schemathesis.GenerationMode)
    seen: set[int] = set()

    @given(st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def send(data: Any) -> None:
        operation = data.draw(st.sampled_from(operations))
        mode = data.draw(st.sampled_from(modes))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if "key" in (case.path_parameters or {}) and keys and data.draw(st.booleans()):
            case.path_parameters["key"] = data.draw(st.sampled_from(keys))
        answer = case.call(base_url=url, headers=headers)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=wanted)

    send()
    return seen


def test_no_request_of_a_reviewer_breaks_the_api(desk: Served) -> None:
    keys = [row.run_id for row in desk.site.library.rows()]
    seen = send_everything(desk.url, keys, {"Authorization": f"Bearer {ANA}"})
    assert 200 in seen


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_no_request_of_a_stranger_breaks_the_api(desk: Served, headers: dict[str, str]) -> None:
    keys = [row.run_id for row in desk.site.library.rows()]
    # What can't be a request to a path is not found; everything else asks for a name.
    assert send_everything(desk.url, keys, headers) <= {401, 405, 413}


def test_no_request_without_any_names_breaks_the_api(served: Served) -> None:
    keys = [row.run_id for row in served.site.library.rows()]
    assert 200 in send_everything(served.url, keys, {})
