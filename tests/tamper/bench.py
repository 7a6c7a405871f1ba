"""The release on a worker's bench: changed, taken to a gate, and put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from audit_flow.errors import AttestationError, InputError
from audit_flow.policy_file import load_policy
from audit_flow.publish import Order, SignedVerdict, Target, Tokens
from audit_flow.publish.gate import clear
from audit_flow.report.interface import AuditResult
from audit_flow.sources.manifest import load
from tests.tamper.case import Answer
from tests.tamper.good import JUDGE, TRUST, Good, sign_weights


@dataclass(frozen=True)
class Link:
    """A symbolic link in place of a file."""

    target: str


# What a file becomes: other bytes, nothing, or a link.
Changes = Mapping[str, bytes | Link | None]
SUFFIX = ".sigstore.json"


@dataclass
class Bench:
    """A good release in a folder of one's own; every try leaves it as it was."""

    good: Good
    scratch: Path
    originals: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        built = self.good.built
        self.originals = {name: built.path(name).read_bytes() for name in built.files()}

    @cached_property
    def bundles(self) -> dict[str, bytes]:
        return {n: raw for n, raw in self.good.files.items() if n.endswith(SUFFIX)}

    @contextmanager
    def changed(self, changes: Changes, *, covered: bool = False) -> Iterator[None]:
        """Change files; ``covered``, the publisher writes all that is his to fit them."""
        built = self.good.built
        try:
            for name, data in changes.items():
                self._put(name, data)
            if covered:
                built.relock()
                built.announce()
                sign_weights(built)
            yield
        finally:
            self._restore()

    def _put(self, name: str, data: bytes | Link | None) -> None:
        path = self.good.built.path(name)
        if path.is_symlink() or path.exists():
            path.unlink()
        if isinstance(data, Link):
            path.symlink_to(data.target)
        elif data is not None:
            self.good.built.write(name, data)

    def _restore(self) -> None:
        root = self.good.built.root
        for path in root.rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_symlink() or (path.is_file() and name not in self.originals):
                path.unlink()
        for name, data in self.originals.items():
            path = self.good.built.path(name)
            if not path.is_file() or path.read_bytes() != data:
                self.good.built.write(name, data)

    def audited(self, changes: Changes, *, covered: bool = False) -> Answer:
        """Audit changed files; where that passes, ask what the signed verdict is still good for."""
        with self.changed(changes, covered=covered):
            return self._audited()

    def _audited(self) -> Answer:
        try:
            result = self.good.audit()
        except InputError:
            return Answer(False, frozenset({"manifest"}))
        if result.verdict.outcome != "PASSED":
            return shut(result)
        if result.record.sha256 == self.good.result.record.sha256:
            return Answer(True, proof="same record")
        return Answer(True, proof=self._older_verdict(result))

    def _older_verdict(self, result: AuditResult) -> str:
        """Return the step at which the gate of publishing refuses the verdict signed before."""
        try:
            clear(self.order(), result)
        except AttestationError as error:
            return "record" if ", record: FAILED" in str(error.got) else str(error.got)
        return ""

    def order(self) -> Order:
        return Order(
            release=load(self.good.built.path("release.yaml")),
            policy=self.good.policy,
            stranger=load_policy("third-party"),
            signer=JUDGE,
            target=Target("http://127.0.0.1:1", "acme/good"),
            tokens=Tokens("none"),
            signed=SignedVerdict(self.bundles, TRUST),
        )


def shut(result: AuditResult) -> Answer:
    """Return the rules that keep a verdict's gate shut."""
    assert result.verdict.outcome != "PASSED"
    return Answer(False, frozenset(f.rule for f in result.verdict.findings if f.blocks))


def bench(good: Good, scratch: Path) -> Bench:
    """Return a bench of one's own with a copy of the release."""
    return Bench(replace(good, built=good.built.copy(scratch / "release")), scratch)
