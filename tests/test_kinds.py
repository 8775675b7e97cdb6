"""Sockets that netstat does not list: ping's, packet, netlink and vsock sockets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, needs_ip, needs_ipv6, needs_namespaces, needs_root, pynetstat, within

from pynetstat.collectors.linux import netlink, vsock

SOCKETS = """
import os, socket
ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
ping.bind(("127.0.0.1", 7))
ping6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
ping6.bind(("::1", 9))
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
arp = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x806))
arp.bind(("lo", 0x806))
route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
route.bind((0, 0x11))
os.environ["PID"] = str(os.getpid())
"""
NETWORK = 'ip link set lo up\necho "0 2147483647" >/proc/sys/net/ipv4/ping_group_range'


@needs_root
@needs_namespaces
@needs_ip
@needs_ipv6
def test_live_sockets_and_their_programs() -> None:
    shown = within(
        "pynetstat -anp --icmp --packet --netlink --json",
        "pynetstat -anp -A packet,netlink --icmp",
        "pynetstat -np --packet --filter 'dev = lo' --json",
        "pynetstat -np --netlink --count-by protocol --json",
        "sh -c 'echo $PID'",
        f"sh -c '{sys.executable} -m pynetstat -tn --pid $PID'",
        f"sh -c '{sys.executable} -m pynetstat -tn --packet --netlink --pid $PID'",
        "pynetstat -an",
        setup=NETWORK,
        code=SOCKETS,
    )
    found, pid = json.loads(shown[0]), int(shown[4])
    assert [
        (one["proto"], one["local_address"], one["local_port"]) for one in found["sockets"]
    ] == [
        ("icmp", "127.0.0.1", 7),
        ("icmp6", "::1", 9),
    ]
    assert [(one["type"], one["protocol"], one["dev"]) for one in found["packet"]] == [
        ("RAW", "all", None),
        ("DGRAM", "arp", "lo"),
    ]
    (route,) = [one for one in found["netlink"] if one["pid"] == pid]
    assert (route["protocol"], route["portid"], route["groups"]) == ("route", pid, [1, 5])
    owners = [one["pid"] for name in ("sockets", "packet") for one in found[name]]
    assert owners == [pid] * 4
    assert {one["portid"] for one in found["netlink"] if one["pid"] is None} == {0}
    assert not [one for one in found["incomplete"] if one["what"] == "owner"]
    assert [line.split()[:4] for line in shown[1].splitlines() if line.startswith("packet")] == [
        ["packet", "0", "RAW", "all"],
        ["packet", "0", "DGRAM", "arp"],
    ]
    assert [one["protocol"] for one in json.loads(shown[2])["packet"]] == ["arp"]
    assert {one["protocol"] for one in json.loads(shown[3])["counts"]} >= {"route", "generic"}
    kinds = "2 ping sockets and 2 packet sockets and 1 netlink socket"
    options = "--icmp and --packet and --netlink list them"
    assert f"(Process {pid} also holds {kinds}; {options}.)" in shown[5]
    assert f"(Process {pid} also holds 2 ping sockets; --icmp lists them.)" in shown[6]
    assert "icmp" not in shown[7] and "packet" not in shown[7]  # netstat's own listing stays


PACKET = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
NETLINK = "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n"


def of(root: Path, *options: str) -> tuple[dict[str, Any], bytes]:
    done = pynetstat("--json", "-n", "--proc", str(root), *options)
    return json.loads(done.stdout), done.stderr


def test_tables_of_another_place(proc_tree: Tree) -> None:
    """What an interface is called there is not known."""
    root = proc_tree(
        packet=PACKET + "00000000b334fdca 3      3    88cc   2     0 512    100    99\nnonsense\n",
        netlink=NETLINK + "0000000064cd5574 31 -4097 00000000 0 0 0 2 7 5 \n",
    )
    found, said = of(root, "--packet", "--netlink")
    (packet,), (other,) = found["packet"], found["netlink"]
    assert (packet["protocol"], packet["dev"], packet["running"]) == ("lldp", None, False)
    assert (packet["recv_q"], packet["uid"], packet["inode"]) == (512, 100, 99)
    assert (other["protocol"], other["portid"], other["drops"]) == ("31", 2**32 - 4097, 7)
    assert said == b"warning, got bogus packet line 2.\n"
    text = pynetstat("--packet", "-n", "--proc", str(root)).stdout.decode()
    assert text.splitlines()[2].split() == ["packet", "512", "RAW", "lldp", "if2"]


@pytest.mark.parametrize("family", ["packet", "netlink", "icmp"])
def test_without_their_table(family: str, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    done = pynetstat(f"--{family}", "--proc", str(tmp_path))
    assert done.returncode == 1
    assert b"no support for `AF " in done.stderr and b"' on this system." in done.stderr


def test_vsock_as_the_kernel_answers() -> None:
    """Bytes laid out by linux/vm_sockets_diag.h, since few machines have such sockets."""
    body = bytes([40, 1, 10, 0]) + b"".join(
        number.to_bytes(4, sys.byteorder) for number in (2**32 - 1, 1024, 2**32 - 1, 2**32 - 1, 77)
    )
    assert vsock.row(body + bytes(8)) == (
        "vsock", "STREAM", "LISTEN", None, 1024, None, None, 77,
    )  # fmt: skip
    with pytest.raises(OSError, match="too short"):
        vsock.row(body)
    assert vsock.end_cells([None, 3], [1024, None]) == ["*:1024", "3:*"]


def test_vsock_is_not_in_proc(tmp_path: Path) -> None:
    done = pynetstat("--vsock", "--proc", str(tmp_path))
    assert done.returncode == 1 and b"/proc does not tell of them" in done.stderr


def test_numbers_of_groups() -> None:
    assert netlink.bits_of(0x80000011) == [1, 5, 32]
