"""One good release: signed, attested, and ready to be published; what every mutation starts from.

Its model has several tensors, a configuration, a tokenizer and its card; its evidence is signed by
two other parties; the policy wants every signature.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from audit_flow.attestation import attest, judge_urn, judged
from audit_flow.audit import audit
from audit_flow.digests import FilePlan, digest_files
from audit_flow.model import Policy, Rule, TrustFile, sha256_hex
from audit_flow.model.trust import TrustedKey
from audit_flow.policy_file import load_policy
from audit_flow.report.interface import AuditResult
from audit_flow.signing import KeySigner, evidence_statement
from audit_flow.signing.keys import fingerprint, public_pem
from audit_flow.signing.sign_model import sign_model
from audit_flow.signing.statement import in_toto
from audit_flow.sources.manifest import load
from audit_flow.sources.signed_files import files_to_sign
from tests.release_builder import build
from tests.release_parts import Built, default_policy, recomputed, safetensors, validator

LINK = "https://in-toto.io/attestation/link/v0.3"
CARD = "model/README.md"
RECORD = "prepare.record.json"
SIGNED = {
    "results/results.json": "evaluation",
    "logs/trainer_state.json": "job-log",
    "configs/train.yaml": "training-config",
    "data/train.jsonl": "dataset",
}
DEMANDS = tuple(
    {"kind": k, "role": "training"} for k in ("job-log", "training-config", "dataset", "record")
)
EVALUATED: dict[str, str] = {"kind": "evaluation", "role": "evaluation", "not_role": "training"}


def party(number: int) -> KeySigner:
    """Return a signer of these tests; numbers are worth nothing as secrets."""
    return KeySigner.of(ec.derive_private_key(number, ec.SECP256R1()))


RELEASER, TRAINER, EVALUATOR, JUDGE, MALLORY = (party(n) for n in range(21, 26))


def key_of(signer: KeySigner, name: str, *roles: str) -> TrustedKey:
    pem = public_pem(signer.public).decode()
    return TrustedKey(name=name, roles=roles, pem=pem, sha256=fingerprint(signer.public))


TRUST = TrustFile(
    keys=(
        key_of(RELEASER, "the publisher", "release"),
        key_of(TRAINER, "the trainers", "training"),
        key_of(EVALUATOR, "the evaluators", "evaluation"),
        key_of(JUDGE, "the judge", "verdict"),
    )
)


def strict(name: str) -> Policy:
    """Return a bundled policy that wants the weights signed, and the default one all evidence."""
    policy = default_policy() if name == "default" else load_policy(name)
    return policy.model_copy(update={"rules": tuple(_strict(r, name) for r in policy.rules)})


def _strict(rule: Rule, name: str) -> Rule:
    params: dict[str, dict[str, Any]] = {"signatures.valid": {"required": True}}
    if name == "default":
        params["signatures.evidence"] = {"demands": [EVALUATED, *DEMANDS]}
    return rule.model_copy(update={"params": {**rule.params, **params.get(rule.id, {})}})


@dataclass(frozen=True)
class Good:
    """The release on disk, the policy and trust it is judged by, and its signed verdict."""

    built: Built
    policy: Policy
    trust: TrustFile
    result: AuditResult
    files: dict[str, bytes]

    def copy(self, root: Path) -> Good:
        """Return the same release in another folder."""
        return replace(self, built=self.built.copy(root))

    def audit(self, **changes: Any) -> AuditResult:
        """Audit what lies there now as the publisher's gate does."""
        words: dict[str, Any] = {"policy": self.policy, "runs": self.built.runs, **changes}
        return audit(
            load(self.built.path("release.yaml")),
            words["policy"],
            words["runs"],
            tables=validator(),
            trust=words.get("trust", self.trust),
        )


def good(root: Path, seed: int = 3) -> Good:
    """Make the release in a folder that is not there yet."""
    built = build(root, seed, more=_model, items=(450, 500))
    _finish(built)
    sign_everything(built)
    policy = strict("default")
    made = Good(built, policy, TRUST, AuditResult.__new__(AuditResult), {})
    result = made.audit()
    return replace(made, result=result, files=attested(result, policy))


def attested(
    result: AuditResult, policy: Policy, at: dt.datetime | None = None
) -> dict[str, bytes]:
    """Return the signed statements about a result, by the judge."""
    urn, when = judge_urn(JUDGE.identity), at or dt.datetime.now(dt.UTC)
    return attest(judged(result.record, policy, judge_id=urn, judged_at=when), JUDGE)


def _model(built: Built, rng: random.Random) -> None:
    """Give each shard three tensors, two of one shape, and the model its other files."""
    weight_map: dict[str, str] = {}
    for i in (1, 2):
        tensors = {f"layer{i}.{n}": rng.randbytes(s) for n, s in (("a", 32), ("b", 32), ("c", 16))}
        name = f"model-0000{i}-of-00002.safetensors"
        built.write(f"model/{name}", safetensors(tensors))
        weight_map |= dict.fromkeys(tensors, name)
    index = {"metadata": {"total_size": 160}, "weight_map": weight_map}
    files: dict[str, Any] = {
        "model.safetensors.index.json": index,
        "config.json": {"hidden_size": 8, "tuned": True, "architectures": ["Toy"], "rope": 1.5},
        "generation_config.json": {"do_sample": False, "eos_token_id": 2},
        "tokenizer.json": {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}},
        "tokenizer_config.json": {"chat_template": None, "model_max_length": 64},
    }
    for name, data in files.items():
        built.write(f"model/{name}", json.dumps(data))
    built.write("model/LICENSE", "Do as you like.\n")


def _finish(built: Built) -> None:
    """Put the card beside the weights, declare the record, and say everything again."""
    built.write(CARD, built.path("README.md").read_bytes())
    built.remove("README.md")

    def change(manifest: Any) -> None:
        manifest["card"] = CARD
        manifest["evidence"]["records"] = [RECORD]
        manifest["release"].update(hub_id="acme/good", license="apache-2.0")

    built.edit("release.yaml", change)
    built.announce()
    built.reproduce()
    kept = [f for f in built.files() if f.startswith("model/") and f != CARD]
    from audit_flow.model import StageFile

    inputs = tuple(StageFile(path=f, sha256=digest_of(built, f)) for f in kept)
    built.runs = tuple(recomputed(t, inputs) for t in built.tasks)


def digest_of(built: Built, name: str) -> str:
    return sha256_hex(built.path(name).read_bytes())


def sign_everything(built: Built) -> None:
    """Sign model, evidence and record: each by whom the policy wants for it."""
    sign_record(built)
    for path, kind in SIGNED.items():
        sign_evidence(built, path, kind)
    sign_weights(built)


def sign_weights(built: Built, signer: KeySigner = RELEASER) -> None:
    model = built.path("model")
    names, left_out = files_to_sign(model, (model / "model.sig", model / "model.tensors.sig"))
    plans = [FilePlan(n, frozenset({"sha256"}), tensors=n.endswith(".safetensors")) for n in names]
    made = sign_model("model", digest_files(model, plans), signer, left_out)
    built.write("model/model.sig", made.bundle)
    assert made.tensors is not None
    built.write("model/model.tensors.sig", made.tensors)


def sign_evidence(built: Built, path: str, kind: str, signer: KeySigner | None = None) -> None:
    by = signer or (EVALUATOR if kind == "evaluation" else TRAINER)
    paths = [path]
    if kind == "evaluation":
        paths += [f for f in built.files() if f.startswith("results/samples_")]
    files = [(p, digest_of(built, p)) for p in paths if not p.endswith(".sig")]
    built.write(f"{path}.sig", by.sign(evidence_statement(files, kind)))


def sign_record(built: Built, signer: KeySigner = TRAINER) -> None:
    """Record the stage that prepared the data, as audit-flow record writes it."""
    built.write(RECORD, signer.sign(link_statement(built)))


def link_statement(built: Built) -> bytes:
    inputs = ("src/prepare.py", "data/raw.txt")
    predicate = {
        "name": "prepare",
        "command": ["python", "src/prepare.py"],
        "materials": [{"name": p, "digest": {"sha256": digest_of(built, p)}} for p in inputs],
        "byproducts": {"return-value": 0},
        "environment": {
            "startedOn": "2026-01-02T03:04:05Z",
            "finishedOn": "2026-01-02T03:05:05Z",
            "host": "trainer-1",
        },
    }
    subjects = [("data/train.jsonl", digest_of(built, "data/train.jsonl"))]
    return in_toto(subjects, LINK, predicate)


def fresh(source: Path, root: Path) -> None:
    """Put a folder back as it was."""
    shutil.rmtree(root)
    shutil.copytree(source, root, symlinks=True)
