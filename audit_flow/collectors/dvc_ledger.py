"""DVC's ledger: ``dvc.yaml``, ``dvc.lock`` and ``*.dvc``, read without running anything.

The lock's format is DVC's schema 2.0; a test holds this reader against DVC's own index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_flow.errors import EvidenceError, MissingEvidence
from audit_flow.model import ConfigValue, PipelineStage, StageFile, Trust, sha256_hex
from audit_flow.sources import yaml_text
from audit_flow.sources.dvc_files import OUTPUTS, check_lock, check_plan
from audit_flow.sources.folder import Folder
from audit_flow.sources.settings import flatten
from audit_flow.sources.unread import within_bounds

MAX_STAGES = 5_000
# Of mappings in one another, as YAML is read; a name of nothing but dots ends here too.
MAX_DEPTH = yaml_text.MAX_DEPTH
_TEMPLATE = "${"


def read_ledger(folder: Folder) -> tuple[PipelineStage, ...]:
    """Return every stage of the DVC project at the folder's ceiling.

    Raises MissingEvidence without a ``dvc.lock`` or ``dvc.yaml``, EvidenceError for one that can't
    be read.
    """
    lock_path = folder.relative(folder.ceiling / "dvc.lock")
    plan_path = folder.relative(folder.ceiling / "dvc.yaml")
    lock, sha256 = _mapping(folder, lock_path)
    planned, _ = _mapping(folder, plan_path)
    check_lock(lock, lock_path)
    check_plan(planned, plan_path)
    plan = _stages(planned, plan_path)
    locked = _stages(lock, lock_path)
    if not locked or len(locked) > MAX_STAGES:
        raise EvidenceError(f"{len(locked)} stages", expected="at least one", where=lock_path)
    with within_bounds("a ledger", lock_path):
        stages = [
            _stage(name, locked[name], plan, folder, lock_path).model_copy(
                update={"sha256": sha256}
            )
            for name in sorted(locked)
        ]
        return (*stages, *_never_run(plan, locked, lock_path, sha256, folder))


def _never_run(
    plan: dict[str, Any], locked: dict[str, Any], source: str, sha256: str, folder: Folder
) -> Iterator[PipelineStage]:
    run = {name.split("@", 1)[0] for name in locked}
    for name in sorted(set(plan) - run):
        yield PipelineStage(
            id=f"stage:{name}",
            source=source,
            sha256=sha256,
            trust=Trust.SELF_REPORTED,
            name=name,
            command="",
            outs=tuple(
                StageFile(path=p)
                for p in _plain_paths(_body(plan[name]) or {}, "outs", _wdir(plan[name], folder))
            ),
            stale="the stage is in dvc.yaml and was never run",
        )


def read_dvc_file(folder: Folder, path: str) -> PipelineStage:
    """Return what a ``*.dvc`` file says of the data that it tracks."""
    data, sha256 = _mapping(folder, path)
    here = _Here(folder, folder.locate(path).parent / str(data.get("wdir") or "."))
    with within_bounds("a DVC file", path):
        return PipelineStage(
            id=f"stage:{path}",
            source=path,
            sha256=sha256,
            trust=Trust.SELF_REPORTED,
            name=path,
            command="",
            outs=tuple(_files(data.get("outs"), here, f"{path}: outs")),
        )


def relevant(stages: Iterable[PipelineStage], targets: Iterable[str]) -> tuple[PipelineStage, ...]:
    """Return the stages that targets (files or folders) came from, directly or through others."""
    left = {s.id: s for s in stages}
    by_path: dict[str, set[str]] = {}
    for stage in left.values():
        for out in stage.outs:
            # Under its own name and every folder around it: a target may be any of them.
            for place in (out.path, *_folders(out.path)):
                by_path.setdefault(place, set()).add(stage.id)
    exact = {out.path: set[str]() for s in left.values() for out in s.outs}
    for stage in left.values():
        for out in stage.outs:
            exact[out.path].add(stage.id)
    chosen: dict[str, PipelineStage] = {}
    queue, seen = list(targets), set[str]()
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        around = (exact.get(folder, ()) for folder in _folders(path))
        for found in {*by_path.get(path, ()), *(i for ids in around for i in ids)} - chosen.keys():
            chosen[found] = left[found]
            queue += [d.path for d in left[found].deps]
    return tuple(chosen[i] for i in sorted(chosen))


def _folders(path: str) -> Iterator[str]:
    """Yield every folder around a path, the nearest first."""
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path


def overlap(one: str, other: str) -> bool:
    """Say whether two paths are the same, or one lies inside the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _mapping(folder: Folder, path: str) -> tuple[dict[str, Any], str]:
    try:
        raw = folder.read(path, yaml_text.MAX_BYTES)
        return yaml_text.as_mapping(yaml_text.parse(raw), path), sha256_hex(raw)
    except yaml_text.YamlError as error:
        raise EvidenceError(str(error), where=path) from error
    except MissingEvidence as error:
        raise MissingEvidence(
            error.got, where=path, remedy="Restore it, or run the pipeline with: dvc repro"
        ) from error


def _stages(data: dict[str, Any], path: str) -> dict[str, Any]:
    stages = data.get("stages", {})
    if not isinstance(stages, dict) or not all(isinstance(s, dict) for s in stages.values()):
        raise EvidenceError(
            "stages is no mapping", expected="DVC's schema 2.0", where=f"{path}: stages"
        )
    return stages


def _stage(
    name: str, entry: dict[str, Any], plan: dict[str, Any], folder: Folder, source: str
) -> PipelineStage:
    planned = _body(plan.get(name) or plan.get(name.split("@", 1)[0]))
    here = _wdir(planned or {}, folder)
    where = f"{source}: {name}"
    stage = PipelineStage(
        id=f"stage:{name}",
        source=source,
        trust=Trust.SELF_REPORTED,
        name=name,
        command=_command(entry.get("cmd")),
        deps=tuple(_files(entry.get("deps"), here, f"{where}.deps")),
        outs=tuple(_files(entry.get("outs"), here, f"{where}.outs")),
        params=tuple(_params(entry.get("params"), here, f"{where}.params")),
    )
    stale = _stale(stage, planned, here) or _params_stale(stage, planned or {}, here)
    locked = {f.path for f in stage.outs}
    # What the plan says the stage makes ties it to the release, also where the lock hides it.
    hidden = (p for p in _plain_paths(planned or {}, "outs", here) if p not in locked)
    outs = (*stage.outs, *(StageFile(path=p) for p in dict.fromkeys(hidden)))
    return stage.model_copy(update={"stale": stale, "outs": outs})


def _body(planned: Any) -> dict[str, Any] | None:
    """Return what a stage of the plan does; a ``foreach`` holds that under ``do``."""
    if isinstance(planned, dict) and "foreach" in planned:
        planned = planned.get("do") or {}
    return planned if isinstance(planned, dict) else None


@dataclass(frozen=True)
class _Here:
    """The folder that a stage's paths are relative to."""

    folder: Folder
    place: Path

    def name(self, path: str) -> str:
        return self.folder.relative(Path(os.path.normpath(self.place / path)))


def _wdir(planned: dict[str, Any], folder: Folder) -> _Here:
    wdir = str(planned.get("wdir") or ".")
    return _Here(folder, folder.ceiling / ("." if _TEMPLATE in wdir else wdir))


def _command(value: Any) -> str:
    return " && ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _files(entries: Any, here: _Here, where: str) -> Iterator[StageFile]:
    if entries is None:
        return
    if not isinstance(entries, list):
        raise EvidenceError("no list of files", expected="path and md5", where=where)
    for entry in entries:
        yield _file(entry, here, where)


def _file(entry: Any, here: _Here, where: str) -> StageFile:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise EvidenceError(f"the entry {str(entry)[:80]!r}", expected="path and md5", where=where)
    size = entry.get("size")
    try:
        return StageFile(
            path=here.name(entry["path"]),
            md5=entry.get("md5"),
            size=size if isinstance(size, int) and 0 <= size < 2**53 else None,
        )
    except ValueError as error:
        raise EvidenceError(
            f"md5 of {entry['path']!r} is {str(entry.get('md5'))[:80]!r}",
            expected="32 hex digits",
            where=where,
        ) from error


def _params(entries: Any, here: _Here, where: str) -> Iterator[ConfigValue]:
    if entries is None:
        return
    if not isinstance(entries, dict):
        raise EvidenceError("no mapping of files", expected="file: values", where=where)
    for file in sorted(entries):
        path = here.name(file)
        for value in flatten(entries[file], ""):
            yield ConfigValue(name=f"{path}:{value.name}", value=value.value)


def _names(planned: dict[str, Any], key: str) -> list[str]:
    """Return what dvc.yaml names; metrics and plots are outputs as well."""
    lists = [planned.get(k) for k in (OUTPUTS if key == "outs" else (key,))]
    entries = [e for found in lists if isinstance(found, list) for e in found]
    named = [[e] if isinstance(e, str) else list(e) for e in entries if isinstance(e, str | dict)]
    return [n for names in named for n in names]


def _plain_paths(planned: dict[str, Any], key: str, here: _Here) -> list[str]:
    """Return the paths that dvc.yaml names without templates."""
    return [here.name(n) for n in _names(planned, key) if _TEMPLATE not in n]


def _stale(stage: PipelineStage, planned: dict[str, Any] | None, here: _Here) -> str | None:
    """Say how the lock no longer fits dvc.yaml; of a template, everything but its values."""
    if planned is None:
        return "the stage is in dvc.lock and no longer in dvc.yaml"
    if not fits_template(_command(planned.get("cmd")), stage.command):
        return "the command in dvc.yaml is another than the one that was run"
    for key, files in (("deps", stage.deps), ("outs", stage.outs)):
        plain, locked = set(_plain_paths(planned, key, here)), {f.path for f in files}
        if missing := plain - locked:
            return f"dvc.yaml names {', '.join(sorted(missing))} in {key}, dvc.lock does not"
        templates = sum(_TEMPLATE in name for name in _names(planned, key))
        if len(extra := locked - plain) > templates:
            return f"dvc.lock names {', '.join(sorted(extra))} in {key}, dvc.yaml does not"
    return None


def _params_stale(stage: PipelineStage, planned: dict[str, Any], here: _Here) -> str | None:
    """Say where plan and lock differ in parameters: nobody compares one that is left out."""
    held = {p.name: frozenset(_around(p.name)) for p in stage.params}
    named = tuple(_planned_params(planned.get("params"), here))
    plain = frozenset(n for n in named if _TEMPLATE not in n)
    if missing := plain - frozenset().union(*held.values()):
        return f"dvc.yaml names the parameter {min(missing)}, dvc.lock does not"
    if any(_TEMPLATE in n for n in named):
        return None
    extra = [name for name, around in held.items() if not around & plain]
    return f"dvc.lock names the parameter {min(extra)}, dvc.yaml does not" if extra else None


def _around(name: str) -> Iterator[str]:
    """Yield a parameter's name, those of the mappings that it lies in, and that of its file."""
    file, _, keys = name.partition(":")
    yield f"{file}:"
    yield name
    at = keys.find(".")
    for _ in range(MAX_DEPTH):
        if at < 0:
            return
        yield f"{file}:{keys[:at]}"
        at = keys.find(".", at + 1)


def _planned_params(entries: Any, here: _Here) -> Iterator[str]:
    """Yield each parameter that dvc.yaml names, as ``file:name``; a whole file is ``file:``."""
    for entry in entries if isinstance(entries, list) else ():
        for file, names in (entry if isinstance(entry, dict) else {"params.yaml": [entry]}).items():
            wanted = names if isinstance(names, list) else [""]
            yield from (f"{here.name(str(file))}:{n}" for n in wanted)


def fits_template(template: str, text: str) -> bool:
    """Say whether a text is a template of dvc.yaml with something for each ``${…}``.

    The parts between must be there in this order; what they were filled with is not compared.
    """
    parts = re.split(r"\$\{[^}]*\}", template)
    if len(parts) == 1:
        return template == text
    first, *middle, last = parts
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first + last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
