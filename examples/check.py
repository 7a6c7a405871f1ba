"""Audit the examples with the real command line and compare the verdicts with those expected.

Beside each release.yaml lies an expected.yaml::

    outcome: FAILED          # the verdict
    failed:                  # exactly the findings that FAILED and deny
      - {rule: scores.supported, about: math}
    warned: []               # exactly the findings that FAILED and only warn
    prepare: []              # `audit-flow` command lines run first, in this folder

`make audit` runs this; the exit code is 0 only when every example comes out as expected.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
AUDIT_FLOW = Path(sys.executable).with_name("audit-flow")
EXIT_CODES = {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}
NAMES = ("digit-adder", "cluster-adder", "reflection-70b")

Findings = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Expected:
    """What expected.yaml says."""

    outcome: str
    failed: Findings
    warned: Findings
    prepare: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Got:
    """What the command line said."""

    outcome: str
    exit_code: int
    failed: Findings
    warned: Findings


def read_expected(path: Path) -> Expected:
    """Read expected.yaml; a key that is missing or unknown is an error."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(document) - {"outcome", "failed", "warned", "prepare"}
    if unknown or document.get("outcome") not in EXIT_CODES or "failed" not in document:
        raise SystemExit(
            f"{path}: got keys {sorted(document)}, outcome {document.get('outcome')!r}; expected"
            f" `outcome` (one of {', '.join(EXIT_CODES)}) and `failed`, perhaps `warned`, `prepare`"
        )
    return Expected(
        outcome=document["outcome"],
        failed=named(document["failed"]),
        warned=named(document.get("warned", [])),
        prepare=tuple(tuple(map(str, line)) for line in document.get("prepare", [])),
    )


def named(findings: Iterable[dict[str, Any]]) -> Findings:
    """Name findings by rule and by what they are about."""
    return frozenset((str(each["rule"]), str(each["about"])) for each in findings)


def audit_flow(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the installed command from the top folder, as a user would."""
    sys.stdout.flush()
    return subprocess.run(
        [str(AUDIT_FLOW), *arguments],
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE if capture else None,
    )


def prepare(example: Path, expected: Expected) -> None:
    """Run the commands that must come before the audit; the first that fails ends the run."""
    for line in expected.prepare:
        done = audit_flow(*line)
        if done.returncode:
            command = " ".join(("audit-flow", *line))
            raise SystemExit(f"{example.name}: {command} exited {done.returncode}, expected 0")


def audit(manifest: str) -> Got:
    """Audit once for people, once for this script, and insist that both agree."""
    shown = audit_flow("audit", manifest)
    read = audit_flow("audit", manifest, "--format", "json", capture=True)
    if shown.returncode != read.returncode:
        raise SystemExit(
            f"{manifest}: exit code {shown.returncode} as text and {read.returncode} as JSON"
        )
    try:
        verdict = json.loads(read.stdout)["verdict"]
    except (ValueError, KeyError, TypeError):
        raise SystemExit(f"{manifest}: exit code {read.returncode} and no verdict") from None
    failed = [each for each in verdict["findings"] if each["outcome"] == "FAILED"]
    return Got(
        outcome=verdict["outcome"],
        exit_code=read.returncode,
        failed=named(each for each in failed if each.get("level", "deny") == "deny"),
        warned=named(each for each in failed if each.get("level", "deny") != "deny"),
    )


def differences(expected: Expected, got: Got) -> list[str]:
    """Say in which ways the verdict is not the one expected; empty when it is."""
    found = []
    if got.outcome != expected.outcome:
        found.append(f"the verdict is {got.outcome}")
    if got.exit_code != EXIT_CODES[expected.outcome]:
        found.append(f"exit code {got.exit_code}, expected {EXIT_CODES[expected.outcome]}")
    for kind, want, have in (
        ("FAILED", expected.failed, got.failed),
        ("a warning", expected.warned, got.warned),
    ):
        found += [f"{rule} about {about} is not {kind}" for rule, about in sorted(want - have)]
        found += [f"{rule} about {about} is {kind}" for rule, about in sorted(have - want)]
    return found


def check(name: str) -> bool:
    """Audit one example, print its report and one closing line."""
    example = EXAMPLES / name
    expected = read_expected(example / "expected.yaml")
    print(f"\n=== audit-flow audit examples/{name}/release.yaml\n")
    prepare(example, expected)
    got = audit(f"examples/{name}/release.yaml")
    found = differences(expected, got)
    closing = "as expected" if not found else "NOT as expected"
    print(f"\n{name}: expected {expected.outcome}, got {got.outcome}: {closing}")
    for difference in found:
        print(f"  {difference}")
    return not found


def main(names: list[str]) -> int:
    """Check the examples named, or all of them."""
    outcomes = [check(name) for name in names or NAMES]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
