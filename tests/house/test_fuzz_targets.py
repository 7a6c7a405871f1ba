"""No module that reads what others wrote is without a target of the fuzzer."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from audit_flow.collectors.readers import READERS
from tests.fuzz.targets import TARGETS
from tests.house.tree import ROOT, sources

# What turns bytes or text that somebody else wrote into data.
READS = {
    ("json", "loads"),
    ("orjson", "loads"),
    ("yaml", "parse"),
    ("yaml", "safe_load"),
    ("json_text", "parse"),
    ("json_text", "parse_object"),
    ("json_text", "parse_lines"),
    ("yaml_text", "parse"),
    ("tomllib", "loads"),
    ("csv", "reader"),
    ("csv", "DictReader"),
    ("zipfile", "ZipFile"),
    ("struct", "unpack_from"),
    ("int", "from_bytes"),
    ("parquet", "ParquetFile"),
    ("base64", "b64decode"),
    ("base64", "urlsafe_b64decode"),
    ("", "load_strict"),
    ("", "load_der_x509_certificate"),
    ("", "load_pem_x509_certificates"),
    ("", "load_pem_private_key"),
    ("", "load_pem_public_key"),
    ("*", "model_validate_json"),
    ("*", "from_json"),
    ("", "parse_object"),
}
# Why a module that reads needs no target of its own.
ELSEWHERE = {
    "audit_flow/cli/compare_endpoint.py": "the operator's own option",
    "audit_flow/collectors/lm_eval.py": "the target lm-eval-0.4",
    "audit_flow/dashboard/api.py": "tests/dashboard/test_schemathesis.py sends it anything",
    "audit_flow/digests/cache.py": "rows that this machine sealed; tests/digests",
    "audit_flow/draft/text.py": "what this command has just written",
    "audit_flow/policy_file/trust.py": "the target trust file",
    "audit_flow/reproduce/reference_evidence.py": "digests that this process computed",
    "audit_flow/signing/log_body.py": "the target verified bundle",
    "audit_flow/signing/pkcs11.py": "a module that the operator's own token answers through",
    "audit_flow/signing/sigstore_sign.py": "the operator's own configuration of a signer",
    "audit_flow/signing/signer.py": "the operator's own certificate",
    "audit_flow/sources/archive.py": "the target inspect",
    "audit_flow/sources/expectations/beside.py": "a child process of this command",
    "audit_flow/sources/expectations/child.py": "the pipe from its own parent",
    "audit_flow/sources/fields.py": "every target of results",
    "audit_flow/sources/process_record/machine.py": "the machine's own driver",
    "audit_flow/sources/process_record/software.py": "the operator's own interpreter",
    "audit_flow/sources/protobuf_wire.py": "the targets wandb and tensorboard",
    "audit_flow/sources/record_files.py": "the targets wandb and tensorboard",
    "audit_flow/sources/lighteval_details.py": "the target lighteval",
    "audit_flow/sources/tables.py": "the targets slurm-sacct and step-table",
    "audit_flow/sources/text_lines.py": "the target text-log",
    "audit_flow/store/beside.py": "a child process of this command",
    "flows/kept.py": "what this account sealed; tests/flows",
}


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def reads(path: Path) -> bool:
    """Say whether a module calls anything that turns foreign bytes into data."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=name)):
                if (_name(value), name) in READS or ("*", name) in READS:
                    return True
            case ast.Call(func=ast.Name(id=name)) if ("", name) in READS:
                return True
    return False


def test_every_module_that_reads_has_a_target() -> None:
    covered = {name.replace(".", "/") + ".py" for t in TARGETS for name in t.covers}
    found = {p.as_posix() for p in sources("audit_flow", "flows") if reads(p)}
    assert found - covered - ELSEWHERE.keys() == set()
    gone = {p for p in ELSEWHERE if not (ROOT / p).is_file()}
    assert gone == set()


def test_every_format_of_evidence_has_a_target() -> None:
    assert {r.format for r in READERS} <= {t.name for t in TARGETS}


def test_targets_are_told_apart_and_name_modules_that_are_there() -> None:
    assert len({t.name for t in TARGETS}) == len(TARGETS)
    for name in {name for t in TARGETS for name in t.covers}:
        assert importlib.import_module(name)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import json\njson.loads(x)\n", True),
        ("y = X.model_validate_json(b)\n", True),
        ("json.dumps(x)\n", False),
    ],
)
def test_a_reader_is_seen(
    code: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.py").write_text(code)
    monkeypatch.setattr("tests.house.test_fuzz_targets.ROOT", tmp_path)
    assert reads(Path("m.py")) is found
