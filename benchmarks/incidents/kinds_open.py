"""Made-up cases that a gate should leave open, and honest ones that it should let pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.incidents.synthetic_parts import Made, Names, claim, finding, measured, score


def other_protocol(n: Names) -> Made:
    """A lower figure under another protocol is another measurement."""
    c = score(n, shots=5)
    word = n.pick("mismatch, conditions differ", "different protocol", "other harness version",
                  "not comparable", "different prompt")  # fmt: skip
    found = measured(n, c, n.stranger(), -n.chance.uniform(8, 20), word)
    return Made(n, [c], [found], "REVIEW", n.pick("", "explained"))


def other_fields(n: Names) -> Made:
    """The same, told by fields and not by words."""
    c = score(n, shots=5, variant="v1")
    other: dict[str, Any] = n.chance.choice(({"shots": 0}, {"variant": "v2"}, {"n_items": 100}))
    found = measured(n, c, n.stranger(), -n.chance.uniform(8, 20), "mismatch", **other)
    return Made(n, [c], [found], "REVIEW")


def measured_on_others(n: Names) -> Made:
    """A figure of other weights, or of a hosted copy, says nothing of the released ones."""
    c = score(n)
    note = n.pick("measured on a quantised conversion", "measured through a hosted API",
                  "measured on an earlier checkpoint")  # fmt: skip
    found = measured(n, c, n.stranger(), -n.chance.uniform(8, 15), "mismatch", note=note)
    return Made(n, [c], [found], "REVIEW")


def withdrawn_accusation(n: Names) -> Made:
    """An accusation that was taken back stands no more, and proves nothing either."""
    c = claim(n, "training", "trained from scratch")
    text = "the parameter shapes are those of another model"
    if n.chance.random() < 0.5:
        found = finding(n, c, n.stranger(), text, n.pick("withdrawn", "accusation retracted"))
        return Made(n, [c], [found], "REVIEW")
    found = finding(n, c, n.stranger(), text, "mismatch")
    return Made(n, [c], [found], "REVIEW", n.pick("withdrawn", "retracted by the accuser"))


def contested_similarity(n: Names) -> Made:
    """A similarity whose method is contested decides nothing."""
    c = claim(n, "base_model", "trained from scratch")
    found = [
        finding(n, c, n.stranger(), round(n.chance.uniform(0.85, 0.99), 3),
                n.pick("suspicious", "mismatch", "likely derived")),
        finding(n, c, n.pick(n.owner(), n.stranger()), "the measure is as high for unrelated pairs",
                n.pick("method contested", "disputed", "rebuttal", "denied")),
    ]  # fmt: skip
    return Made(n, [c], found, "REVIEW", n.pick("disputed", "contested", ""))


def hearsay(n: Names) -> Made:
    """What somebody suspects is no evidence."""
    c = claim(n, "serving_identity", "the API serves the model")
    text = n.pick("replies seem to come from another vendor's model",
                  "the model says it is another model when asked")  # fmt: skip
    word = n.pick("alleged", "alleged mismatch", "suspicious", "unconfirmed", "possible mismatch")
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "REVIEW",
                n.pick("", "disputed", "denied by the developers"))  # fmt: skip


def unknown_words(n: Names) -> Made:
    """Words that nobody knows decide nothing."""
    letters = "bcdfghjklmnpqrstvwxz"
    word = "".join(n.chance.choice(letters) for _ in range(9))
    c = claim(n, n.pick("zzz_kind", "governance", "training"), "something about the model")
    found = finding(n, c, n.stranger(), "an observation about it", word)
    return Made(n, [c], [found], "REVIEW", n.pick("", "wobbly"))


def self_confirmed(n: Names) -> Made:
    """A claimant's own word proves nothing."""
    c = score(n)
    found = measured(n, c, n.owner(), n.chance.uniform(-0.2, 0.2), n.pick("match", "reproduced"))
    return Made(n, [c], [found], "REVIEW")


def half_and_half(n: Names) -> Made:
    """A finding that speaks both ways decides nothing, even if the claimant admits a part."""
    c = claim(n, "architecture", "an architecture of its own")
    word = n.pick("mismatch in naming, match in structure", "mixed", "partly matches")
    text = "two tensors carry other names than a known model's"
    found = [finding(n, c, n.stranger(), text, word)]
    if n.chance.random() < 0.5:
        found.append(finding(n, c, n.owner(), "calls it an oversight", "admitted"))
    return Made(n, [c], found, "REVIEW", n.pick("resolved", ""))


def reproduced(n: Names) -> Made:
    """Somebody else measured the same."""
    c = score(n)
    word = n.pick(
        "match", "reproduced", "within noise", "within_2_sigma", "consistent with the claim",
        "matches the claim", "mismatch within noise",
    )  # fmt: skip
    found = measured(n, c, n.stranger(), n.chance.uniform(-0.3, 0.2), word)
    return Made(n, [c], [found], "PASS")


def same_as_evaluated(n: Names) -> Made:
    """The same word is in favour where the claim is that the bytes are the same."""
    c = claim(n, "artifact_identity", "the released weights are those that were evaluated")
    word = n.pick("identical", "bit-identical", "unchanged", "same as claimed", "match")
    text = "the sha256 of all 30 shards are those of the evaluation log"
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "PASS")


def noise_called_mismatch(n: Names) -> Made:
    """A difference that chance explains is none, whatever it is called."""
    c = score(n)
    found = measured(n, c, n.stranger(), -n.chance.uniform(0.1, 0.4), n.pick("mismatch", "lower"))
    return Made(n, [c], [found], "PASS")


def honest_with_gaps(n: Names) -> Made:
    """Small differences in an honest release are warnings."""
    c, d = claim(n, "training", "three epochs on the named data"), claim(n, "openness", "all logs")
    found = [
        finding(n, c, "arithmetic on the public logs", "steps, batch and examples agree",
                n.pick("match", "consistent", "agrees")),
        finding(n, d, n.pick("count", "README", n.stranger()), "two of 900 logs are listed twice",
                n.pick("small gaps", "minor documentation error", "one wrong label",
                       "difference without effect", "placeholder left, fixed")),
    ]  # fmt: skip
    return Made(n, [c, d], found, "PASS", n.pick("", "honest release"))


def open_correction(n: Names) -> Made:
    """A typing error that the claimant corrected openly, and somebody else confirms."""
    c = score(n)
    shift = n.chance.choice((-1, 1)) * n.chance.uniform(2, 9)
    value = c["metric"]["value"] + shift
    found = [
        measured(n, c, n.owner(), shift, n.pick("typo, corrected", "signed correction", "erratum",
                                                "corrected openly", "honest correction")),
        measured(n, c, n.stranger(), value - c["metric"]["value"] + 0.1, "match"),
    ]  # fmt: skip
    return Made(n, [c], found, "PASS", n.pick("corrected", ""))


def refuted_accusation(n: Names) -> Made:
    """An accusation that others refuted by what anybody can look up is no reason to block."""
    c = claim(n, "base_model", "trained from scratch")
    found = [
        finding(n, c, n.stranger(), "the weights look similar to another model's",
                n.pick("suspicious", "alleged plagiarism", "likely copied")),
        finding(n, c, n.stranger(), "training logs and 240 intermediate checkpoints show the run",
                n.pick("refuted", "unfounded", "accusation false", "debunked")),
    ]  # fmt: skip
    return Made(n, [c], found, "PASS", n.pick("", "resolved"))


def renamed_with_leave(n: Names) -> Made:
    """Tensors renamed with permission and attribution contradict nothing."""
    c = claim(n, "architecture", "a known architecture with renamed tensors")
    found = finding(n, c, n.stranger(), "names differ in 2 tensors; NOTICE file credits the source",
                    n.pick("renamed with permission", "with permission", "attributed",
                           "naming only, with permission"))  # fmt: skip
    return Made(n, [c], [found], "PASS")


OPEN: dict[str, Callable[[Names], Made]] = {
    "another protocol, in words": other_protocol,
    "another protocol, in fields": other_fields,
    "measured on other weights": measured_on_others,
    "accusation withdrawn": withdrawn_accusation,
    "contested similarity": contested_similarity,
    "hearsay": hearsay,
    "words that nobody knows": unknown_words,
    "only the claimant confirms": self_confirmed,
    "for and against at once": half_and_half,
}
IN_FAVOUR: dict[str, Callable[[Names], Made]] = {
    "reproduced by others": reproduced,
    "the weights that were evaluated": same_as_evaluated,
    "noise called a mismatch": noise_called_mismatch,
    "honest with gaps": honest_with_gaps,
    "typing error corrected openly": open_correction,
    "accusation refuted": refuted_accusation,
    "renamed with permission": renamed_with_leave,
}
