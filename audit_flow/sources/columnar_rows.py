"""The rows of Parquet and Arrow files, batch by batch; the library that reads them is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit_flow.errors import EvidenceError
from audit_flow.sources.folder import MIB
from audit_flow.sources.source_file import SourceFile

COLUMNAR = (".parquet", ".arrow", ".feather")
_BATCH = 1000
_MAX_GROUP = 4096 * MIB


def columnar_rows(source: SourceFile) -> Iterator[dict[str, Any]]:
    """Yield the rows in order.

    Raises EvidenceError without pyarrow, for what is neither Parquet nor Arrow, and for a group of
    rows beyond 4 GiB.
    """
    try:
        import pyarrow
    except ImportError:
        raise EvidenceError(
            "Parquet and Arrow can't be read without pyarrow", expected="pyarrow",
            where=source.path, remedy="Install audit-flow[pipeline], or pyarrow",
        ) from None  # fmt: skip
    read = _parquet if source.name.endswith(".parquet") else _arrow
    try:
        for batch in read(source):
            for start in range(0, batch.num_rows, _BATCH):
                yield from batch.slice(start, _BATCH).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise EvidenceError(f"no readable table: {error}", where=source.path) from error


def _parquet(source: SourceFile) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source.folder.file(source.path)) as file:
        groups = range(file.metadata.num_row_groups)
        largest = max((file.metadata.row_group(i).total_byte_size for i in groups), default=0)
        if largest > _MAX_GROUP:
            raise EvidenceError(
                f"{largest} bytes in a group of rows", expected=f"at most {_MAX_GROUP}",
                where=source.path,
            )  # fmt: skip
        yield from file.iter_batches(batch_size=_BATCH)


def _arrow(source: SourceFile) -> Iterator[Any]:
    """Yield the batches of an Arrow stream, as datasets keep them, or of an Arrow file."""
    import pyarrow

    with pyarrow.memory_map(str(source.folder.file(source.path))) as mapped:
        if source.head().startswith(b"ARROW1"):
            file = pyarrow.ipc.open_file(mapped)
            yield from (file.get_batch(i) for i in range(file.num_record_batches))
        else:
            yield from pyarrow.ipc.open_stream(mapped)
