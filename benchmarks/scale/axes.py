"""What is made larger: bytes of weights, claims, per-sample rows, earlier records, a repository."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.scale.make import claims_release, shards_release
from benchmarks.scale.run import HERE, Curve, audit_flow, run

Axis = Callable[[Path, str], Iterator[Curve]]
CODES = (0, 1, 3)
MODEL_SIGNING = [sys.executable, "-m", "model_signing"]


def shards(folder: Path, size: str) -> Iterator[Curve]:
    """Sparse shards of equal size: hashed by audit and by sign, sha256sum and model_signing beside.

    Peers read the two smaller sizes alone at full size.
    """
    each, counts = (10**9, (2, 20, 200)) if size == "full" else (25 * 10**6, (2, 8, 20))
    made = [shards_release(folder / str(n), n, each) for n in counts]
    gigabytes = [round(n * each / 10**6) for n in counts]
    pairs = list(zip(made, gigabytes, strict=True))
    few = pairs if size == "small" else pairs[:2]
    key = folder / "key.pem"
    _new_key(key)
    sums = ["sh", "-c", 'exec sha256sum "$1"/*.safetensors', "sh"]
    theirs = [*MODEL_SIGNING, "sign", "key", "--private_key", str(key), "--signature"]
    yield Curve(
        "audit, weights",
        "MB",
        tuple(
            run(audit_flow("audit", str(m / "release.yaml")), folder, n, CODES) for m, n in pairs
        ),
    )
    yield Curve(
        "sign",
        "MB",
        tuple(
            run(
                audit_flow(
                    "sign", str(m / "model"), "--key", str(key), "--output", str(m / "model.sig")
                ),
                folder,
                n,
            )
            for m, n in few
        ),
    )
    yield Curve(
        "sha256sum (peer)", "MB", tuple(run([*sums, str(m / "model")], folder, n) for m, n in few)
    )
    yield Curve("model_signing sign (peer)", "MB", tuple(
        run([*theirs, str(m / "theirs.sig"), str(m / "model")], folder, n)
        for m, n in few))  # fmt: skip


def claims(folder: Path, size: str) -> Iterator[Curve]:
    """Scores claimed in the manifest, each with its results file entry."""
    counts = (100, 1_000, 10_000) if size == "full" else (100, 300, 1_000)
    made = [(claims_release(folder / str(n), n), n) for n in counts]
    yield Curve("audit, claims", "claims", tuple(
        run(audit_flow("audit", str(m / "release.yaml"), "--html", str(folder / "a.html")),
            folder, n, CODES) for m, n in made))  # fmt: skip


def rows(folder: Path, size: str) -> Iterator[Curve]:
    """Per-sample rows of one evaluation, read and recounted."""
    from benchmarks.scores.read_rows import write_run

    points = []
    for n in (10_000, 100_000, 1_000_000) if size == "full" else (10_000, 30_000, 100_000):
        place = folder / str(n)
        place.mkdir()
        write_run(place, n)
        command = [sys.executable, str(HERE.parent / "scores" / "read_rows.py"), "--measure"]
        points.append(run([*command, str(place)], folder, n))
        shutil.rmtree(place)
    yield Curve("per-sample rows, read and recounted", "rows", tuple(points))


def records(folder: Path, size: str) -> Iterator[Curve]:
    """Earlier records in the store: one more is recorded, found, and all are listed."""
    counts = (50, 500, 5_000) if size == "full" else (10, 50, 200)
    stores = [(folder / f"store-{n}", n) for n in counts]
    for place, n in stores:
        run([sys.executable, str(HERE / "many_records.py"), str(place), "fill", str(n)], folder, n)
    for doing, name in (("record", "record an audit"), ("find", "find an audit by its digest"),
                        ("list", "list all audits"),
                        ("search", "MLflow search_runs, by the same tag (peer)")):  # fmt: skip
        yield Curve(name, "earlier records", tuple(
            run([sys.executable, str(HERE / "many_records.py"), str(place), doing, str(n)],
                folder, n) for place, n in stores))  # fmt: skip


def repository(folder: Path, size: str) -> Iterator[Curve]:
    """A repository on the project's own Hub: every byte fetched and hashed by ``verify --full``."""
    from benchmarks.verify.bench import Server

    sizes = (100, 400, 1_600) if size == "full" else (20, 60, 120)
    words = [w for n in sizes for w in ("--virtual", f"acme/m{n}=4x{n * 250_000}")]
    with Server(*words) as server:
        yield Curve("verify --full", "MB", tuple(
            run(audit_flow("verify", f"acme/m{n}", "--hub", server.url, "--full"), folder, n, CODES)
            for n in sizes))  # fmt: skip


def _new_key(place: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    place.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


AXES: dict[str, Axis] = {
    "shards": shards,
    "claims": claims,
    "rows": rows,
    "records": records,
    "repository": repository,
}
