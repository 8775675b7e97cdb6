"""--sort and --count-by: the order of rows, and how many there are of each kind."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runner import invoke

from pynetstat.cli import main
from pynetstat.collectors.linux.inet import InetSocket
from pynetstat.options import Misuse
from pynetstat.stages.count import count_rows
from pynetstat.stages.sort import sorted_table
from pynetstat.table import Remark, Table


class Unix(NamedTuple):
    proto: str
    state: str | None = None
    flags: list[str] | None = None


STATES = ["LISTEN", None, "ESTABLISHED", "LISTEN", "TIME_WAIT", "ESTABLISHED"]
SOCKETS = Table(
    InetSocket,
    6,
    proto=["tcp", "tcp", "tcp6", "tcp", "tcp", "tcp6"],
    state=lambda: STATES,
    local_address=["10.0.0.10", "10.0.0.9", "::1", "9.0.0.1", None, "::ffff:10.0.0.9"],
    local_port=[22, 9, 22, 1000, 80, 22],
    remote_address=[
        *["192.0.2.1", "192.0.2.200", "2001:db8::1", "192.0.3.1", None, "::ffff:192.0.2.9"]
    ],
    program=["b", "B", "a", None, "b", "caf\xc3\xa9"],
    inode=[1, 2, 3, 4, 5, 6],
)  # fmt: skip
UNIX = Table(
    Unix, 4, proto=["unix"] * 4, state=["LISTEN", None, "LISTEN", None],
    flags=[["ACC"], [], ["ACC"], None],
)  # fmt: skip


@pytest.mark.parametrize(
    "keys, inodes",
    [
        (["inode"], [1, 2, 3, 4, 5, 6]),
        (["-inode"], [6, 5, 4, 3, 2, 1]),
        (["local_port"], [2, 1, 3, 6, 5, 4]),
        (["-local_port"], [4, 5, 1, 3, 6, 2]),
        (["local_address"], [4, 2, 1, 3, 6, 5]),
        (["-local_address"], [6, 3, 1, 2, 4, 5]),
        (["program"], [2, 3, 1, 5, 6, 4]),
        (["-program"], [6, 1, 5, 3, 2, 4]),
        (["state"], [3, 6, 1, 4, 5, 2]),
        (["-state", "-inode"], [5, 4, 1, 6, 3, 2]),
        (["proto", "local_port", "-inode"], [2, 1, 5, 4, 6, 3]),
        (["uid"], [1, 2, 3, 4, 5, 6]),
        ([], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_sorted(keys: list[str], inodes: list[int]) -> None:
    table = sorted_table(SOCKETS, keys)
    assert table["inode"] == inodes
    assert table.record is InetSocket
    assert [record.local_port for record in table] == [
        SOCKETS["local_port"][inode - 1] for inode in inodes
    ]


def test_what_is_no_single_address() -> None:
    class Route(NamedTuple):
        dst: str | None = None

    routes = ["default", "10.0.0.0/8", "fe80::/64", "10.0.0.0/16", "9.1.1.1", None, "fe80::1%lo0"]
    table = sorted_table(Table(Route, 7, dst=routes), ["dst"])
    assert table["dst"] == [
        "9.1.1.1", "10.0.0.0/8", "10.0.0.0/16", "fe80::/64", "fe80::1%lo0", "default", None
    ]  # fmt: skip


def test_what_has_no_order_is_sorted_by_its_text() -> None:
    assert sorted_table(UNIX, ["flags"])["flags"] == [["ACC"], ["ACC"], [], None]
    table = Table(InetSocket, 3, memory=[{"b": 1}, None, {"a": 2}])
    assert sorted_table(table, ["memory"])["memory"] == [{"a": 2}, {"b": 1}, None]


def test_nothing_to_sort() -> None:
    assert len(sorted_table(Table(InetSocket, 0), ["proto"])) == 0


@pytest.mark.parametrize("keys", [["nosuch"], ["inode", "-nosuch"], ["--inode"], [""]])
def test_an_unknown_key_is_answered_with_the_valid_ones(keys: list[str]) -> None:
    with pytest.raises(Misuse, match=r"fields of this listing: proto, family, state, "):
        sorted_table(SOCKETS, keys)


@given(st.lists(st.tuples(st.integers(0, 3) | st.none(), st.text("ab", max_size=2))))
def test_sorting_is_stable_and_loses_nothing(rows: list[tuple[int | None, str]]) -> None:
    ports, programs = [row[0] for row in rows], [row[1] for row in rows]
    table = Table(
        InetSocket, len(rows), proto=programs, local_port=ports, inode=[*range(len(rows))]
    )
    expected = sorted(
        range(len(rows)), key=lambda row: (ports[row] is None, -(ports[row] or 0), programs[row])
    )
    assert [*sorted_table(table, ["-local_port", "proto"])["inode"]] == expected


@pytest.mark.parametrize(
    "fields, top, expected",
    [
        (["state"], None, [("ESTABLISHED", 2), ("LISTEN", 2), ("TIME_WAIT", 1), (None, 1)]),
        (["state"], 1, [("ESTABLISHED", 2)]),
        (["state"], 9, [("ESTABLISHED", 2), ("LISTEN", 2), ("TIME_WAIT", 1), (None, 1)]),
        (["proto", "local_port"], 2, [("tcp6", 22, 2), ("tcp", 9, 1)]),
        (["remote_network/24"], None,
         [("192.0.2.0/24", 3), ("192.0.3.0/24", 1), ("2001:d00::/24", 1), (None, 1)]),
        (["remote_network/64"], 2, [("192.0.2.1/32", 1), ("192.0.2.9/32", 1)]),
        (["local_network/0"], None, [("0.0.0.0/0", 4), ("::/0", 1), (None, 1)]),
        (["local_network/128"], 2, [("9.0.0.1/32", 1), ("10.0.0.9/32", 2)][::-1]),
        (["program", "local_network/8"], 1, [("B", "10.0.0.0/8", 1)]),
        (["uid"], None, [(None, 6)]),
    ],
)  # fmt: skip
def test_counts(fields: list[str], top: int | None, expected: list[tuple[Any, ...]]) -> None:
    table = count_rows([Table(InetSocket, 0), Remark("no such"), SOCKETS], fields, top)
    assert [tuple(row) for row in table] == expected
    assert table.record._fields == (*[name.partition("/")[0] for name in fields], "count")


def test_several_listings() -> None:
    """A listing without the field is not counted."""
    assert [*count_rows([SOCKETS, UNIX], ["state"])][:2] == [("LISTEN", 4), (None, 3)]
    assert [*count_rows([SOCKETS, UNIX], ["local_port"], 1)] == [(22, 3)]
    assert [*count_rows([], ["state"])] == []
    assert [*count_rows([Table(InetSocket, 0)], ["state"])] == []


def test_what_is_no_address_is_its_own_network() -> None:
    table = Table(InetSocket, 3, local_address=["somewhere", "10.0.0.1", "somewhere"])
    assert [*count_rows([table], ["local_network/8"], 1)] == [("somewhere", 2)]


def test_lists_and_text() -> None:
    found = {str(row.flags): row.count for row in count_rows([UNIX, UNIX], ["flags"])}
    assert found == {"['ACC']": 4, "[]": 2, "None": 2}
    rows = [*count_rows([SOCKETS], ["program"])]
    assert ("café", 1) in rows
    assert all(type(row.count) is int for row in rows)


@pytest.mark.parametrize(
    "fields, message",
    [
        (["nosuch"], r"cannot count by `nosuch'; fields: proto, .*, local_network/BITS, remote_"),
        (["remote_network"], r"a network has its length: remote_network/24"),
        (["remote_network/"], r"a network has its length: remote_network/24"),
        (["remote_network/129"], r"a network has its length"),
        (["remote_network/²"], r"a network has its length"),
        (["state/3"], r"cannot count by `state/3'"),
        (["local_port", "flags"], r"cannot count by `local_port,flags'"),
        (["state", "state"], r"a name is there twice"),
        (["remote_network/8", "remote_network/16"], r"a name is there twice"),
    ],
)
def test_what_cannot_be_counted(fields: list[str], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        count_rows([SOCKETS, UNIX], fields)


def test_no_python_call_per_row() -> None:
    def calls(size: int) -> int:
        table = Table(
            InetSocket,
            size,
            proto=["tcp"] * size,
            local_address=[f"10.0.{number >> 8}.{number & 255}" for number in range(size)],
            local_port=[number * 7 % size for number in range(size)],
        )
        seen = 0

        def tally(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        gc.disable()  # it may have callbacks
        sys.setprofile(tally)
        try:
            sorted_table(table, ["proto", "-local_address", "local_port"])
            count_rows([table], ["proto", "local_network/16"])
            count_rows([table], ["local_port"], 3)
        finally:
            sys.setprofile(None)
            gc.enable()
        return seen

    calls(10)
    assert calls(1000) == calls(2000)


@pytest.mark.parametrize("options", ["-M", "--ax25", "-r --ax25", "-r", "-s", "-t", "-i", "-x"])
@pytest.mark.parametrize("field", ["foo-bar", "_x", "1", "class", "nonsense", ""])
@pytest.mark.parametrize("format", ["classic", "json"])
def test_a_field_that_none_has_where_no_table_is(
    options: str, field: str, format: str, tmp_path: Path
) -> None:
    """The mistake is told as it is where the table can be read."""
    words = [*options.split(), "--proc", str(tmp_path), "--format", format]
    result = invoke(main, [*words, "--count-by", f"{field},foo-bar"])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert f"cannot count by `{field or 'foo-bar'}'; fields: " in result.stderr
    assert result.stdout == ""
