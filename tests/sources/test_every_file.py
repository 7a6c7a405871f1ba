"""What of a folder is listed while others write into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_flow import durable
from audit_flow.sources.every_file import every_file
from audit_flow.sources.signed_files import files_to_sign

Listed = tuple[str, list[str], list[str]]


def test_a_file_that_goes_while_it_is_listed_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("config.json", "deep/weights.bin", "gone", "deep/gone"):
        (tmp_path / name).write_bytes(b"x")

    listed = os.walk

    def walk(top: Path, **options: object) -> Iterator[Listed]:
        for folder, names, files in listed(top):
            (Path(folder) / "gone").unlink()
            yield folder, names, files

    monkeypatch.setattr(os, "walk", walk)
    assert every_file(tmp_path).sizes == {"config.json": 1, "deep/weights.bin": 1}


@pytest.mark.parametrize("output", ["model.sig", "deep/other.sig"])
def test_what_another_signer_is_writing_is_not_signed(tmp_path: Path, output: str) -> None:
    place = tmp_path / output
    place.parent.mkdir(exist_ok=True)
    (tmp_path / "config.json").write_bytes(b"{}")
    with durable.being_written(place) as (_, unfinished):
        names, _ = files_to_sign(tmp_path, [place])
        assert unfinished.exists()
    assert names == ("config.json",)
