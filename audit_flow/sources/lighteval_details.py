"""lighteval's details: one Parquet row an item, in the two shapes that versions gave them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from audit_flow.errors import EvidenceError
from audit_flow.model import sha256_hex
from audit_flow.sources.clusters import ClusterField
from audit_flow.sources.samples import SampleTable, item_digest
from audit_flow.sources.source_file import SourceFile

_MAX_EXPANDED = 4 * 1024**3
_MAX_ROWS = 5_000_000
_SCORES = ("metric", "metrics")
_ITEM = ("doc", "model_response", "example", "full_prompt", "instruction", "choices", "gold",
         "input_tokens")  # fmt: skip


@dataclass(frozen=True)
class Details:
    """The items of one task."""

    path: str
    sha256: str
    table: SampleTable


def read_details(source: SourceFile, cluster: str | None = None) -> Details:
    """Read one file of details.

    Raises EvidenceError without pyarrow, for what is no Parquet, and where scores are missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise EvidenceError(
            "per-sample details in Parquet",
            expected="pyarrow to read them",
            where=source.path,
            remedy="Install audit-flow[pipeline], or pyarrow",
        ) from error
    raw = source.bytes()
    table, groups = SampleTable(), ClusterField(cluster)
    try:
        file = parquet.ParquetFile(io.BytesIO(raw))
        _bounded(file.metadata, source)
        names = set(file.schema_arrow.names)
        scores = next((name for name in _SCORES if name in names), None)
        if scores is None:
            raise EvidenceError(
                "no column of scores", expected="metric or metrics", where=f"{source.path}: metric"
            )
        columns = [name for name in (*_ITEM, scores) if name in names]
        for batch in file.iter_batches(batch_size=256, columns=columns):
            for row in batch.to_pylist():
                _add(table, row, scores, source, groups)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        # Damaged metadata is an OSError of pyarrow's, damaged text a UnicodeDecodeError.
        raise EvidenceError(f"no readable Parquet: {error}", where=source.path) from error
    return Details(source.path, sha256_hex(raw), table)


def _bounded(metadata: Any, source: SourceFile) -> None:
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if size > _MAX_EXPANDED or metadata.num_rows > _MAX_ROWS:
        raise EvidenceError(
            f"{metadata.num_rows} rows of {size} bytes in all",
            expected=f"at most {_MAX_ROWS} rows and {_MAX_EXPANDED} bytes",
            where=source.path,
        )


def _add(
    table: SampleTable, row: dict[str, Any], scores: str, source: SourceFile, groups: ClusterField
) -> None:
    values = row.get(scores)
    if not isinstance(values, dict):
        raise EvidenceError(
            f"{scores} is {type(values).__name__}",
            expected="scores by metric",
            where=f"{source.path}: {scores}, row {table.rows}",
        )
    doc = row.get("doc")
    stated = doc.get("id") if isinstance(doc, dict) else None
    # Versions before 0.11 have no ids: there the order is the identity.
    item_id = stated if isinstance(stated, int | str) and stated != "" else table.rows
    own = doc.get("specific") if isinstance(doc, dict) else None
    group = groups.of(own, doc, row)
    table.cluster_field = groups.name
    table.add_each(item_id, _item(row), values, cluster=group)


def _item(row: dict[str, Any]) -> bytes | None:
    """Return the digest of document and prompt as sent; None where the prompt is not in it."""
    doc, answer = row.get("doc"), row.get("model_response")
    if isinstance(doc, dict) and isinstance(answer, dict):
        prompt = answer.get("input") or answer.get("input_tokens")
        asked = (doc.get("query"), doc.get("choices"), doc.get("gold_index"), prompt)
        return item_digest(*asked) if prompt else None
    prompt = row.get("full_prompt")
    return item_digest(prompt, row.get("choices"), row.get("gold")) if prompt else None
