"""Made-up incidents that a gate should block, each with the reason in its docstring."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.incidents.synthetic_parts import Made, Names, claim, finding, measured, score

_TOLD = ("confirmed", "admitted", "acknowledged", "corrected by the owner", "claims withdrawn")


def owner_lowers(n: Names) -> Made:
    """A claimant who measures less himself contradicts his claim."""
    c = score(n)
    word = n.pick("mismatch", "lower_than_claimed", "lower than claimed", "not reproduced")
    found = measured(n, c, n.owner(), -n.chance.uniform(6, 12), word)
    return Made(n, [c], [found], "BLOCK", n.pick("", *_TOLD))


def two_labs_lower(n: Names) -> Made:
    """Two independent parties that measure far less contradict it."""
    c = score(n)
    # Six points, or where items are few four standard errors between two runs: 12 on 541 items.
    far = max(6, 4 * (2 * 2500 / c["metric"]["n_items"]) ** 0.5)
    found = [
        measured(n, c, n.stranger(), -n.chance.uniform(far, far + 3), n.pick("mismatch", "lower"))
        for _ in range(2)
    ]
    return Made(n, [c], found, "BLOCK")


def leaked_test_set(n: Names) -> Made:
    """Test items counted in the training data can be counted again by anybody."""
    c = score(n)
    items = c["metric"]["n_items"]
    found = n.chance.randrange(items // 5, items // 2)
    text = n.pick(
        f"{found} of {items} test items stand in the fine-tuning data",
        f"string match finds {found} of the {items} questions in the released training set",
    )
    word = n.pick("contaminated", "contamination", "test leakage", "test set in training data",
                  "trained on the test set", "leaked test set")  # fmt: skip
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "confirmed", "unanswered", "contested"))  # fmt: skip


def swapped_weights(n: Names) -> Made:
    """Digests that differ from those evaluated can be compared again."""
    c = claim(n, "artifact_identity", "the released weights are those that were evaluated")
    text = n.pick(
        "the sha256 of 12 shards is not that of the evaluated checkpoint",
        "file digests in the evaluation log differ from the uploaded files",
    )
    word = n.pick("mismatch", "weights swapped", "weights replaced", "silently replaced",
                  "not the released weights", "mismatch of artefact identity")  # fmt: skip
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "confirmed", "acknowledged"))  # fmt: skip


def same_as_another(n: Names) -> Made:
    """Weights that are another model's, bit for bit, were not trained from scratch."""
    c = claim(n, "base_model", n.pick("trained from scratch", "our own model", "an original model",
                                      "built in-house, without a base"))  # fmt: skip
    word = n.pick("identical files", "same weights", "byte-identical weights", "equal tensors",
                  "identical to an earlier upload", "bit-identical", "same sha256")  # fmt: skip
    text = "the sha256 of 40 of 41 shards equal those of a model published a year earlier"
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "unanswered"))  # fmt: skip


def wrong_licence(n: Names) -> Made:
    """A licence that the base model's terms do not allow can be read by anybody."""
    c = claim(n, "license", "apache-2.0")
    text = n.pick(
        "the base model's licence forbids redistribution under apache-2.0",
        "config and LICENSE file of the base are under a non-commercial licence",
    )
    word = n.pick("licence violation", "license mismatch", "not permitted", "incompatible licence",
                  "wrong licence", "licence conflict")  # fmt: skip
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "confirmed", "corrected"))  # fmt: skip


def majority_as_single(n: Names) -> Made:
    """A majority vote announced as single answers is told by the paper itself."""
    c = score(n, metric="pass@1")
    k = n.chance.choice((8, 32, 64))
    text = n.pick(f"the table's figure is maj@{k}, the text calls it pass@1",
                  f"footnote 4 states cons@{k}; others are shown at pass@1")  # fmt: skip
    word = n.pick("unfair comparison", f"maj@{k} reported as pass@1", "cherry-picked",
                  "misleading comparison", "mismatch")  # fmt: skip
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "acknowledged", "confirmed"))  # fmt: skip


def missing_files(n: Names) -> Made:
    """Files that the index names and the repository lacks can be looked for by anybody."""
    c = claim(n, "artifact_integrity", "thirty shards that load")
    text = n.pick("shards 7 and 19 are not in the repository; the index names them",
                  "the upload stops after file 21 of 30")  # fmt: skip
    word = n.pick("missing files", "incomplete upload", "incomplete", "truncated", "corrupt upload")
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("", "confirmed", "fixed by re-upload"))  # fmt: skip


def base_unnamed(n: Names) -> Made:
    """A base model that was hidden and then admitted contradicts 'from scratch'."""
    c = claim(n, "base_model", "trained from scratch")
    text = n.pick("weights and tokenizer are those of another published model",
                  "tensor digests of the embedding equal another model's")  # fmt: skip
    word = n.pick("mismatch", "undisclosed base model", "derived from another model", "plagiarism",
                  "copied weights")  # fmt: skip
    found = [finding(n, c, n.stranger(), text, word)]
    found.append(finding(n, c, n.owner(), "names the base model and apologises", "admitted"))
    return Made(n, [c], found, "BLOCK", n.pick("admitted", "confirmed", ""))


def quantised_serving(n: Names) -> Made:
    """A provider that admits to serve other precision than announced contradicts himself."""
    c = claim(n, "serving_identity", "the API serves the released weights in bf16")
    text = n.pick("answers and log-probabilities fit int4 weights",
                  "greedy answers differ from the weights in 41 of 100 prompts")  # fmt: skip
    word = n.pick("mismatch", "quantised", "quantized serving", "not the released model")
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK",
                n.pick("confirmed", "admitted", "acknowledged"))  # fmt: skip


def context_length(n: Names) -> Made:
    """A context length that the config contradicts can be read by anybody."""
    c = claim(n, "context_length", "131072 tokens")
    text = "config.json states max_position_embeddings 8192 and no rope scaling"
    word = n.pick("mismatch", "overstated", "wrong context length", "contradicted by the config")
    return Made(n, [c], [finding(n, c, n.stranger(), text, word)], "BLOCK", n.pick("", "confirmed"))


def scored_other_model(n: Names) -> Made:
    """A score of a system that was not released does not hold for the one that was."""
    c = score(n)
    word = n.pick("artefact differs", "another model was scored", "model differs",
                  "not the released weights", "unreleased model")  # fmt: skip
    text = "the leaderboard entry is an internal version, not the released one"
    return Made(n, [c], [finding(n, c, n.owner(), text, word)], "BLOCK",
                n.pick("explained", "acknowledged", ""))  # fmt: skip


AGAINST: dict[str, Callable[[Names], Made]] = {
    "owner measures less": owner_lowers,
    "two labs measure less": two_labs_lower,
    "leaked test set": leaked_test_set,
    "swapped weights": swapped_weights,
    "the weights of another": same_as_another,
    "wrong licence": wrong_licence,
    "majority vote as one answer": majority_as_single,
    "missing files": missing_files,
    "hidden base model, admitted": base_unnamed,
    "quantised serving, admitted": quantised_serving,
    "context length": context_length,
    "another model was scored": scored_other_model,
}
