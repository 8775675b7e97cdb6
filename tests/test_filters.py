"""Filters: what they say, which rows they meet, and that ss means the same by them."""

from __future__ import annotations

import gc
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynetstat.collectors.linux import inet, unix
from pynetstat.kernel.proc import Proc
from pynetstat.options import Misuse, Options
from pynetstat.outcome import Outcome
from pynetstat.stages.filters import Filter, FilterError, from_options, parse
from pynetstat.stages.filters.hosts import ports_of_text
from pynetstat.stages.filters.patterns import pattern
from pynetstat.table import Table, joined

TITLE = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"


def hexadecimal(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def row(here: str, port: int, there: str, peer: int, code: int, inode: int, **more: int) -> str:
    return (
        f"   0: {hexadecimal(here)}:{port:04X} {hexadecimal(there)}:{peer:04X} {code:02X} "
        f"{more.get('sent', 0):08X}:{more.get('received', 0):08X} 00:00000000 00000000 "
        f"{more.get('uid', 0):5} 0 {inode} 1\n"
    )


# Each row is known by its inode.
FILES = {
    "tcp": row("0.0.0.0", 22, "0.0.0.0", 0, 10, 101)
    + row("10.1.2.3", 22, "193.233.7.65", 50000, 1, 102, sent=300)
    + row("10.1.2.3", 40000, "192.0.2.1", 443, 1, 103, uid=1000, received=7)
    + row("127.0.0.1", 8080, "127.0.0.1", 40001, 8, 104, uid=1000)
    + row("10.1.2.3", 40002, "192.0.2.1", 80, 6, 0)
    + row("10.1.2.3", 40003, "192.0.2.9", 80, 2, 106),
    "tcp6": row("::", 80, "::", 0, 10, 201)
    + row("::1", 80, "::1", 40004, 1, 202)
    + row("::ffff:10.1.2.3", 80, "::ffff:193.233.7.9", 40005, 4, 203)
    + row("2001:db8::5", 80, "2001:db8:1::7", 40006, 11, 204),
    "udp": row("127.0.0.1", 53, "0.0.0.0", 0, 7, 301)
    + row("10.1.2.3", 40007, "192.0.2.53", 53, 1, 302),
    "raw": row("0.0.0.0", 1, "0.0.0.0", 0, 7, 401),
    "unix": "0: 00000002 00000000 00010000 0001 01 501 /run/app.sock\n"
    "0: 00000003 00000000 00000000 0001 03 502 @0001a\n"
    "0: 00000002 00000000 00000000 0002 01 503\n",
}
# inode -> pid, program, all holders
OWNERS = {
    101: (1, "systemd", [(1, "systemd", 5), (20, "sshd: listener", 3)]),
    102: (21, "sshd: root [priv]", None),
    103: (30, "my prog", None),
    104: (31, "caf\xc3\xa9", None),
    201: (40, "nginx: master process", [(40, "nginx: master process", 6), (41, "nginx", 6)]),
    202: (41, "nginx", None),
    501: (50, "(app)", None),
}
EVERY = {101, 102, 103, 104, 0, 106, 201, 202, 203, 204, 301, 302, 401, 501, 502, 503}
UNIX = {501, 502, 503}


@pytest.fixture(scope="module")
def proc(tmp_path_factory: pytest.TempPathFactory) -> Proc:
    root = tmp_path_factory.mktemp("proc")
    (root / "net").mkdir()
    for name, rows in FILES.items():
        title = "Num RefCount Protocol Flags Type St Inode Path\n" if name == "unix" else TITLE
        (root / "net" / name).write_text(title + rows)
    settings = root / "sys/net/ipv4"
    settings.mkdir(parents=True)
    (settings / "ip_local_port_range").write_text("40000\t40003\n")
    return Proc(str(root))


@pytest.fixture(scope="module")
def tables(proc: Proc) -> list[Table]:
    options = Options(all=True, tcp=True, udp=True, raw=True, root=proc.root, source="proc")
    found = [*inet.collect(proc, options, Outcome()), *unix.collect(proc, options, Outcome())]
    result = [table for table in found if isinstance(table, Table) and len(table)]
    for table in result:
        owners = [OWNERS.get(inode, (None, None, None)) for inode in table["inode"]]
        for name, field in zip(("pid", "program", "processes"), zip(*owners)):
            table.fields[name] = field
        if table.record is inet.InetSocket:
            table.fields["unit"] = ["ssh.service" if port == 22 else None for port in
                                    table["local_port"]]  # fmt: skip
            table.fields["netns"] = ["blue" if port == 22 else "red" for port in
                                     table["local_port"]]  # fmt: skip
            table.fields["container"] = ["0123456789abcdef" if port == 80 else None for port in
                                         table["local_port"]]  # fmt: skip
    return result


def kept(chosen: Filter, tables: list[Table]) -> set[int]:
    return {inode for table in tables for inode in chosen.keep(table)["inode"]}


MEANINGS = [
    # states
    ("state listening", {101, 201, 501}),
    ("state LISTEN", {101, 201, 501}),
    ("state established", {102, 103, 202, 302, 502}),
    ("state ESTAB", {102, 103, 202, 302, 502}),
    ("state ESTABLISHED", {102, 103, 202, 302, 502}),
    ("state fin-wait-1", {203}),
    ("state FIN_WAIT1", {203}),
    ("state fin_wait_1", {203}),
    ("state time-wait", {0}),
    ("state TIMEWAIT", {0}),
    ("state closed", {301, 401, 503}),
    ("state unconnected", {301, 401, 503}),
    ("state close", {301, 401, 503}),
    ("state close-wait state closing", {104, 204}),
    ("state all", EVERY),
    ("state connected", EVERY - {101, 201, 301, 401, 501, 503}),
    ("state synchronized", EVERY - {101, 201, 301, 401, 501, 503, 106}),
    ("state bucket", {0}),
    ("state big", EVERY - {0}),
    ("exclude big", {0}),
    ("exclude listening", EVERY - {101, 201, 501}),
    ("state connected exclude established", {104, 0, 106, 203, 204}),
    ("exclude connected exclude closed", {101, 201, 501}),
    ("exclude all state listening", {101, 201, 501}),
    ("state listening and sport 80", {201}),
    ("state listening sport 80", {201}),
    # hosts
    ("src 10.1.2.3", {102, 103, 0, 106, 203, 302}),
    ("src = 10.1.2.3", {102, 103, 0, 106, 203, 302}),
    ("src 10/8", {102, 103, 0, 106, 203, 302}),
    ("src 10.1/16", {102, 103, 0, 106, 203, 302}),
    ("src 10.1.2.3/8", {102, 103, 0, 106, 203, 302}),
    ("src 10.1.2.2/31", {102, 103, 0, 106, 203, 302}),
    ("src 10.1.2.4/30", set()),
    ("dst 193.233.7/24", {102, 203}),
    ("dst 193.233.7.64/26", {102}),
    ("dst 192.0.2.1:443", {103}),
    ("dst 192.0.2.0/24:80", {0, 106}),
    ("dst 192.0.2.1:*", {103, 0}),
    ("dst *:443", {103}),
    ("dst :443", {103}),
    ("dst *", EVERY),
    ("dst *:*", EVERY),
    ("src 0.0.0.0", {101, 401}),
    ("src 0.0.0.0/0", {101, 102, 103, 104, 0, 106, 203, 301, 302, 401}),
    ("src [::1]", {202}),
    ("src ::1", {202}),
    ("src [::1]:80", {202}),
    ("src [::1]:81", set()),
    ("src [::]/0", {201, 202, 203, 204}),
    ("src [2001:db8::]/32", {204}),
    ("src [2001:db8::/32]", {204}),
    ("src 2001:db8::/32", {204}),
    ("dst [2001:db8:1::]/48:40006", {204}),
    ("dst [2001:db8:1::/48]:40006", {204}),
    ("src [::ffff:10.1.2.3]", {203}),
    ("src [::ffff:0:0]/96", {203}),
    ("dst 127.0.0.1", {104}),
    ("src != 10/8", {101, 104, 201, 202, 204, 301, 401}),
    ("not src 10/8", EVERY - {102, 103, 0, 106, 203, 302}),
    ("src != *", set()),
    ("src /run/*", {501}),
    ("src /RUN/APP*", {501}),
    ("src unix:/run/app.sock", {501}),
    ("src @*", {502}),
    ("dst /run/*", set()),
    # ports
    ("sport 22", {101, 102}),
    ("sport :22", {101, 102}),
    ("sport = 22", {101, 102}),
    ("sport == :22", {101, 102}),
    ("sport eq 22", {101, 102}),
    ("sport=22", {101, 102}),
    ("sport != 22", EVERY - UNIX - {101, 102}),
    ("sport ne 22", EVERY - UNIX - {101, 102}),
    ("sport neq :22", EVERY - UNIX - {101, 102}),
    ("dport > 40006", {102}),
    ("dport >= 40006", {102, 204}),
    ("dport geq 40006", {102, 204}),
    ("dport ge 40006", {102, 204}),
    ("sport < 22", {401}),
    ("sport lt :22", {401}),
    ("sport<=22", {101, 102, 401}),
    ("sport le 22", {101, 102, 401}),
    ("sport leq 22", {101, 102, 401}),
    ("sport gt 1024 sport lt 40000", {104}),
    ("autobound", {103, 0, 106, 502, 503}),  # an unnamed unix socket is, to ss too
    # owners and the rest
    ("pid 30", {103}),
    ("pid = 20", {101}),
    ("pid 41", {201, 202}),
    ("pid != 41", {101, 102, 103, 104, 501}),
    ("pid > 30", {104, 201, 202, 501}),
    ("program nginx", {201, 202}),
    ("program = sshd", {101, 102}),
    ("program != nginx", {101, 102, 103, 104, 501}),
    ('program "my prog"', {103}),
    ("program='my prog'", {103}),
    ("program café", {104}),
    ("program ~ ^ca..$", {104}),
    ("program ~ ^(my|sshd).*[)o\\]]", {102, 103}),
    ("(program ~ ^my)", {103}),
    ("program ~ '^my prog$'", {103}),
    ("program ~ [a-z ]prog", {103}),
    ('program "(app)"', {501}),
    ("user 1000", {103, 104}),
    ("user != 1000", EVERY - UNIX - {103, 104}),
    ("inode 104", {104}),
    ("inode >= 400", {401, *UNIX}),
    ("proto tcp", {101, 102, 103, 104, 0, 106}),
    ("proto = TCP6", {201, 202, 203, 204}),
    ("proto != unix", EVERY - UNIX),
    ("recvq > 0", {103}),
    ("sendq 300", {102}),
    ("sendq != 0", {102}),
    ("unit ssh", {101, 102}),
    ("unit = ssh.service", {101, 102}),
    ("unit ~ ^ss", {101, 102}),
    ("netns blue", {101, 102}),
    ("netns != red", {101, 102}),
    ("netns ~ ^bl", {101, 102}),
    ("container 0123456789ab", {201, 202, 203, 204}),
    ("container 0123", set()),
    # how terms are joined
    ("", EVERY),
    ("  ", EVERY),
    ("sport 22 and dport 50000", {102}),
    ("sport 22 & dport 50000", {102}),
    ("sport 22 && dport 50000", {102}),
    ("sport 22 dport 50000", {102}),
    ("sport 22 AND NOT dport 50000", {101}),
    ("sport 22 or dport 443", {101, 102, 103}),
    ("sport 22 | dport 443", {101, 102, 103}),
    ("sport 22 || dport 443", {101, 102, 103}),
    ("dport 443 or sport 22 and dport 0", {101, 103}),
    ("sport 22 and dport 0 or dport 443", {101, 103}),
    ("dport 443 or sport 22 dport 0", {101, 103}),
    ("not sport 22 and dport 443 or dport 0", {101, 103, 201, 301, 401}),
    ("not sport 22 dport 443", {103}),
    ("not (sport 22 or dport 443) and dport 80", {0, 106}),
    ("!(sport 22)dport 443", {103}),
    ("(sport 22)and(dport 50000)", {102}),
    ("((sport 22))(dport 50000)", {102}),
    ("! ! sport 22", {101, 102}),
    ("not not not sport 22", EVERY - {101, 102}),
    ("state established ( sport 22 or dport 443 )", {102, 103}),
    ("state established || sport 22", None),
]


@pytest.mark.parametrize("expression, inodes", MEANINGS)
def test_rows(expression: str, inodes: set[int] | None, tables: list[Table], proc: Proc) -> None:
    if inodes is None:
        with pytest.raises(FilterError):
            parse(expression, proc.root)
        return
    assert kept(parse(expression, proc.root), tables) == inodes


def test_every_holder_counts_only_where_all_are_known(tables: list[Table], proc: Proc) -> None:
    alone = [Table(table.record, len(table), **table.fields) for table in tables]
    for table in alone:
        table.fields["processes"] = [None] * len(table)
    assert kept(parse("pid 41"), alone) == {202}


ERRORS = [
    ("sprt = 22", "sprt", "no term `sprt'; did you mean `sport'?"),
    ("sport 22 adn dport 80", "adn", "did you mean `and'?"),
    ("sport", "", "expected a port after `sport'"),
    ("sport and dport 80", "and", "expected a port after `sport'"),
    ("sport = = 22", "= 2", "expected a port"),
    ("sport 70000", "70000", "at most 65535"),
    ("sport nosuchservice", "nosuchservice", "no such service"),
    ("sport ~ 22", "~", "`sport' takes one of =, !=, <, >, <=, >="),
    ("program < 3", "<", "`program' takes one of =, !=, ~"),
    ("program ~ [a", "[a", "a regular expression, but"),
    ("program ~ a(b", "a(b", "a regular expression, but"),
    ("program ~ a{99999999999}", "a{99999999999}", "a regular expression, but"),
    ("program ~", "", "expected the name of a program after `program'"),
    ("(program ~ )", ")", "expected the name of a program after `program'"),
    ('program ""', '""', "expected the name of a program"),
    ('program "my', '"', "this quote is not closed"),
    ("pid x", "x", "expected a number after `pid'"),
    ("pid 1²", "1²", "expected a number after `pid'"),
    ("pid -1", "-1", "expected a number after `pid'"),
    ("inode 123456789012345678901", "123456789012345678901", "expected a number"),
    ("src 10.0.0.0/33", "10.0.0.0/33", "a prefix length is a number up to 32"),
    ("src 10.0.0.0/x", "10.0.0.0/x", "a prefix length is a number up to 32"),
    ("src 10.0.0.0/", "10.0.0.0/", "a prefix length is a number up to 32"),
    ("src 10.0.0.256", "10.0.0.256", "no IPv4 address"),
    ("src [::1]/129", "[::1]/129", "a prefix length is a number up to 128"),
    ("src [::1/64/64]", "[::1/64/64]", "a prefix length is a number up to 128"),
    ("src [::g]", "[::g]", "no IPv6 address"),
    ("src [::1", "[::1", "expected a host"),
    ('src ":"', '":"', "no such service"),
    ('src ""', '""', "expected a host"),
    ("src [::1]x", "[::1]x", "expected a host"),
    ("src localhost/8", "localhost/8", "not with a name"),
    ("src 10.0.0.1:nosuchservice", "10.0.0.1:nosuchservice", "no such service"),
    ("src 10.0.0.1:", "10.0.0.1:", "no such service"),
    ("src (", "(", "expected a host after `src'"),
    ("state", "", "expected a state after `state'"),
    ("state establshed", "establshed", "did you mean `established'?"),
    ("sport 22 state listening", "state", "comes before all terms"),
    ("(state listening)", "state", "comes before all terms"),
    ("state listening or sport 22", "or", "cannot follow it"),
    ("state listening and", "", "expected a term"),
    ("sport 22 and", "", "expected a term"),
    ("sport 22 or or dport 80", "or d", "expected a term"),
    ("not", "", "expected a term"),
    ("and sport 22", "and", "expected a term"),
    ("(sport 22", "(", "this parenthesis is not closed"),
    ("sport 22)", ")", "no parenthesis to be closed"),
    ("()", ")", "expected a term"),
    ('"sport" 22', '"sport"', "expected a term"),
    ("dev eth0 10.0.0.1", "10.0.0.1", "no term"),
    ("(" * 100 + "sport 22" + ")" * 100, "(", "parentheses within one another"),
]


@pytest.mark.parametrize("expression, word, message", ERRORS)
def test_an_error_points_at_the_word(expression: str, word: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(expression)
    told, shown, caret = str(caught.value).split("\n")
    assert message in told
    assert shown == f"  {expression}"
    at = len(caret) - len(caret.lstrip())
    assert shown[at:].startswith(word)
    if word in ("", "(", ")", '"'):
        assert caret.strip() == "^"
    assert isinstance(caught.value, Misuse)


def test_an_error_shows_nothing_that_moves_a_cursor() -> None:
    with pytest.raises(FilterError) as caught:
        parse("sport\n\x1b[2J = x\tx")
    assert str(caught.value).count("\n") == 2
    assert "\x1b" not in str(caught.value)
    assert "\t" not in str(caught.value)


def test_names_are_resolved_to_all_their_addresses(tables: list[Table]) -> None:
    found = [(socket.AF_INET, 0, 0, "", ("192.0.2.9", 0)),
             (socket.AF_INET6, 0, 0, "", ("2001:db8:1::7", 0, 0, 0))]  # fmt: skip
    with patch("pynetstat.stages.filters.hosts.getaddrinfo", return_value=found) as asked:
        assert kept(parse("dst server.example"), tables) == {106, 204}
        assert kept(parse("dst server.example:80"), tables) == {106}
    asked.assert_called_with("server.example", None)


def test_a_service_may_have_two_ports(tables: list[Table]) -> None:
    numbers = {"tcp": 443, "udp": 53}
    with patch(
        "pynetstat.stages.filters.hosts.getservbyname", side_effect=lambda name, how: numbers[how]
    ):
        assert kept(parse("dport = :both"), tables) == {103, 302}
        assert kept(parse("dport != both sport 22"), tables) == {101, 102}


def test_what_names_are_not_asked_for_or_have_no_address() -> None:
    with patch("pynetstat.stages.filters.hosts.getaddrinfo", return_value=[]) as asked:
        with pytest.raises(FilterError, match="`server' has no address"):
            parse("src server")
        asked.side_effect = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        with pytest.raises(FilterError, match="`server' cannot be resolved: Name or"):
            parse("src server")
        asked.side_effect = UnicodeError("label too long")
        with pytest.raises(FilterError, match="`server' cannot be resolved"):
            parse("src server")
        asked.reset_mock()
        parse("src 10.0.0.1 dst [::1] src * dst *:80 src 193.233.7/24 dst 2001:db8::/32")
        asked.assert_not_called()


def test_the_ports_of_other_systems() -> None:
    table = Table(inet.InetSocket, 2, local_port=[49151, 49152])
    with patch("pynetstat.stages.filters.hosts.sys.platform", "darwin"):
        assert parse("autobound").mask(table) == [False, True]


def test_users_by_name(tables: list[Table]) -> None:
    pwd = pytest.importorskip("pwd")
    root = pwd.getpwuid(0).pw_name
    assert kept(parse(f"user {root}"), tables) == EVERY - UNIX - {103, 104}
    assert parse(f"user {root}").fields == {"uid"}
    with pytest.raises(FilterError, match="no user `no such user'"):
        parse("user 'no such user'")


def test_addresses_with_an_interface() -> None:
    table = Table(inet.InetSocket, 3, local_address=["fe80::1%lo0", "fe80::1", "fe80::2%lo0"])
    assert parse("src fe80::1").mask(table) == [True, True, False]
    assert parse("src fe80::/10").mask(table) == [True, True, True]
    assert parse("src 10/8").mask(table) == [False, False, False]


def test_an_end_of_several_addresses() -> None:
    table = Table(
        inet.InetSocket,
        3,
        proto=["sctp"] * 3,
        local_address=["10.0.0.1", "192.0.2.1", None],
        local_addresses=[("10.0.0.1", "2001:db8::1"), ("192.0.2.1",), ()],
    )
    assert parse("src 2001:db8::1").mask(table) == [True, False, False]
    assert parse("src 192/8").mask(table) == [False, True, False]


class Route(NamedTuple):
    family: str
    dst: str | None = None
    dev: str | None = None


def test_listings_without_the_field() -> None:
    """What a listing does not have meets nothing; routes have a destination and a device."""
    table = Table(
        Route, 4, dst=["10.1.0.0/16", "default", "192.0.2.1", "10.0.0.0/7"],
        dev=["eth0", "eth1", "eth0", None],
    )  # fmt: skip
    assert parse("dst 10.0.0.0/8").mask(table) == [True, False, False, False]
    assert parse("dst 192.0.2.1").mask(table) == [False, False, True, False]
    assert parse("dev eth0").mask(table) == [True, False, True, False]
    assert parse("dev != eth0").mask(table) == [False, True, False, False]
    assert parse("state all").mask(table) == [False] * 4
    assert parse("program ssh").mask(table) == [False] * 4
    assert parse("not program ssh").mask(table) == [True] * 4
    parse("dev eth0").check(Route)


def test_without_netlink_nothing_tells_the_device() -> None:
    chosen = parse("sport 22 or not dev = eth0", untold="--source proc does not tell")
    with pytest.raises(FilterError, match="--source proc does not tell") as caught:
        chosen.check(inet.InetSocket)
    assert str(caught.value).endswith("\n  sport 22 or not dev = eth0\n" + " " * 18 + "^^^")
    chosen.check(unix.UnixSocket)
    parse("netns x unit y container z").check(inet.InetSocket)


def test_fields_and_what_can_be_asked_early(tables: list[Table]) -> None:
    chosen = parse("state listening sport 80 (pid 40 or recvq > 0) program ~ nginx not user 5")
    assert chosen.names_state
    assert chosen.fields == {
        "state", "local_port", "pid", "processes", "recv_q", "program", "uid"
    }  # fmt: skip
    early, late = chosen.split()
    assert early.fields == {"state", "local_port", "uid"}
    assert late.fields == {"pid", "processes", "recv_q", "program"}
    assert len(early.parts) == 3
    assert early.names_state
    kept_early = [early.keep(table) for table in tables]
    assert kept(early, tables) == {201}
    assert kept(late, kept_early) == kept(chosen, tables) == {201}
    early, late = parse("(sport 1 and pid 2) and dport 3").split()
    assert early.fields == {"local_port", "remote_port"}
    assert late.fields == {"pid", "processes"}
    assert not parse("sport 22").names_state
    assert parse("exclude listening").names_state


SHORT: list[tuple[dict[str, Any], set[int]]] = [
    ({"state": ("listening",)}, {101, 201, 501}),
    ({"state": ("time-wait", "FIN_WAIT1")}, {0, 203}),
    ({"state": ("time-wait,bucket,closing",)}, {0, 204}),
    ({"port": "80"}, {0, 106, 201, 202, 203, 204}),
    ({"port": "443, 53,8000-9000"}, {103, 104, 301, 302}),
    ({"port": "0-21"}, {401}),
    ({"pid": 41}, {201, 202}),
    ({"program": "nginx"}, {201, 202}),
    ({"program": "my prog"}, {103}),
    ({"user": "1000"}, {103, 104}),
    ({"port": "80", "program": "nginx", "state": ("established",)}, {202}),
    ({"filter": "src [::1] or dst 192.0.2.1", "port": "80"}, {202, 0}),
    ({"filter": "state listening", "state": ("established",)}, set()),
]


@pytest.mark.parametrize("given, inodes", SHORT)
def test_shorthands(given: dict[str, Any], inodes: set[int], tables: list[Table]) -> None:
    chosen = from_options(Options(**given))
    assert chosen is not None
    assert kept(chosen, tables) == inodes
    assert chosen.names_state == ("state" in given or "state" in given.get("filter", ""))


def test_no_shorthand_no_filter() -> None:
    assert from_options(Options()) is None
    assert from_options(Options(filter="")) is None


@pytest.mark.parametrize(
    "given, shown, word, message",
    [
        ({"state": ("listning",)}, "--state listning", "listning", "did you mean `listening'?"),
        ({"state": ("closing,x",)}, "--state x", "x", "no such state `x'; there are: "),
        ({"port": "80,"}, "--port 80,", "80,", "no such service"),
        ({"port": "9-8"}, "--port 9-8", "9-8", "the lower one first"),
        ({"port": "8-70000"}, "--port 8-70000", "8-70000", "the lower one first"),
        ({"port": "0"}, "--port 0", "0", "0 is no port"),
        ({"port": ""}, "--port ", "", "expected a value"),
        ({"program": ""}, "--program ", "", "expected a value"),
        ({"filter": "sport 22 x"}, "sport 22 x", "x", "no term"),
    ],
)
def test_errors_of_shorthands(given: dict[str, Any], shown: str, word: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        from_options(Options(**given))
    told, line, caret = str(caught.value).split("\n")
    assert message in told
    assert line == f"  {shown}"
    assert line[len(caret) - len(caret.lstrip()) :] == word


def test_the_range_of_ports_has_to_be_known(tmp_path: Path) -> None:
    with pytest.raises(FilterError, match="ip_local_port_range: No such file"):
        parse("autobound", str(tmp_path))
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("1 x\n")
    with pytest.raises(FilterError, match="two numbers expected"):
        parse("autobound", str(tmp_path))


def test_no_python_call_per_row() -> None:
    """The same number of calls for twice as many rows, all of them different."""
    chosen = parse(
        "state connected ( sport 22 or dport >= 1024 ) and dst 10.0.0.0/8 and src != 192.0.2.1"
        " and not dst [2001:db8::]/32 and inode > 5 and recvq = 0 and user 0 and proto tcp"
        " and program sshd and pid != 1"
    )

    def calls(size: int) -> int:
        table = Table(
            inet.InetSocket,
            size,
            proto=["tcp"] * size,
            state=["ESTABLISHED"] * size,
            local_address=[f"10.0.{number >> 8}.{number & 255}" for number in range(size)],
            remote_address=[f"10.1.{number >> 8}.{number & 255}" for number in range(size)],
            local_port=list(range(size)),
            remote_port=list(range(size)),
            recv_q=list(range(size)),
            uid=list(range(size)),
            inode=list(range(size)),
            pid=list(range(size)),
            program=["sshd"] * size,
            processes=[[(number, "sshd", 3)] for number in range(size)],
        )
        seen = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        gc.disable()  # it may have callbacks
        sys.setprofile(count)
        try:
            chosen.mask(table)
        finally:
            sys.setprofile(None)
            gc.enable()
        return seen

    calls(10)
    assert calls(1000) == calls(2000)


# Whatever is written, it is a filter or a FilterError.

SOUP = """
state exclude listening all src dst sport dport dev autobound pid program user inode proto recvq
sendq netns unit container = == != < > <= >= ~ eq ne lt ! not and && & or || | ( ) () 0 22 65536
:22 * *:80 10.0.0.0/8 10/40 [::1]:80 [::]/0 ::1 [ ] nginx 'a b' " .* ([ )( a|b
"""
WORDS = st.sampled_from(SOUP.split())
TERM = st.sampled_from(
    ["sport 22", "sport > 80", "dport != 443", "src 10/8", "dst [::]/0", "src != 127.0.0.1",
     "pid > 20", "program nginx", "program ~ 's'", "program != sshd", "user 1000", "inode < 300",
     "proto tcp", "recvq = 0", "unit ssh", "src /run/*"]
)  # fmt: skip


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joint = st.sampled_from([" and ", " or ", " ", "&&", "||"])
    two = st.tuples(st.just("("), inner, joint, inner, st.just(")"))
    return st.one_of(two.map("".join), inner.map("not {}".format), inner.map("({})".format))


EXPRESSION = st.recursive(TERM, compound, max_leaves=8)


def offline(*arguments: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@settings(max_examples=300, deadline=None)
@given(expression=st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(max_size=20)))
def test_anything_is_a_filter_or_an_error(expression: str) -> None:
    table = Table(inet.InetSocket, 1, proto=["tcp"], state=["LISTEN"], local_port=[22])
    with patch("pynetstat.stages.filters.hosts.getaddrinfo", offline):
        try:
            chosen = parse(expression)
        except FilterError as error:
            assert str(error).count("\n") == 2
            return
    if "dev" not in chosen.fields:
        assert len(chosen.mask(table)) == 1


@settings(max_examples=100, deadline=None)
@given(one=EXPRESSION, two=EXPRESSION)
def test_the_laws_of_logic(one: str, two: str) -> None:
    table = LAWS
    first, second = list(parse(one).mask(table)), list(parse(two).mask(table))

    def mask(expression: str) -> list[bool]:
        return list(parse(expression).mask(table))

    assert set(map(type, first)) == {bool}
    assert mask(f"not ({one})") == [not yes for yes in first]
    assert mask(f"({one}) and ({two})") == [a and b for a, b in zip(first, second)]
    assert mask(f"({one})({two})") == [a and b for a, b in zip(first, second)]
    assert mask(f"({one}) or ({two})") == [a or b for a, b in zip(first, second)]
    assert mask(f"not ({one}) or ({two})") == [not a or b for a, b in zip(first, second)]
    early, late = parse(f"({one}) ({two})").split()
    both = [a and b for a, b in zip(early.mask(table), late.mask(table))]
    assert both == [a and b for a, b in zip(first, second)]


LAWS = Table(
    inet.InetSocket,
    4,
    proto=["tcp", "tcp6", "tcp", "udp"],
    local_address=["10.0.0.1", "::1", "127.0.0.1", None],
    remote_address=["192.0.2.1", "::1", None, None],
    local_port=[22, 81, 443, None],
    remote_port=[443, 22, 0, None],
    pid=[1, 22, 300, None],
    program=["sshd", "nginx: worker", "x", None],
    uid=[0, 1000, 5, None],
    inode=[100, 200, 300, None],
    recv_q=[0, 5, None, 0],
    unit=["ssh.service", None, "a", None],
)

# The same expression, the same sockets: ss. (Where ss reads flat from left to right, and where
# it asks the kernel what no table tells, is left out.)

needs_ss = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("ss") is None, reason="ss is not here"
)


class World(NamedTuple):
    """Sockets of our own, and the ports by which expressions know them."""

    sockets: list[socket.socket]
    ports: dict[str, int]


def listener(family: int, address: str, **options: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options.get("only", 1))
    made.bind((address, 0))
    made.listen()
    return made


def connected(sockets: list[socket.socket], to: socket.socket, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = socket.create_connection((address, to.getsockname()[1]), 5)
    assert client.family == family
    server = to.accept()[0]
    sockets += [client, server]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    sockets: list[socket.socket] = []
    try:
        four, any4 = (listener(socket.AF_INET, address) for address in ("127.0.0.1", "0.0.0.0"))
        six = listener(socket.AF_INET6, "::1")
        dual = listener(socket.AF_INET6, "::", only=0)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    sockets += [four, any4, six, dual]
    connected(sockets, four, "127.0.0.1")
    connected(sockets, any4, "127.0.0.2")
    connected(sockets, six, "::1")
    connected(sockets, dual, "127.0.0.1")
    connected(sockets, dual, "::1")
    connected(sockets, any4, "127.1.0.3")
    sockets.pop().close()  # the server's end: FIN_WAIT2, and CLOSE_WAIT at the other
    connected(sockets, any4, "127.0.0.4")
    for _ in range(2):
        sockets.pop().close()  # TIME_WAIT
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp6.bind(("::", 0))
    sockets += [udp, udp6]
    for family, address, to in (
        (socket.AF_INET, "127.0.0.1", udp),
        (socket.AF_INET6, "::1", udp6),
        (socket.AF_INET6, "::ffff:127.0.0.1", udp),
    ):
        sockets.append(socket.socket(family, socket.SOCK_DGRAM))
        sockets[-1].connect((address, to.getsockname()[1]))
    sockets += socket.socketpair()
    sockets += socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sockets += [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)]
    sockets[-2].bind(f"\0pynetstat-{os.getpid()}")
    sockets[-2].listen()
    named = {"four": four, "any4": any4, "six": six, "dual": dual, "udp": udp, "udp6": udp6}
    named["client"] = sockets[4]
    yield World(sockets, {name: made.getsockname()[1] for name, made in named.items()})
    for made in sockets:
        made.close()


LIKE_SS = """
state all
state established
state ESTABLISHED
state listening
state closed
state unconnected
state connected
state synchronized
state bucket
state big
state time-wait
state fin-wait-2
state fin-wait-2 state close-wait
state close-wait
state syn-sent
exclude listening
exclude established
exclude bucket
exclude listening exclude closed
state all exclude established
state connected exclude established
exclude connected state established
state established sport = :{four}
state established ( sport = {four} or dport = {dual} )
src 127.0.0.1
src = 127.0.0.1
src 127.0.0.0/8
src 127/8
src 127.0/16
src 127.0.0.0/31
dst 127.0.0.2/31
dst 127.1/16
src 0.0.0.0
dst 0.0.0.0
src 0.0.0.0/0
src [::1]
src [::1]:{six}
src [::1/128]:{six}
src [::1]:*
src [::]
dst [::/1]
src [::ffff:127.0.0.1]
src [::ffff:0:0/96]
src 127.0.0.1:{four}
src 127.0.0.0/8:{any4}
src 127.0.0.1:*
dst *:{dual}
dst :{dual}
dst *
dst *:*
dst 127.0.0.1:{udp}
src localhost:{four}
sport {four}
sport :{four}
sport = {four}
sport == {four}
sport eq :{four}
sport != {four}
sport ne {four}
sport neq {four}
dport = {client}
sport < {any4}
sport lt {any4}
sport <= {any4}
sport le {any4}
sport leq {any4}
dport > 1024
dport gt {four}
dport >= {four}
dport geq {dual}
dport ge {dual}
dport < 1024
not sport = {four}
! sport = {four}
! ( sport = {four} or dport = {four} )
sport = {four} or sport = {six}
sport = {four} | dport = {six}
sport = {four} || dport = {six}
src 127.0.0.1 and dport = {four}
src 127.0.0.1 & dport = {four}
src 127.0.0.1 && dport = {four}
src 127.0.0.1 dport = {four}
not src 127.0.0.1 and not dst 127.0.0.1
( src [::1] or src 127.0.0.1 ) and ( dport = {six} or dport = {four} )
state connected not ( src 127.0.0.1 )
"""


def ends(local: str, remote: str) -> tuple[str, str]:
    """ss writes *:80 for [::]:80 and * for no port."""
    both = []
    for end in (local, remote):
        address, _, port = end.rpartition(":")
        address = address.strip("[]")
        both.append(f"{'::' if address == '*' else address} {0 if port == '*' else port}")
    return both[0], both[1]


def ask_ss(*arguments: str) -> list[list[str]]:
    told = subprocess.run(
        ["ss", *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    assert not told.stderr
    return [line.split() for line in told.stdout.splitlines()]


def knows_localhost() -> bool:
    try:
        return bool(socket.getaddrinfo("localhost", None))
    except socket.gaierror:
        return False


@needs_ss
@pytest.mark.parametrize("template", LIKE_SS.strip().splitlines())
def test_ss_finds_the_same_sockets(template: str, world: World) -> None:
    if "localhost" in template and not knows_localhost():
        pytest.skip("this machine has no address for the name localhost")
    expression = template.format(**world.ports)
    options = Options(all=True, tcp=True, udp=True, source="proc")
    proc = Proc()
    ports = {str(port) for port in world.ports.values()}

    def own(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Other programs come and go."""
        return {pair for pair in found if ports & {end.split()[1] for end in pair}}

    for _ in range(3):  # a connection in TIME_WAIT ends after a minute
        theirs = {ends(*words[-2:]) for words in ask_ss("-Htuan", *expression.split())}
        tables = (one for one in inet.collect(proc, options, Outcome()) if len(one))
        table = parse(expression).keep(joined(inet.InetSocket, tables))
        sides = ("local_address", "local_port", "remote_address", "remote_port")
        ours = {
            (f"{here} {port}", f"{there} {peer}")
            for here, port, there, peer in zip(*map(table.__getitem__, sides))
        }
        if own(ours) == own(theirs):
            break
    assert own(ours) == own(theirs)


@needs_ss
@pytest.mark.parametrize(
    "expression",
    [
        *["state all", "state established", "state listening", "state closed", "state connected"],
        *["state big", "state bucket", "state synchronized", "exclude established"],
        *["src @pynetstat*", "not src @pynetstat*", "src 127.0.0.1", "sport 22", "dst *"],
    ],
)
def test_ss_finds_the_same_unix_sockets(expression: str, world: World) -> None:
    own = {os.fstat(made.fileno()).st_ino for made in world.sockets}
    theirs = {int(words[-3]) for words in ask_ss("-Hxan", *expression.split())}
    options = Options(all=True, families=("unix",))
    tables = [
        table for table in unix.collect(Proc(), options, Outcome()) if isinstance(table, Table)
    ]
    assert kept(parse(expression), tables) & own == theirs & own


def test_ranges_of_ports_that_overlap() -> None:
    """Thousands of them cost no more than their bits."""
    assert ports_of_text(",".join(f"{first}-65535" for first in range(1, 15_000))) == set(
        range(1, 65536)
    )
    assert ports_of_text("5-7,6-9,80") == {5, 6, 7, 8, 9, 80}
    assert ports_of_text("0-2") == {1, 2} and ports_of_text("65535-65535,0") == {65535}
    with pytest.raises(ValueError, match="0 is no port"):
        ports_of_text("0-0")


# Regular expressions that a name cannot make endless

ENDLESS = ["(a+)+$", "^(a|a)*$", r"(\w+\s*)+:", ".*.*.*.*x", "(a{1,20}){1,20}b", "(?i)(A*)*B"]


@pytest.mark.parametrize("expression", ENDLESS)
def test_an_expression_that_re_would_never_end(expression: str) -> None:
    """`re` takes longer than hours for the name; each of its letters is looked at once here."""
    names = ["a" * 400 + "!", "a" * 400]
    found = parse(f"program ~ '{expression}'").mask(Table(inet.InetSocket, 2, program=names))
    assert list(found) == [False, expression in ENDLESS[:2]]


@pytest.mark.parametrize(
    "expression",
    ["(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(a)(?(1)b|c)", "(){4000000000}", "a{9999}"],
)
def test_an_expression_that_is_refused(expression: str) -> None:
    with pytest.raises(FilterError, match="a regular expression, but"):
        parse(f"program ~ '{expression}'")


PIECES = st.sampled_from(
    ["a", "b", ".", r"\w", r"\d", "[ab]", "[^a]", r"\s", "^", "$", r"\b", r"\B", r"\Z", r"\A", "A",
     "é", "-", r"\.", "[a-c-]", "(?i:a)", ""]
)  # fmt: skip
EXPRESSIONS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(
            inner,
            st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{,2}", "{2,}"]),
        ).map(lambda two: f"(?:{two[0]}){two[1]}"),
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?a)"]),
    EXPRESSIONS,
    st.lists(st.text("abcABC -.1é\n", max_size=8), min_size=5, max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_expressions_as_re_has_them(flags: str, expression: str, texts: list[str]) -> None:
    search = pattern(flags + expression)
    for text in texts:
        assert search(text) is bool(re.search(flags + expression, text)), text
