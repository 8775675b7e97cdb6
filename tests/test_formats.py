"""json, jsonl, csv, tsv and tabulate's formats: valid, complete, harmless."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, needs_namespaces, needs_root, tcp_file
from runner import invoke

from pynetstat.cli import main
from pynetstat.cli.values import tabular_formats
from pynetstat.formats.structured import csv_value, harmless, objects
from pynetstat.options import Options
from pynetstat.table import Table
from pynetstat.text import safe

NASTY = "\x1b[2Jevil\n=cmd|' /C calc'!A1\t\x7f\xc2\x9b31m\xe2\x80\xaeabc\xff"  # one char a byte


def out(*options: str) -> bytes:
    result = invoke(main, list(options))
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.fixture
def capture(proc_tree: Tree) -> str:
    """Sockets, and a unix socket and a process with names that want to do harm."""
    unix = "Num RefCount Protocol Flags Type St Inode Path\n"
    path = NASTY.replace("\n", "\r").replace("\xff", "\xfe")
    unix += f"ffff888058e7b7c0: 00000002 00000000 00010000 0001 01 18951 /run/{path}\n"
    root = proc_tree(tcp=tcp_file(5), tcp6=tcp_file(0), udp=tcp_file(2), unix=unix)
    process = root / "42"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to("socket:[1003]")
    (process / "cmdline").write_bytes(NASTY.encode("latin-1") + b"\0")
    return str(root)


def test_json_is_one_document_in_ascii(capture: str) -> None:
    text = out("-tuxapn", "--proc", capture, "--json")
    assert text.isascii() and b"\x1b" not in text and b"\x7f" not in text
    document = json.loads(text)
    assert document["schema"] == "pynetstat/2" and document["privileged"] in (True, False)
    assert [len(document[name]) for name in ("sockets", "unix")] == [7, 1]
    first, third = document["sockets"][0], document["sockets"][3]
    assert first["local_port"] == 8080 and first["state"] == "ESTABLISHED"
    assert first["pid"] is None and first["local_host"] is None and first["uid"] == 1000
    assert first["timer"] == {"name": "off", "expires_ms": 0, "retransmits": 0, "probes": 0}
    assert third["pid"] == 42 and third["program"].endswith("abc\\xff")
    assert third["processes"] == [{"pid": 42, "program": third["program"], "fd": 3}]
    assert document["unix"][0]["path"].startswith("/run/\x1b[2J")
    assert document["incomplete"] == [
        {"what": "owner", "reason": document["incomplete"][0]["reason"], "count": 7}
    ]


def test_json_by_jq(capture: str) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not here")
    text = out("-tan", "--proc", capture, "--json")
    done = subprocess.run(["jq", ".sockets | length"], input=text, capture_output=True)
    assert done.stdout == b"5\n"


def test_jsonl_is_an_object_a_line(capture: str) -> None:
    lines = out("-txan", "--proc", capture, "--format", "jsonl").splitlines()
    records = [json.loads(line)["record"] for line in lines]
    assert records == ["sockets"] * 5 + ["unix"]


def rows(text: bytes, **dialect: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline=""), **dialect))


def test_csv_read_back_is_the_same(capture: str) -> None:
    names = "proto,state,local_address,local_port,recv_q,uid,inode,pid"
    options = ["-tanp", "--proc", capture, "--columns", names]
    expected = json.loads(out(*options, "--json"))["sockets"]
    written = [
        {name: "" if value is None else str(value) for name, value in record.items()}
        for record in expected
    ]
    assert rows(out(*options, "--format", "csv")) == written
    assert rows(out(*options, "--format", "tsv"), delimiter="\t") == written


def test_csv_harms_neither_terminal_nor_spreadsheet(capture: str) -> None:
    text = out("-xtanp", "--proc", capture, "--format", "csv")
    assert not any((byte < 32 and byte not in (10, 13)) or byte == 127 for byte in text)
    assert harmless("=1+1") == "'=1+1" and harmless("@x") == "'@x" and harmless("ok") == "ok"
    assert harmless("\x1b[0m") == "\\x1b[0m" and harmless("\u202e") == "\\u202e"


@pytest.mark.parametrize("name", tabular_formats())
def test_tabulate(name: str, capture: str) -> None:
    text = out("-tapn", "--proc", capture, "--format", name)
    assert b"127.0.0.1" in text
    assert not any((byte < 32 and byte not in (9, 10, 13)) or byte == 127 for byte in text)


def test_classic_with_columns_is_a_plain_table(capture: str) -> None:
    text = out("-tan", "--proc", capture, "--columns", "local_port,state", "--no-header")
    assert text.split() == [b"8080", b"ESTABLISHED"] * 5


def test_sort_keeps_netstats_text(capture: str) -> None:
    text = out("-tan", "--proc", capture, "--sort", "-remote_port").decode().splitlines()
    assert [line.split()[4] for line in text[2:]] == [
        f"127.0.0.1:{port or '*'}" for port in (4, 3, 2, 1, 0)
    ]


def test_count_by(capture: str) -> None:
    text = out("-tuan", "--proc", capture, "--count-by", "proto", "--top", "1").split()
    assert text == [b"proto", b"count", b"tcp", b"5"]
    document = json.loads(out("-tuan", "--proc", capture, "--count-by", "proto", "--json"))
    assert document["counts"] == [{"proto": "tcp", "count": 5}, {"proto": "udp", "count": 2}]


def test_a_missing_table_leaves_valid_json(proc_tree: Tree) -> None:
    root = proc_tree(udp=tcp_file(1))
    result = invoke(main, ["-tn", "--json", "--proc", str(root)])
    document = json.loads(result.stdout)
    assert result.exit_code == 1 and document["sockets"] == []
    assert "no support for `AF INET (tcp)'" in document["incomplete"][0]["reason"]
    assert "no support for `AF INET (tcp)'" in result.stderr


def test_percent_signs_and_quotes_stay() -> None:
    class Row(tuple):  # type: ignore[type-arg]
        _fields = ("name",)
        _field_defaults = {"name": None}  # noqa: RUF012
        __annotations__ = {"name": "str"}

    for names in (["100%s"], ['a"b\\', "100%%"]):
        text = objects(Table(Row, len(names), name=names), Options(format="json"), separator=",")
        assert json.loads(f"[{text}]") == [{"name": name} for name in names]


def test_the_schema_is_printed() -> None:
    schema = json.loads(out("--json-schema"))
    assert schema["$schema"].startswith("https://json-schema.org/")
    here = Path(main.callback.__code__.co_filename).parents[1] / "schema.json"  # type: ignore[union-attr]
    assert json.loads(here.read_text()) == schema


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("  =1", "'  =1"),
        ("\u3000=1", "\\u3000=1"),
        ("\xa0+1", "\\u00a0+1"),
        ("\x01@a", "\\x01@a"),
        ("a;=cmd", "a;'=cmd"),
        ('a;"=cmd"', 'a;\'"=cmd"'),
        ("a,b; -c|@d", "a,b;' -c|'@d"),
        ("a-b=c@d", "a-b=c@d"),
        ("e\u0301" * 9, "e\u0301" * 9),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "\\u0301"),
    ],
)
def test_what_a_spreadsheet_might_run(text: str, written: str) -> None:
    """In any country's: it splits cells at `;` or tabs as well, and knows signs of full width."""
    assert harmless(text) == written


def test_text_within_records_is_harmless_too() -> None:
    value = [{"program": "a;=cmd", "pid": -1}]
    assert json.loads(csv_value(value)) == [{"program": "a;'=cmd", "pid": -1}]


def test_marks_and_blanks_that_cannot_be_told_apart() -> None:
    """One for one, so that the columns keep their width."""
    for text, shown in [
        ("a\u2800b\u3000c\xa0d\u2009e", "a?b?c?d?e"),
        ("\u2800", "?"),
        ("e" + "\u0301" * 200, "e" + "\u0301" * 4 + "?" * 196),
        ("\u05d0\u05b8\u05c1\u0591", "\u05d0\u05b8\u05c1\u0591"),
        ("\U00013430\U00013438", "??"),
        ("Vi\u1ec7t \u65e5\u672c", "Vi\u1ec7t \u65e5\u672c"),
    ]:
        assert safe(text.encode().decode("latin-1")) == shown.encode().decode("latin-1")


def test_a_path_that_is_no_utf_8(tmp_path: Path) -> None:
    """The document stays valid UTF-8, and nothing reaches stderr raw."""
    root = os.fsdecode(bytes(tmp_path) + b"/\xff\x1b[1m")
    result = invoke(main, ["-tn", "--json", "--proc", root])
    reason = json.loads(result.stdout)["incomplete"][0]["reason"]
    assert reason.encode("utf-8") and "\x1b" not in result.stderr
    result = invoke(main, ["-rn", "--json", "--proc", root])
    reason = json.loads(result.stdout)["incomplete"][0]["reason"]
    assert "\\xff\x1b[1m/net/route" in reason and "??[1m/net/route" in result.stderr


@needs_namespaces
@needs_root
def test_a_host_that_is_called_anything() -> None:
    name = b"h\xc3\xa9\xff\x1b"
    script = (
        "import os, sys, socket; socket.sethostname(bytes.fromhex(sys.argv[1]));"
        "os.execv(sys.executable, [sys.executable, '-m', 'pynetstat', '-tn', '--json'])"
    )
    command = ["unshare", "--uts", "--net", sys.executable, "-c", script, name.hex()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout)["host"] == "h\xe9\\xff\x1b"


TABLE = ["--proc", str(Path(__file__).parent / "captures/article/proc"), "-n"]


def printed(*options: str) -> str:
    return out(*options).decode()


def test_a_table_has_the_columns_of_netstat() -> None:
    lines = printed("-tapo", *TABLE, "--format", "simple").splitlines()
    titles = ["proto", "recv_q", "send_q", "local", "remote", "state", "program", "timer"]
    assert lines[0].split() == titles
    short = printed("-tap", *TABLE, "--format", "simple").splitlines()
    assert all(len(line) <= 100 for line in short)
    leak = next(line for line in lines if "CLOSE_WAIT" in line)
    assert "dropbox[2477]" in leak and leak.split()[:2] == ["tcp", "38"]
    assert printed("-te", *TABLE, "--format", "simple").split()[6:8] == ["user", "inode"]
    assert printed("-r", *TABLE, "--format", "simple").split()[:3] == [
        "dst",
        "gateway",
        "flags_str",
    ]
    interfaces = printed("-i", *TABLE, "--format", "simple").splitlines()
    assert interfaces[0].split()[:4] == ["ifname", "mtu", "rx_packets", "rx_errors"]
    assert any(line.split()[:2] == ["eth1", "253744"] for line in interfaces)


def test_a_table_of_every_field() -> None:
    usual, every = (
        printed("-tap", *TABLE, "--format", "simple", *more) for more in ([], ["--columns", "all"])
    )
    titles = every.splitlines()[0].split()
    assert {"local_address", "local_port", "uid", "processes"} <= set(titles)
    assert "container" not in titles  # empty in every row
    assert every.count("\n") == usual.count("\n")
    found = json.loads(printed("-ta", *TABLE, "--json", "--columns", "all"))["sockets"]
    assert found == json.loads(printed("-ta", *TABLE, "--json"))["sockets"]


@pytest.mark.parametrize("words", ["proto, local_port", "proto,  local_port ,"])
def test_columns_with_blanks(words: str) -> None:
    assert printed("-tan", *TABLE, "--columns", words).split()[:2] == ["proto", "local_port"]
    apart = printed("-tan", *TABLE, "--columns", *words.split())  # as words of the shell
    assert apart.split()[:2] == ["proto", "local_port"]


def test_colour() -> None:
    plain = printed("-tan", *TABLE, "--format", "simple", "--color", "never")
    painted = printed("-tan", *TABLE, "--format", "simple", "--color", "always")
    assert "\x1b[36mLISTEN\x1b[0m" in painted and "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", painted) == plain
    assert printed("-tan", *TABLE, "--format", "simple") == plain  # not a terminal


LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="Linux's tables")


@LINUX_ONLY
def test_tables_have_what_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        chosen = ("-tlne", "--port", str(server.getsockname()[1]))
        table = invoke(main, [*chosen, "--tcp-info", "--memory", "--format", "simple"]).stdout
        line = invoke(main, [*chosen, "--columns", "tcp_info", "--format", "jsonl"]).stdout
    assert "cwnd 10" in table and "rcvbuf " in table
    assert f" {os.getuid()} " in table.splitlines()[2]
    assert json.loads(line)["tcp_info"]["cwnd"] == 10


@LINUX_ONLY
@pytest.mark.parametrize("more", [("--sort", "name"), ("--json",)])
def test_a_remark_is_never_lost(more: tuple[str, ...]) -> None:
    done = invoke(main, ["-s", "-4", "-6", *more])
    assert done.exit_code == 1
    assert "No statistics support for specified address family: inet,inet6" in done.output
