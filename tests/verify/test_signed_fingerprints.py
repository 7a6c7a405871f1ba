"""Fingerprints are signed when they are written, and verified wherever they are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit_flow.cli.audit import audit
from audit_flow.cli.fingerprint import fingerprint
from audit_flow.cli.verify import verify
from audit_flow.collectors.weight_comparison import FINGERPRINTS, known_by
from audit_flow.errors import EvidenceError
from audit_flow.model import Trust, TrustFile
from audit_flow.model.trust import TrustedKey
from audit_flow.signing import KeySigner, evidence_statement
from audit_flow.signing.keys import fingerprint as key_sha256
from audit_flow.signing.keys import public_pem
from audit_flow.sources.fingerprint import read_fingerprint
from tests.lineage_models import changed, drawn, llama, written

SHAPES = llama(32, 48, 96, 2, 16)
BASE = drawn(SHAPES, 1)
KEY, STRANGERS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def trusting(key: ec.EllipticCurvePrivateKey, role: str = FINGERPRINTS) -> TrustFile:
    public = key.public_key()
    return TrustFile(keys=(TrustedKey(name="us", roles=(role,), pem=public_pem(public).decode(),
                                      sha256=key_sha256(public)),))  # fmt: skip


NOBODY, US, OTHERS = TrustFile(), trusting(KEY), trusting(STRANGERS)


def run(command: Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a folder with a key, a model, its signed fingerprint, and a child of the model."""
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "key.pub").write_bytes(public_pem(KEY.public_key()))
    (tmp_path / "other.pub").write_bytes(public_pem(STRANGERS.public_key()))
    (tmp_path / "known").mkdir()
    written(tmp_path / "base", BASE, "BF16")
    written(tmp_path / "child", changed(BASE, 0.2, 3), "BF16")
    card = "---\nbase_model: base\nbase_model_relation: finetune\n---\n# It\n"
    (tmp_path / "child" / "README.md").write_text(card)
    found = run(fingerprint, tmp_path / "base", "--output", place(tmp_path), "--key",
                tmp_path / "key.pem")  # fmt: skip
    assert found.return_value == 0, found.output
    assert f"signed by key sha256:{key_sha256(KEY.public_key())}" in found.output
    return tmp_path


def place(folder: Path) -> Path:
    return folder / "known" / "base.fingerprint"


def signature(folder: Path) -> Path:
    return folder / "known" / "base.fingerprint.sig"


def test_a_trusted_signature_is_told_and_kept(made: Path) -> None:
    known = known_by(place(made), US)
    assert (known.name, known.trust) == ("base", Trust.SIGNED)
    assert known.signer
    assert known.signer.key_sha256 == key_sha256(KEY.public_key())
    assert known.origin.startswith("signed by us (key sha256:")


def test_without_trust_its_origin_is_not_shown(made: Path) -> None:
    known = known_by(place(made), NOBODY)
    assert (known.signer, known.trust) == (None, Trust.SELF_REPORTED)
    assert "nothing shows by whom" in known.origin
    signature(made).unlink()
    assert known_by(place(made), NOBODY).origin == "nothing shows who made it"


@pytest.mark.parametrize(
    "trust", [OTHERS, trusting(KEY, "release"), trusting(KEY, "evaluation")],
    ids=["another key", "release only", "evaluation only"],
)  # fmt: skip
def test_who_is_not_trusted_with_fingerprints_makes_none(trust: TrustFile, made: Path) -> None:
    with pytest.raises(EvidenceError, match="not used"):
        known_by(place(made), trust)


def test_an_unsigned_one_is_not_used_where_anybody_is_trusted(made: Path) -> None:
    signature(made).unlink()
    with pytest.raises(EvidenceError, match="it is not signed"):
        known_by(place(made), US)


def test_a_changed_byte_anywhere_is_told(made: Path) -> None:
    raw, found = place(made).read_bytes(), 0
    for position in range(0, len(raw), max(1, len(raw) // 40)):
        altered = bytearray(raw)
        altered[position] ^= 1
        place(made).write_bytes(bytes(altered))
        for trust in (US, NOBODY):
            with pytest.raises(EvidenceError):
                known_by(place(made), trust)
        found += 1
    assert found >= 40
    place(made).write_bytes(raw)
    assert known_by(place(made), US).signer


@pytest.mark.parametrize("broken", [b"", b"{}", b"nonsense", b"\xff" * 100, b"[" * 100_000])
@pytest.mark.parametrize("trust", [US, NOBODY], ids=["trust", "no trust"])
def test_what_is_no_signature_is_told(broken: bytes, trust: TrustFile, made: Path) -> None:
    signature(made).write_bytes(broken)
    with pytest.raises(EvidenceError, match="not used"):
        known_by(place(made), trust)


@pytest.mark.parametrize("kind", ["evaluation", "dataset", "other"])
def test_a_statement_about_something_else_does_not_count(kind: str, made: Path) -> None:
    digest = read_fingerprint(place(made).read_bytes(), "x").sha256
    statement = evidence_statement([("base.fingerprint", digest)], kind)
    signature(made).write_bytes(KeySigner.of(KEY).sign(statement))
    with pytest.raises(EvidenceError, match="predicate"):
        known_by(place(made), US)


def test_a_signature_over_another_fingerprint_does_not_count(made: Path) -> None:
    again = run(fingerprint, made / "child", "--output", made / "known" / "child.fingerprint",
                "--key", made / "key.pem")  # fmt: skip
    assert again.return_value == 0
    signature(made).write_bytes((made / "known" / "child.fingerprint.sig").read_bytes())
    with pytest.raises(EvidenceError, match="subject"):
        known_by(place(made), US)


def judged(folder: Path, *more: object) -> tuple[int, dict[str, dict[str, str]], str]:
    result = run(verify, folder / "child", "--format", "json", *more)
    report = json.loads(result.output)
    findings = {f["rule"]: f for f in report["verdict"]["findings"]}
    return result.return_value, findings, result.output


@pytest.mark.parametrize("how", [["--fingerprints", "known"], ["--base", "known/base.fingerprint"]])
def test_verify_says_on_whose_word_it_rests(
    how: list[str], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    _, trusted, text = judged(made, *how, "--key", "key.pub")
    finding = trusted["base-model.candidates"]
    assert finding["outcome"] == "PASSED"
    assert "signed by key.pub" in finding["actual"]
    assert read_fingerprint(place(made).read_bytes(), "x").sha256 in text
    assert key_sha256(KEY.public_key()) in text
    _, untold, _ = judged(made, *how)
    assert "nothing shows by whom" in untold["base-model.candidates"]["actual"]


@pytest.mark.parametrize("how", [["--fingerprints", "known"], ["--base", "known/base.fingerprint"]])
@pytest.mark.parametrize("damage", ["untrusted", "unsigned", "altered"])
def test_verify_does_not_use_what_nobody_trusted_has_signed(
    how: list[str], damage: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    if damage == "unsigned":
        signature(made).unlink()
    if damage == "altered":
        raw = bytearray(place(made).read_bytes())
        raw[-1] ^= 1
        place(made).write_bytes(bytes(raw))
    key = "other.pub" if damage == "untrusted" else "key.pub"
    code, findings, text = judged(made, *how, "--key", key)
    assert code == 3
    assert findings["base-model.candidates"]["outcome"] == "UNPROVEN"
    assert "a fingerprint that is not used" in text


def test_search_uses_what_is_trusted_and_says_what_is_not(made: Path) -> None:
    child, known = made / "child", made / "known"
    good = run(fingerprint, child, "--search", known, "--trusted-key", made / "key.pub")
    assert good.return_value == 0
    assert good.output.startswith("base: related")
    assert "signed by key.pub" in good.output
    bad = run(fingerprint, child, "--search", known, "--trusted-key", made / "other.pub")
    assert bad.return_value == 3
    assert "related" not in bad.output
    assert "not used" in bad.output
    open_ = run(fingerprint, child, "--search", known)
    assert "nothing shows by whom" in open_.output


@pytest.mark.parametrize(
    "wrong", [["--search", "known", "--key", "key.pem"], ["--trusted-key", "key.pub"],
              ["--search", "known", "--output", "x"], ["--key", "missing.pem"]],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    wrong: list[str], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    assert run(fingerprint, "base", *wrong).exception is not None
    assert not (made / "base.fingerprint").exists()


def test_a_base_that_is_no_file_is_the_operators_mistake(made: Path) -> None:
    result = run(verify, made / "child", "--base", made / "missing.fingerprint")
    assert "there is no file" in str(result.exception)


MANIFEST = """\
schema: audit-flow/release/v1
release: {name: acme/it, version: 1.0.0}
weights: child
base_model: {id: base, fingerprint: known/base.fingerprint, relation: finetune}
"""
TRUST = """\
schema: audit-flow/trust/v1
keys: [{name: us, file: KEY, roles: [fingerprint]}]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "outcome"), [("key.pub", "PASSED"), ("other.pub", "UNPROVEN"), (None, "PASSED")]
)
def test_an_audit_takes_a_fingerprint_for_the_base(
    key: str | None, outcome: str, made: Path
) -> None:
    (made / "release.yaml").write_text(MANIFEST)
    (made / "trust.yaml").write_text(TRUST.replace("KEY", key or ""))
    trust = ["--trust", made / "trust.yaml"] if key else []
    result = run(audit, made / "release.yaml", "--format", "json", *trust)
    report = json.loads(result.stdout)
    (found,) = (f for f in report["verdict"]["findings"] if f["rule"] == "base-model.candidates")
    assert found["outcome"] == outcome
    words = {"key.pub": "signed by us", None: "nothing shows by whom", "other.pub": "not used"}
    assert words[key] in result.output
