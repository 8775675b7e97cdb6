"""Masqueraded connections; the captures hold the texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Tree, over
from hypothesis import given
from hypothesis import strategies as st
from test_routes import CAPTURES, printed

from pynetstat.collectors.rare.masquerade import MASQUERADE, Masqueraded
from pynetstat.kernel.proc import Proc
from pynetstat.listing import Stop
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.table import Table

HEADING = "Prc FromIP   FPrt ToIP     TPrt Masq Init-seq  Delta PDelta Expires (free=1)"
TCP = "TCP 0A000001:0400 C0A80001:0050 F000 00000000      0      0   90000"
FORMAT = "masq_info.c: Internal Error `ip_masquerade format error'."
TYPE = "masq_info.c: Internal Error `ip_masquerade unknown type'."


def tables(proc: Proc) -> list[Table]:
    return [
        part for part in MASQUERADE.collect(proc, Options(), Outcome()) if isinstance(part, Table)
    ]


def collected(name: str) -> list[Masqueraded]:
    return [row for part in tables(Proc(str(CAPTURES / name / "proc"))) for row in part]


def test_records() -> None:
    found = collected("masquerade")
    assert found[0] == Masqueraded(
        proto="tcp",
        expires_ms=900000,
        source_address="10.0.0.1",
        source_port=1024,
        destination_address="192.168.0.1",
        destination_port=80,
        masquerade_port=61440,
        init_seq=0,
        delta=0,
        previous_delta=0,
    )
    assert [row.proto for row in found] == ["tcp", "udp", "icmp", "ip", "gre", "esp"]
    assert (found[1].init_seq, found[1].delta, found[1].previous_delta) == (0xFFFFFFFF, -1, 32767)


def test_before_there_were_two_deltas() -> None:
    assert [(row.delta, row.previous_delta) for row in collected("masquerade-old")] == [
        (0, None),
        (-300, None),
    ]


def test_each_table_has_rows_of_one_protocol(proc_tree: Tree) -> None:
    """since services are looked up by the protocol of a table"""
    rows = [TCP, TCP, TCP.replace("TCP", "UDP"), TCP]
    root = proc_tree(ip_masquerade=[HEADING, *rows])
    assert [set(part["proto"]) for part in tables(Proc(str(root)))] == [{"tcp"}, {"udp"}, {"tcp"}]


def test_no_table_on_any_kernel_of_today(tmp_path: Path) -> None:
    message = "netstat: no support for `ip_masquerade' on this system."
    for families in ((), ("inet",)):
        assert printed(tmp_path, masquerade=True, families=families) == (1, "", [message])


def test_another_error(proc_tree: Tree) -> None:
    root = proc_tree()
    (root / "net/ip_masquerade").symlink_to("ip_masquerade")
    message = f"{root}/net/ip_masquerade: Too many levels of symbolic links"
    assert printed(root, masquerade=True) == (255, "", [message])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "masq_info: Internal Error `fgets() failed'."),
        (f"{HEADING}\n{TCP}\nUDP 0A000001:0400", FORMAT),
        (f"{HEADING}\n{TCP}\n{TCP.replace(':', '.')}\n", FORMAT),
        (f"{HEADING}\n{TCP}\n{TCP[:-8]}\n{TCP}\n", FORMAT),
        (f"{HEADING}\n{TCP}\n{TCP.replace('90000', '-90000')}\n", FORMAT),
        (f"{HEADING}\n{TCP}\n{TCP.replace('TCP', 'tcp')}\n", TYPE),
        (f"{HEADING}\n{TCP}\n{TCP.replace('TCP', 'SCTP')}\n", TYPE),
    ],
)
def test_what_cannot_be_read_ends_it_without_a_row(
    proc_tree: Tree, text: str, message: str
) -> None:
    root = proc_tree(ip_masquerade=text)
    assert printed(root, masquerade=True) == (255, "", [message])


def test_an_empty_table_has_not_even_a_header(proc_tree: Tree) -> None:
    assert printed(proc_tree(ip_masquerade=HEADING), masquerade=True) == (0, "", [])


def test_what_names_are_asked_for() -> None:
    addresses = {"source_host", "destination_host"}
    services = {"source_service", "destination_service", "masquerade_service"}
    assert set(MASQUERADE.names(Options())) == addresses | services
    assert set(MASQUERADE.names(Options(numeric_hosts=True))) == services
    assert set(MASQUERADE.names(Options(numeric_ports=True))) == addresses
    assert MASQUERADE.names(Options(format="json")) == {}


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_garbled_text_is_no_traceback(text: str) -> None:
    try:
        proc = over(ip_masquerade=f"{HEADING}\n{TCP}\n{text}")
        found = [row for part in tables(proc) for row in part]
    except Stop as stop:
        assert stop.message in (FORMAT, TYPE)
    else:
        assert found[0].source_port == 1024
