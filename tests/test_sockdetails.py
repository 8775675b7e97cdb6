"""What only the kernel tells of sockets, in records and filters; beside ss where that is here."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from conftest import needs_ip, needs_ipv6, needs_namespaces, needs_root, within

pytestmark = [needs_root, needs_ip, needs_namespaces, needs_ipv6]
needs_ss = pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not here")

NETWORK = """
ip link set lo up
ip link add na type veth peer name nb
ip link set na up
ip link set nb up
ip -6 addr add fe80::5/64 dev na nodad
"""
SOCKETS = """
import os, socket, tempfile
kept = []
def keep(made):
    kept.append(made)
    return made
def tcp(address, port, backlog=1, device=b"", only=None):
    six = ":" in address
    made = keep(socket.socket(socket.AF_INET6 if six else socket.AF_INET))
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device + b"\\0")
    if only is not None:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    zone = socket.if_nametoindex("na") if address.startswith("fe80") else 0
    made.bind((address, port, 0, zone) if six else (address, port))
    made.listen(backlog)
    return made
tcp("0.0.0.0", 8001, device=b"lo")
tcp("0.0.0.0", 8001, device=b"na")
tcp("127.0.0.1", 8002)
tcp("::", 8010, 7, only=0)
tcp("::", 8011, only=1)
tcp("::1", 8012, only=0)
tcp("fe80::5", 8020)
waiting = keep(socket.create_connection(("127.0.0.1", 8010)))
waiting.send(b"x")
for port, device in ((53, b""), (54, b"na")):
    made = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device + b"\\0")
    made.bind(("", port))
made = keep(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
made.bind(("::", 55))
os.chdir(tempfile.mkdtemp())
file, abstract = keep(socket.socket(socket.AF_UNIX)), keep(socket.socket(socket.AF_UNIX))
file.bind(b"@app")
abstract.bind(b"\\0app")
file.listen(3)
abstract.listen(4)
client = keep(socket.socket(socket.AF_UNIX))
client.connect("@app")
accepted = keep(file.accept()[0])
other = keep(socket.socket(socket.AF_UNIX))
other.connect(b"\\0app")
pair = socket.socketpair()
unnamed = keep(socket.socket(socket.AF_UNIX))
unnamed.bind("")
"""


def asked(*commands: str) -> list[str]:
    return within(*commands, setup=NETWORK, code=SOCKETS)


def records(text: str, name: str = "sockets") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)[name]
    return found


def test_the_device_of_a_socket() -> None:
    text, proc = asked("pynetstat -tuan --json", "pynetstat -tuan --json --source proc")
    found = [(one["local_port"], one["dev"]) for one in records(text)]
    assert {(8001, "lo"), (8001, "na"), (8020, "na"), (54, "na")} == {
        one for one in found if one[1]
    }
    assert {one["dev"] for one in records(proc)} == {None}


def test_whether_ipv6_takes_ipv4() -> None:
    (text,) = asked("pynetstat -tuln --json")
    found = {one["local_port"]: one["dual_stack"] for one in records(text)}
    assert found == {
        8001: None, 8002: None, 8010: True, 8011: False, 8012: False, 8020: False,
        53: None, 54: None, 55: True,
    }  # fmt: skip


def test_who_is_to_accept_a_connection() -> None:
    (text,) = asked("pynetstat -tanp --json")
    found = records(text)
    (listener,) = [one for one in found if one["local_port"] == 8010 and one["state"] == "LISTEN"]
    (waiting,) = [one for one in found if one["inode"] == 0]
    assert (listener["accept_queue"], listener["backlog"]) == (1, 7)
    assert waiting["listener"] == {name: listener[name] for name in ("inode", "pid", "program")}
    assert waiting["pid"] is None and listener["pid"] > 1
    assert all(one["backlog"] is None for one in found if one["state"] != "LISTEN")


def test_link_local_addresses_have_their_zone_in_records_alone() -> None:
    json_text, classic, filtered = asked(
        "pynetstat -tln --json", "pynetstat -tln", "pynetstat -tln --filter 'dev = na'"
    )
    assert "fe80::5%na" in [one["local_address"] for one in records(json_text)]
    assert "fe80::5:8020" in classic and "%" not in classic + filtered


@pytest.mark.parametrize(
    ("expression", "ports"),
    [
        ("dev = lo", {8001}),
        ("dev = na", {8001, 8020, 54}),
        ("dev != na and sport < 8003", {8001, 8002, 53, 55}),
        ("src inet6:*", {8010, 8011, 8012, 8020, 55}),
        ("src inet:127.0.0.1", {8002}),
        ("src inet6:[::1]", {8012}),
    ],
)
def test_filters(expression: str, ports: set[int]) -> None:
    (text,) = asked(f"pynetstat -tuln --json --filter '{expression}'")
    assert {one["local_port"] for one in records(text)} == ports


def test_a_device_is_refused_where_nothing_tells() -> None:
    (text,) = asked("pynetstat -tln --source proc --filter 'dev = lo'")
    assert "--source proc does not tell" in text and "Proto" not in text


def test_a_family_that_has_no_table_is_no_host() -> None:
    (text,) = asked("pynetstat -tln --filter 'src link:lo'")
    assert text.startswith("pynetstat: `link:' is not known before a host; inet:, inet6: and unix:")


@needs_ss
def test_ports_that_the_kernel_chose_as_ss_has_them() -> None:
    """A port of the range that a program asked for is not one."""
    code = """
import socket
kept = [socket.create_server(("127.0.0.1", port)) for port in (0, 40000, 80)]
client = socket.create_connection(("127.0.0.1", 80))
accepted = kept[2].accept()
udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
udp[0].bind(("", 0))
udp[1].bind(("", 45000))
"""
    ours, theirs = within(
        "pynetstat -tuan --json --filter autobound",
        "ss -Htuan autobound",
        setup="ip link set lo up",
        code=code,
    )
    ports = sorted(one["local_port"] for one in records(ours))
    assert ports == sorted(int(line.split()[4].rpartition(":")[2]) for line in theirs.splitlines())
    assert len(ports) == 3


def test_unix_sockets() -> None:
    (text,) = asked("pynetstat -xapn --json")
    found = records(text, "unix")
    names = {(one["path"], one["abstract"]): one for one in found if one["state"] == "LISTENING"}
    assert set(names) == {("@app", False), ("@app", True)}
    assert [names["@app", kind]["backlog"] for kind in (False, True)] == [3, 4]
    assert [names["@app", kind]["accept_queue"] for kind in (False, True)] == [0, 1]
    (client,) = [one for one in found if one["peer_path"] == "@app"]
    (accepted,) = [one for one in found if one["peer_inode"] == client["inode"]]
    assert client["peer_inode"] == accepted["inode"] and accepted["path"] == "@app"


def test_a_leading_at_sign_is_not_taken_for_a_nul() -> None:
    (text,) = asked("pynetstat -xan --json --source proc")
    assert {one["abstract"] for one in records(text, "unix") if one["path"] == "@app"} == {None}


@needs_ss
@pytest.mark.parametrize("expression", ["src unix:*", "dst unix:*", "autobound", "src *app"])
def test_filters_of_unix_sockets_as_ss_has_them(expression: str) -> None:
    """But for connections that wait to be accepted, which ss does not list (inode 0)."""
    ours, theirs = asked(
        f"pynetstat -xan --json --filter '{expression} and inode > 0'", f"ss -Hxan '{expression}'"
    )
    inodes = {int(line.split()[5]) for line in theirs.splitlines()}
    assert {one["inode"] for one in records(ours, "unix")} == inodes != set()
