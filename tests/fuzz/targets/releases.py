"""What a publisher or an operator writes about a release: manifest, ledger, card, policy, trust."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from audit_flow.collectors.dvc_ledger import read_dvc_file, read_ledger
from audit_flow.collectors.model_card import read_card
from audit_flow.collectors.openness import components, terms
from audit_flow.policy_file import load_policy, load_trust
from audit_flow.policy_file.cases import run_cases
from audit_flow.sources.folder import Folder
from audit_flow.sources.manifest import load, parse
from audit_flow.verify.candidates import read_config
from audit_flow.verify.claims import read_checksums, read_claims
from tests.fuzz.facts import held
from tests.fuzz.interface import DATA, ROOT, Place, Seed, Target
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json
from tests.fuzz.targets.documents import spoil_yaml
from tests.release_builder import build

POLICIES = ROOT / "policies"
PEM = (DATA / "bundles" / "oms" / "keys" / "signing-key-pub.pem").read_text()
EVAL_RESULT = """- dataset: {id: openai/gsm8k, task_id: gsm8k, revision: abc}
  value: 93.40
  date: 2026-01-01
  source: {url: "https://example.org", name: "x", user: org}
  notes: 5-shot
"""
DVC_FILE = """outs:
- {md5: 0123456789abcdef0123456789abcdef.dir, size: 12, nfiles: 2, hash: md5, path: data}
"""
POLICY = """schema: audit-flow/policy/v1
name: own
title: Our own
extends: default
rules:
- {id: scores.reproduced, level: deny, params: {alpha: 0.01}}
waivers:
- rule: lineage.closed
  about: lineage
  owner: Ada
  reason: agreed with all
  expires: 2030-01-01
  subject_sha256: "%s"
""" % ("a" * 64)
TRUST = f"""schema: audit-flow/trust/v1
keys:
- name: a judge
  roles: [release, verdict]
  pem: |
{"".join(f"    {line}" + chr(10) for line in PEM.splitlines())}identities:
- {{name: ci, roles: [evaluation], issuer: "https://token.actions.githubusercontent.com", identity: "https://github.com/x/y"}}
revocations:
- {{at: 2026-01-01T00:00:00Z, reason: lost, key: "sha256:{"b" * 64}"}}
"""
SUMS = f"{'a' * 64}  model.safetensors\n{'b' * 64} *config.json\n# more\n"


@cache
def good() -> dict[str, bytes]:
    """Return the files of a complete small release."""
    root = Path(mkdtemp(prefix="fuzz-good-"))
    try:
        built = build(root / "r", 5)
        return {name: built.path(name).read_bytes() for name in built.files()}
    finally:
        shutil.rmtree(root)


def of_release(*names: str, entry: str = "release.yaml") -> Iterable[Seed]:
    """Return seeds that spoil one file of a good release, the rest of it beside."""
    for name in names:
        beside = {n: d for n, d in good().items() if n != name}
        yield Seed(good()[name], name, entry, beside)


def spoil_card(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil a card's front matter as YAML, or the whole card as bytes."""
    parts = data.split(b"---\n", 2)
    if len(parts) < 3 or rng.random() < 0.3:
        return spoil_bytes(rng, data, others)
    return b"---\n" + spoil_yaml(rng, parts[1], ()) + b"\n---\n" + parts[2]


def _manifest(data: bytes, place: Place) -> None:
    parse(data, "release.yaml")


def _loaded(data: bytes, place: Place) -> None:
    release = load(place.path)
    held(release.manifest.claims())
    held([*components(release), terms(release)])


def _ledger(data: bytes, place: Place) -> None:
    held(read_ledger(place.folder))


def _dvc_file(data: bytes, place: Place) -> None:
    held([read_dvc_file(place.folder, place.seed.read)])


def _card(data: bytes, place: Place) -> None:
    card, scores = read_card(place.folder, "README.md", ("adder", "org/adder"))
    held([card, *scores])


def _claims(data: bytes, place: Place) -> None:
    names = place.folder.walk()
    told = read_claims(place.folder, names, "org/adder")
    held([*told.claims, *told.evidence])


def _sums(data: bytes, place: Place) -> None:
    held(read_checksums(place.path))


def _policy(data: bytes, place: Place) -> None:
    held([load_policy(str(place.path))])


def _cases(data: bytes, place: Place) -> None:
    run_cases(load_policy("third-party"), place.root / "third-party.yaml")


def _trust(data: bytes, place: Place) -> None:
    held([load_trust(place.path)])


def _config(data: bytes, place: Place) -> None:
    read_config(Folder.at(place.root))


def _card_seeds() -> Iterable[Seed]:
    table = b"\n| Benchmark | adder | base |\n|---|---|---|\n| MMLU | **71.3** | 69.2 |\n"
    yield Seed(good()["README.md"] + table, "README.md")
    results = ".eval_results/gsm8k.yaml"
    yield Seed(EVAL_RESULT.encode(), results, "README.md", {"README.md": good()["README.md"]})


def _claims_seeds() -> Iterable[Seed]:
    yield from _card_seeds()
    beside = {"README.md": good()["README.md"], "model.safetensors": b""}
    yield Seed(good()["release.yaml"], "release.yaml", beside=beside)
    yield Seed(SUMS.encode(), "SHA256SUMS", beside=beside)


def _policy_seeds() -> Iterable[Seed]:
    suite = (POLICIES / "expectations" / "training-log.json").read_bytes()
    beside = {"own-suite.json": suite}
    named = POLICY.replace(
        "rules:\n", "rules:\n- {id: data.expectations, params: {suites: [own-suite.json]}}\n"
    )
    yield Seed(POLICY.encode(), "own.yaml")
    yield Seed((POLICIES / "third-party.yaml").read_bytes(), "own.yaml")
    yield Seed(named.encode(), "own.yaml", beside=beside)
    yield Seed(suite, "own-suite.json", "own.yaml", {"own.yaml": named.encode()})


def _cases_seeds() -> Iterable[Seed]:
    folder = POLICIES / "cases" / "third-party"
    inner = "cases/third-party"
    files = {f"{inner}/{p.name}": p.read_bytes() for p in folder.iterdir() if p.is_file()}
    name = f"{inner}/cases.yaml"
    # One case at a time: judging all of them would take most of the time.
    head, _, rest = files[name].partition(b"cases:\n")
    cases = rest.split(b"\n  - ")[1:4]
    for case in cases:
        yield Seed(
            head + b"cases:\n  - " + case.rstrip() + b"\n",
            name,
            beside={n: d for n, d in files.items() if n != name},
        )


RELEASES = (
    Target(
        "manifest",
        (
            "audit_flow.sources.manifest",
            "audit_flow.sources.wire",
            "audit_flow.sources.manifest_entries",
        ),
        _manifest,
        lambda: of_release("release.yaml"),
        spoil_yaml,
    ),
    Target(
        "release on disk",
        ("audit_flow.sources.manifest", "audit_flow.collectors.openness"),
        _loaded,
        lambda: of_release("release.yaml"),
        spoil_yaml,
        files=True,
    ),
    Target(
        "dvc ledger",
        ("audit_flow.collectors.dvc_ledger",),
        _ledger,
        lambda: of_release("dvc.lock", "dvc.yaml"),
        spoil_yaml,
        files=True,
    ),
    Target(
        "dvc file",
        ("audit_flow.collectors.dvc_ledger",),
        _dvc_file,
        lambda: [Seed(DVC_FILE.encode(), "data.dvc")],
        spoil_yaml,
        files=True,
    ),
    Target(
        "model card",
        ("audit_flow.collectors.model_card",),
        _card,
        _card_seeds,
        spoil_card,
        files=True,
    ),
    Target(
        "claims of a repository",
        ("audit_flow.verify.claims",),
        _claims,
        _claims_seeds,
        spoil_card,
        files=True,
    ),
    Target(
        "checksum list",
        ("audit_flow.verify.claims",),
        _sums,
        lambda: [Seed(SUMS.encode(), "SHA256SUMS")],
        spoil_bytes,
        files=True,
    ),
    Target(
        "model configuration",
        ("audit_flow.verify.candidates",),
        _config,
        lambda: [Seed(b'{"hidden_size": 8, "rope": {"x": 1.5}}', "config.json")],
        spoil_json,
        files=True,
    ),
    Target(
        "policy and suites",
        (
            "audit_flow.policy_file.load",
            "audit_flow.policy_file.suites",
            "audit_flow.gate.judge",
            "audit_flow.checks.tables",
        ),
        _policy,
        _policy_seeds,
        spoil_yaml,
        files=True,
    ),
    Target(
        "policy cases",
        ("audit_flow.policy_file.cases",),
        _cases,
        _cases_seeds,
        spoil_yaml,
        files=True,
    ),
    Target(
        "trust file",
        ("audit_flow.policy_file.trust",),
        _trust,
        lambda: [Seed(TRUST.encode(), "trust.yaml")],
        spoil_yaml,
        files=True,
    ),
)
