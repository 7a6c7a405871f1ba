"""What became of an audit on a Hub stands beside its checksums, and what did not is said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from audit_flow.dashboard.publications import Publications
from audit_flow.dashboard.settings import Root
from audit_flow.dashboard.summary import file_rows
from audit_flow.model import Decided, Publication, PublishedFile, TrustFile, canonical_json
from audit_flow.model.publication import PublicationCheck
from audit_flow.publish import statement
from audit_flow.publish.journal import STATEMENT, Journal, Plan
from tests.attestation.desk import MALLORY, SIGNER, TRUST
from tests.dashboard.served import record, serving
from tests.dashboard.story import good
from tests.store.releases import digest

PLAN = {
    "id": "1" * 32, "endpoint": "https://hub.example", "repo": "acme/m", "branch": "main",
    "parent": "a" * 40,
}  # fmt: skip
LARGE = 1 << 30


def decided() -> Decided:
    from audit_flow.approval import decided_on

    return decided_on(good()[1])


def digests() -> dict[str, Any]:
    found = decided().plain()
    found["weights_sha256"] = found.pop("subject_sha256")
    return found


def files(*sizes: int) -> tuple[PublishedFile, ...]:
    return tuple(
        PublishedFile(path=f"f{n}.safetensors", size=size, sha256=digest(f"f{n}"))
        for n, size in enumerate(sizes or (10,))
    )


def checked(**changes: Any) -> PublicationCheck:
    parts = {
        "mode": "full", "anonymous": True, "bytes_read": 10, "bytes_in_all": 10,
        "verdict": "INCONCLUSIVE", "policy_sha256": "b" * 64, "record_sha256": "c" * 64,
    }  # fmt: skip
    return PublicationCheck.model_validate({**parts, **changes})


def published(**changes: Any) -> Publication:
    parts = {"outcome": "PUBLISHED", **PLAN, **digests(), "commit": "d" * 40, "files": files(),
             "published_at": "2026-05-04T00:00:00+00:00", "check": checked()}  # fmt: skip
    return Publication.model_validate({**parts, **changes})


def journal(phase: str, **changes: Any) -> Journal:
    plan = Plan.model_validate(
        {**PLAN, **digests(), "title": "t", "content_sha256": "e" * 64, "files": files(),
         "check": "full", "on_mismatch": "revert"}
    )  # fmt: skip
    return Journal.model_validate({"plan": plan, "phase": phase, **changes})


def write(folder: Path, made: Publication, signer: Any = SIGNER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "publication.json").write_bytes(canonical_json(made))
    if signer is not None:
        (folder / STATEMENT).write_bytes(statement.sign(made, signer))
    return folder


def keep(home: Path, kept: Journal) -> Path:
    folder = home / "acme_m" / "main" / kept.plan.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.json").write_bytes(canonical_json(kept))
    return home


def found(stated: Path | None, states: Path | None = None, trust: TrustFile = TRUST) -> Any:
    known = Publications((stated,) if stated else (), (states,) if states else (), trust)
    return known.of(decided())


def test_a_signed_statement_is_told_with_who_signed(tmp_path: Path) -> None:
    (upload,) = found(write(tmp_path, published()))
    assert (upload.words, upload.tone) == ("uploaded and fetched back", "pass")
    assert upload.seal.state == "holds"
    assert "judge 0" in upload.seal.by


@pytest.mark.parametrize(
    ("signer", "trust", "state"),
    [(SIGNER, TrustFile(), "unknown"), (MALLORY, TRUST, "broken"), (None, TRUST, "none")],
)
def test_a_statement_of_nobody_known_is_told_so(
    tmp_path: Path, signer: Any, trust: TrustFile, state: str
) -> None:
    (upload,) = found(write(tmp_path, published(), signer), trust=trust)
    assert upload.seal.state == state


def test_a_statement_under_other_words_is_broken(tmp_path: Path) -> None:
    write(tmp_path, published())
    other = published(commit="e" * 40)
    (tmp_path / "publication.json").write_bytes(canonical_json(other))
    for trust in (TRUST, TrustFile()):
        (upload,) = found(tmp_path, trust=trust)
        assert (upload.seal.state, upload.tone) == ("broken", "fail")


@pytest.mark.parametrize("name", ["record_sha256", "policy_sha256", "weights_sha256"])
def test_a_publication_of_other_digests_is_not_shown(tmp_path: Path, name: str) -> None:
    assert found(write(tmp_path, published(**{name: "f" * 64}))) == ()


@pytest.mark.parametrize(
    ("phase", "commit", "uploaded", "fetched"),
    [("uploading", None, "being uploaded, nothing is visible yet", "not yet fetched back"),
     ("committing", None, "being committed", "not yet fetched back"),
     ("checking", "d" * 40, None, "not yet fetched back")],
)  # fmt: skip
def test_a_journal_tells_how_far_it_came(
    tmp_path: Path, phase: str, commit: str | None, uploaded: str | None, fetched: str
) -> None:
    (upload,) = found(None, keep(tmp_path, journal(phase, commit=commit)))
    (row,) = (r for r in file_rows(good()[0], upload) if r.path == "f0.safetensors")
    told = {name: (value, words) for name, value, words in row.told()}
    assert told["uploaded"][0 if uploaded is None else 1] == (uploaded or digest("f0"))
    assert told["fetched_back"] == (None, fetched)


def test_samples_are_no_digest_and_other_bytes_are_told(tmp_path: Path) -> None:
    made = published(
        outcome="RETRACTED", retraction="9" * 40, files=files(10, LARGE, 10),
        check=checked(mode="sampled", problems=("f2.safetensors: other bytes",)),
    )  # fmt: skip
    (upload,) = found(write(tmp_path, made))
    assert (upload.words, upload.tone) == ("taken back", "fail")
    assert upload.fetched("f2.safetensors") == "differs"
    assert upload.fetched("f0.safetensors") == "not told"
    (row,) = (r for r in file_rows(good()[0], upload) if r.path == "f2.safetensors")
    assert row.state == "differ"
    (again,) = found(
        write(tmp_path, published(files=files(10, LARGE), check=checked(mode="sampled")))
    )
    assert again.fetched("f0.safetensors") == "alike"
    assert again.fetched("f1.safetensors") == "sampled"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"schema_version": 1}', b"\xff" * 50])
def test_what_can_not_be_read_is_no_publication(tmp_path: Path, raw: bytes) -> None:
    write(tmp_path / "s", published())
    (tmp_path / "s" / "publication.json").write_bytes(raw)
    home = keep(tmp_path / "h", journal("done"))
    next(home.glob("*/*/*/journal.json")).write_bytes(raw)
    assert found(tmp_path / "s", home) == ()


def test_what_changes_is_read_again(tmp_path: Path) -> None:
    home = keep(tmp_path, journal("uploading"))
    known = Publications((), (home,), TRUST)
    assert known.of(decided())[0].phase == "uploading"
    keep(tmp_path, journal("done", commit="d" * 40, check=checked()))
    assert known.of(decided())[0].phase == "done"
    shutil.rmtree(home)
    assert known.of(decided()) == ()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "release" / ".audit-flow"
    record(folder, good())
    return folder


def test_the_page_says_what_is_there_and_what_is_not(root: Path) -> None:
    with serving(root, trust=TRUST) as desk:
        key = desk.site.library.rows()[0].run_id
        page = desk.browser().get(f"/audits/{key}").text
        assert "No upload from here is known" in page
        write(Root(root).stated, published())
        page = desk.browser().get(f"/audits/{key}").text
        assert "Uploaded and fetched back" in page
        assert "judge 0" in page
        assert digest("f0") in page
        table = desk.browser().get(f"/audits/{key}/tables/checksums.csv").text
        assert digest("f0") in table
        (told,) = desk.browser().get(f"/api/v1/audits/{key}").json["publications"]
        assert told["signature"]["state"] == "holds"
