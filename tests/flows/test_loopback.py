"""No connection leaves loopback: the whole way in a network of its own that counts what tries to.

The namespace has loopback and one interface that leads nowhere, with a default route over it: a
connection to an address, or a question to a name server, is counted there by the kernel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.pipeline import OURS, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

NETWORK = """
set -e
ip link set lo up
ip link add out type veth peer name far
for each in all out far; do
  if [ -d /proc/sys/net/ipv6 ]; then echo 1 > /proc/sys/net/ipv6/conf/$each/disable_ipv6; fi
done
ip addr add 10.255.255.1/24 dev out
ip link set out multicast off up
ip link set far multicast off up
ip neigh add 10.255.255.2 lladdr 02:00:00:00:00:02 dev out
ip route add default via 10.255.255.2 dev out
echo 'nameserver 10.255.255.2' > "$FOLDER/resolv.conf"
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
exec "$@"
"""
# First shown to count an address and a name; then what the tests of the pipeline try to reach.
COUNTED = """
import socket, subprocess, sys

def left():
    line = next(x for x in open("/proc/net/dev") if x.strip().startswith("out:"))
    columns = [int(c) for c in line.partition(":")[2].split()]
    return columns[9] + columns[11]

def tried(work):
    before = left()
    try:
        work()
    except OSError:
        pass
    return left() - before

print("ADDRESS", tried(lambda: socket.create_connection(("192.0.2.1", 443), timeout=1)))
print("NAME", tried(lambda: socket.getaddrinfo("example.org", 443)))
print("LOOPBACK", tried(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1)))
sys.stdout.flush()
before = left()
code = subprocess.run(sys.argv[1:]).returncode
print("LEFT", left() - before)
sys.exit(code)
"""
WAY = (
    "tests/flows/test_pipeline.py::test_digit_adder_goes_the_whole_way",
    "tests/flows/test_watching.py",
)


def why_not() -> str | None:
    """Say why this machine can't make such a network."""
    missing = [p for p in ("unshare", "ip", "mount") if not shutil.which(p)]
    if missing:
        return f"{', '.join(missing)} not installed (util-linux, iproute2)"
    words = ["unshare", "-n", "-m", "ip", "link", "add", "out", "type", "veth"]
    ran = subprocess.run(
        [*words, "peer", "name", "far"], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        return f"no network namespace can be made here, which takes root: {ran.stderr.strip()}"
    return None


def test_the_whole_way_reaches_nothing_but_loopback(tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(f"NOT SHOWN that no connection leaves loopback: {reason}")
    # Not one switch of the surroundings: neither telemetry's own, nor what says that this is CI.
    dropped = (*OURS, "CI", "GITHUB_", "GITLAB_", "PYTEST_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    pytest_words = [sys.executable, "-m", "pytest", "-n", "0", "--timeout", "900", *WAY]
    ran = subprocess.run(
        ["unshare", "-n", "-m", "bash", "-c", NETWORK, "network",
         sys.executable, "-c", COUNTED, *pytest_words],
        env={**env, "FOLDER": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = dict(x.split() for x in ran.stdout.splitlines() if x.count(" ") == 1 and x.isascii()
                and x.split()[0].isupper())  # fmt: skip
    assert int(said["ADDRESS"]) > 0, "the network counts"
    assert int(said["NAME"]) > 0, "the network counts"
    assert int(said["LOOPBACK"]) == 0
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(said["LEFT"]) == 0, f"{said['LEFT']} packets tried to leave\n{ran.stdout}"
