"""A real training in numpy, recorded and signed: dataset → job → weights without a ledger.

Signed by a key and by an identity of the private Sigstore. What is changed afterwards, in the
record, in what the command read or in what it wrote, is refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.model import GpuJob, Outcome, PipelineStage, Trust, TrustFile, Verdict
from audit_flow.policy_file import trusted_key
from tests.record.recorded import Made, made, of
from tests.signing.conftest import running_sigstore, sigstore
from tests.signing.sigstore_server import PrivateSigstore
from tests.signing.trusting import EMAIL, signer_of, trust_in

__all__ = ["running_sigstore", "sigstore"]
RECORD = "train.record.json"
LINEAGE = ("lineage.datasets", "lineage.training", "lineage.weights", "lineage.pipeline")
WHO = ("key", "sigstore")


@pytest.fixture(params=WHO)
def signed(
    request: pytest.FixtureRequest, tmp_path: Path, running_sigstore: PrivateSigstore
) -> tuple[Made, TrustFile]:
    """Train and record once, and say whom the verifier trusts with training."""
    built = made(tmp_path / "r", 3)
    if request.param == "key":
        trust = TrustFile(keys=(trusted_key(built.public, "trainer", ("training",)),))
        done = built.train()
    else:
        config = tmp_path / "sigstore.json"
        config.write_text(running_sigstore.trust_config(2), "utf-8")
        token = running_sigstore.issuer.token(EMAIL)
        keyless = ("--sigstore", "--identity-token", token, "--trust-config", str(config))
        done = built.train(signer=keyless)
        signer = signer_of(running_sigstore).model_copy(update={"roles": ("training",)})
        trust = trust_in(running_sigstore, signer=signer)
        assert EMAIL in done.stderr
    assert done.returncode == 0, done.stderr
    return built, trust


def outcomes(verdict: Verdict, rule: str) -> set[Outcome]:
    return {f.outcome for f in of(verdict, rule)}


def flip(path: str, at: int = -2) -> Callable[[Made], None]:
    def change(built: Made) -> None:
        place = built.root / path
        raw = bytearray(place.read_bytes())
        raw[at] ^= 1
        place.write_bytes(raw)

    return change


def edited(change: Callable[[dict[str, object]], object]) -> Callable[[Made], None]:
    """Change what the record says and leave its signature."""

    def edit(built: Made) -> None:
        place = built.root / RECORD
        bundle = json.loads(place.read_text("utf-8"))
        envelope = bundle["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        change(statement)
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
        place.write_text(json.dumps(bundle), "utf-8")

    return edit


def another_product(statement: dict[str, object]) -> None:
    subjects = statement["subject"]
    assert isinstance(subjects, list)
    subjects[0]["digest"]["sha256"] = "0" * 64


def another_exit_code(statement: dict[str, object]) -> None:
    predicate = statement["predicate"]
    assert isinstance(predicate, dict)
    predicate["byproducts"]["note"] = "edited"


CHANGES: dict[str, tuple[Callable[[Made], None], str]] = {
    "a material: the data": (flip("data/train.jsonl", 8), "lineage.datasets"),
    "a material: the configuration": (flip("config.json", 12), "lineage.training"),
    "a material: the code": (flip("train.py", 10), "lineage.pipeline"),
    "a product: the weights": (flip("model/model.safetensors", -1), "lineage.weights"),
    "the log": (flip("train.log", 2), "lineage.pipeline"),
    "the record's products": (edited(another_product), "signatures.valid"),
    "the record's by-products": (edited(another_exit_code), "signatures.valid"),
}


@pytest.mark.slow
def test_the_record_alone_closes_the_lineage(signed: tuple[Made, TrustFile]) -> None:
    built, trust = signed
    assert not list(built.root.glob("dvc.*"))
    record, verdict = built.judge(trust)
    edges = {(x.relation, x.source.partition(":")[0], x.target) for x in record.links}
    stage = f"stage:{RECORD}"
    assert ("used", "file", stage) in edges
    assert ("generated", "stage", "weights:model") in edges
    assert {e.trust for noun in (PipelineStage, GpuJob) for e in record.of(noun)} == {Trust.SIGNED}
    for rule in (*LINEAGE, "signatures.valid", "signatures.identity", "training.job-finished"):
        assert outcomes(verdict, rule) == {Outcome.PASSED}, rule
    for name, (change, rule) in CHANGES.items():
        kept = {p: p.read_bytes() for p in built.root.rglob("*") if p.is_file()}
        change(built)
        _, after = built.judge(trust)
        assert after.outcome == "FAILED", name
        assert Outcome.FAILED in outcomes(after, rule), name
        for place, raw in kept.items():
            place.write_bytes(raw)
    assert outcomes(built.judge(trust)[1], "lineage.weights") == {Outcome.PASSED}
