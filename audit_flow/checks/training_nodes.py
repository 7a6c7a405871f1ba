"""Whether every node that a job was given has readings, where any has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from audit_flow.checks.interface import NoParams, Result, nothing_to_judge, passed, unproven
from audit_flow.linking import JobGroup, at_once, job_groups
from audit_flow.model import ClaimKind, Frozen, GpuJob, LineageRecord


class NodesWatched:
    """Asks whether readings that are shown are those of all nodes and GPUs of the job.

    PASSED where nothing was watched: the rule on what logs describe tells what is missing.
    """

    id = "training.nodes-watched"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each job with readings; one for the release without any."""
        del params
        found = [result for g in job_groups(record) if (result := _judged(g))]
        yield from found
        if not found:
            yield nothing_to_judge("readings", "no readings of a job's nodes", "every node or none")


@dataclass(frozen=True)
class _Coverage:
    """What a job was given, and what of it was watched; 0 where nobody says.

    ``absent`` are nodes that no file names, and ``unnamed`` how many files may be of any node;
    ``copied`` are files of readings that another file holds as well.
    """

    nodes: int
    gpus: int
    files: int
    watched: int
    named: bool
    absent: tuple[str, ...]
    unnamed: int
    copied: tuple[str, ...]

    def short(self) -> bool:
        """Say whether something of the job was not watched."""
        if self.copied or (self.named and self.absent) or len(self.absent) > self.unnamed:
            return True
        if self.gpus and self.watched:
            return self.watched < self.gpus
        return bool(self.absent) or self.files < self.nodes


def _judged(group: JobGroup) -> Result | None:
    seen = _coverage(group)
    if seen is None:
        return None
    expected = ", ".join(
        f"{n} {what}" for n, what in ((seen.nodes, "nodes"), (seen.gpus, "GPUs")) if n
    )
    actual = f"readings in {seen.files} files" + (f", {seen.watched} GPUs" if seen.watched else "")
    if seen.short():
        named = ", ".join(seen.absent[:10])
        words = f"no readings of {named}" if named else "not all of the job was watched"
        if seen.copied:
            words = f"the same readings twice: {'; '.join(seen.copied[:5])}"
        return unproven(group.about, words, expected, actual, *group.evidence)
    return passed(group.about, "every node was watched", expected, actual, *group.evidence)


def _coverage(group: JobGroup) -> _Coverage | None:
    """Return None where there are no readings, or nobody says what they should be of."""
    # The same bytes under two names are the readings of one node.
    monitors = list({(m.sha256 or m.id): m for m in group.monitors}.values())
    copied = tuple(_copied(monitors))
    given = sorted({h for j in group.accounts for h in j.hosts})
    nodes = max(len(given), at_once(group.accounts, "nodes"))
    gpus = at_once(group.accounts, "gpus") or max(
        (j.gpus or j.world_size or 0 for j in group.trainers), default=0
    )
    if not monitors or not (nodes or gpus):
        return None
    unnamed = sum(not m.hosts and not _names_any(m.source, given) for m in monitors)
    told = {_short(h) for m in monitors for h in m.hosts}
    seen = told | {_short(h) for h in given if any(_names(m.source, h) for m in monitors)}
    return _Coverage(
        nodes=nodes,
        gpus=gpus,
        # Readings of several nodes may lie in one file.
        files=max(len(monitors), len(told)),
        watched=_gpus(_of_last_run(monitors, group)) if all(m.gpus for m in monitors) else 0,
        named=bool(told),
        absent=tuple(h for h in given if _short(h) not in seen) if seen or not unnamed else (),
        unnamed=unnamed,
        copied=copied,
    )


def _of_last_run(monitors: list[GpuJob], group: JobGroup) -> list[GpuJob]:
    """Leave out readings of an earlier run of the job: those of other nodes make up for none."""
    last = max(monitors, key=lambda m: m.ended or "")
    if not any(j.restarts for j in group.accounts) or last.started is None:
        return monitors
    return [m for m in monitors if m.ended is None or m.ended >= last.started]


def _gpus(monitors: list[GpuJob]) -> int:
    """Return how many GPUs were watched: one with an id of its own counts once."""
    known = {d for m in monitors for d in m.devices}
    return len(known) + sum((m.gpus or 0) - len(m.devices) for m in monitors)


def _copied(monitors: list[GpuJob]) -> Iterator[str]:
    """Yield which files hold what another holds: all GPUs of one read what those of another did."""
    for one, other in combinations([m for m in monitors if m.traces], 2):
        if sorted(one.traces) == sorted(other.traces):
            yield f"{one.source} and {other.source}"


def _short(host: str) -> str:
    return host.casefold().partition(".")[0]


def _names_any(path: str, hosts: list[str]) -> bool:
    """Say whether a path names a host of these, or one that is called like them (node03)."""
    words = {re.sub(r"\d", r"\\d", re.escape(_short(h))) for h in hosts}
    flat = path.casefold()
    return any(re.search(rf"(?<![a-z0-9]){word}(?![a-z0-9])", flat) for word in words)


def _names(path: str, host: str) -> bool:
    """Say whether a path has a host's name in it, as a word."""
    word = re.escape(_short(host))
    return bool(re.search(rf"(?<![a-z0-9]){word}(?![a-z0-9])", path.casefold()))
