"""Judge incidents by the published record: ``python benchmarks/incidents/run.py [FOLDER…]``.

Each folder is a case or holds cases (docs/incidents.md). Every case becomes a release that the
product audits under a bundled policy; the verdict is compared with the case's ``expected_gate``,
which nothing reads before. Exit 0 if every case came out as expected, else 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from audit_flow.audit import audit  # noqa: E402
from audit_flow.errors import AuditFlowError  # noqa: E402
from audit_flow.model import Finding, Outcome, Policy, PublishedFinding, Verdict  # noqa: E402
from audit_flow.policy_file import load_policy  # noqa: E402
from audit_flow.sources.manifest import load  # noqa: E402
from benchmarks.incidents.form import Case, CaseError, is_case, read_case  # noqa: E402
from benchmarks.incidents.translate import write_release  # noqa: E402

CASES = Path(__file__).parent / "cases"
POLICY = "published-record"
MEANS = {"BLOCK": "FAILED", "REVIEW": "INCONCLUSIVE", "INCONCLUSIVE": "INCONCLUSIVE",
         "PASS": "PASSED"}  # fmt: skip
ROW_MEANS = MEANS | {"FAILED": "FAILED", "PASSED": "PASSED", "FAIL": "FAILED"}
ROWS = "serving.rows"


@dataclass(frozen=True)
class Judged:
    """What the product said of one case, and how that compares with what was expected."""

    name: str
    expected: str
    got: str
    because: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the case came out as expected."""
        return not self.problems


@dataclass(frozen=True)
class Heard:
    """A verdict on a case, and the names that its findings have in the case."""

    verdict: Verdict
    names: dict[str, str]

    def of(self, outcome: Outcome, level: str = "deny") -> list[Finding]:
        """Return the findings with one outcome."""
        found = self.verdict.findings
        return [f for f in found if f.outcome is outcome and f.level == level]

    def named(self, findings: Iterable[Finding]) -> list[str]:
        """Return the case's own names of what findings rest on, each once."""
        ids = (e for f in findings for e in f.evidence)
        return list(dict.fromkeys(self.names[i] for i in ids if i in self.names))


def hear(case: Case, policy: Policy) -> Heard:
    """Audit a case: write its release into a private folder and judge it."""
    with tempfile.TemporaryDirectory() as name:
        result = audit(load(write_release(case, Path(name))), policy)
    names = {f.id: f.name for f in result.record.of(PublishedFinding)}
    return Heard(result.verdict, names)


def judge_folder(folder: Path, policy: Policy) -> Judged:
    """Read, audit and compare one case; a folder that can't be read is a problem, told."""
    try:
        case = read_case(folder)
        heard = hear(case, policy)
    except Exception as error:
        # Whatever a hostile case does is a line of the table: INCONCLUSIVE, with the reason.
        known = isinstance(error, CaseError | AuditFlowError)
        told = " ".join(f"{'' if known else f'{type(error).__name__}: '}{error}".split())[:300]
        return Judged(folder.name, "?", "INCONCLUSIVE", told, (f"could not be read: {told}",))
    return compare(case, heard)


def compare(case: Case, heard: Heard) -> Judged:
    """Compare a verdict with what the case expects."""
    rows = [f for f in heard.verdict.findings if f.rule == ROWS and f.evidence]
    expected = case.expected.verdict
    warned = tuple(heard.named(heard.of(Outcome.FAILED, "warn")))
    if expected == "PER_ROW":
        problems = tuple(_row_problems(case, rows))
        return Judged(case.id, expected, _tally(rows), _rows_because(rows), problems, warned)
    got = heard.verdict.outcome
    return Judged(case.id, expected or "none stated", got, _because(heard),
                  tuple(_problems(case, heard)), warned)  # fmt: skip


def _problems(case: Case, heard: Heard) -> Iterator[str]:
    expected, got = MEANS.get(case.expected.verdict), heard.verdict.outcome
    if expected is None:
        known = ", ".join([*MEANS, "PER_ROW"])
        yield f"expected_gate.verdict is {case.expected.verdict!r}; expected one of {known}"
        return
    if got != expected:
        yield f"{got}, expected {expected}"
    if expected == got == "FAILED" and case.expected.blocking:
        against = heard.named(heard.of(Outcome.FAILED))
        if not set(against) & set(case.expected.blocking):
            yield f"it rests on {', '.join(against)}; expected {', '.join(case.expected.blocking)}"


def _because(heard: Heard) -> str:
    outcomes = {"FAILED": Outcome.FAILED, "INCONCLUSIVE": Outcome.UNPROVEN}
    outcome = outcomes.get(heard.verdict.outcome, Outcome.PASSED)
    found = [f for f in heard.of(outcome) if f.evidence] or heard.of(outcome)
    if outcome is Outcome.UNPROVEN:
        found += heard.of(Outcome.ERROR)
    rules: dict[str, list[Finding]] = {}
    for each in found:
        rules.setdefault(each.rule, []).append(each)
    told = (f"{rule}: {', '.join(heard.named(fs)) or fs[0].message}" for rule, fs in rules.items())
    return "; ".join(told)


def _tally(rows: list[Finding]) -> str:
    counts = {o: sum(r.outcome is o for r in rows) for o in Outcome}
    told = (
        f"{n} {'INCONCLUSIVE' if o is Outcome.UNPROVEN else o.value}"
        for o, n in counts.items()
        if n
    )
    return ", ".join(told) or "no rows"


def _rows_because(rows: list[Finding]) -> str:
    failed = [f.about for f in rows if f.outcome is Outcome.FAILED]
    return f"{ROWS}: {', '.join(failed) or 'no row'}"


def _row_problems(case: Case, rows: list[Finding]) -> Iterator[str]:
    got = {f.about: f.outcome.value.replace("UNPROVEN", "INCONCLUSIVE") for f in rows}
    if not got:
        yield "no row could be read"
    for name, verdict in case.expected.rows.items():
        expected = ROW_MEANS.get(verdict, verdict)
        if got.get(name) != expected:
            yield f"row {name}: {got.get(name, 'not there')}, expected {expected}"


def find(folders: Iterable[Path]) -> list[Path]:
    """Return the cases in folders: a case itself, or each case inside."""
    found = []
    for folder in folders:
        inside = sorted(p for p in folder.iterdir() if p.is_dir() and is_case(p))
        found += [folder] if is_case(folder) else inside
    return found


def print_table(judged: list[Judged]) -> None:
    """Print one line a case, and below each what is not as expected."""
    print("| incident | expected | got | what stopped it (rule: findings) | |")
    print("|---|---|---|---|---|")
    for each in judged:
        mark = "ok" if each.ok else "NOT ok"
        print(f"| {each.name} | {each.expected} | {each.got} | {each.because} | {mark} |")
        if each.warnings:
            print(f"| | | warnings | {', '.join(each.warnings)} | |")
        for problem in each.problems:
            print(f"| | | | {problem} | NOT ok |")
    wrong = sum(not each.ok for each in judged)
    print(f"\n{len(judged) - wrong} of {len(judged)} cases as expected.")


def main(arguments: list[str] | None = None) -> int:
    """Judge the cases of the folders named, or those beside this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[CASES], metavar="FOLDER")
    parser.add_argument("--policy", default=POLICY, help=f"a bundled policy or file ({POLICY})")
    options = parser.parse_args(arguments)
    missing = [str(f) for f in options.folders if not f.is_dir()]
    if missing:
        parser.error(f"no folder {', '.join(missing)}; expected folders of cases")
    cases = find(options.folders)
    if not cases:
        parser.error("no case found; expected claims.yaml and reproduction.yaml in a folder")
    policy = load_policy(options.policy)
    judged = [judge_folder(case, policy) for case in cases]
    print_table(judged)
    return 0 if all(each.ok for each in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
