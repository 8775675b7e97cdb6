"""SCTP: ends of several addresses, in netstat's lines and in records."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from runner import invoke
from test_house import calls

from pynetstat.cli import main
from pynetstat.collectors.linux.inet import InetSocket
from pynetstat.options import Options

EPS = " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS"
ASSOCS = " ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS"


def endpoint(addresses: str, port: int = 80, state: int = 10) -> str:
    return f"ffff8d1c ffff8d2c 2   {state:<3d} 29   {port:<5d}     0 23457 {addresses} "


def association(local: str, remote: str, state: int = 1) -> str:
    return (
        f"ffff8d1c ffff8d2c 2   {state:<3d} 4  0      17       11       22    1000 33334 5001 "
        f"  5002 {local} <-> {remote} \t    7500    10    10   10    0    0        0        1"
    )


def tree(folder: Path, eps: list[str] | None, assocs: list[str] | None) -> str:
    (folder / "net/sctp").mkdir(parents=True)
    for name, heading, lines in (("eps", EPS, eps), ("assocs", ASSOCS, assocs)):
        if lines is not None:
            text = "".join(f"{line}\n" for line in [heading, *lines])
            (folder / "net/sctp" / name).write_bytes(text.encode("latin-1"))
    return str(folder)


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_the_tail_stands_on_the_last_line(tmp_path: Path) -> None:
    root = tree(tmp_path, [endpoint("10.0.0.1 10.0.0.2")], [association("*10.0.0.1", "10.0.0.3")])
    code, lines, err = run("-Sanoe", "--no-header", "--proc", root)
    assert (code, err) == (0, "")
    assert lines == [
        "sctp                10.0.0.1:80                                     LISTEN     ",
        "                    10.0.0.2:80                                               "
        "  0          23457      ",
        "sctp      22     11 10.0.0.1:5001           10.0.0.3:5002           ESTABLISHED"
        " 1000       33334      ",
    ]


@pytest.mark.parametrize(
    ("option", "states"),
    [("-Sn", ["ESTABLISHED"]), ("-Sln", ["LISTEN"]), ("-Saln", ["LISTEN", "ESTABLISHED"])],
)
def test_endpoints_listen_and_associations_do_not(
    option: str, states: list[str], tmp_path: Path
) -> None:
    root = tree(tmp_path, [endpoint("10.0.0.1")], [association("10.0.0.1", "10.0.0.3")])
    assert [line.split()[-1] for line in run(option, "--no-header", "--proc", root)[1]] == states


def test_records_have_the_first_address_of_each_end_and_all(tmp_path: Path) -> None:
    six = "2001:0db8:0000:0000:0000:0000:0000:0077"
    root = tree(tmp_path, [endpoint("10.0.0.1 10.0.0.2")], [association(f"*{six}", "10.0.0.3 ::1")])
    sockets = json.loads("".join(run("-San", "--json", "--proc", root)[1]))["sockets"]
    ends = ("local_address", "local_port", "remote_address", "remote_port", "recv_q", "send_q")
    assert [[socket[name] for name in ends] for socket in sockets] == [
        ["10.0.0.1", 80, None, None, None, None],
        ["2001:db8::77", 5001, "10.0.0.3", 5002, 22, 11],
    ]
    assert [socket["family"] for socket in sockets] == ["inet", "inet6"]
    assert {socket["proto"] for socket in sockets} == {"sctp"}
    assert [socket["local_addresses"] for socket in sockets] == [
        ["10.0.0.1", "10.0.0.2"],
        ["2001:db8::77"],
    ]
    assert [socket["remote_addresses"] for socket in sockets] == [[], ["10.0.0.3", "::1"]]


def test_a_filter_meets_any_address(tmp_path: Path) -> None:
    rows = [association("10.0.0.1 10.0.0.2", "10.0.0.3"), association("10.0.0.1", "10.0.0.4")]
    root = tree(tmp_path, [], rows)
    lines = run("-Sn", "--no-header", "--filter", "src 10.0.0.2", "--proc", root)[1]
    assert [line.split() for line in lines] == [
        ["sctp", "22", "11", "10.0.0.1:5001", "10.0.0.3:5002", "ESTABLISHED"],
        ["10.0.0.2"],
    ]


def test_sorted_rows_keep_their_lines(tmp_path: Path) -> None:
    """Among tcp's, whose columns are others."""
    root = tree(tmp_path, [endpoint("10.0.0.9 10.0.0.2")], [association("10.0.0.1", "::2 ::3")])
    row = "   0: 0500000A:0016 0700000A:0001 01 00000000:00000000 00:00000000 00000000  0 0 5"
    (tmp_path / "net/tcp").write_text(f"heading\n{row}\n")
    (tmp_path / "net/tcp6").write_text("heading\n")
    lines = run("-Stan", "--no-header", "--sort", "local_address", "--proc", root)[1]
    assert [line.split()[-3:-1] for line in lines] == [
        ["10.0.0.1:5001", "::2:5002"],
        [],
        ["10.0.0.5:22", "10.0.0.7:1"],
        ["sctp", "10.0.0.9:80"],
        [],
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ffff8d1c ffff8d2c 2   10  29   80         0",
        "ffff8d1c ffff8d2c 2   x   29   80         0 23457 10.0.0.1 ",
        endpoint("10.0.0.256"),
        endpoint("10.0.0.1 nonsense"),
        endpoint("10.0.0.1 1:2:3"),
        f"ffff8d1c ffff8d2c 2   10  29   {'9' * 5000}    0 23457 10.0.0.1 ",
    ],
)
def test_a_line_that_is_none_is_told(bad: str, tmp_path: Path) -> None:
    root = tree(tmp_path, [bad, endpoint("10.0.0.2")], None)
    code, lines, err = run("-Sln", "--no-header", "--proc", root)
    assert (code, err) == (0, "warning, got bogus sctp eps line.\n")
    assert [line.split() for line in lines] == [["sctp", "10.0.0.2:80", "LISTEN"]]


def test_an_association_without_its_end(tmp_path: Path) -> None:
    root = tree(tmp_path, None, ["ffff8d1c ffff8d2c 2   1   4  0      17", association("::1", "")])
    code, lines, err = run("-Sn", "--no-header", "--proc", root)
    assert (code, err) == (0, "warning, got bogus sctp assoc line.\n")
    assert [line.split() for line in lines] == [["sctp", "22", "11", "::1:5001", "ESTABLISHED"]]


def test_an_endpoint_without_the_last_line_end_and_with_other_blanks(tmp_path: Path) -> None:
    root = tree(tmp_path, [], None)
    (tmp_path / "net/sctp/eps").write_text(f"{EPS}\n a b c -5 d\t80 -1 7 10.0.0.1 10.0.0.2\ttail")
    lines = run("-Slne", "--no-header", "--proc", root)[1]
    assert [line.split() for line in lines] == [
        ["sctp", "10.0.0.1:80", "UNKNOWN(-5)"],
        ["10.0.0.2:80", "-1", "7"],
    ]


def test_a_name_cannot_break_out_of_its_line(tmp_path: Path) -> None:
    root = tree(tmp_path, [endpoint("10.0.0.1 10.0.0.2")], None)
    with patch("pynetstat.stages.names.Names.host_name", return_value="evil\nsctp\x1b[31m"):
        lines = run("-Sl", "--no-header", "--proc", root)[1]
    assert [line.split() for line in lines] == [
        ["sctp", "evil?sctp?[31m:80", "LISTEN"],
        ["evil?sctp?[31m:80"],
    ]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ("-S", 1, True),
        ("-S4", 1, True),
        ("-S6", 0, False),
        ("-4", 0, False),
        ("-v", 0, True),
        ("", 0, False),
    ],
)
def test_a_missing_file(options: str, code: int, told: bool, tmp_path: Path) -> None:
    root = tree(tmp_path, None, None)
    status, _, err = run(*options.split(), "-n", "--proc", root)
    assert status == code
    assert ("netstat: no support for `AF INET (sctp)' on this system." in err) is told


def test_without_the_endpoints_the_associations_are_not_read(tmp_path: Path) -> None:
    """But an IPv6 half of the endpoints is, where a kernel has one."""
    root = tree(tmp_path, None, [association("10.0.0.1", "10.0.0.3")])
    (tmp_path / "net/sctp6").mkdir()
    (tmp_path / "net/sctp6/eps").write_text(f"{EPS}\n{endpoint('::1')}\n")
    code, lines, _ = run("-San", "--no-header", "--proc", root)
    assert code == 1
    assert [line.split() for line in lines] == [["sctp", "::1:80", "LISTEN"]]


@pytest.mark.parametrize("form", ["classic", "jsonl"])
def test_no_python_call_per_row(form: str, tmp_path: Path) -> None:
    several = {"local_addresses", "remote_addresses"}  # lists are written one by one
    names = {"local_host", "local_service", "remote_host", "remote_service", "user"}  # not with -n
    left_out = several | names | {"rate_in", "rate_out"}  # of tcp alone
    columns = [name for name in InetSocket._fields if name not in left_out]
    options = Options(
        sctp=True,
        all=True,
        numeric_hosts=True,
        numeric_ports=True,
        numeric_users=True,
        extend=1,
        format=form,
        columns=tuple(columns) if form == "jsonl" else (),
    )
    roots = []
    for rows in (300, 600):
        ends = [f"10.0.{row >> 8}.{row & 255} 2001:db8::{row:x}" for row in range(rows)]
        eps = [endpoint(end, port) for port, end in enumerate(ends)]
        roots.append(tree(tmp_path / str(rows), eps, [association("10.0.0.1", e) for e in ends]))
    calls(Path(roots[1]), options)  # imports and memories are warm now
    first, second = (calls(Path(root), options) for root in roots)
    assert first == second
