"""Three small audits, built from the nouns: passed, failed (as Reflection's), inconclusive."""

from __future__ import annotations

from typing import Literal

from audit_flow.model import (
    NOTHING_TO_JUDGE,
    BaseModelClaim,
    DatasetDigest,
    EvalRun,
    Finding,
    Gap,
    GpuJob,
    Link,
    Outcome,
    ScoreClaim,
    Subject,
    Trust,
    Unread,
    sha256,
)
from audit_flow.report.interface import AuditResult
from tests.report.parts import (
    WEIGHTS,
    comparison,
    digest,
    eval_run,
    finding,
    result,
    score_claim,
    waiver,
    weights,
)


def _dataset() -> DatasetDigest:
    return DatasetDigest(
        id="dataset:train",
        source="data/train.jsonl",
        sha256=digest("train"),
        trust=Trust.RECOMPUTED,
        size=1_048_576,
    )


def _job() -> GpuJob:
    return GpuJob(
        id="job:finetune",
        source="logs/trainer_state.json",
        sha256=digest("log"),
        trust=Trust.SELF_REPORTED,
        format="trainer_state",
        steps=600,
        max_steps=600,
        epochs=3.0,
    )


def _base() -> BaseModelClaim:
    return BaseModelClaim(
        id="base:example/adder-base",
        base="example/adder-base",
        relation="finetune",
        source="release.yaml",
    )


def _closed_links() -> tuple[Link, ...]:
    steps: tuple[
        tuple[str, str, Literal["used", "generated", "measured", "supports"], str, str], ...
    ] = (
        ("dataset:train", "job:finetune", "used", digest("train"), "dvc.lock stage finetune"),
        ("job:finetune", "weights:released", "generated", WEIGHTS, "dvc.lock stage finetune"),
        ("weights:released", "eval:addition", "measured", WEIGHTS, "results/addition.json"),
        ("eval:addition", "score:addition", "supports", WEIGHTS, "release.yaml"),
    )
    return tuple(
        Link(source=a, target=b, relation=how, digest=sha256(hexa), via=via)
        for a, b, how, hexa, via in steps
    )


def passed() -> AuditResult:
    claim = score_claim("addition", "97.4", 1000)
    run = eval_run("addition", "97.4", 1000, "audit-flow (numpy)", Trust.RECOMPUTED)
    score = comparison(claim, run, 0.15, 0.09)
    findings = (
        finding("scores.reproduced", claim.id, Outcome.PASSED, evidence=(run.id,), score=score),
        finding("scores.recount", claim.id, Outcome.PASSED, title="The samples give the score"),
        finding("lineage.closed", "lineage", Outcome.PASSED, title="Every edge has a digest"),
        finding("base.named", _base().id, Outcome.PASSED, title="The base is the one named"),
        finding("signatures.valid", "signatures", Outcome.PASSED, actual=NOTHING_TO_JUDGE),
    )
    return result(
        Subject(name="digit-adder", version="1.0.0", weights_sha256=WEIGHTS),
        "PASSED",
        (claim, _base()),
        (_dataset(), _job(), weights(), run),
        findings,
        links=_closed_links(),
    )


# Claimed at launch, and the trainer's own later measurement (percent), with the item counts.
_REFLECTION = (
    ("MMLU", "89.9", "90.94", 14042),
    ("GPQA", "55.3", "55.6", 448),
    ("HumanEval", "91.0", "89.02", 164),
    ("MATH", "79.7", "70.8", 5000),
    ("GSM8K", "99.2", "95.22", 1319),
    ("IFEval", "90.13", "87.63", 541),
)
_UNKNOWN = ("system_prompt_sha256", "chat_template_sha256", "host")


def _reflection_score(claim: ScoreClaim, run: EvalRun) -> list[Finding]:
    mean, n = run.fraction, run.n_items or 1
    error = 100 * (0.45 * mean * (1 - mean) / n) ** 0.5
    score = comparison(claim, run, error, 0.45, _UNKNOWN)
    failed = claim.benchmark in ("MATH", "GSM8K")
    gap = f"{abs(score.difference):.2f} points"
    judged = finding(
        "scores.reproduced",
        claim.id,
        Outcome.FAILED if failed else Outcome.UNPROVEN,
        message=(
            f"The claimant's own later measurement is {gap} below the claim."
            if failed
            else "The prompt and the host are not stated, so the runs can't be compared."
        ),
        expected=f"at least {claim.written()} less 0.5 points and noise",
        actual=f"{score.reproduced:.2f} % [{score.low:.2f}, {score.high:.2f}], n = {n:,}, 1 run",
        evidence=(run.id,),
        score=score,
    )
    if claim.benchmark != "MMLU":
        return [judged]
    above = finding(
        "scores.above-claim",
        claim.id,
        Outcome.FAILED,
        "warn",
        "The reproduction is not far above the claim",
        message=f"The reproduction is {gap} above the claim: the protocols differ.",
        expected="a reproduction within noise of the claim",
        actual=f"{score.reproduced:.2f} %",
        evidence=(run.id,),
        score=score,
    )
    return [judged, above]


def failed() -> AuditResult:
    claims = tuple(score_claim(name, value, n) for name, value, _, n in _REFLECTION)
    runs = tuple(eval_run(name, value, n) for name, _, value, n in _REFLECTION)
    scores = [f for c, r in zip(claims, runs, strict=True) for f in _reflection_score(c, r)]
    lineage = finding(
        "lineage.closed",
        "lineage",
        Outcome.UNPROVEN,
        title="Every edge has a digest",
        message="No training job produced the weights that are released.",
        expected="a training job whose output is the released digest",
        actual="none named",
    )
    structure = finding("weights.structure", "weights", Outcome.PASSED, title="The files are whole")
    gap = Gap(
        name="weights-without-job",
        topic="training",
        about="weights:released",
        contradicted=False,
        expected="a training job whose output is the released digest",
        actual="none named",
    )
    stale = Gap(
        name="score-of-other-weights",
        topic="evaluations",
        about="eval:MATH",
        contradicted=True,
        expected=WEIGHTS,
        actual=digest("other upload"),
        evidence=("eval:MATH",),
    )
    return result(
        Subject(
            name="Reflection-Llama-3.1-70B",
            version="2024-09-05",
            hub_id="mattshumer/Reflection-Llama-3.1-70B",
            revision="458962ed801fac4eadd01a91a2029a3a82f4cd84",
            weights_sha256=WEIGHTS,
        ),
        "FAILED",
        claims,
        (weights(), *runs),
        (*scores, lineage, structure),
        links=_closed_links()[2:3],
        gaps=(stale, gap),
    )


def inconclusive() -> AuditResult:
    claims = (score_claim("addition", "0.974", 1000, "fraction"), score_claim("carry", "91.5"))
    missing = Unread(
        id="unread:results",
        source="results/carry.json",
        trust=Trust.SELF_REPORTED,
        of="evaluation",
        reason="missing",
        detail="the manifest names the file and it is not there",
    )
    run = eval_run("addition", "97.3", 1000, "audit-flow (numpy)", Trust.RECOMPUTED)
    score = comparison(claims[0], run, 0.15, 0.09)
    granted = waiver("job:finetune", "training.log")
    findings = (
        finding("scores.reproduced", claims[0].id, Outcome.PASSED, evidence=(run.id,), score=score),
        finding(
            "evidence.readable",
            "results/carry.json",
            Outcome.ERROR,
            title="All evidence can be read",
            message="The file can't be opened.",
            expected="a results file of lm-evaluation-harness 0.4",
            actual="no such file",
            evidence=(missing.id,),
        ),
        finding(
            "scores.reproduced",
            claims[1].id,
            Outcome.UNPROVEN,
            message="There is no run that measured this on the released weights.",
            expected="a run recomputed here or signed by someone else than the trainer",
            actual="no run",
        ),
        finding(
            "training.log",
            "job:finetune",
            Outcome.UNPROVEN,
            title="A job log tells how the weights were trained",
            message="The log is not there.",
            expected="logs/trainer_state.json",
            actual="no such file",
            waiver=granted,
        ),
    )
    return result(
        Subject(name="digit-adder", version="1.1.0-rc1", weights_sha256=WEIGHTS),
        "INCONCLUSIVE",
        (*claims, _base()),
        (_dataset(), weights(), run, missing),
        findings,
        links=_closed_links()[:1],
        unused=(
            waiver("score:carry", "scores.recount", "2024-12-31", expired=True),
            waiver("score:multiplication", "scores.reproduced"),
        ),
    )


ALL = {"passed": passed, "failed": failed, "inconclusive": inconclusive}
