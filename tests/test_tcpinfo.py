"""struct tcp_info and the neighbours, of real connections; and what is malformed."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time

import pytest
from conftest import needs_namespaces, needs_root

if sys.platform != "linux":
    pytest.skip("netlink is Linux's", allow_module_level=True)

from pynetstat.kernel import netlink, tcpinfo
from pynetstat.kernel.tcpinfo import FIELDS, tcp_info, tcp_sample


def can_ask() -> bool:
    try:
        tcp_sample()
    except OSError:
        return False
    return True


needs_answers = pytest.mark.skipif(not can_ask(), reason="the kernel refuses sock_diag here")


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


@needs_answers
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_connection(address: str) -> None:
    """What getsockopt(TCP_INFO) tells of the same socket, and what is known of it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError as error:
        pytest.skip(f"no sockets at {address} here: {error.strerror}")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        end = server.accept()[0]
        client.sendall(b"x" * 12345)
        assert end.recv(345, socket.MSG_WAITALL) == b"x" * 345
        for _ in range(100):
            sample = tcp_sample()
            if tcp_info(sample.infos[inode(client)], "unacked") == 0:
                break
            time.sleep(0.01)
        ours, theirs = sample.infos[inode(client)], sample.infos[inode(end)]
        assert tcp_info(ours, "bytes_sent") == 12345
        assert tcp_info(ours, "bytes_acked") == 12346  # the SYN counts
        assert tcp_info(theirs, "bytes_received") == 12345
        assert sample.recv_q(inode(end)) == 12000 and sample.recv_q(inode(client)) == 0
        told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
        still = [name for name in FIELDS if not name.startswith("last_")]
        for name in still:
            assert tcp_info(ours, name) == tcp_info(told, name), name
        end.close()


def test_an_older_kernel_tells_less() -> None:
    whole = bytes(range(256)) + bytes(24)
    for name, (offset, size, _) in FIELDS.items():
        assert tcp_info(whole[: offset + size - 1], name) is None
        assert tcp_info(whole[: offset + size], name) is not None
    assert tcp_info(b"", "rtt") is None


def test_what_is_not_known_is_none() -> None:
    data = b"\xff" * 280
    assert tcp_info(data, "min_rtt") is None and tcp_info(data, "pacing_rate") is None
    assert tcp_info(data, "rtt") == 0xFFFFFFFF
    assert tcp_info(struct.pack("80xI", 0), "snd_cwnd") == 0


@pytest.mark.parametrize(
    "attributes",
    [b"\x00\x00\x02\x00", b"\x03\x00\x02\x00", b"\xff\xff\x02\x00", b"\x08\x00\x05\x00"],
)
def test_an_attribute_that_does_not_fit(attributes: bytes) -> None:
    with pytest.raises(OSError):
        tcpinfo.find_tcp_info(bytes(72) + attributes)


def test_messages_without_the_attribute() -> None:
    assert tcpinfo.find_tcp_info(bytes(72)) == (0, b"")
    other = struct.pack("=HHI", 8, 8, 0)
    assert tcpinfo.find_tcp_info(bytes(72) + other) == (0, b"")
    assert tcpinfo.find_tcp_info(bytes(72) + other + struct.pack("=HHI", 8, 2, 7))[0] == 80


def test_messages_alike_and_not() -> None:
    def message(number: int, kind: int = 2) -> bytes:
        header = netlink.HEADER.pack(96, 20, 2, 1, 1)
        return header + bytes(56) + struct.pack("=IIII", number, 0, 0, number) + struct.pack(
            "=HHI", 8, kind, number
        )  # fmt: skip

    sample = tcpinfo.Sample()
    assert tcpinfo.enter_alike(sample, message(7) + message(9), 96)
    assert sample.infos == {7: struct.pack("=I", 7), 9: struct.pack("=I", 9)}
    assert (sample.recv_q(7), sample.recv_q(9), sample.recv_q(8)) == (7, 9, None)
    assert not tcpinfo.enter_alike(sample, message(7) + message(9, 5), 96)


NEIGHBOURS = """
import socket, time
from pynetstat.kernel.neighbours import read_neighbours
for address, family in (("10.0.0.9", socket.AF_INET), ("fd00::9", socket.AF_INET6)):
    sock = socket.socket(family)
    sock.setblocking(False)
    sock.connect_ex((address, 80))
time.sleep(0.1)
for one in read_neighbours():
    if one.address in ("10.0.0.9", "fd00::9", "10.0.0.8"):
        print(one.address, one.silent, one.used < 9)
"""


@needs_root
@needs_namespaces
def test_neighbours() -> None:
    setup = """
ip link add v0 type veth peer name v1 || exit 42
ip addr add 10.0.0.1/24 dev v0
ip -6 addr add fd00::1/64 dev v0 nodad
ip link set v0 up
ip link set v1 up
ip neigh add 10.0.0.8 lladdr 02:00:00:00:00:08 dev v0
exec "$@"
"""
    command = ["unshare", "--net", "sh", "-c", setup, "-", sys.executable, "-c", NEIGHBOURS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode == 42:
        pytest.skip("ip (iproute2) is not here")
    lines = set(done.stdout.splitlines())
    assert {"10.0.0.9 True True", "10.0.0.8 False True"} <= lines, done.stderr
    assert "fd00::9 True True" in lines or "fd00" not in done.stdout
