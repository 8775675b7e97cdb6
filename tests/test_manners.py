"""Letters and operands of Windows and macOS, and what Linux keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import record
from conftest import needs_namespaces

from pynetstat.cli.reading import End, Reading
from pynetstat.diagnosis import known_here

MAC, WINDOWS, LINUX = "darwin", "win32", "linux"


def said(system: str, line: str) -> dict[str, Any]:
    reading = Reading(system=system)
    assert list(reading.read(line.split())) == []
    return {field: value for field, (_, value) in reading.said.items()}


def same(system: str, theirs: str, ours: str) -> None:
    """Both lines ask for the same, the second one in net-tools' letters."""
    assert said(system, theirs) == said(LINUX, ours)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("-ano", "-anp"),
        ("-aon", "-apn"),
        ("-anob", "-anp"),
        ("-b", "-p"),
        ("-f", "-W"),
        ("-anq", "-an"),
        ("-s -p tcp", "-spt4"),
        ("-an -p TCPv6", "-anpt6"),
        ("-anp udp", "-anpu4"),
        ("-ano 5", "-anp --interval 5"),
        ("-an 1", "-an --interval 1"),
        ("/ano", "-anp"),
        ("/a /n /o", "-anp"),
        # what shows something here is net-tools'
        ("-antp", "-antp"),
        ("-e", "-e"),
        ("-rn", "-rn"),
        ("-apA inet", "-apA inet"),
        ("-tlnp --port 53", "-tlnp --port 53"),
    ],
)
def test_windows(theirs: str, ours: str) -> None:
    same(WINDOWS, theirs, ours)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("-an -f inet", "-anA inet"),
        ("-af inet", "-aA inet"),
        ("-an -f unix", "-anx"),
        ("-rn -f inet6", "-rn6"),
        ("-s -f inet6", "-s6"),
        ("-anv -p tcp", "-anvtp"),
        ("-s -p tcp", "-stp"),
        ("-ib", "-ie"),
        ("-bi", "-ie"),
        ("-b", ""),
        ("-Lan", "-ltn"),
        ("-i -w 1", "-i --interval 1"),
        ("-w 2", "--interval 2"),
        ("-an -w", "-anw"),
        ("-nlp", "-nlp"),
        ("-tlnp", "-tlnp"),
        ("-apA inet", "-apA inet"),
    ],
)
def test_macos(theirs: str, ours: str) -> None:
    same(MAC, theirs, ours)


def test_one_interface() -> None:
    """-I names one; it is listed up or down, with -w again and again."""
    wanted = {"interfaces": True, "all": True, "filter": 'dev = "en0"'}
    assert said(MAC, "-I en0") == wanted
    assert said(MAC, "-Ien0") == wanted
    assert said(MAC, "-i -I en0 -w 1") == {**wanted, "interval": "1"}
    both = said(MAC, "-I en0 --filter mtu=1500")
    assert both["filter"] == '(mtu=1500) and dev = "en0"'


@pytest.mark.parametrize(
    ("system", "line", "words"),
    [
        (WINDOWS, "-an -p tcpv7", "`tcpv7' is not an option; the protocols are tcp, "),
        (WINDOWS, "-an nginx", "did you mean --program nginx?"),
        (WINDOWS, "-an 192.0.2.7", "did you mean --filter 'dst 192.0.2.7'?"),
        (WINDOWS, "-an 0", "`0' is not an option"),
        (WINDOWS, "-y", "invalid option -- 'y'; connection templates"),
        (MAC, "-an 80", "did you mean --port 80"),
        (MAC, "-an -- 80", "did you mean --port 80"),
        (MAC, "-an inet", "did you mean --inet?"),
        (MAC, "-an -f", "-f does not take `' here; it takes inet"),
        (MAC, "-an -f ipx", "-f does not take `ipx' here"),
        (MAC, "-nP -iTCP", "invalid option -- 'P'; lsof's -P is -n here"),
        (MAC, "-m", "mbufs"),
        (LINUX, "-anb", "Windows' -b is -p here"),
        (LINUX, "-q", "Windows' -q is -a here"),
        (LINUX, "-I en0", "--filter 'dev = NAME' -i here"),
        (LINUX, "-Lan", "-ltn here"),
        (LINUX, "-iTCP", "--lsof"),
        (LINUX, "-ss", "-s is there twice"),
        (LINUX, "-rs", "exclude each other"),
    ],
)
def test_what_is_no_option_is_answered_with_what_would_be(
    system: str, line: str, words: str
) -> None:
    with pytest.raises(End) as end:
        said(system, line)
    assert end.value.status == 3
    assert words in end.value.message


def test_help_by_the_letter_of_windows() -> None:
    with pytest.raises(End) as end:
        said(WINDOWS, "/?")
    assert (end.value.status, end.value.show) == (0, "help")


@pytest.mark.parametrize(
    "line", ["-ano 5", "-an nginx", "-n /ano", "-antp tcp", "-rn -w 1", "-s -p tcp", "-- 80"]
)
def test_linux_passes_operands_over(line: str) -> None:
    """As netstat does, without a word."""
    kept = " ".join(word for word in line.split() if word.startswith("-") and word != "--")
    same(LINUX, line, kept)


def test_linux_does_not_load_them() -> None:
    code = (
        "import sys; from pynetstat.cli.action import fields_of_words;"
        "fields_of_words(['-ano', '5'], 'pynetstat');"
        "print('pynetstat.cli.manners' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"


LEAK = """
import loopback, socket, subprocess, sys
loopback.set_up()
server = socket.socket(); server.bind(("127.0.0.1", 8080)); server.listen(200)
kept = []
for _ in range(int(sys.argv[1])):
    client = socket.create_connection(("127.0.0.1", 8080)); kept.append(server.accept()[0])
    client.close()
words = [sys.executable, "-m", "pynetstat", "--diagnose", "--source", "psutil", "--interval", "0.2"]
sys.exit(subprocess.run([*words, "--ignore", "no-default-route,softnet-drops"]).returncode)
"""


@needs_namespaces
@pytest.mark.parametrize("connections", [0, 60])
def test_a_leak_is_found_where_no_queue_is_told(connections: int) -> None:
    """By state and owner. What this source can never tell makes no status of 3."""
    here = Path(__file__).parent
    done = subprocess.run(
        [*record.unshare("--net"), sys.executable, "-c", LEAK, str(connections)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}"},
    )
    assert done.returncode == (1 if connections else 0), done.stdout + done.stderr
    assert ("WARNING close-wait-leak" in done.stdout) is bool(connections)
    assert "UNKNOWN" not in done.stdout


def test_the_commands_of_other_systems_are_not_advised() -> None:
    commands = ["sudo pynetstat -tanp", "pynetstat -rn", "ip route show"]
    assert known_here(commands, "linux") == commands
    assert known_here(commands, "win32") == ["pynetstat -tanp", "pynetstat -rn"]
    assert known_here(commands, "darwin") == ["sudo pynetstat -tanp", "pynetstat -rn"]
