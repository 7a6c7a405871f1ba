"""Kept results: read back only as they were written here; tasks are told apart by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.errors import PublishError, RecordError
from audit_flow.model import Evidence
from flows.caching import by_content, once_a_run, only
from flows.kept import SealedJson
from flows.values import Gathered, Hashed, Job, Measured, Signed
from tests.flows.pipeline import ROOT
from tests.report import builders


@pytest.fixture(scope="module")
def measured() -> Measured:
    evidence: tuple[Evidence, ...] = builders.failed().record.evidence
    return Measured(evidence=evidence)


def test_a_noun_comes_back_as_it_went(measured: Measured) -> None:
    assert SealedJson().loads(SealedJson().dumps(measured)) == measured


@given(st.data())
def test_not_one_byte_can_be_changed(data: st.DataObject) -> None:
    blob = bytearray(SealedJson().dumps(Signed(signer="Ada", files={"a": "b"})))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RecordError):
        SealedJson().loads(bytes(blob))


def test_another_account_s_result_is_not_taken(
    measured: Measured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blob = SealedJson().dumps(measured)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(RecordError, match="seal"):
        SealedJson().loads(blob)


@pytest.mark.parametrize(
    "text", [{"__class__": "subprocess.Popen", "data": ["true"]}, {"noun": "Popen"}, "PASSED", None]
)
def test_nothing_but_known_nouns_is_kept(text: Any) -> None:
    with pytest.raises(RecordError):
        SealedJson().dumps(text)
    with pytest.raises(RecordError):
        SealedJson().loads(json.dumps(text).encode())
    whole = builders.passed()
    with pytest.raises(RecordError):
        SealedJson().dumps(Gathered(subject=whole.record.subject, claims=(), evidence=()))


@pytest.fixture
def adder(tmp_path: Path) -> Path:
    for name in ("dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    place = tmp_path / "examples" / "digit-adder"
    shutil.copytree(ROOT / "examples" / "digit-adder", place)
    return place


def key(place: Path, number: int = 0, root: str | None = "1" * 64) -> str | None:
    job = Job(manifest=str(place / "release.yaml"))
    hashed = Hashed(weights_sha256=root)
    return by_content(cast("Any", None), {"job": job, "number": number, "hashed": hashed})


def test_a_measurement_depends_on_weights_task_and_data_and_not_on_the_card(adder: Path) -> None:
    first = key(adder)
    assert first is not None
    (adder / "model" / "README.md").write_text("another card")
    assert key(adder) == first
    assert key(adder, number=1) not in {first, None}
    assert key(adder, root="2" * 64) not in {first, None}
    assert key(adder, root=None) is None
    task = adder / "tasks" / "add_2digit.yaml"
    task.write_text(task.read_text() + "\n# other\n")
    assert key(adder) not in {first, None}
    task.write_text("python: [")
    assert key(adder) is None


def test_what_is_done_once_in_a_run_is_done_again_in_another() -> None:
    def of(run: str, text: str) -> str:
        context = SimpleNamespace(
            task_run=SimpleNamespace(flow_run_id=run), task=SimpleNamespace(name="attest")
        )
        return once_a_run(cast("Any", context), {"job": Job(manifest=text)})

    assert of("1", "a") == of("1", "a")
    assert len({of("1", "a"), of("2", "a"), of("1", "b")}) == 3


def test_only_what_may_go_away_is_tried_again() -> None:
    def state(error: Exception) -> Any:
        return SimpleNamespace(result=lambda raise_on_failure: error)

    condition = only(PublishError)
    assert condition(None, None, state(PublishError("busy")))
    assert not condition(None, None, state(RecordError("no")))
    assert not condition(None, None, state(ValueError("no")))
