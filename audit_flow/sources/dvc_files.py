"""What ``dvc.yaml`` and ``dvc.lock`` may hold; anything else would be passed over in silence.

Source: DVC's own schemas (dvc/schema.py, Apache-2.0) of the pipeline file and of lock 2.0.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from audit_flow.errors import EvidenceError

LOCK_SCHEMA = "2.0"
_LOCK = {"schema", "stages", "datasets"}
_LOCKED = {"cmd", "deps", "params", "outs"}
_ENTRY = {"path", "hash", "md5", "size", "nfiles", "isexec", "files", "cloud", "etag", "checksum",
          "version_id", "remote", "dataset", "db"}  # fmt: skip
_MD5 = {None, "md5", "md5-dos2unix"}
_PLAN = {"stages", "vars", "params", "metrics", "plots", "artifacts", "datasets"}
_STAGE = {"cmd", "wdir", "deps", "params", "vars", "frozen", "meta", "desc", "always_changed",
          "outs", "metrics", "plots", "matrix"}  # fmt: skip
OUTPUTS = ("outs", "metrics", "plots")
Data = dict[str, Any]


def check_lock(lock: Data, where: str) -> None:
    """Raise EvidenceError for a lock that DVC would not have written."""
    _known(lock, _LOCK, where)
    if lock.get("schema") != LOCK_SCHEMA:
        raise EvidenceError(
            f"schema {_short(lock.get('schema'))}", expected=LOCK_SCHEMA, where=where
        )
    for name, stage in _stages(lock, where).items():
        at = f"{where}: {name}"
        _known(stage, _LOCKED, at)
        _command(stage.get("cmd"), at)
        for key in ("deps", "outs"):
            _entries(stage.get(key), f"{at}.{key}")
        _parameters(stage.get("params"), f"{at}.params")


def check_plan(plan: Data, where: str) -> None:
    """Raise EvidenceError for a pipeline file that DVC would not read."""
    _known(plan, _PLAN, where)
    for name, stage in _stages(plan, where).items():
        at = f"{where}: {name}"
        if "foreach" in stage or "do" in stage:
            _known(stage, {"foreach", "do"}, at)
            stage = _mapping(stage.get("do"), f"{at}.do")  # noqa: PLW2901 - what each of them does
        _known(stage, _STAGE, at)
        _command(stage.get("cmd"), at)
        if not isinstance(stage.get("wdir", "."), str):
            raise EvidenceError(f"wdir {_short(stage['wdir'])}", expected="a folder", where=at)
        _names(stage.get("deps", []), f"{at}.deps", with_options=False)
        for key in OUTPUTS:
            _names(stage.get(key, []), f"{at}.{key}", with_options=True)
        _names(stage.get("params", []), f"{at}.params", with_options=True)
        for entry in stage.get("params", []):
            _planned_parameters(entry, f"{at}.params")


def _short(value: Any) -> str:
    return repr(value)[:80]


def _known(data: Data, keys: set[str], where: str) -> None:
    unknown = sorted(map(str, data.keys() - keys))
    if unknown:
        raise EvidenceError(
            f"unknown key {unknown[0][:80]!r}", expected=f"one of {', '.join(sorted(keys))}",
            where=where,
        )  # fmt: skip


def _mapping(value: Any, where: str) -> Data:
    if not isinstance(value, dict):
        raise EvidenceError(_short(value), expected="keys with values", where=where)
    return value


def _stages(data: Data, where: str) -> dict[str, Data]:
    stages = _mapping(data.get("stages", {}), f"{where}: stages")
    return {str(n): _mapping(s, f"{where}: {n}") for n, s in stages.items()}


def _command(value: Any, where: str) -> None:
    commands = value if isinstance(value, list) else [value]
    if not commands or not all(isinstance(c, str) and c for c in commands):
        raise EvidenceError(f"cmd {_short(value)}", expected="a command, or a list", where=where)


def _entries(value: Any, where: str) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        raise EvidenceError(_short(value), expected="a list of files", where=where)
    for entry in value:
        path = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(path, str) or not path:
            raise EvidenceError(f"the entry {_short(entry)}", expected="path and md5", where=where)
        _entry(entry, f"{where}: {path}")
    _once([e["path"] for e in value], where)


def _entry(entry: Data, where: str) -> None:
    _known(entry, _ENTRY, where)
    if "md5" in entry and entry.get("hash") not in _MD5:
        raise EvidenceError(f"hash {_short(entry['hash'])}", expected="md5", where=where)
    for key in ("size", "nfiles"):
        if key in entry and (type(entry[key]) is not int or not 0 <= entry[key] < 2**53):
            raise EvidenceError(f"{key} {_short(entry[key])}", expected="a count", where=where)


def _parameters(value: Any, where: str) -> None:
    for file, values in _mapping({} if value is None else value, where).items():
        _mapping(values, f"{where}: {file}")


def _planned_parameters(entry: Any, where: str) -> None:
    """Check one entry of a plan's parameters: a name, or files with their lists of names."""
    for file, names in entry.items() if isinstance(entry, dict) else ():
        if names is not None and not _is_texts(names):
            raise EvidenceError(
                f"{file}: {_short(names)}", expected="a list of names, or nothing", where=where
            )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v for v in value)


def _names(value: Any, where: str, *, with_options: bool) -> None:
    """Check a list of names; with options, one may be a mapping of names to what holds for them."""
    if not isinstance(value, list):
        raise EvidenceError(_short(value), expected="a list", where=where)
    for item in value:
        named = isinstance(item, dict) and with_options and all(map(_options, item.values()))
        if not (isinstance(item, str) and item) and not (named and item):
            raise EvidenceError(_short(item), expected="a name", where=where)
    _once([n for n in value if isinstance(n, str)], where)


def _options(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, str | dict) and v for v in value) and len(value) > 0
    return value is None or isinstance(value, dict)


def _once(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        doubled = next(n for n, times in Counter(names).items() if times > 1)
        raise EvidenceError(f"{doubled[:80]!r} twice", expected="each once", where=where)
