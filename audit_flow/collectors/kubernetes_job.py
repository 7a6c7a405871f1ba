"""Kubernetes: a Job (batch/v1), its Pods, or a List of them, as ``kubectl get -o json`` prints it.

Fields: the Kubernetes API reference for Job and Pod.
"""

from __future__ import annotations

from typing import Any

from audit_flow.analysis.moments import find_moment, seconds_between
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
        alike: dict[str, list[Data]] = {}
        for pod in pods:
            if id(pod) not in owned:
                alike.setdefault(_owner(pod) or f"pod {id(pod)}", []).append(pod)
        # What the last Pod says of itself is what became of all.
        taken += [(max(own, key=lambda p: _times(p)[1] or ""), own) for own in alike.values()]
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
    return bool(uid) and any(
        _at(o, "uid") == uid for o in _list(pod, "metadata", "ownerReferences")
    )


def _owner(pod: Data) -> str | None:
    found = (_text(_at(o, "uid")) for o in _list(pod, "metadata", "ownerReferences"))
    return next((uid for uid in found if uid), None)


def _list(data: Any, *path: str) -> list[Data]:
    found = _at(data, *path)
    return [x for x in found if isinstance(x, dict)] if isinstance(found, list) else []


def _parts(item: Data) -> list[tuple[int, Data]]:
    """Return the kinds of Pods that a job runs at once: how many of each, and their template."""
    spec = _mapping(item, "spec")
    if item.get("kind") == "Pod":
        return [(1, spec)]
    replicas = [
        part for name, found in spec.items() if name.endswith("ReplicaSpecs")
        for part in _mapping(found).values()
    ]  # fmt: skip
    replicas += _list(spec, "rayClusterSpec", "workerGroupSpecs")
    replicas += [h for h in (_mapping(spec, "rayClusterSpec", "headGroupSpec"),) if h]
    found = [(_count(r, "replicas"), _mapping(r, "template", "spec")) for r in replicas]
    for part in _list(spec, "replicatedJobs"):
        inner = _mapping(part, "template", "spec")
        template = _mapping(inner, "template", "spec")
        found.append((_count(part, "replicas") * _at_once(inner), template))
    return found or [(_at_once(spec), _mapping(spec, "template", "spec"))]


def _at_once(spec: Data) -> int:
    # No more Pods run at once than are still to be completed.
    return min(_count(spec, "parallelism"), whole(spec.get("completions")) or 2**31)


def _count(data: Any, key: str) -> int:
    found = whole(_at(data, key))
    return 1 if found is None else found


def _templates(item: Data) -> list[Data]:
    return [template for _, template in _parts(item)]


def _containers(template: Data) -> list[Data]:
    return _list(template, "containers")


def _gpus(template: Data) -> int | None:
    """Return the GPUs of one Pod; None where it has no containers."""
    counts: list[int] = []
    for container in _containers(template):
        limits = {
            **_mapping(container, "resources", "requests"),
            **_mapping(container, "resources", "limits"),
        }
        counts += [
            whole(v) or 0 for k, v in limits.items() if k.endswith(("/gpu", "/tpu")) or "/mig-" in k
        ]
    return sum(counts) if _containers(template) else None


def _all_gpus(item: Data, pods: list[Data]) -> int | None:
    """Return the GPUs that all Pods have at once: as the job asks, else as the Pods ran."""
    if item.get("kind") != "Pod":
        each = [(count, _gpus(template)) for count, template in _parts(item)]
        known = [count * gpus for count, gpus in each if gpus is not None]
        return sum(known) if known else None
    found = [(p, _gpus(_mapping(p, "spec"))) for p in pods]
    sums = [sum(g or 0 for p, g in found if p is q or _ran_with(q, p)) for q, _ in found]
    return max(sums) if any(g is not None for _, g in found) else None


def _ran_with(one: Data, other: Data) -> bool:
    (start, _), (begin, end) = _times(one), _times(other)
    return bool(start and begin and end and begin <= start < end)


def _hours(pods: list[Data]) -> float | None:
    """Return the GPU-hours of all Pods that ever ran; None where one of them has no times."""
    total = 0.0
    for pod in pods:
        start, end = _times(pod)
        gpus = _gpus(_mapping(pod, "spec"))
        if gpus is None or not start or not end:
            return None
        total += gpus * max(seconds_between(start, end) or 0.0, 0.0) / 3600
    return total if pods else None


def _ended_pods(item: Data) -> int:
    """Return how many Pods a job has ended: old ones are taken away by and by."""
    return sum(whole(_at(item, "status", name)) or 0 for name in ("succeeded", "failed"))


def _times(pod: Data) -> tuple[str | None, str | None]:
    """Return when a Pod's containers began and ended; of one that began anew, when the Pod did."""
    ended = [_at(s, "state", "terminated") for s in _statuses(pod)]
    starts = [find_moment(str(_at(e, "startedAt") or "")) for e in ended]
    ends = [find_moment(str(_at(e, "finishedAt") or "")) for e in ended]
    first = min((s for s in starts if s), default=None)
    if first is None or _restarts(pod):
        first = find_moment(str(_at(pod, "status", "startTime") or "")) or first
    return first, max((e for e in ends if e), default=None) if all(ends) else None


def _model(items: list[Data]) -> str | None:
    for item in items:
        labels = {
            **_mapping(item, "metadata", "labels"),
            **{k: v for t in _templates(item) for k, v in _mapping(t, "nodeSelector").items()},
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
    if item.get("kind") == "Pod":
        uid = _owner(item) or uid
    parallel = sum(count for count, _ in _parts(item))
    completions = whole(_at(item, "spec", "completions"))
    # A Pod that failed and was tried again did none of what counts in the end.
    kept = [p for p in pods if _at(p, "status", "phase") != "Failed"] or pods
    hosts = [h for p in kept if isinstance(h := _at(p, "spec", "nodeName"), str)]
    started = find_moment(str(_at(item, "status", "startTime") or ""))
    if item.get("kind") == "Pod":
        started = min((s for p in pods if (s := _times(p)[0])), default=started)
    return gpu_job(
        source, KubernetesJob.format, sha256, "" if alone else str(name or number),
        job_id=uid if isinstance(uid, str) else None,
        name=name if isinstance(name, str) else None,
        account=_text(_at(item, "metadata", "namespace")),
        user=next((_text(t.get("serviceAccountName")) for t in _templates(item)), None),
        state=_state(item),
        submitted=find_moment(str(_at(item, "metadata", "creationTimestamp") or "")),
        started=started,
        ended=_ended(item, pods),
        nodes=len(set(hosts)) or None,
        hosts=tuple(dict.fromkeys(hosts)),
        gpus=_all_gpus(item, pods),
        gpu_hours=_hours(pods) if len(pods) >= _ended_pods(item) else None,
        gpu_model=_model([item, *pods]),
        restarts=sum(_restarts(p) for p in pods) or whole(_at(item, "status", "failed")) or None,
        config=settings(_config(item)),
        note=f"{completions} completions of {parallel} at once"
        if completions and completions > parallel else None,
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _statuses(pod: Data) -> list[Data]:
    return _list(pod, "status", "containerStatuses")


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
    for container in (c for t in _templates(item) for c in _containers(t)):
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
