"""``audit-flow digest``: the digests of a folder, one read a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from audit_flow.cli.progress import bar
from audit_flow.cli.writing import print_text


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--md5", is_flag=True, help="Compute MD5 as well, as DVC tracks it.")
@click.option("--tensors", is_flag=True, help="Print the BLAKE3 of each tensor too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def digest(folder: Path, md5: bool, tensors: bool, form: str) -> int:
    """Print the digests of every file in FOLDER and the root digest of its weights."""
    from audit_flow.collectors.weights import is_documentation
    from audit_flow.digests import FileDigests, FilePlan, digest_files, weights_root
    from audit_flow.sources.folder import Folder

    names = Folder.at(folder).walk()
    algorithms = frozenset({"sha256", "md5"} if md5 else {"sha256"})
    plans = [FilePlan(n, algorithms, tensors=n.endswith(".safetensors")) for n in names]
    with bar("hashing", unit="bytes") as step:
        found = digest_files(folder, plans, progress=step)
    pairs = [(f.path, f.get("sha256") or "") for f in found if not is_documentation(f.path)]
    root = weights_root(pairs)

    def row(file: FileDigests) -> dict[str, object]:
        row: dict[str, object] = {"path": file.path, "size": file.size, **dict(file.digests)}
        if tensors:
            row["tensors"] = {t.name: t.blake3 for t in file.tensors}
        return row

    if form == "json":
        files = [row(f) for f in found]
        document = {"schema": "audit-flow/digests/v1", "root_sha256": root, "files": files}
        print_text(json.dumps(document, indent=2) + "\n")
        return 0
    lines = [f"{f.get('sha256')}  {_line(f.path)}" for f in found]
    for file in found:
        path = _line(file.path)
        lines += [f"  md5 {file.get('md5')}  {path}"] if md5 else []
        named = ((t.blake3, _line(t.name)) for t in file.tensors if tensors)
        lines += [f"  {digest}  {path}#{name}" for digest, name in named]
    print_text("\n".join([*lines, f"{root}  (root: every file but documentation)", ""]))
    return 0


def _line(name: str) -> str:
    # A line feed in a name would begin a line that looks like another file's digest.
    return name.replace("\n", "\\n").replace("\r", "\\r")
