"""The mutations after which the gate of an audit may open: a short list, each with its reason.

Whatever is listed is proven as well: either the record is the same to the last digit, or it is
another one, and the verdict that was signed before opens nothing for it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Equivalent:
    """Places and kinds of change, by patterns, the proof that is asked for, and why."""

    places: tuple[str, ...]
    kinds: tuple[str, ...]
    proof: str
    reason: str

    def covers(self, place: str, kind: str, proof: str) -> bool:
        return (
            proof == self.proof
            and any(fnmatchcase(place, p) for p in self.places)
            and any(fnmatchcase(kind, k) for k in self.kinds)
        )


ANY = ("*",)
AWAY = ("remove", "null")
SAME, OTHER = "same record", "record"
# The very bytes that were signed, under the signature by the same key.
PAYLOAD = "same payload"
_UNSIGNED = ("verificationMaterial.publicKey*", "verificationMaterial.tlogEntries",
             "dsseEnvelope.signatures.0.keyid")  # fmt: skip
EQUIVALENT = (
    Equivalent(
        ("*:(white space)",), ANY, SAME,
        "the file parses to the same data: white space, quotes, or a comment",
    ),
    Equivalent(
        ("release.yaml:evidence.dvc.project", "release.yaml evidence.dvc.project"), ("remove",),
        SAME,
        "the folder of the manifest is what is taken without it",
    ),
    Equivalent(
        ("release.yaml:scores.*.protocol.system_prompt",
         "release.yaml:scores.*.protocol.chat_template"), ("empty",), SAME,
        "'none' and an empty text are one prompt, of one digest",
    ),
    Equivalent(
        ("release.yaml:release.*",), ANY, OTHER,
        "what the release is called: no statement about its bytes; verdict and record name it, so "
        "a new name needs a new verdict, and publish refuses another repository than hub_id",
    ),
    Equivalent(
        ("release.yaml:base_model.license",), ANY, OTHER,
        "terms are judged by license.base-terms, a warning: a licence is no matter of bytes",
    ),
    Equivalent(
        ("release.yaml:training", "release.yaml:training.*", "release.yaml:checksums",
         "release.yaml:checksums.*"), AWAY, OTHER,
        "a claim less: the new verdict says nothing of it (files stay under the signature)",
    ),
    Equivalent(
        ("release.yaml:base_model.relation",), AWAY, OTHER,
        "the manifest says less; the card's relation is the one that is judged then",
    ),
    Equivalent(
        ("release.yaml:scores.*.protocol.task_version", "release.yaml:scores.*.protocol.host"),
        AWAY, OTHER, "the claim says less about how it was measured, and shows that it does",
    ),
    Equivalent(
        ("release.yaml:scores.*.benchmark",), ANY, OTHER,
        "the claim names the task beside the benchmark and is judged by the run of that task; the "
        "card may call it by no third name (docs/trust.md: an easy task under a known name)",
    ),
    Equivalent(
        ("release.yaml:scores.*", "release.yaml:training.*", "dvc.lock:stages.*.deps.*",
         "dvc.lock:stages.*.outs.*", "model/README.md:model-index.*"), ("swap",), OTHER,
        "the same claims or entries in another order",
    ),
    Equivalent(
        ("dvc.yaml:stages.*.deps.*", "dvc.yaml:stages.*.outs.*", "dvc.yaml:stages.*.params.*"),
        ("swap",), SAME, "the same entries in another order",
    ),
    Equivalent(
        ("dvc.yaml:stages.*.params.*",), ("double", "null"), SAME,
        "a parameter named twice, or its whole file: what the lock holds of it is compared",
    ),
    Equivalent(
        ("dvc.yaml:stages.*.cmd",), ("as list",), SAME, "a list of one command is that command",
    ),
    Equivalent(
        tuple(f"*.sigstore.json:bundle {u}" for u in _UNSIGNED), ANY, PAYLOAD,
        "a hint at the key, or an empty list of log entries: nobody signed it, nobody believes it; "
        "the signature is verified by the keys of the trust file",
    ),
    Equivalent(
        tuple(f"{f}:{u}" for f in ("*.sig", "*.record.json") for u in _UNSIGNED), ANY, OTHER,
        "the same hints in the signatures of model, evidence and records",
    ),
    Equivalent(
        ("file model/model.tensors.sig",), ("remove",), OTHER,
        "the signed list of tensors is about the same files as the signature beside it",
    ),
    Equivalent(
        ("dvc.lock:stages.*.cmd",), ("as list",), OTHER, "a list of one command is that command",
    ),
    Equivalent(
        ("dvc.lock:stages.train.params.configs/train.yaml.*",), ("remove",), OTHER,
        "one setting less of a mapping that the plan names whole; the file that holds it is among "
        "the inputs of the same job, by digest",
    ),
    Equivalent(
        ("dvc.lock:stages.*.hash", "dvc.lock:stages.*.size"), AWAY, OTHER,
        "DVC before 3.0 wrote none; the MD5 beside it is compared all the same",
    ),
    Equivalent(
        ("model/README.md:model-index", "model/README.md:model-index.*",
         "model/README.md:base_model_relation"), (*AWAY, "rename"), OTHER,
        "the card says less, under a new signature; the manifest's claims are judged as before",
    ),
    Equivalent(
        ("model/README.md:model-index.*.name", "model/README.md:model-index.*.task*",
         "model/README.md:model-index.*.dataset.type"), ANY, OTHER,
        "what the card says of the model's name and the kind of task; benchmark, metric and number "
        "beside it are compared",
    ),
    Equivalent(
        ("model/README.md:base_model",), ("as list",), OTHER, "the Hub's own form for one base",
    ),
    Equivalent(
        ("model/README.md:*",), ("add to", "double"), OTHER,
        "a key that no claim is read from, or the same result twice",
    ),
)  # fmt: skip


def reason(place: str, kind: str, proof: str) -> str | None:
    """Return why a mutation may leave the gate open, None where nothing allows it."""
    found = (e.reason for e in EQUIVALENT if e.covers(place, kind, proof))
    return next(found, None)
