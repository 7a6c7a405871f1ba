"""A hosted endpoint serves the weights that are released."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ClaimKind,
    Declared,
    DeclaredEndpoint,
    EndpointComparison,
    EndpointPower,
    Frozen,
    LineageRecord,
    Trust,
)


class ServingParams(Frozen):
    """What a simulation of another model must come to before silence counts as proof."""

    min_simulations: int = 3
    min_power: float = 0.8


class SameModelServed:
    """Judges each comparison of an endpoint with the weights.

    Statistical, so it can be waived. An endpoint that the manifest names and that nobody asked is
    not proven; where none is named nor compared there is nothing to judge.
    """

    id = "serving.same-model"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = ServingParams

    def run(self, record: LineageRecord, params: ServingParams) -> Iterator[Result]:
        """Return a result for each endpoint, or one PASSED where none is spoken of."""
        compared = list(record.of(EndpointComparison))
        named = [e for declared in record.of(Declared) for e in declared.endpoints]
        for endpoint in named:
            if not any(_is_of(item, endpoint) for item in compared):
                yield _not_asked(endpoint)
        if not compared and not named:
            yield nothing_to_judge(
                "endpoint", "no endpoint was named to be compared with the weights",
                "every endpoint that is named serves the weights",
            )  # fmt: skip
        for item in compared:
            yield _judge(item, record, params)


def _is_of(item: EndpointComparison, endpoint: DeclaredEndpoint) -> bool:
    """Say whether a comparison asked the endpoint as it is named: address, model and API."""
    same_model = endpoint.model is None or item.model_asked == endpoint.model
    same_url = item.source.rstrip("/") == endpoint.url.rstrip("/")
    return same_url and same_model and item.api == endpoint.api


def _not_asked(endpoint: DeclaredEndpoint) -> Result:
    name = f" --endpoint-model {shlex.quote(endpoint.model)}" if endpoint.model else ""
    return unproven(
        endpoint.url, "the manifest names an endpoint that was not compared with the weights",
        "a comparison of its answers with those of the released weights",
        f"none; run: audit-flow audit --endpoint {shlex.quote(endpoint.url)}{name}",
    )  # fmt: skip


def _judge(item: EndpointComparison, record: LineageRecord, params: ServingParams) -> Result:
    released = record.subject.weights_sha256
    expected = f"answers of the weights sha256:{released or 'unknown'}"
    if released is None or item.weights_sha256 != released:
        other = f"sha256:{item.weights_sha256}" if item.weights_sha256 else "weights unknown"
        message = "the endpoint was compared with other weights than the released ones"
        return unproven(item.source, message, expected, f"compared with {other}", item.id)
    if item.verdict == "told apart":
        message = f"the hosted API is told apart from the weights (p={item.p_value:.2g})"
        return failed(item.source, message, expected, _in_numbers(item), item.id)
    if item.verdict == "could not decide":
        message = f"the comparison could not decide: {item.reason}"
        return unproven(item.source, message, expected, _in_numbers(item), item.id)
    if item.trust is not Trust.RECOMPUTED:
        message = "the comparison was not made here"
        return unproven(item.source, message, expected, item.trust.value, item.id)
    enough = [p for p in item.power if _is_enough(p, params)]
    if not enough:
        message = "not told apart, but no named other model would have been found either"
        return unproven(item.source, message, expected, _in_numbers(item), item.id)
    names = ", ".join(f"{p.alternative} ({p.found} of {p.simulated})" for p in enough)
    message = f"not told apart from the weights; would have been found: {names}"
    return passed(item.source, message, expected, _in_numbers(item), item.id)


def _is_enough(power: EndpointPower, params: ServingParams) -> bool:
    simulated = power.simulated
    return simulated >= params.min_simulations and power.found >= params.min_power * simulated


def _in_numbers(item: EndpointComparison) -> str:
    tests = ", ".join(
        f"{s.name} p={s.p_value:.2g} ({s.effect:+.3g} {s.unit})" for s in item.statistics
    )
    return (
        f"{item.in_words}: p={item.p_value:.2g}; {tests}; {item.prompts} prompts × {item.samples} "
        f"samples × {item.max_tokens} tokens, {item.greedy_agreement:.0%} of "
        f"{item.greedy_prompts} greedy answers equal"
    )
