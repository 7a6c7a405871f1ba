"""The client of the Hub: addresses, listings, ranges, download, tokens."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import AuditFlowError, EvidenceError, InputError, MissingEvidence
from audit_flow.sources.folder import Folder
from audit_flow.sources.hub import (
    HubHttp,
    HubName,
    HubRepository,
    download,
    download_all,
    open_repository,
)
from audit_flow.sources.hub.address import AddressRule, reach_of
from audit_flow.sources.hub.download import PARTS
from audit_flow.sources.hub.http import Limits
from audit_flow.sources.hub.listing import Entry
from audit_flow.sources.ranges import LocalRanges, read_headers
from tests.hub.server import HubServer, safetensors_file

REPO = "acme/model"
FAST = Limits(tries=3, pause=0.01, answer=2.0, body=2.0)
SHARD = safetensors_file({"a": (64, 32), "b": (100,)}, seed=1)


def opened(
    server: HubServer, revision: str | None = None, token: str | None = None
) -> HubRepository:
    return open_repository(HubName(REPO, revision, server.url), token=token, limits=FAST)


@pytest.mark.parametrize(
    ("address", "reach"),
    [("8.8.8.8", "public"), ("127.0.0.1", "loopback"), ("::1", "loopback"),
     ("::ffff:127.0.0.1", "loopback"), ("169.254.169.254", "link-local"),
     ("fe80::1%eth0", "link-local"), ("10.1.2.3", "private"), ("192.168.0.1", "private"),
     ("fd00::1", "private"), ("0.0.0.0", "private"), ("100.64.0.1", "private")],
)  # fmt: skip
def test_who_can_reach_an_address(address: str, reach: str) -> None:
    assert reach_of(address) == reach


@pytest.mark.parametrize("own", ["8.8.8.8", "10.0.0.1", "127.0.0.1"])
def test_a_redirect_leads_to_the_public_or_to_where_the_hub_is(own: str) -> None:
    rule = AddressRule()
    rule.learn(own)
    rule.check("1.1.1.1")
    rule.check(own)
    for other in ("127.0.0.2", "10.9.9.9", "169.254.169.254"):
        if reach_of(other) != reach_of(own):
            with pytest.raises(EvidenceError):
                rule.check(other)


@pytest.mark.parametrize("page", [1, 3, 1000])
def test_a_listing_is_whole_however_it_is_paged(page: int) -> None:
    files = {f"a/{n}.txt": str(n).encode() for n in range(7)} | {"m.safetensors": SHARD}
    with HubServer(page_size=page) as server:
        commit = server.add_repo(REPO, files)
        listing = opened(server).listing
    assert listing.commit == commit
    assert set(files) <= set(listing.entries)
    assert listing.entries["m.safetensors"].sha256 == SHARD.sha256
    assert listing.problems == ()


def test_branches_tags_and_commits_are_resolved_once(hub_server: HubServer) -> None:
    first = hub_server.add_repo(REPO, {"a.txt": b"1"})
    hub_server.tag(REPO, "v1")
    second = hub_server.commit(REPO, {"a.txt": b"2"})
    pinned = {name: opened(hub_server, name) for name in (None, "main", "v1", first)}
    assert [r.commit for r in pinned.values()] == [second, second, first, first]
    hub_server.commit(REPO, {"a.txt": b"3"})
    assert pinned["main"].read("a.txt", 10) == b"2"


@pytest.mark.parametrize(
    ("settings", "token", "ok"),
    [({"private": True}, False, False), ({"private": True}, True, True),
     ({"gated": "manual"}, False, False)],
)  # fmt: skip
def test_private_and_gated_repositories_are_told(
    hub_server: HubServer, settings: dict[str, object], token: bool, ok: bool
) -> None:
    hub_server.add_repo(REPO, {"config.json": b"{}"}, **settings)  # type: ignore[arg-type]
    own = hub_server.read_token if token else None
    if ok:
        assert opened(hub_server, token=own).read("config.json", 10) == b"{}"
        return
    with pytest.raises(EvidenceError, match=r"private|gated|401|403"):
        opened(hub_server, token=own).read("config.json", 10)


@pytest.mark.parametrize(("repo", "revision"), [("acme/none", None), (REPO, "nothing"),
                                                (REPO, "0" * 40)])  # fmt: skip
def test_what_is_not_there_is_missing(
    hub_server: HubServer, repo: str, revision: str | None
) -> None:
    hub_server.add_repo(REPO, {"a.txt": b"1"})
    with pytest.raises(MissingEvidence):
        open_repository(HubName(repo, revision, hub_server.url), limits=FAST)


def test_ranges_are_those_of_the_file_and_counted(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.add_repo(REPO, {"m.safetensors": SHARD, "t.txt": b"0123456789"})
    (tmp_path / "m.safetensors").write_bytes(SHARD.read(0, SHARD.size))
    (tmp_path / "t.txt").write_bytes(b"0123456789")
    rng = random.Random(0)
    wanted = [("m.safetensors", at, rng.randint(0, SHARD.size - at)) for at in
              (rng.randrange(SHARD.size) for _ in range(40))]  # fmt: skip
    wanted += [("t.txt", 0, 10), ("t.txt", 9, 1), ("t.txt", 3, 0)]
    local, remote = LocalRanges(Folder.at(tmp_path)), opened(hub_server).ranges
    assert remote.read_many(wanted) == local.read_many(wanted)
    assert remote.count.bytes == sum(length for _, _, length in wanted)
    names = ["m.safetensors"]
    assert read_headers(remote, names) == read_headers(local, names)
    signed = [r for r in hub_server.requests if r.host == "hub" and r.path.endswith("safetensors")]
    assert len(signed) == 1, "one signed address a file"


@pytest.mark.parametrize("bad", [("no.txt", 0, 1), ("t.txt", 8, 3), ("t.txt", -1, 1)])
def test_a_range_outside_the_file_is_not_asked_for(
    hub_server: HubServer, bad: tuple[str, int, int]
) -> None:
    hub_server.add_repo(REPO, {"t.txt": b"0123456789"})
    ranges = opened(hub_server).ranges
    before = len(hub_server.requests)
    with pytest.raises(EvidenceError):
        ranges.read_many([bad])
    assert len(hub_server.requests) == before


def test_a_download_goes_on_where_it_was_cut(hub_server: HubServer, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_000)
    hub_server.add_repo(REPO, {"big.bin": data})
    repository = opened(hub_server)
    hub_server.faults.add("truncate", "*", host="cdn", count=None, size=500_000)
    entries = list(repository.listing.entries.values())
    _, failed = download_all(repository.http, repository.ranges, entries, tmp_path)
    part = next((tmp_path / PARTS).iterdir())
    kept = part.stat().st_size
    # Each of three tries goes on where the one before was cut.
    assert set(failed) == {"big.bin"}
    assert 500_000 < kept <= 1_500_000
    hub_server.faults.clear()
    again = opened(hub_server)
    hub_server.journal.clear()
    found, failed = download_all(again.http, again.ranges, entries, tmp_path)
    assert not failed
    assert (tmp_path / "big.bin").read_bytes() == data
    assert not (tmp_path / PARTS).exists()
    assert all(d.problem is None for d in found)
    assert hub_server.bytes_sent("*") < len(data) - kept + 100_000


@pytest.mark.parametrize("tamper", ["part", "file"])
def test_what_lies_in_the_folder_is_never_trusted(
    hub_server: HubServer, tmp_path: Path, tamper: str
) -> None:
    data = random.Random(2).randbytes(200_000)
    hub_server.add_repo(REPO, {"big.bin": data})
    repository = opened(hub_server)
    entries = list(repository.listing.entries.values())
    name = repository.listing.entries["big.bin"].content_id
    place = tmp_path / "big.bin" if tamper == "file" else tmp_path / PARTS / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(bytes(len(data) if tamper == "file" else 100))
    _, failed = download_all(repository.http, repository.ranges, entries, tmp_path)
    assert not failed
    assert (tmp_path / "big.bin").read_bytes() == data


@pytest.mark.parametrize("number", [2, 6])
def test_of_downloads_to_one_folder_one_goes_on(
    hub_server: HubServer, tmp_path: Path, number: int
) -> None:
    files = {f"deep/{n}.txt": random.Random(n).randbytes(20_000) for n in range(9)}
    hub_server.add_repo(REPO, files | {"m.safetensors": SHARD})
    repository = opened(hub_server)
    entries = list(repository.listing.entries.values())
    begin = threading.Barrier(number)

    def run(_: int) -> dict[str, AuditFlowError]:
        begin.wait()
        return download_all(repository.http, repository.ranges, entries, tmp_path)[1]

    hub_server.options.latency = 0.02
    with ThreadPoolExecutor(number) as pool:
        ended = [pool.submit(run, n) for n in range(number)]
    refused = [e.exception() for e in ended if e.exception()]
    assert len(refused) < number
    assert all(isinstance(e, InputError) and "under way" in str(e) for e in refused)
    assert [e.result() for e in ended if not e.exception()] == [{}] * (number - len(refused))
    assert {p: (tmp_path / p).read_bytes() for p in files} == files
    assert not (tmp_path / PARTS).exists()


def test_a_part_that_somebody_else_writes_to_is_told(
    hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.add_repo(REPO, {"a.txt": b"x" * 5000})
    repository = opened(hub_server)
    entries = [repository.listing.entries["a.txt"]]
    fetched = download._fetched

    def disturbed(job: Any, entry: Entry, part: Path) -> Any:
        hashes = fetched(job, entry, part)
        with part.open("ab") as stream:
            stream.write(b"of somebody else")
        return hashes

    monkeypatch.setattr(download, "_fetched", disturbed)
    found, failed = download_all(repository.http, repository.ranges, entries, tmp_path)
    assert (found, list(failed)) == ((), ["a.txt"])
    assert not (tmp_path / "a.txt").exists()


def test_a_link_in_the_folder_leads_nowhere(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.add_repo(REPO, {"sub/a.txt": b"1"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/sub").symlink_to(outside)
    repository = opened(hub_server)
    entries = list(repository.listing.entries.values())
    _, failed = download_all(repository.http, repository.ranges, entries, tmp_path / "folder")
    assert set(failed) == {"sub/a.txt"}
    assert not list(outside.iterdir())


def test_a_public_hub_leads_nobody_to_this_machine(hub_server: HubServer) -> None:
    """The name resolves to loopback: it is the connected socket that counts, not the name."""
    http = HubHttp("https://hub.example", "secret", limits=FAST)
    port = hub_server.admin_url.rpartition(":")[2]
    with pytest.raises(EvidenceError, match="loopback"):
        http.read(f"http://localhost:{port}/secrets", 100, own=False)
    assert not hub_server.requests
