"""Untrusted text, end to end: what strangers name their programs, sockets, hosts and interfaces
reaches no terminal raw, forges no row and splits none, and stays valid for programs."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trees
from conftest import TCP_HEADING, Tree, needs_ip, needs_namespaces, needs_root, tcp_file, tcp_row
from runner import invoke

from pynetstat.cli import main
from pynetstat.cli.values import tabular_formats
from pynetstat.kernel.proc import Proc

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has /proc")
SLEEP = shutil.which("sleep") or "sleep"

# What a stranger can write, as bytes: terminal sequences (7 bit, C1 as UTF-8 and as a byte),
# titles, line and row ends, what turns writing around or hides, and what is no UTF-8.
NASTY = [
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"\x1b[2J\x1b[H",
    b"\xc2\x9b31mC1",
    b"\x9b31mC1",
    b"line\nend",
    b"carriage\rreturn",
    b"\ttab\vfeed\fform",
    b"\x7f\x08del",
    b"bidi\xe2\x80\xae\xd8\x9cmarks",
    b"zero\xe2\x80\x8bwidth\xef\xbb\xbf",
    b"separators\xe2\x80\xa8\xc2\x85\xe2\x80\xa9",
    b"\xff\xfe\xc3(\xed\xa0\x80",
    b"half\xc3",
    b"tags\xf3\xa0\x81\x81",
]

# Where a cell or a row begins, in our formats and in tabulate's
TEXTS = ["classic", "csv", "tsv", *tabular_formats()]
HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


def printed(*options: str) -> bytes:
    result = invoke(main, list(options))
    assert result.exit_code == 0, result.output
    assert not HARMFUL.search(result.stderr), result.stderr
    return result.stdout_bytes


def checked(format: str, *options: str) -> str:
    """A format's text, in which there is nothing that a terminal would obey."""
    text = printed(*options, "--format", format).decode("utf-8")
    allowed = text.replace("\r\n", "\n") if format == "csv" else text
    allowed = allowed.replace("\t", "") if format == "tsv" else allowed
    assert not HARMFUL.search(allowed), (format, text)
    return text


@contextlib.contextmanager
def holder(argv: list[bytes], *ends: socket.socket) -> Iterator[int]:
    """A process of these arguments that holds the sockets, which we close."""
    for end in ends:
        end.set_inheritable(True)
    numbers = [end.fileno() for end in ends]
    process = subprocess.Popen(argv, executable=SLEEP, pass_fds=numbers)
    for end in ends:
        end.close()
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


# Programs

LONG = b"/opt/" + b"long/" * 800 + b"\x1b[1mname"  # 4 KB
PROGRAMS = [
    *NASTY,
    b"a) S 1 (b",
    b"with blanks  and / slashes",
    b"/usr/bin/\x1b[5mblink",
    b"/",
    b"",
    LONG,
    b"-dash",
    b"=cmd|' /C calc'!A1",
    b'quote"comma,',
    b"pipe|pipe",
    b"<script>",
]


@pytest.fixture(scope="module")
def programs() -> Iterator[dict[bytes, tuple[int, int]]]:
    """Each name, and the port and the process that it has."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in PROGRAMS:
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            found[name] = port, stack.enter_context(holder([name, b"60"], listener))
        yield found


def asking(programs: dict[bytes, tuple[int, int]]) -> list[str]:
    return ["-tlnp", "--port", ",".join(str(port) for port, _ in programs.values())]


def read_back(text: str, format: str) -> list[dict[str, str]]:
    dialect = "excel-tab" if format == "tsv" else "excel"
    return list(csv.DictReader(io.StringIO(text, newline=""), dialect=dialect))


@linux
def test_a_program_s_name(programs: dict[bytes, tuple[int, int]]) -> None:
    """Whatever a process calls itself, its socket has one row, and in it are its numbers."""
    lines = checked("classic", *asking(programs), "--no-header").splitlines()
    assert len(lines) == len(programs)
    shown = {int(line.split()[3].partition(":")[2]): line[80:].strip() for line in lines}
    for name, (port, pid) in programs.items():
        assert shown[port].startswith(f"{pid}/"), name
    for format in ("csv", "tsv"):
        rows = read_back(checked(format, *asking(programs)), format)
        found = {(int(row["local_port"]), int(row["pid"])) for row in rows}
        assert len(rows) == len(programs) and found == set(programs.values())
        assert len({row["program"] for row in rows}) == len(rows) - 1  # "/" and "" are none


@linux
def test_a_program_s_name_in_json(programs: dict[bytes, tuple[int, int]]) -> None:
    rows = json.loads(printed(*asking(programs), "--json"))["sockets"]
    assert len(rows) == len(programs)
    shown = {row["local_port"]: row["program"] for row in rows}
    for name, (port, _) in programs.items():
        base = name[:511].rpartition(b"/")[2] if name.startswith(b"/") else name
        assert shown[port] == base.decode("utf-8", "backslashreplace")
    assert len(set(shown.values())) == len(rows) - 1


@linux
@pytest.mark.parametrize("format", TEXTS)
def test_every_format_keeps_its_rows(
    format: str, programs: dict[bytes, tuple[int, int]], once: str
) -> None:
    given = ["--columns", "local_port,pid,program", "--no-header", "--proc", once]
    text = checked(format, *asking(programs), *given)
    for port, pid in programs.values():
        assert len(re.findall(rf"(?<!\d){port}\D+{pid}(?!\d)", text)) == 1, format
    if format in ("asciidoc", "github", "pipe", "orgtbl"):  # nor is a cell split
        rows = [line for line in text.splitlines() if re.match(r"\| +\d", line)]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    if format in ("csv", "tsv", "plain", "simple", "github", "pipe", "orgtbl", "jira"):
        extra = text.count("\n") - len(programs)
        assert 0 <= extra <= 2, text  # a rule above and below


@pytest.fixture(scope="module")
def once(programs: dict[bytes, tuple[int, int]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Those processes and sockets copied, so that not every format looks at all of the host's."""
    root = tmp_path_factory.mktemp("once")
    (root / "net").mkdir()
    (root / "net" / "tcp").write_bytes(Path("/proc/net/tcp").read_bytes())
    for _, pid in programs.values():
        (root / str(pid) / "fd").mkdir(parents=True)
        for name in os.listdir(f"/proc/{pid}/fd"):
            (root / str(pid) / "fd" / name).symlink_to(os.readlink(f"/proc/{pid}/fd/{name}"))
        cmdline = Path(f"/proc/{pid}/cmdline").read_bytes()
        (root / str(pid) / "cmdline").write_bytes(cmdline)
    return str(root)


@linux
def test_counts_and_findings(tmp_path: Path) -> None:
    """Programs of all these names that never close their connections."""
    rows, inode = [TCP_HEADING], 5000
    for pid, name in enumerate(PROGRAMS, 100):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "cmdline").write_bytes(name + b"\0")
        for descriptor in range(60):
            rows.append(tcp_row(inode - 1000, remote=f"0100007F:{inode:04X}", state=8))
            (tmp_path / str(pid) / "fd" / str(descriptor)).symlink_to(f"socket:[{inode}]")
            inode += 1
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("".join(f"{row}\n" for row in rows))
    for format in ("classic", "csv", "tsv", "plain", "github", "html"):
        counted = checked(format, "-tan", "--count-by", "program", "--proc", str(tmp_path))
        assert len(re.findall(r"(?<![#\d])60", counted)) == len(PROGRAMS) - 2, (
            format
        )  # two have none
    for format in ("classic", "json", "csv", "github"):
        given = ["--diagnose", "--interval", "0.1", "--format", format, "--proc", str(tmp_path)]
        result = invoke(main, given)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        text = result.stdout_bytes.decode("utf-8").replace("\r\n", "\n")
        assert "close-wait-leak" in text and not HARMFUL.search(text), format


# Names of unix sockets

FORGED = b"0000000000000000: 00000002 00000000 00010000 0001 01 %d /run/forged.sock"


def bound(name: bytes, kind: int = socket.SOCK_STREAM) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, kind)
    if b"/" in name and name[:1] != b"\0":
        os.makedirs(os.path.dirname(name), exist_ok=True)
    end.bind(name)
    return end


def unix_rows(*options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(printed("-xa", "--json", *options))["unix"]
    return rows


needs_own_proc = pytest.mark.skipif(
    not Proc().own, reason="the kernel tells of unix sockets by netlink only in a /proc of its own"
)


@needs_own_proc
def test_every_byte_in_a_unix_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = bytes(range(256))
    names = [b"\0" + values[start : start + 64] for start in range(0, 256, 64)]
    names += [values[start : start + 32] for start in range(48, 240, 32)]
    names += [b"\0" + name for name in NASTY] + NASTY
    kept = [bound(name) for name in names]
    inodes = {os.fstat(end.fileno()).st_ino: name for end, name in zip(kept, names)}
    for format in ("classic", "csv", "tsv", "plain", "github", "grid", "html", "latex"):
        text = checked(format, "-xa")
        assert len(re.findall(rf"\b({'|'.join(map(str, inodes))})\b", text)) == len(names), format
    shown = {row["inode"]: row["path"] for row in unix_rows() if row["inode"] in inodes}
    for inode, name in inodes.items():
        path = b"@" + name[1:] if name[:1] == b"\0" else name
        text = path.replace(b"\0", b"@").decode("utf-8", "backslashreplace")
        assert shown[inode] == text
    rows = read_back(checked("csv", "-xa"), "csv")
    paths = {row["path"] for row in rows if int(row["inode"]) in inodes}
    assert len(paths) == len(names)
    for end in kept:
        end.close()


@needs_own_proc
def test_a_name_with_a_line_end_forges_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a row of a socket that is not there nor a second one of a socket that is; nor
    is a row lost that stands behind."""
    monkeypatch.chdir(tmp_path)
    victim = bound(b"\0victim")
    victim.listen()
    inode = os.fstat(victim.fileno()).st_ino
    lies = [
        b"\0lie\n" + FORGED % 4242,
        b"\0lie\n" + FORGED % inode,
        b"\0a\nb\nc\n" + FORGED % 0,
        b"lie\n" + FORGED % 99,
        b"\n" + FORGED % inode,
        b"\0\n" + (b"0: 00000002 00000000 00000000 0001 02 0 @victim"),
        b"\0\nffff: 00000002 00000000 00000000 0001 03 %d @victim" % inode,
        b"\0\n" * 30,
        b"\0end\n",
    ]
    kept = [bound(name) for name in lies]
    kept += [bound(b"\0lie\n" + FORGED % 4243, socket.SOCK_SEQPACKET)]
    expected = {os.fstat(end.fileno()).st_ino for end in [victim, *kept]}
    for options in ((), ("-p",), ("--source", "netlink")):
        rows = unix_rows(*options)
        found = [row["inode"] for row in rows if row["inode"]]
        assert len(found) == len(set(found)) and expected <= set(found)
        assert not [row for row in rows if (row["path"] or "").startswith("/run/forged")]
        mine = {row["inode"]: row["path"] for row in rows if row["inode"] in expected}
        assert mine[inode] == "@victim"
        assert mine[os.fstat(kept[0].fileno()).st_ino] == "@lie\n" + (FORGED % 4242).decode()
    text = checked("classic", "-xa")
    assert " 4242 " not in text and "forged" not in text  # netstat cuts a name at a blank
    for end in [victim, *kept]:
        end.close()


@needs_own_proc
def test_connections_that_wait_have_their_listener_s_name() -> None:
    """They have no inode, and netlink does not tell of them."""
    name = f"\0wait\nting {os.getpid()}".encode()
    listener = bound(name)
    listener.listen()
    clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for client in clients:
        client.connect(name)
    rows = [row for row in unix_rows() if (row["path"] or "").encode() == b"@" + name[1:]]
    assert sorted(row["state"] for row in rows) == ["CONNECTING"] * 3 + ["LISTENING"]
    for end in [listener, *clients]:
        end.close()


@needs_own_proc
def test_proc_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc/ and a link to /proc are /proc, where the kernel is asked."""
    (tmp_path / "link").symlink_to("/proc")
    monkeypatch.chdir("/")
    name = b"\0here %d\n" % os.getpid() + FORGED % 4244
    forger = bound(name)
    expected = printed("-ie")
    for root in ("/proc/", "//proc", "/proc/.", "/./proc", "proc", str(tmp_path / "link")):
        assert Proc(root).own
        assert not [row for row in unix_rows("--proc", root) if row["inode"] == 4244], root
        flags = re.findall(rb"flags=\S+  mtu \d+", printed("-ie", "--proc", root))
        assert flags == re.findall(rb"flags=\S+  mtu \d+", expected)
    forger.close()


def test_elsewhere_a_forged_row_cannot_be_told(proc_tree: Tree) -> None:
    """Of another machine's table there is nothing to ask; half a name is no row, though, and
    nothing that is printed moves a cursor."""
    text = b"Num RefCount Protocol Flags Type St Inode Path\n"
    text += b"0000000000000000: 00000002 00000000 00000000 0001 01 11 @half\n\x1b[2Jname\n"
    text += b"0000000000000000: 00000002 00000000 00000000 0001 01 12 /a\n" + FORGED % 13 + b"\n"
    root = str(proc_tree(unix=text))
    assert [row["inode"] for row in unix_rows("--proc", root)] == [11, 12, 13]
    checked("classic", "-xa", "--proc", root)


# Names of hosts, services, users and interfaces, in namespaces of our own

PRIVATE = r'''
import contextlib, json, os, pathlib, socket, struct, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
import etc, loopback
from runner import invoke
from bench import NameServer
from pynetstat.cli import main

folder, NASTY = sys.argv[2], [bytes.fromhex(name) for name in sys.argv[3].split(",")]
words = [b"".join(name.split()) for name in NASTY]

class Liar(NameServer):
    """Answers with names that no host has."""

    def answer(self, question, peer):
        end = question.index(b"\0", 12) + 5
        number = int(question[13 : 13 + question[12]])
        label = NASTY[number % len(NASTY)][:60]
        name = bytes([len(label)]) + label + b"\7example"
        record = struct.pack(">HHHIH", 0xC00C, 12, 1, 60, len(name) + 1) + name + b"\0"
        header = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        self.door.sendto(header + question[12:end] + record, peer)

files = {
    "resolv.conf": b"nameserver 127.0.0.1\noptions attempts:1 timeout:2\n",
    "nsswitch.conf": b"hosts: files dns\nservices: files\nprotocols: files\npasswd: files\n",
    "hosts": b"".join(b"127.2.0.%d %s.test\n" % (n + 1, word) for n, word in enumerate(words))
    + b"::1 six\x1b[31m\n",
    "services": b"".join(b"%s %d/tcp\n" % (word, 7000 + n) for n, word in enumerate(words)),
    "passwd": b"root:x:0:0::/:/bin/sh\n"
    + b"".join(b"%s:x:%d:1::/:/bin/sh\n" % (word.replace(b":", b""), 5000 + n)
               for n, word in enumerate(words)),
}
own = etc.write(pathlib.Path(folder), files)
subprocess.run(["mount", "--bind", str(own), "/etc"], check=True)
loopback.set_up()
links = [word[:15] for word in words]
made = []
for number, name in enumerate(links):
    done = subprocess.run([b"ip", b"link", b"add", name, b"type", b"bridge"], capture_output=True)
    if done.returncode == 0:
        subprocess.run([b"ip", b"addr", b"add", b"10.7.%d.1/24" % number, b"dev", name], check=True)
        subprocess.run([b"ip", b"link", b"set", name, b"up"], check=True)
        made.append(name)

server = Liar(0)
server.start()
kept = []
for number in range(len(words)):
    listener = socket.create_server((f"127.2.0.{number + 1}", 7000 + number))
    client = socket.socket()
    client.bind((f"127.9.0.{number}", 0))
    os.seteuid(5000 + number if number % 2 else 61000 + number)
    extra = socket.create_server((f"127.8.0.{number + 1}", 9000 + number))
    os.seteuid(0)
    client.connect(listener.getsockname())
    kept += [listener, client, listener.accept()[0], extra]

answers = {}
for case in sys.argv[4:]:
    result = invoke(main, case.split())
    answers[case] = result.exit_code, result.stdout_bytes.hex(), result.stderr_bytes.hex()
    with contextlib.suppress(TypeError):
        assert result.exception is None or isinstance(result.exception, SystemExit)
print(json.dumps([[name.hex() for name in made], answers]))
server.ended = True
os._exit(0)
'''

CASES = [
    *(f"-{letters} --format {name}"
      for letters in ("tae", "ia", "r", "r6", "gn")
      for name in ("classic", "csv", "tsv", "plain", "github", "html", "rst")),
    "-taeW", "-ta6", "-iae", "-ree", "-r6n", "-g", "-ta --json", "-ia --json", "-r --json",
    "-r6 --json", "-g --json", "-iac --count 2 --interval 0",
]  # fmt: skip


@needs_root
@needs_namespaces
@needs_ip
def test_names_of_hosts_services_users_and_interfaces(tmp_path: Path) -> None:
    """A name server that answers with terminal sequences, files of names that hold them, and
    interfaces that are called by them."""
    here = str(Path(__file__).parent)
    names = ",".join(name.hex() for name in NASTY)
    command = [sys.executable, "-c", PRIVATE, here, str(tmp_path), names, *CASES]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *command], capture_output=True, timeout=300
    )
    assert done.stdout, done.stderr.decode()
    links, answers = json.loads(done.stdout)
    texts = {}
    for case, (status, out, err) in answers.items():
        texts[case] = text = bytes.fromhex(out).decode("utf-8")
        assert status == 0, (case, bytes.fromhex(err))
        plain = text.replace("\r\n", "\n") if "csv" in case else text
        plain = plain.replace("\t", "") if "tsv" in case else plain
        assert not HARMFUL.search(plain), (case, text)
        assert not HARMFUL.search(bytes.fromhex(err).decode()), case
    assert len(links) > 5
    rows = texts["-ia --format classic"].splitlines()[2:]
    assert len(rows) == len(links) + 1
    assert len(json.loads(texts["-ia --json"])["interfaces"]) == len(links) + 1
    sockets = json.loads(texts["-ta --json"])["sockets"]
    assert len(sockets) == 4 * len(NASTY)
    users = {row["user"] for row in sockets}
    assert None in users and len(users) > len(NASTY) // 2
    assert len(texts["-tae --format classic"].splitlines()) == len(sockets) + 2
    assert any(row["local_host"] and "?" not in row["local_host"] for row in sockets)
    routes = json.loads(texts["-r --json"])["routes"]
    assert len(texts["-r --format classic"].splitlines()) == len(routes) + 2


def test_text_of_a_capture_in_every_format(proc_tree: Tree) -> None:
    """Names in each of a capture's tables; what is no table of a kernel is left out or clean."""
    name = "\x1b[31m\x9b"
    root = proc_tree(
        tcp=tcp_file(1),
        dev="h\nh compressed\n" + f"{name}a: " + "1 " * 16 + "\n",
        route=f"{trees.ROUTE}\n{name}\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n",
        ipv6_route=" ".join(["0" * 32, "00"] * 2 + ["0" * 32, *["00000001"] * 4, name]) + "\n",
        igmp="Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
        + f"1\t{name}       :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n",
        igmp6=f"1    {name}   ff020000000000000000000000000001     1 0000000C 0\n",
        snmp=f"{name}: {name} A\n{name}: 1 2\n",
        netstat=f"TcpExt: {name}\nTcpExt: 7\n",
        unix="Inode\n" + f"0: 00000002 00000000 00010000 0001 01 11 /{name}\n",
    )
    for options in ("-tan", "-ia", "-iae", "-rn", "-rnee", "-rn6", "-gn", "-s", "-xa", "-s6"):
        for format in ("classic", "csv", "tsv", "plain", "github"):
            given = [*options.split(), "--format", format, "--proc", str(root)]
            result = invoke(main, given)
            assert result.exception is None or isinstance(result.exception, SystemExit)
            text = result.stdout_bytes.decode("utf-8")
            text = text.replace("\r\n", "\n") if format == "csv" else text
            text = text.replace("\t", "") if format == "tsv" else text
            assert not HARMFUL.search(text), (options, format, text)
