"""Candidates for the base model: configuration, tokenizer, shapes and bit-equality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit_flow.collectors import unread
from audit_flow.collectors.weight_comparison import known_by
from audit_flow.digests import Header
from audit_flow.errors import AuditFlowError, InputError
from audit_flow.linking import is_weight_file
from audit_flow.model import BaseCandidate, Evidence, Trust, TrustFile
from audit_flow.sources import json_text
from audit_flow.sources.folder import MIB, Folder
from audit_flow.sources.hashing import Wanted, hash_all
from audit_flow.sources.hub import HubName, open_repository, parse_name
from audit_flow.sources.hub.names import LocalName, local_or_hub
from audit_flow.sources.hub.repository import stored_token
from audit_flow.sources.ranges import LocalRanges, RangeReader, read_headers

if TYPE_CHECKING:
    from audit_flow.analysis.lineage.sample import Sample
    from audit_flow.collectors.weight_comparison import Known, Weights

MAX_DIFFERENCES = 30
FINGERPRINT = ".fingerprint"
_MAX_CONFIG = 4 * MIB
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt")
# What says who wrote the file or how to run the model, not what was computed with.
_INCIDENTAL = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}


@dataclass(frozen=True)
class Model:
    """A model as far as a comparison needs it; ``content`` holds each file's digest.

    ``place`` is how the verifier named a copy of it. A digest is a SHA-256, or git's blob id
    where nothing else is known; ``tensors`` are BLAKE3 digests by name, where the files are here.
    """

    name: str
    commit: str | None
    config: Mapping[str, Any] | None
    content: Mapping[str, str]
    headers: Mapping[str, Header]
    reader: RangeReader
    tensors: Mapping[str, str] = field(default_factory=dict)
    # How the verifier named it, if that is more than its name: ORG/NAME=FOLDER.
    place: str = ""


@dataclass(frozen=True)
class Sampled:
    """A candidate's sample that was read beforehand, perhaps on another machine.

    It holds for one commit and for these headers; ``sample`` may be why there is none.
    """

    name: str
    commit: str | None
    headers: Mapping[str, Header]
    sample: Sample | str

    def is_of(self, model: Model) -> bool:
        """Say whether this is a sample of exactly this model."""
        mine = (self.name, self.commit, dict(self.headers))
        return mine == (model.name, model.commit, dict(model.headers))


def sample_candidate(name: str, endpoint: str | None, token: str | None = None) -> Sampled | None:
    """Read the sample of one candidate; None where there is none to read."""
    from audit_flow.collectors.weight_comparison import sample_of

    if is_fingerprint(name):
        return None
    hub = parse_name("own/own", endpoint).endpoint
    try:
        weights = _opened(name, hub, token)
        found = sample_of(weights)
    except AuditFlowError:
        return None
    return Sampled(weights.name, weights.commit, weights.headers, found)


def _opened(text: str, endpoint: str, token: str | None) -> Weights:
    name, where = named_candidate(text, endpoint)
    if isinstance(where, HubName):
        return _weights(hub_model(where, _token_for(where, endpoint, token)))
    return _folder_weights(Folder.at(where.path), name)


def named_candidate(text: str, endpoint: str) -> tuple[str, HubName | LocalName]:
    """Return a candidate's name and where it is: ``REPO``, ``FOLDER``, or ``ORG/NAME=FOLDER``.

    The last says that the folder is a copy of that repository; that is the verifier's word. Raises
    InputError for what names no candidate.
    """
    name, equals, place = text.partition("=")
    if not equals or "://" in name or text.startswith((".", "/", "~")):
        return text, local_or_hub(text, endpoint)
    known = parse_name(name, endpoint)
    where = local_or_hub(place, endpoint) if place else None
    if known.revision or "/" not in known.repo or not isinstance(where, LocalName):
        raise InputError(
            f"the candidate {text[:300]!r}",
            expected="ORG/NAME=FOLDER, with a folder that holds a copy of that repository",
            remedy="Write ./ before the folder; a repository needs no other name",
        )
    return known.repo, where


def _folder_weights(folder: Folder, name: str) -> Weights:
    """Return a folder's weights for sampling: headers alone, nothing hashed."""
    reader = LocalRanges(folder, folder.walk())
    shards = [n for n in reader.sizes if n.endswith(".safetensors")]
    return _weights(Model(name, None, None, {}, read_headers(reader, shards), reader))


def _token_for(where: HubName, endpoint: str, token: str | None) -> str | None:
    """A token is for candidates on the same Hub alone."""
    return token if where.endpoint == endpoint and not where.named_host else None


def compare_bases(
    released: Model,
    names: Iterable[str],
    *,
    endpoint: str,
    token: str | None,
    fingerprints: Path | None = None,
    trust: TrustFile | None = None,
    samples: Iterable[Sampled] = (),
) -> list[Evidence]:
    """Hold a release against each candidate; one that can't be read becomes an Unread fact.

    A name may be that of a fingerprint file, or ``ORG/NAME=FOLDER``. ``fingerprints`` is a folder
    of them: those of models that are not among ``names`` are candidates as well. ``trust`` says
    whose fingerprints count. ``samples`` are those of candidates that were sampled beforehand.

    A token is for candidates on the same Hub alone. Raises InputError for a name that is none.
    """
    found: list[Evidence] = []
    others: dict[str, Model] = {}
    known: dict[str, Known] = {}
    for text in names:
        named = None if is_fingerprint(text) else named_candidate(text, endpoint)
        try:
            if named is None:
                model = known_by(Path(text).expanduser(), trust or TrustFile())
                known.setdefault(model.name, model)
                continue
            other = _candidate(text, *named, endpoint, token)
            found.append(compare(released, other))
            others.setdefault(other.name, other)
        except AuditFlowError as error:
            found.append(unread("base candidate", text, error))
    if fingerprints is not None:
        # A library may hold the release itself, which is no candidate for its own base.
        taken = others.keys() | known.keys() | {released.name}
        more, failed = known_models(fingerprints, taken, trust)
        known |= {k.name: k for k in more}
        found += [unread("fingerprint", path, error) for path, error in failed]
    kept = [k for name, k in known.items() if name not in others]
    return [*found, *_sampled(released, others.values(), kept, samples)]


def _candidate(
    text: str, name: str, where: HubName | LocalName, endpoint: str, token: str | None
) -> Model:
    if isinstance(where, LocalName):
        # As it was typed: what it is a copy of is the verifier's word, and shown to be.
        return replace(local_model(where.path, name), place="" if text == name else text)
    return hub_model(where, _token_for(where, endpoint, token))


def is_fingerprint(name: str) -> bool:
    """Say whether a candidate is named by a fingerprint file; InputError where it is not there."""
    if "://" in name or not name.endswith(FINGERPRINT):
        return False
    if not Path(name).expanduser().is_file():
        raise InputError(f"there is no file {name!r}", expected="a fingerprint")
    return True


def _sampled(
    released: Model, others: Iterable[Model], known: Iterable[Known], samples: Iterable[Sampled]
) -> tuple[Evidence, ...]:
    """Hold samples of the weights against each other: all candidates are judged together."""
    from audit_flow.collectors.weight_comparison import compare_weights

    models = {m.name: m for m in others}
    before = {s.name: s.sample for s in samples if s.name in models and s.is_of(models[s.name])}
    return compare_weights(_weights(released), [*map(_weights, models.values()), *known], before)


def _weights(model: Model) -> Weights:
    from audit_flow.collectors.weight_comparison import Weights

    trust = Trust.FETCHED if model.commit else Trust.RECOMPUTED
    return Weights(
        model.name, model.reader, model.headers, trust, model.commit, model.place or None
    )


def open_weights(name: str, endpoint: str | None, *, anonymous: bool = False) -> Weights:
    """Return the weights of a folder or of a Hub repository; InputError for what is neither."""
    where = local_or_hub(name, endpoint)
    if isinstance(where, HubName):
        token = None if anonymous or where.named_host else stored_token()
        return _weights(hub_model(where, token))
    folder = Folder.at(where.path)
    return _folder_weights(folder, folder.root.name or "folder")


def known_models(
    folder: Path, taken: Collection[str], trust: TrustFile | None = None
) -> tuple[list[Known], list[tuple[str, AuditFlowError]]]:
    """Return the models of a folder of fingerprints, each name once, and what can't be used."""
    from audit_flow.sources.fingerprint import fingerprints_in

    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}", expected="fingerprints")
    found: dict[str, Known] = {}
    failed: list[tuple[str, AuditFlowError]] = []
    for path in fingerprints_in(folder):
        try:
            known = known_by(path, trust or TrustFile())
        except AuditFlowError as error:
            failed.append((path.name, error))
            continue
        if known.name.casefold() not in {t.casefold() for t in taken}:
            found.setdefault(known.name, replace(known, searched=True))
    return list(found.values()), failed


def hub_model(name: HubName, token: str | None) -> Model:
    """Return a repository of a Hub as far as a comparison needs it."""
    repository = open_repository(name, token=token)
    entries = repository.listing.entries
    config = repository.read("config.json", _MAX_CONFIG) if "config.json" in entries else None
    headers = read_headers(repository.ranges, (p for p in entries if p.endswith(".safetensors")))
    return Model(
        name.repo, repository.commit, _config(config),
        {p: e.content_id for p, e in entries.items()}, headers, repository.ranges,
    )  # fmt: skip


def local_model(path: Path, name: str, *, tensors: bool = True) -> Model:
    """Return a folder as far as a comparison needs it: every file hashed, and every tensor."""
    folder = Folder.at(path)
    names = folder.walk()
    shards = [n for n in names if n.endswith(".safetensors")]
    wanted = Wanted(frozenset({"."}), tensors=frozenset(shards if tensors else ()))
    hashed = hash_all(folder, wanted)
    reader = LocalRanges(folder, names)
    config = read_config(folder) if "config.json" in names else None
    digests = {t.name: t.blake3 for n in shards if n in hashed.files
               for t in hashed.files[n].tensors}  # fmt: skip
    content = {n: d.get("sha256") or "" for n, d in hashed.files.items()}
    return Model(name, None, config, content, read_headers(reader, shards), reader,
                 digests)  # fmt: skip


def compare(released: Model, other: Model) -> BaseCandidate:
    """Return what a release and a candidate have in common."""
    mine, theirs = _shapes(released), _shapes(other)
    equal = (
        sum(1 for n, d in released.tensors.items() if other.tensors.get(n) == d)
        if released.tensors and other.tensors else None
    )  # fmt: skip
    return BaseCandidate(
        id=f"base-candidate:{other.name}",
        source=other.place or other.name,
        trust=Trust.FETCHED if other.commit else Trust.RECOMPUTED,
        name=other.name,
        commit=other.commit,
        config_compared=released.config is not None and other.config is not None,
        config_differences=tuple(_differences(released.config or {}, other.config or {}))
        if released.config is not None and other.config is not None else (),
        tokenizer=_tokenizers(released.content, other.content),
        tensors=len(mine),
        tensors_alike=sum(1 for n, s in mine.items() if theirs.get(n) == s),
        tensors_equal=equal,
        weights_equal=_equal_weights(released, other, equal),
    )  # fmt: skip


def _equal_weights(released: Model, other: Model, equal: int | None) -> bool | None:
    if equal is not None:
        return equal == len(_shapes(released)) == len(_shapes(other))
    mine, theirs = _weight_files(released), _weight_files(other)
    if any(len(d) != 64 for d in (*mine, *theirs)):
        # Git's blob id on one side and a SHA-256 on the other say nothing.
        return None
    if mine and mine == theirs:
        return True
    # One file each: other bytes are other weights, or the same under another header.
    same_header = set(map(_bare, released.headers.values())) == set(
        map(_bare, other.headers.values())
    )
    return False if mine and theirs and same_header else None


def _weight_files(model: Model) -> Counter[str]:
    return Counter(d for p, d in model.content.items() if is_weight_file(p))


def _bare(header: Header) -> Any:
    # With one layout, all bytes but the metadata's are the tensors'.
    return header.metadata, header.tensors, header.data_start


def _shapes(model: Model) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {t.name: (t.dtype, t.shape) for h in model.headers.values() for t in h.tensors}


def _tokenizers(mine: Mapping[str, str], theirs: Mapping[str, str]) -> Any:
    both = [n for n in _TOKENIZER if n in mine and n in theirs and len(mine[n]) == len(theirs[n])]
    if not both:
        return "not compared"
    return "equal" if all(mine[n] == theirs[n] for n in both) else "different"


def read_config(folder: Folder) -> dict[str, Any]:
    """Return the configuration that lies in a folder; EvidenceError for one that is no JSON."""
    return json_text.parse_object(
        folder.read("config.json", _MAX_CONFIG), "config.json", constants=True
    )


def _config(raw: bytes | None) -> dict[str, Any] | None:
    return None if raw is None else json_text.parse_object(raw, "config.json", constants=True)


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    keys = sorted({*mine, *theirs} - _INCIDENTAL)
    found = [
        f"{k}: {_short(mine.get(k))}, candidate {_short(theirs.get(k))}"
        for k in keys
        if mine.get(k) != theirs.get(k)
    ]
    rest = len(found) - MAX_DIFFERENCES
    return [*found[:MAX_DIFFERENCES], *([f"{rest} more"] if rest > 0 else [])]


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
