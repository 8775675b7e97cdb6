"""The kernel's binary dump gives the rows of /proc/net/tcp, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from conftest import (
    HAS_IPV6,
    NETSTAT,
    needs_ip,
    needs_namespaces,
    needs_netstat,
    needs_root,
    pynetstat,
)

from pynetstat.kernel import bytecode, netlink, sockdiag
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.plan import Plan

# Opens sockets of every state of IPv4 and IPv6, mapped ones among them, and holds them.
MANY = """
import socket, struct, sys, time
keep, ports = [], []
def pair(family, host, server_host=None):
    server = socket.socket(family); server.bind((server_host or host, 0)); server.listen(8)
    client = socket.socket(socket.AF_INET if "." in host else family)
    client.connect((host.replace("::ffff:", ""), server.getsockname()[1]))
    inside, _ = server.accept()
    keep.extend([server, client, inside])
    ports.extend([server.getsockname()[1], client.getsockname()[1]])
    return server, client, inside
kinds = [(socket.AF_INET, "127.0.0.1", None), (socket.AF_INET6, "::1", None),
         (socket.AF_INET6, "127.0.0.1", "::")]
for family, host, over in kinds if sys.argv[1:] == ["6"] else kinds[:1]:
    pair(family, host, over)                                   # ESTABLISHED, LISTEN
    _, client, inside = pair(family, host, over)
    client.send(b"x" * 1000)                                   # Recv-Q
    _, client, inside = pair(family, host, over)
    client.close()                                             # CLOSE_WAIT and FIN_WAIT2
    _, client, inside = pair(family, host, over)
    client.close(); inside.close()                             # TIME_WAIT
    server = pair(family, host, over)[0]
    waiting = socket.socket(socket.AF_INET if "." in host else family)
    waiting.connect((host, server.getsockname()[1]))           # waits to be accepted
    keep.append(waiting)
    ports.append(waiting.getsockname()[1])
silent = socket.socket(); silent.setblocking(False)
try: silent.connect(("192.0.2.1", 9))                          # SYN_SENT, where there is a route
except OSError: pass
keep.append(silent)
print(*ports, flush=True)
sys.stdin.read()
"""


IPV6 = ["6"] if HAS_IPV6 else []


@pytest.fixture
def ports() -> Iterator[set[bytes]]:
    """The ports of sockets in every state, ours as long as the test runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", MANY, *IPV6], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    yield set(process.stdout.readline().split())
    process.communicate(b"")


def rows_of(ports: set[bytes], *options: str) -> bytes:
    """What is printed of these: other sockets come and go."""
    lines = pynetstat(*options).stdout.splitlines(True)
    return b"".join(
        line for line in lines if ports & {end.rpartition(b":")[2] for end in line.split()[3:5]}
    )


@pytest.mark.parametrize("options", ["-tan", "-tn", "-ltn", "-t6an", "-t4an", "-tanp", "-taWn"])
def test_both_ways_give_the_same_bytes(options: str, ports: set[bytes]) -> None:
    by_proc = rows_of(ports, options, "--source", "proc")
    by_netlink = rows_of(ports, options, "--source", "netlink")
    assert by_netlink == by_proc
    assert by_netlink or (options == "-t6an" and not HAS_IPV6)
    if options == "-tan":
        for state in (b"ESTABLISHED", b"LISTEN", b"CLOSE_WAIT", b"FIN_WAIT2", b"TIME_WAIT"):
            assert state in by_netlink
        assert not HAS_IPV6 or b"tcp6" in by_netlink


@pytest.mark.timing
@needs_root
@needs_netstat
@needs_namespaces
@needs_ip
def test_every_state_as_the_netstat_of_the_machine_prints_it() -> None:
    """In a private namespace, where nothing moves: the same bytes by all three ways."""
    script = f"""
    ip link set lo up && ip link add d0 type dummy && ip addr add 192.0.2.9/24 dev d0 \
        && ip link set d0 up
    coproc {sys.executable} -c '{MANY}' {" ".join(IPV6)}
    read -r ready <&"${{COPROC[0]}}"
    for options in -tan -tn -ltn -tlnp -tanp -t6an -taWn -tano6 -tane; do
        {NETSTAT} $options > "$1/netstat"
        for source in proc netlink auto; do
            {sys.executable} -m pynetstat $options --source $source > "$1/ours"
            {NETSTAT} $options > "$1/after"
            cmp -s "$1/netstat" "$1/ours" || cmp "$1/after" "$1/ours" || echo "$options $source"
        done
    done
    exec {{COPROC[1]}}>&-
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["unshare", "--net", "bash", "-c", script, "-", folder], capture_output=True, text=True
        )
    differing = {line for line in done.stdout.splitlines() if line.startswith("-")}
    # Timers go on between two runs.
    assert differing <= {"-tano6 netlink", "-tano6 proc", "-tano6 auto"}, done.stdout


def test_where_it_is_not_used(tmp_path: os.PathLike[str]) -> None:
    here, elsewhere = Proc(), Proc(str(tmp_path))
    assert sockdiag.tcp_sockets(elsewhere, Options(), Outcome(), "") is None
    assert sockdiag.tcp_sockets(here, Options(source="proc"), Outcome(), "") is None
    for options in (Options(extend=1), Options(timers=True), Options(format="json")):
        asked = Plan(options.replace(tcp=True)).options
        assert sockdiag.tcp_sockets(elsewhere, asked, Outcome(), "") is None
        other = asked.replace(foreign=True)
        assert sockdiag.tcp_sockets(here, other, Outcome(), "") is None
    for options in (Options(port="22"), Options(sort=("local_port",)), Options(programs=True)):
        assert sockdiag.tcp_sockets(here, Plan(options).options, Outcome(), "") is not None


def test_a_refusal_is_left_to_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(netlink, "Socket", refused)
    assert sockdiag.tcp_sockets(Proc(), Options(), Outcome(), "") is None


def test_the_kernel_selects(ports: set[bytes]) -> None:
    listening = sockdiag.tcp_sockets(Proc(), Options(listening=True), Outcome(), "")
    assert listening is not None
    codes = b"".join(fields["code"] for _, fields in listening)
    assert set(codes) == {sockdiag.LISTEN}


def test_one_walk_for_both_versions_gives_what_two_give(
    ports: set[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tuple(bytecode.Ports("local", port, port) for port in map(int, ports))
    condition = bytecode.bytecode_attribute(bytecode.Either(mine))
    assert condition
    for last in (False, False, False, True):  # a socket may end between two dumps
        try:
            compare_walks(condition, monkeypatch)
            return
        except AssertionError:
            if last:
                raise


def compare_walks(condition: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    rest: dict[str, list[bytes]] = {}
    first = b"".join(sockdiag.rows_of_both(sockdiag.ALL, condition, rest))
    second = b"".join(rest["6"])
    for found, version in ((first, ""), (second, "6")):
        alone = sockdiag.tcp_rows(version, sockdiag.ALL, condition=condition)
        assert identities(found) == identities(b"".join(alone))
    assert first and bool(second) == HAS_IPV6
    with monkeypatch.context() as patch:  # too many to be kept: IPv6 is asked for by itself
        patch.setattr(sockdiag, "HELD", 0)
        rest.clear()
        again = b"".join(sockdiag.rows_of_both(sockdiag.ALL, condition, rest))
    assert identities(again) == identities(first)
    assert ("6" in rest) == (not HAS_IPV6)


def identities(packed: bytes) -> list[bytes]:
    """Family and ends of each message, sorted; its state may change from dump to dump."""
    rows = [packed[at : at + sockdiag.LENGTH] for at in range(0, len(packed), sockdiag.LENGTH)]
    return sorted(row[16:17] + row[20:56] for row in rows)


def test_no_descriptor_is_left_open() -> None:
    with ExitStack():
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            tables = sockdiag.tcp_sockets(Proc(), Options(all=True), Outcome(), "")
            assert tables is not None
            list(tables)
        assert len(os.listdir("/proc/self/fd")) == before
