"""Statements of --diagnose that were untrue in namespaces with devices and policy routing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import needs_ip, needs_namespaces, needs_root, within

pytestmark = [needs_root, needs_ip, needs_namespaces]

LINK = """
ip link set lo up
ip link add eth0 type veth peer name x0
ip addr add 192.0.2.10/24 dev eth0
ip link set eth0 up
ip link set x0 up
"""


def findings(setup: str, code: str = "") -> dict[str, dict[str, Any]]:
    command = "pynetstat --diagnose --json --interval 0.2"
    (text,) = within(command, setup=LINK + setup, code=code)
    found = json.loads(text[: text.rindex("}") + 1])["findings"]
    return {one["rule"]: one for one in found}


@pytest.mark.parametrize(
    "rule", ["from all table 100", "from 192.0.2.0/24 table 100", "fwmark 1 table 100"]
)
def test_policy_routing_has_a_way_out(rule: str) -> None:
    routes = "ip route add default via 192.0.2.1 table 100\n"
    assert "no-default-route" not in findings(f"{routes}ip rule add {rule}\n")


def test_a_table_that_no_rule_names_is_no_way_out() -> None:
    assert "no-default-route" in findings("ip route add default via 192.0.2.1 table 100\n")


@pytest.mark.parametrize("kind", ["blackhole", "unreachable"])
def test_a_default_route_that_discards_is_called_so(kind: str) -> None:
    text = findings(f"ip route add {kind} default\n")["no-default-route"]["summary"]
    assert kind in text and "no default route" not in text


SOCKETS = """
import socket
kept = []
for device in {devices}:
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device + b"\\0")
    end.bind(("0.0.0.0", 8001))
    end.listen(1)
    kept.append(end)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device + b"\\0")
    other.bind(("0.0.0.0", 53))
    kept.append(other)
"""


def test_what_is_bound_to_loopback_is_not_open_to_others() -> None:
    assert "exposed-listeners" not in findings("", SOCKETS.format(devices=[b"lo"]))


def test_what_is_bound_to_an_interface_is_named_so() -> None:
    found = findings("", SOCKETS.format(devices=[b"lo", b"eth0"]))["exposed-listeners"]
    assert {one["local"] for one in found["evidence"]} == {"0.0.0.0%eth0:8001", "0.0.0.0%eth0:53"}
