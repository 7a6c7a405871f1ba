"""The private Sigstore for the tests of signing, started once for each module."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.signing.sigstore_server import PrivateSigstore


@pytest.fixture(scope="module")
def running_sigstore() -> Iterator[PrivateSigstore]:
    with PrivateSigstore() as sigstore:
        yield sigstore


@pytest.fixture
def sigstore(running_sigstore: PrivateSigstore) -> Iterator[PrivateSigstore]:
    """The private Sigstore, its requests forgotten before and its faults cleared after."""
    running_sigstore.requests.clear()
    yield running_sigstore
    running_sigstore.faults.clear()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuses every connection and name lookup, and lists those that were tried."""
    tried: list[str] = []

    def refuse(*words: object, **more: object) -> None:
        tried.append(repr(words[-1]))
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    return tried
