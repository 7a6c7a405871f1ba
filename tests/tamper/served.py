"""What a stranger is served: other uploads, other bytes on the way; and what publishing does."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit_flow.digests import FilePlan, digest_files
from audit_flow.errors import AuditFlowError, InputError
from audit_flow.model import TrustFile
from audit_flow.publish import Target, Tokens, publish
from audit_flow.signing.sign_model import sign_model
from audit_flow.sources.hub import http as hub_http
from audit_flow.sources.signed_files import files_to_sign
from audit_flow.verify import verify_repository
from tests.hub.server import HubServer
from tests.tamper import formats
from tests.tamper.bench import Bench, shut
from tests.tamper.case import Answer, Attempt, Must, TamperClass, every, rules
from tests.tamper.contents import byte_changes
from tests.tamper.fields import field_changes
from tests.tamper.good import RELEASER, TRUST, strict
from tests.verify.served import REPO, good_files, reproduced

WEIGHTS, CARD, MANIFEST = "model.safetensors", "README.md", "release.yaml"
RESOLVE, TREE, INFO = f"/{REPO}/resolve/*", f"/api/models/{REPO}/tree/*", f"/api/models/{REPO}*"
ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
Do = Callable[[HubServer], object]


def signed_files() -> dict[str, bytes]:
    """Return a release that a stranger can prove whole, card and manifest under its signature."""
    files = good_files()
    with tempfile.TemporaryDirectory(prefix="tamper-") as folder:
        root = Path(folder)
        for name, data in files.items():
            (root / name).write_bytes(data)
        names, left_out = files_to_sign(root, (root / "model.sig",))
        plans = [FilePlan(n, frozenset({"sha256"})) for n in names]
        made = sign_model("model", digest_files(root, plans), RELEASER, left_out)
    return {**files, "model.sig": made.bundle}


def judged(server: HubServer, trust: TrustFile = TRUST) -> Answer:
    """Verify what is served as a stranger does who trusts the publisher's key."""
    asked = replace(reproduced(good_files()), trust=trust)
    try:
        result = verify_repository(
            REPO, None, strict("third-party"), endpoint=server.url, full=True, asked=asked
        )
    except InputError:
        raise
    except AuditFlowError as error:
        return Answer(False, frozenset({type(error).__name__}))
    return Answer(True) if result.verdict.outcome == "PASSED" else shut(result)


def _serving(files: dict[str, bytes], do: Do | None = None) -> Answer:
    with HubServer() as server:
        server.add_repo(REPO, files)
        if do is not None:
            do(server)
        limits = hub_http.Limits
        hub_http.Limits = lambda: replace(limits(), pause=0.01)  # type: ignore[assignment,misc]
        try:
            return judged(server)
        finally:
            hub_http.Limits = limits  # type: ignore[misc]


def upload_attempts(bench: Bench) -> Iterator[Attempt]:
    """Each file of the repository in other bytes, gone, or beside a new one."""
    del bench
    files, rng = signed_files(), random.Random(11)
    for path, raw in files.items():
        must = rules("signatures.valid", "evidence.present", "ManifestError")
        for kind, data in byte_changes(path, raw, rng):
            yield _uploaded(path, kind, {**files, path: data}, must)
        yield _uploaded(path, "delete", {p: d for p, d in files.items() if p != path}, must)
    for new in ("extra.bin", "modeling.py", "config.json.bak"):
        yield _uploaded(new, "add a file", {**files, new: b"x"}, every("signatures.valid"))


def card_attempts(bench: Bench) -> Iterator[Attempt]:
    """Each field of the card and of the manifest as somebody uploads them."""
    del bench
    files = signed_files()
    for path, read, write in (
        (CARD, formats.read_card, formats.write_card),
        (MANIFEST, formats.read_yaml, formats.write_yaml),
    ):
        raw = files[path]
        for change in field_changes(read(raw)):
            data = write(change.document, raw)
            place = f"{path}:{'.'.join(map(str, change.path))}"
            yield _uploaded(place, change.kind, {**files, path: data}, every("signatures.valid"))


def _uploaded(place: str, kind: str, files: dict[str, bytes], must: Must) -> Attempt:
    return Attempt(f"upload {place}", kind, lambda: _serving(files), must)


HUB = rules("hub.listing", "evidence.present", "EvidenceError", "MissingEvidence", "HubError",
            "signatures.valid")  # fmt: skip
ON_THE_WAY: dict[str, tuple[Do, Must]] = {
    "other bytes of the weights": (lambda s: s.tamper(REPO, WEIGHTS, flip=900_000),
                                   every("hub.listing")),
    "other bytes of a small file": (lambda s: s.tamper(REPO, "config.json", flip=10),
                                    every("hub.listing")),
    "other bytes of the card": (lambda s: s.tamper(REPO, CARD, flip=100), every("hub.listing")),
    "other bytes of the signature": (lambda s: s.tamper(REPO, "model.sig", flip=50),
                                     every("hub.listing")),
    "cut body": (lambda s: s.tamper(REPO, WEIGHTS, length=1000), HUB),
    "another file's content": (lambda s: s.tamper(REPO, "tokenizer.json", content=b"{}"),
                               every("hub.listing")),
    "listed digest": (lambda s: s.tamper(REPO, WEIGHTS, listing={
        "lfs": {"oid": "0" * 64, "size": 1_201_792, "pointerSize": 132}}), HUB),
    "listed size": (lambda s: s.tamper(REPO, "config.json", listing={"size": 3}), HUB),
    "listed blob": (lambda s: s.tamper(REPO, WEIGHTS, listing={"oid": "1" * 40}), HUB),
    **{f"hidden {p}": (lambda s, p=p: s.tamper(REPO, p, hide=True), HUB)  # type: ignore[misc]
       for p in (WEIGHTS, "config.json", CARD, MANIFEST, "model.sig")},
}  # fmt: skip
FAULTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("header", {"field": "X-Repo-Commit", "value": "0" * 40}, RESOLVE),
    ("header", {"field": "ETag", "value": '"' + "0" * 64 + '"'}, RESOLVE),
    ("truncate", {"size": 10}, RESOLVE),
    ("redirect", {"to": "stranger"}, RESOLVE),
    ("redirect_admin", {}, RESOLVE),
    ("redirect_loop", {}, RESOLVE),
    ("garbage", {"body": b"[]"}, TREE),
    ("garbage", {"body": b"{}"}, INFO),
    ("wrong_oid", {}, TREE),
    ("wrong_size", {}, TREE),
    ("duplicate_paths", {}, TREE),
    ("traversal", {}, TREE),
    ("status", {"code": 404}, RESOLVE),
    ("unavailable", {}, RESOLVE),
)


def transport_attempts(bench: Bench) -> Iterator[Attempt]:
    """The commit is the good one, and something else comes over the wire."""
    del bench
    files = signed_files()
    for kind, (do, must) in ON_THE_WAY.items():
        yield Attempt("transport", kind, lambda d=do: _serving(files, d), must)  # type: ignore[misc]
    for name, options, path in FAULTS:
        yield Attempt(path, f"{name} {options}", lambda n=name, o=options, p=path: _serving(  # type: ignore[misc]
            files, lambda s: s.faults.add(n, p, count=None, **o)), ANY)  # fmt: skip
    yield Attempt("transport", "card changed between two requests",
                  lambda: _serving(files, _card_moves), every("hub.listing"))  # fmt: skip


ANY = (HUB[0] | {"hub.listing", "checksums.match", "weights.bytes-read"},)


def _card_moves(server: HubServer) -> None:
    """Once the listing is read, the card is another: what a moving branch would serve."""
    server.faults.add("before", f"/{REPO}/resolve/*", count=1, action=lambda record: server.tamper(
        REPO, CARD, content=good_files()[CARD].replace(b"87.2", b"91.2")))  # fmt: skip


def publish_attempts(bench: Bench) -> Iterator[Attempt]:
    """Publish with the older verdict after each file was changed: no request may be made."""
    for path in bench.originals:
        # One more key, not white space alone: that leaves a YAML file what it was.
        more = b"\nadded: 1\n" if path.endswith(".yaml") else b"\n"
        data = bench.originals[path] + more
        yield Attempt(path, "changed after the verdict",
                      lambda p=path, d=data: _published(bench, {p: d}),  # type: ignore[misc]
                      rules("verdict refused", "REFUSED", "manifest"))  # fmt: skip
    yield Attempt("release.yaml", "another repository", lambda: _published(bench, {}, "evil/good"),
                  every("manifest"))  # fmt: skip
    for path in ("model-00001-of-00002.safetensors", "config.json", "README.md", "model.sig"):
        yield Attempt(path, "served otherwise than uploaded",
                      lambda p=path: _published(bench, {}, served=p),  # type: ignore[misc]
                      rules("RETRACTED", "NOT RETRACTED"))  # fmt: skip


def published(bench: Bench, server: HubServer, repo: str = "acme/good") -> Any:
    """Publish what lies on the bench with the verdict that was signed before."""
    order = replace(
        bench.order(), target=Target(server.url, repo), tokens=Tokens(server.write_token)
    )
    with tempfile.TemporaryDirectory(prefix="tamper-") as home:
        return publish(order, bench.good.audit, Path(home))


def _published(
    bench: Bench, changes: dict[str, bytes], repo: str = "acme/good", served: str | None = None
) -> Answer:
    with HubServer() as server, bench.changed(changes):
        server.add_repo(repo, {".gitattributes": ATTRIBUTES})
        if served is not None:
            _serve_otherwise(server, repo, served)
        try:
            found = published(bench, server, repo)
        except InputError:
            return Answer(bool(server.writes()), frozenset({"manifest"}))
        except AuditFlowError:
            return Answer(bool(server.requests), frozenset({"verdict refused"}))
        return Answer(found.word == "PUBLISHED", frozenset({found.word}))


def _serve_otherwise(server: HubServer, repo: str, path: str) -> None:
    turned: list[str] = []

    def turn(record: object) -> None:
        del record
        # Before the commit there is nothing to tamper with; turned twice, a bit is as it was.
        with suppress(Exception):
            if not turned:
                server.tamper(repo, path, flip=9)
                turned.append(path)

    server.faults.add("before", "*/revision/*", count=None, action=turn)
    server.faults.add("before", "*/tree/*", count=None, action=turn)


def classes() -> tuple[TamperClass, ...]:
    """Return the classes of what goes over the wire."""
    return (
        TamperClass("upload: bytes of every file", "verify", upload_attempts),
        TamperClass("upload: fields of card and manifest", "verify", card_attempts),
        TamperClass("transport", "verify", transport_attempts),
        TamperClass("publishing", "publish", publish_attempts),
    )
