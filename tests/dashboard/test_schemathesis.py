"""Whatever is sent to the API, it answers, and never with its own breakdown."""

from __future__ import annotations

import pytest

from tests.dashboard.served import ANA, Served

pytestmark = pytest.mark.slow


def test_no_request_breaks_the_api(desk: Served) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from schemathesis.checks import not_a_server_error

    headers = {"Authorization": f"Bearer {ANA}"}
    schema = schemathesis.openapi.from_url(f"{desk.url}/api/v1/openapi.json", headers=headers)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 13
    keys = [row.run_id for row in desk.site.library.rows()]

    @given(st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def send(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(operations))
        case = data.draw(operation.as_strategy())
        if "key" in (case.path_parameters or {}) and data.draw(st.booleans()):
            case.path_parameters["key"] = data.draw(st.sampled_from(keys))
        answer = case.call(base_url=desk.url, headers=headers)
        case.validate_response(answer, checks=[not_a_server_error])

    send()
