"""Kubernetes: a Job (batch/v1), its Pods, or a List of them, as ``kubectl get -o json`` prints it.

Fields: the Kubernetes API reference for Job and Pod.
"""

from __future__ import annotations

from typing import Any

from audit_flow.analysis.moments import find_moment
from audit_flow.analysis.quantities import whole
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob
from audit_flow.sources.job_facts import MAX_JOBS, gpu_job, settings

Data = dict[str, Any]
_JOBS = {"Job", "PyTorchJob", "MPIJob", "JobSet", "RayJob", "TFJob"}
_MODEL_LABELS = (
    "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "gpu.nvidia.com/model",
    "node.kubernetes.io/instance-type", "karpenter.k8s.aws/instance-gpu-name",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-tpu-accelerator", "accelerator",
)  # fmt: skip


class KubernetesJob:
    """Reads Jobs and Pods."""

    format = "kubernetes"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is an object of the Kubernetes API that runs something."""
        del source
        start = head.lstrip()[:1] == b"{"
        return start and b'"apiVersion"' in head and b'"kind"' in head

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job for each Job, and one for each Pod that belongs to none here."""
        data, sha256 = source.json()
        objects = _objects(data, source)
        jobs = [o for o in objects if str(o.get("kind")) in _JOBS]
        pods = [o for o in objects if o.get("kind") == "Pod"]
        if not 0 < len(jobs) + len(pods) <= MAX_JOBS:
            raise EvidenceError(
                f"{len(objects)} objects and no Job among them", expected="a Job or a Pod",
                where=source.path,
            )  # fmt: skip
        taken = [(job, [p for p in pods if _belongs(p, job)]) for job in jobs]
        owned = {id(p) for _, own in taken for p in own}
        taken += [(p, [p]) for p in pods if id(p) not in owned]
        alone = len(taken) == 1
        return tuple(_job(source, sha256, o, own, alone, n) for n, (o, own) in enumerate(taken))


def _objects(data: Data, source: SourceFile) -> list[Data]:
    if not str(data.get("kind", "")).endswith("List"):
        return [data]
    items = data.get("items")
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise EvidenceError(
            "items is no list of objects", expected="a List", where=f"{source.path}: items"
        )
    # Objects of a typed list (JobList) leave out their kind.
    kind = str(data.get("kind")).removesuffix("List")
    return [{"kind": kind, **i} if kind else i for i in items]


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _mapping(data: Any, *path: str) -> Data:
    found = _at(data, *path)
    return found if isinstance(found, dict) else {}


def _belongs(pod: Data, job: Data) -> bool:
    uid = _at(job, "metadata", "uid")
    owners = _at(pod, "metadata", "ownerReferences")
    listed = owners if isinstance(owners, list) else []
    return bool(uid) and any(_at(o, "uid") == uid for o in listed if isinstance(o, dict))


def _template(item: Data) -> Any:
    if item.get("kind") == "Pod":
        return item.get("spec")
    return _at(item, "spec", "template", "spec")


def _containers(item: Data) -> list[Data]:
    found = _at(_template(item), "containers")
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def _gpus(item: Data) -> int | None:
    """Return the GPUs of one Pod; None where its containers ask for no resources at all."""
    counts: list[int] = []
    for container in _containers(item):
        limits = {
            **_mapping(container, "resources", "requests"),
            **_mapping(container, "resources", "limits"),
        }
        counts += [
            whole(v) or 0 for k, v in limits.items() if k.endswith(("/gpu", "/tpu")) or "/mig-" in k
        ]
    return sum(counts) if _containers(item) else None


def _model(items: list[Data]) -> str | None:
    for item in items:
        labels = {
            **_mapping(item, "metadata", "labels"),
            **_mapping(_template(item), "nodeSelector"),
        }
        for label in _MODEL_LABELS:
            if isinstance(labels.get(label), str):
                return str(labels[label])
    return None


def _job(
    source: SourceFile, sha256: str, item: Data, pods: list[Data], alone: bool, number: int
) -> GpuJob:
    uid = _at(item, "metadata", "uid")
    name = _at(item, "metadata", "name")
    each = _gpus(item)
    parallel = len(pods) or whole(_at(item, "spec", "parallelism")) or 1
    completions = whole(_at(item, "spec", "completions"))
    hosts = [h for p in pods if isinstance(h := _at(p, "spec", "nodeName"), str)]
    started = find_moment(str(_at(item, "status", "startTime") or ""))
    return gpu_job(
        source, KubernetesJob.format, sha256, "" if alone else str(name or number),
        job_id=uid if isinstance(uid, str) else None,
        name=name if isinstance(name, str) else None,
        account=_text(_at(item, "metadata", "namespace")),
        user=_text(_at(_template(item), "serviceAccountName")),
        state=_state(item),
        submitted=find_moment(str(_at(item, "metadata", "creationTimestamp") or "")),
        started=started,
        ended=_ended(item, pods),
        nodes=len(set(hosts)) or None,
        hosts=tuple(dict.fromkeys(hosts)),
        gpus=None if each is None else each * parallel,
        gpu_model=_model([item, *pods]),
        restarts=sum(_restarts(p) for p in pods) or whole(_at(item, "status", "failed")) or None,
        config=settings(_config(item)),
        note=f"{completions} completions of {parallel} at once"
        if completions and completions > parallel else None,
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _statuses(pod: Data) -> list[Data]:
    found = _at(pod, "status", "containerStatuses")
    return [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []


def _restarts(pod: Data) -> int:
    return sum(whole(s.get("restartCount")) or 0 for s in _statuses(pod))


def _conditions(item: Data) -> list[Data]:
    found = _at(item, "status", "conditions")
    real = [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []
    return [c for c in real if c.get("status") == "True"]


def _state(item: Data) -> str | None:
    for condition in _conditions(item):
        if condition.get("type") in {"Complete", "Succeeded", "SuccessCriteriaMet"}:
            return "COMPLETED"
        if condition.get("type") == "Failed":
            return f"FAILED: {condition.get('reason') or 'no reason given'}"
    phase = _at(item, "status", "phase")
    if isinstance(phase, str):
        return {"Succeeded": "COMPLETED", "Failed": "FAILED"}.get(phase, phase.upper())
    return "RUNNING" if _at(item, "status", "active") else None


def _ended(item: Data, pods: list[Data]) -> str | None:
    stated = find_moment(str(_at(item, "status", "completionTime") or ""))
    failed = [find_moment(str(c.get("lastTransitionTime") or "")) for c in _conditions(item)
              if c.get("type") == "Failed"]  # fmt: skip
    ends = [
        find_moment(str(_at(s, "state", "terminated", "finishedAt") or ""))
        for p in pods
        for s in _statuses(p)
    ]
    found = [e for e in (stated, *failed, *ends) if e]
    return stated or (max(found) if found else None)


def _config(item: Data) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for container in _containers(item):
        name = container.get("name")
        for key in ("image", "command", "args"):
            if container.get(key):
                found[f"{name}.{key}"] = container[key]
        environment = container.get("env")
        for entry in environment if isinstance(environment, list) else ():
            # Values of secrets stand elsewhere; a plain value may be a setting.
            if isinstance(entry, dict) and isinstance(entry.get("value"), str):
                found[f"{name}.env.{entry.get('name')}"] = entry["value"]
    return found
