"""Records of commands: in-toto links (``audit-flow record``, witness) and SLSA provenance.

Sources: in-toto attestation framework, predicate Link 0.3; SLSA provenance 0.2 and 1.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit_flow.analysis.moments import find_moment
from audit_flow.analysis.quantities import real, whole
from audit_flow.analysis.weight_names import is_weight_file
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob, PipelineStage, StageFile, Trust
from audit_flow.model.base import sha256_hex
from audit_flow.signing import read_statement
from audit_flow.signing.bundle import parse_bundle
from audit_flow.signing.dsse import IN_TOTO, Envelope
from audit_flow.sources import json_text
from audit_flow.sources.folder import MIB
from audit_flow.sources.job_facts import gpu_job, settings

LINK = "https://in-toto.io/attestation/link/v0.3"
PROVENANCE = frozenset({"https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"})
MAX_BYTES = 64 * MIB
MAX_FILES = 20_000
Data = dict[str, Any]
_HEX = frozenset("0123456789abcdef")


class CommandRecord:
    """Reads what was recorded of a command: one stage, and a job where it made weights."""

    format = "command-record"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is an in-toto statement, signed or not."""
        del source
        marks = (b'"dsseEnvelope"', b'"predicateType"', IN_TOTO.encode())
        return head.lstrip()[:1] == b"{" and any(mark in head for mark in marks)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return stage and job; EvidenceError for a statement of another kind."""
        raw = source.bytes(MAX_BYTES)
        kind, subjects, predicate = read_statement(statement(raw, source.path))
        if kind != LINK and kind not in PROVENANCE:
            raise EvidenceError(
                f"a statement of type {kind[:200]!r}", expected=f"{LINK} or SLSA provenance",
                where=source.path,
            )  # fmt: skip
        told = _link(predicate) if kind == LINK else _provenance(predicate)
        outs = tuple(dict.fromkeys(_files([*subjects, *told.byproducts])))
        return _facts(source, sha256_hex(raw), told, outs)


def statement(raw: bytes, where: str) -> bytes:
    """Return the statement in a bundle or an envelope, or the bytes where they are one."""
    data = json_text.parse_object(raw, where, constants=True)
    if "dsseEnvelope" in data:
        content = parse_bundle(raw, where).content
        if isinstance(content, Envelope):
            return content.payload
    payload = data.get("payload")
    if not isinstance(payload, str):
        return raw
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error:
        raise EvidenceError("a payload that is no base64", expected="DSSE", where=where) from None


def command_of(raw: bytes, where: str) -> tuple[str, ...] | None:
    """Return the words of the command that a link is of; None where it names none."""
    data = json_text.parse_object(statement(raw, where), where, constants=True)
    words = _at(data, "predicate").get("command")
    return tuple(str(w) for w in words) if isinstance(words, list) else None


@dataclass(frozen=True)
class _Told:
    """What a predicate says, whatever its type."""

    name: str
    command: str
    deps: tuple[StageFile, ...]
    byproducts: tuple[Any, ...] = ()
    started: str | None = None
    ended: str | None = None
    state: str | None = None
    problem: str | None = None
    environment: Data | None = None


def _link(predicate: Data) -> _Told:
    made, environment = _at(predicate, "byproducts"), _at(predicate, "environment")
    command = predicate.get("command")
    words = [str(w) for w in command] if isinstance(command, list) else []
    code, problem = made.get("return-value"), _problem(made)
    good = type(code) is int and code == 0
    return _Told(
        name=str(predicate.get("name") or "command")[:1000],
        command=shlex.join(words)[:10_000] or "unknown",
        deps=tuple(_files(predicate.get("materials"))),
        byproducts=(made.get("log"),),
        started=find_moment(str(environment.get("startedOn") or "")),
        ended=find_moment(str(environment.get("finishedOn") or "")),
        state="COMPLETED" if good else f"FAILED: {problem or 'no exit code'}",
        problem=problem if problem or good else "the record holds no exit code",
        environment=environment,
    )


def _problem(made: Data) -> str | None:
    code, name = made.get("return-value"), made.get("signal")
    if name:
        return f"the command was ended by {str(name)[:40]}"
    if code is not None and code != 0:
        return f"the command ended with exit code {str(code)[:20]}"
    for key, words in (
        ("changedMaterials", "inputs changed while it ran"),
        ("missingProducts", "outputs were not written"),
    ):
        named = made.get(key)
        if isinstance(named, list) and named:
            return f"{words}: {', '.join(str(n)[:200] for n in named[:10])}"
    return None


def _provenance(predicate: Data) -> _Told:
    definition, details = _at(predicate, "buildDefinition"), _at(predicate, "runDetails")
    metadata = _at(details, "metadata") or _at(predicate, "metadata")
    kind = definition.get("buildType") or predicate.get("buildType")
    builder = _at(details, "builder") or _at(predicate, "builder")
    return _Told(
        name=str(metadata.get("invocationId") or metadata.get("buildInvocationId") or kind)[:1000],
        command=f"{kind} by {builder.get('id')}"[:10_000],
        deps=tuple(_files(definition.get("resolvedDependencies") or predicate.get("materials"))),
        started=find_moment(str(metadata.get("startedOn") or metadata.get("buildStartedOn") or "")),
        ended=find_moment(str(metadata.get("finishedOn") or metadata.get("buildFinishedOn") or "")),
    )


def _at(data: Data, key: str) -> Data:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _files(resources: Any) -> Iterator[StageFile]:
    """Yield what has a name and a SHA-256; a resource of the network is none of the files."""
    for resource in resources[:MAX_FILES] if isinstance(resources, list) else ():
        name = resource.get("name") or resource.get("uri") if isinstance(resource, dict) else None
        digest = _at(resource, "digest").get("sha256") if name else None
        if not isinstance(name, str) or not isinstance(digest, str) or len(name) > 4096:
            continue
        if len(digest) == 64 and not set(digest) - _HEX and ":" not in name.partition("/")[0]:
            yield StageFile(path=name, sha256=digest)


def _facts(
    source: SourceFile, sha256: str, told: _Told, outs: tuple[StageFile, ...]
) -> tuple[Evidence, ...]:
    stage = PipelineStage(
        id=f"stage:{source.path}",
        source=source.path,
        sha256=sha256,
        trust=Trust.SELF_REPORTED,
        name=told.name,
        command=told.command,
        deps=told.deps,
        outs=outs,
        problem=told.problem,
    )
    if not any(is_weight_file(o.path) for o in outs):
        return (stage,)
    return (stage, _job(source, sha256, told, outs))


def _job(source: SourceFile, sha256: str, told: _Told, outs: tuple[StageFile, ...]) -> GpuJob:
    environment = told.environment or {}
    machine, use = _at(environment, "hardware"), _at(environment, "gpuUse")
    listed = machine.get("gpus")
    gpus = [g for g in listed if isinstance(g, dict)] if isinstance(listed, list) else []
    models = {str(g.get("name")) for g in gpus}
    host, variables = machine.get("host"), _at(environment, "variables")
    return gpu_job(
        source, CommandRecord.format, sha256,
        job_id=_text(variables.get("SLURM_JOB_ID")),
        name=told.name,
        user=_text(machine.get("user")),
        account=_text(variables.get("SLURM_JOB_ACCOUNT")),
        cluster=_text(variables.get("SLURM_CLUSTER_NAME")),
        state=told.state,
        started=told.started,
        ended=told.ended,
        elapsed=real(environment.get("elapsedSeconds")),
        hosts=(host[:1000],) if isinstance(host, str) and host else None,
        # A machine without GPUs is not one that computed nothing.
        gpus=len(gpus) or None,
        gpu_model=", ".join(sorted(models)) or None,
        world_size=whole(variables.get("WORLD_SIZE")),
        utilisation=real(use.get("meanUtilisationPercent")),
        max_utilisation=real(use.get("maxUtilisationPercent")),
        max_memory=real(use.get("maxMemoryMiB")),
        max_power=real(use.get("maxPowerWatts")),
        samples=whole(use.get("readings")),
        config=settings(_settings(environment, variables)),
        inputs=told.deps,
        outputs=outs,
        note=None if gpus else "no GPU was seen",
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _settings(environment: Data, variables: Data) -> Data:
    python, git, machine = (_at(environment, k) for k in ("python", "git", "hardware"))
    found = {
        "git.commit": git.get("commit"),
        "git.dirty": git.get("dirty"),
        "python": python.get("python"),
        "python.packages.sha256": python.get("packagesSha256"),
        "machine.processor": machine.get("processor"),
        "machine.memory": machine.get("memoryBytes"),
    }
    return {k: v for k, v in found.items() if v is not None} | {
        f"env.{name}": value for name, value in variables.items()
    }
