"""--host over a real sshd: the rows of each host, merged; every fault told, all others whole."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import can_unshare
from conftest import pynetstat as run_command
from machines import SSHD, Machines, machines
from runner import invoke
from test_schema import VALIDATOR

from pynetstat.cli import main
from pynetstat.fleet.check import Answer, Untrue
from pynetstat.fleet.hosts import Host, asked_hosts, inventory_hosts
from pynetstat.options import Misuse, Options
from pynetstat.plan import Plan

MANY = 50
LISTENERS = ("--port", "6379,8080")
LISTENER = """
import socket, sys, time
held = [socket.create_server(("127.0.0.1", port)) for port in map(int, sys.argv[1:])]
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    if not SSHD or not shutil.which("ssh"):
        pytest.skip("sshd and ssh (openssh-server, openssh-client) are not here")
    if os.geteuid() != 0:
        pytest.skip("sshd of another /etc takes root")
    if not can_unshare() or not shutil.which("nsenter"):
        pytest.skip("no private namespaces here")
    folder = tmp_path_factory.mktemp("m")
    with machines(folder, MANY) as found:
        command = found.inside(sys.executable, "-c", LISTENER, "6379", "8080")
        with subprocess.Popen(command, stdout=subprocess.PIPE) as listener:
            assert listener.stdout and listener.stdout.readline() == b"ready\n"
            yield found
            listener.kill()


def text_of(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_the_rows_of_one_host_are_its_own(here: Machines) -> None:
    for words in ("-tln", "-tlnpee", "-r", "-rn6", "-i", "-g", "-tln --sort -local_port", "-xl",
                  "-tln --tcp-info", "-tlnp --tcp-info --details --memory", "-tlnpo"):  # fmt: skip
        own = text_of(here.ask(*words.split()))
        asked = text_of(here.ask(*words.split(), "--host", "web1"))
        cut = [re.sub("^(web1 |Host |     (?=---))", "", line) for line in asked.splitlines()]
        if words in ("-i", "-r", "-rn6"):  # counters move, and references to routes
            own, cut = re.sub(r"\d+ *", "", own), [re.sub(r"\d+ *", "", line) for line in cut]
        assert cut == own.splitlines(), words


@pytest.mark.parametrize("words", [
    "-tlnp --format simple", "-tlnpo --columns all --format simple", "-xlp --format simple",
])  # fmt: skip
def test_tables_of_one_host_are_its_own(here: Machines, words: str) -> None:
    own = text_of(here.ask(*words.split()))
    asked = text_of(here.ask(*words.split(), "--host", "web1"))
    assert [line[len("web1    ") :] for line in asked.splitlines()] == own.splitlines()


def test_a_table_that_no_host_has_is_not_shown_as_empty(here: Machines) -> None:
    """As on this machine: netstat prints no heading where there is no such table."""
    words = ("--filter", "sport = 6379")
    own, asked = (text_of(here.ask(*words, *more)) for more in ((), ("--host", "web1,web2")))
    assert asked.replace("Host Proto", "Proto") == own


def test_prose_comes_host_by_host(here: Machines) -> None:
    asked = text_of(here.ask("-s", "--host", "web1,web2"))
    assert asked.startswith("Host web1\nIp:\n") and "\nHost web2\nIp:\n" in asked


@pytest.mark.parametrize("many", [1, 3, MANY])
def test_records_of_many_hosts(here: Machines, many: int) -> None:
    names = here.names[:many]
    own = json.loads(text_of(here.ask("-tlnp", "--json", *LISTENERS)))["sockets"]
    done = here.ask(
        "-tlnp", "--json", *LISTENERS, "--host", ",".join(names), "--host-timeout", "100"
    )
    document = json.loads(text_of(done))
    assert document["incomplete"] == []
    VALIDATOR.validate(document)
    rows = document["sockets"]
    assert rows == [{"host": name, **row} for name in names for row in own]
    for line in text_of(here.ask("-tln", "--format", "jsonl", "--host", names[-1])).splitlines():
        assert json.loads(line)["host"] == names[-1]


def test_counts_columns_sort_and_tables(here: Machines) -> None:
    hosts = ("--host", "web2,web1")
    counts = text_of(here.ask("-tln", *hosts, "--count-by", "host,state", "--format", "csv"))
    assert counts.split() == ["host,state,count", "web1,LISTEN,3", "web2,LISTEN,3"]
    counts = text_of(here.ask("-tln", *hosts, "--count-by", "host", "--json"))
    assert json.loads(counts)["counts"] == [
        {"host": "web1", "count": 3},
        {"host": "web2", "count": 3},
    ]
    words = ("--columns", "local_port,host", "--sort", "local_port,-host", "--format", "tsv")
    rows = text_of(here.ask("-tln", *hosts, *words)).split()[2:]
    assert rows == [
        "22",
        "web2",
        "22",
        "web1",
        "6379",
        "web2",
        "6379",
        "web1",
        "8080",
        "web2",
        "8080",
        "web1",
    ]
    table = text_of(here.ask("-tln", *hosts, "--format", "github", "--columns", "host,local_port"))
    assert "| web2   |         6379 |" in table
    table = text_of(here.ask("-tln", *hosts, *LISTENERS, "--format", "tsv", "--columns", "all"))
    assert table.startswith("host\tproto\t") and table.count("\nweb1\ttcp\t") == 2
    table = text_of(here.ask("-tln", *hosts, *LISTENERS, "--format", "github"))
    assert table.startswith("| host   | proto   |")
    network = text_of(here.ask("-tln", *hosts, "--count-by", "local_network/8", "--format", "csv"))
    assert "127.0.0.0/8,4" in network


def test_filters_are_answered_by_each_host(here: Machines) -> None:
    words = ("--columns", "host,local_port", "--no-header", "--format", "csv")
    for chosen, rows in (
        ("sport = 6379", "web1,6379 web2,6379"),
        ("host = web2 and sport != 22", "web2,6379 web2,8080"),
        ("host != web1 and sport = 22 or host = web1 and sport = 8080", "web1,8080 web2,22"),
        ("host ~ ^web", "web1,22 web1,6379 web1,8080 web2,22 web2,6379 web2,8080"),
    ):
        found = text_of(here.ask("-tln", "--host", "web1,web2", "--filter", chosen, *words))
        assert sorted(found.split()) == rows.split(), chosen
    done = here.ask("-tln", "--host", "web1", "--filter", "dport =")
    assert done.returncode == 2 and b"expected a port" in done.stderr


def test_the_kernel_is_asked_for_what_rows_are_sorted_by(here: Machines) -> None:
    for words in (
        ("--format", "jsonl"),
        ("--format", "jsonl", "--columns", "host,local_port,rtt_us"),
        ("--format", "jsonl", "-p"),
    ):
        done = here.ask("-tan", "--host", "web1,web2", "--sort", "-rtt_us,host", *words)
        rows = [json.loads(line) for line in text_of(done).splitlines()]
        assert {row["host"] for row in rows} == {"web1", "web2"}
        if "--columns" in words:
            known = [row["rtt_us"] for row in rows if row["rtt_us"] is not None]
            assert known and known == sorted(known, reverse=True)
    lines = text_of(here.ask("-tan", "--host", "web1", "--sort", "-rtt_us")).splitlines()[2:]
    assert "ESTABLISHED" in lines[0] and "ESTABLISHED" not in lines[-1]  # others have no such time


def test_statistics_and_what_a_host_does_not_know(here: Machines) -> None:
    words = ("-s", "--host", "web1,web2", "--format", "jsonl", "--columns", "host,name,value")
    rows = [json.loads(line) for line in text_of(here.ask(*words)).splitlines()]
    assert {row["host"] for row in rows if row["name"] == "ActiveOpens"} == {"web1", "web2"}
    done = here.ask("-tln", "--host", "web1,web2", "--user", "nosuch")
    assert done.returncode == 1
    told = [f"pynetstat: {name}: no user `nosuch'" for name in ("web1", "web2")]
    assert sorted(done.stderr.decode().splitlines()) == told


def test_save_and_diff(here: Machines, tmp_path: Path) -> None:
    saved = str(tmp_path / "before.json")
    assert here.ask("-tln", "--host", "web1,web2", "--save", saved).returncode == 0
    done = here.ask("-tln", "--host", "web1,web2", "--diff", saved, "--fail-on-change")
    assert (done.returncode, done.stdout) == (0, b"")
    document = json.loads(Path(saved).read_text())
    row = document["sockets"].pop()
    Path(saved).write_text(json.dumps(document))
    done = here.ask("-tln", "--host", "web1,web2", "--diff", saved, "--fail-on-change")
    assert done.returncode == 1 and done.stdout.startswith(b"+ sockets: web2 tcp ")
    document["sockets"].append({**row, "host": "silent"})
    Path(saved).write_text(json.dumps(document))
    done = here.ask("-tln", "--host", "web1,web2,silent", "--diff", saved)
    assert done.returncode == 2 and b"removed" not in done.stdout and b"silent" not in done.stdout


def test_rounds(here: Machines) -> None:
    words = ("--interval", "0.1", "--count", "2", "--format", "jsonl", "--port", "6379")
    rows = [json.loads(line) for line in text_of(
        here.ask("-tln", "--host", "web1,web2", *words)).splitlines()]  # fmt: skip
    assert [(row["host"], row["round"]) for row in rows] == [
        ("web1", 1), ("web2", 1), ("web1", 2), ("web2", 2)
    ]  # fmt: skip


LEAK = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 7000), backlog=50)
kept = []
for _ in range(25):
    client = socket.create_connection(("127.0.0.1", 7000))
    kept.append(server.accept()[0])
    client.close()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def leak(here: Machines) -> Iterator[None]:
    command = here.inside(sys.executable, "-c", LEAK)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout and program.stdout.readline() == b"ready\n"
        yield
        program.kill()


def test_the_diagnosis_of_hosts(here: Machines, leak: None) -> None:
    words = ("--diagnose", "--interval", "0.1")
    done = here.ask(*words, "--host", "web1,silent,web2")
    text = done.stdout.decode()
    assert done.returncode == 1 and lines_about(done, "silent")
    first = "WARNING: web1, web2; trouble on 2 of 3 hosts; 1 host gave no answer"
    assert text.splitlines()[0] == first
    assert text.count("WARNING close-wait-leak") == 2 and text.count("Restart the program") == 1
    document = json.loads(here.ask(*words, "--host", "web1,web2", "--json").stdout)
    VALIDATOR.validate(document)
    assert [row["host"] for row in document["result"]] == ["web1", "web2"]
    leaks = [row["host"] for row in document["findings"] if row["rule"] == "close-wait-leak"]
    assert leaks == ["web1", "web2"]
    columns = ("--format", "csv", "--columns", "host,rule")
    done = here.ask(*words, "--host", "web1", *columns)
    assert done.stdout.split()[:2] == [b"host,rule", b"web1,close-wait-leak"]


def test_the_diagnosis_of_hosts_without_trouble(here: Machines) -> None:
    words = ("--diagnose", "--interval", "0.1", "--port", "6379", "--ignore", "softnet-drops")
    done = here.ask(*words, "--host", "web1")
    assert done.returncode == 0 and done.stdout.startswith(b"OK: nothing wrong was found on 1 host")
    done = here.ask(*words, "--host", "web1,silent")
    assert done.returncode == 3 and done.stdout.startswith(
        b"UNKNOWN: nothing wrong on 1 of 2 hosts"
    )


def test_metrics_of_hosts(here: Machines) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    done = here.ask("-tln", *LISTENERS, "--host", "web1,silent,web2", "--format", "openmetrics")
    assert done.returncode == 1
    samples = [
        (one.name, one.labels["host"], one.value)
        for family in text_string_to_metric_families(done.stdout.decode())
        for one in family.samples
    ]
    for host in ("web1", "web2"):
        assert ("node_tcp_connection_states", host, 2) in samples
    assert ("pynetstat_incomplete", "silent", 1) in samples


# Faults: each host below answers wrongly in its own way. The user's configuration starts a shell
# of the test's instead of asking the machine, by ProxyCommand or by the command that sshd forces.


def forced(here: Machines, name: str, script: str) -> None:
    """Make `name` a host whose sshd runs this shell script instead of what it is asked."""
    folder = here.folder
    key = folder / f"{name}_key"
    if not key.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(command, check=True)
        file = folder / f"{name}.sh"
        public = Path(f"{key}.pub").read_text()
        with open(folder / "authorized", "a") as authorized:
            authorized.write(f'command="sh {file}" {public}')
        config = folder / "home" / ".ssh" / "config"
        block = f"Host {name}\n HostName 127.9.0.1\n HostKeyAlias web1\n IdentityFile {key}\n"
        block += " IdentitiesOnly yes\n"
        text = config.read_text().replace("Host * !denied", f"Host * !denied !{name}")
        text = re.sub(r"^(Host \* !.*)$", rf"\1 !{name}", text, count=1, flags=re.M)
        config.write_text(block + text)
    (folder / f"{name}.sh").write_text(script)


ASKED = 'eval "$SSH_ORIGINAL_COMMAND"'
FAULTS: dict[str, tuple[str, str]] = {
    "nopython": ("exec sh -c 'exec python3-that-is-not-here'", "there is no python3; install"),
    "noshell": (
        "echo 'This account is not available.'; exit 1",
        "connection ended with status 1",
    ),
    "garbage": ("head -c 300000 /dev/urandom", "what its shell prints before the answer"),
    "endless": ("yes", "what its shell prints before the answer is longer"),
    "mute": ("sleep 100", "no answer within 10 seconds; --host-timeout gives it more"),
}
BANNER = f"echo 'Welcome to this machine'; printf 'no newline'; {ASKED}"
# A host that runs the loader and then lies: what stands for the program prints these lines
LIAR = """
import json, sys
stream = sys.stdin.buffer
stream.read(int(stream.readline()))
order = json.loads(stream.readline())
mark = order["mark"]
hello = {"python": "3.11.0", "old": False, "have": True}
print(mark + json.dumps(hello), flush=True)
end = mark + json.dumps(
    {"status": 0, "fault": None, "notices": [], "more_notices": 0, "incomplete": []})
section = '{"section": 0}'
row = {"line": "tcp 0 0 \\x1b[2J127.0.0.1:1 *:* LISTEN", "below": ""}
"""
LIES: dict[str, tuple[str, str]] = {
    "cutoff": ("print(section); print(json.dumps(row))", "its answer broke off"),
    "nojson": ("print(section); print('{'); print(end)", "a line is no JSON"),
    "norow": ("print(section); print('{}'); print(end)", "a line is no row"),
    "nosection": ("print(json.dumps(row)); print(end)", "a row is of no listing"),
    "foreign": ("print(section); print(json.dumps({**row, 'host': 'web1'})); print(end)",
                "a row has not the fields that were asked for"),
    "wrongtype": ("print(section); print(json.dumps({**row, 'line': 7})); print(end)",
                  "`line' is not what the schema says"),
    "deep": ("print(section); print('[' * 100000); print(end)", "a line is no JSON"),
    "flood": ("print(section)\nwhile True: print(json.dumps(row))", "longer than 131,072 KiB"),
    "longline": ("print(section)\nwhile True: sys.stdout.write('x' * 65536)", "without an end"),
    "lastword": ("print(section); print(mark + '{}')", "its last line is not pynetstat's"),
    "oldpython": ("", "its Python is 3.6.8; install Python 3.10 or newer there"),
    "reason": ("print(mark + json.dumps({**json.loads(end[len(mark):]), 'fault': 'a\\x1bb'}))",
               "a?b"),
}  # fmt: skip


def lines_about(done: subprocess.CompletedProcess[bytes], name: str) -> list[str]:
    return [line for line in done.stderr.decode().splitlines() if f" {name}: " in line]


@pytest.mark.parametrize("name", FAULTS)
def test_a_host_that_does_not_answer(here: Machines, name: str) -> None:
    script, told = FAULTS[name]
    forced(here, name, script)
    limit = "10" if name == "mute" else "100"
    done = here.ask("-tln", "--json", "--host", f"web1,{name},web2", "--host-timeout", limit)
    assert_lost(done, name, told)


@pytest.mark.parametrize("name", [name for name in LIES if name != "flood"])
def test_a_host_that_answers_wrongly(here: Machines, name: str) -> None:
    lie(here, name)
    done = here.ask("-tln", "--host", f"web1,{name},web2", "--host-timeout", "20")
    (line,) = lines_about(done, name)
    assert done.returncode == 1 and LIES[name][1] in line
    rows = done.stdout.decode().splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["web1"] * 3 + ["web2"] * 3
    assert b"\x1b" not in done.stdout + done.stderr


def lie(here: Machines, name: str) -> None:
    program = here.folder / f"{name}.py"
    code = LIAR.replace("3.11.0", "3.6.8").replace("False", "True") if name == "oldpython" else LIAR
    program.write_text(code + LIES[name][0])
    forced(here, name, f"exec {sys.executable} {program}")


def assert_lost(done: subprocess.CompletedProcess[bytes], name: str, told: str) -> None:
    (line,) = lines_about(done, name)
    assert done.returncode == 1 and told in line, line
    document = json.loads(done.stdout)
    (missing,) = document["incomplete"]
    assert (missing["what"], missing["host"]) == ("host", name) and told in missing["reason"]
    assert [row["host"] for row in document["sockets"]] == ["web1"] * 3 + ["web2"] * 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("silent", "connection refused; is sshd running there"),
        ("stranger", "its host key is not known; `ssh stranger' once"),
        ("denied", "permission denied"),
        ("nosuch", "no such name; check its spelling"),
    ],
)
def test_a_host_that_cannot_be_reached(here: Machines, name: str, told: str) -> None:
    assert_lost(here.ask("-tln", "--json", "--host", f"web1,{name},web2"), name, told)


def test_a_banner_is_no_fault(here: Machines) -> None:
    forced(here, "banner", BANNER)
    done = here.ask("-tln", "--host", "banner", "--columns", "local_port", "--no-header")
    assert sorted(text_of(done).split()) == ["22", "6379", "8080"]


@pytest.mark.unmeasured
def test_memory_is_bounded_while_a_host_floods(here: Machines) -> None:
    lie(here, "flood")
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'pynetstat', *sys.argv[1:]])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    words = ("-tln", "--host", "flood,web1", "--host-timeout", "300")
    done = here.run(sys.executable, "-c", code, *words, timeout=400)
    (line,) = lines_about(done, "flood")
    assert LIES["flood"][1] in line and "web1" in done.stdout.decode()
    assert int(done.stdout.split()[-1]) < 600_000  # KiB


def test_an_installed_pynetstat_of_the_same_version_is_used(here: Machines) -> None:
    top = Path(__file__).parents[1]
    for path, told in ((str(top), "installed"), ("/nowhere", "sent")):
        code = f"export PYTHONPATH={shlex.quote(path)}; {ASKED}"
        forced(here, told, code)
        done = here.ask("-tln", "--host", told, "--columns", "local_port", "--no-header")
        assert sorted(text_of(done).split()) == ["22", "6379", "8080"]


@pytest.mark.unmeasured
def test_children_end_with_the_program(here: Machines) -> None:
    forced(here, "mute", "sleep 100")
    for number in (signal.SIGTERM, signal.SIGINT):
        command = here.inside(sys.executable, "-m", "pynetstat", "-tln", "--host", "mute")
        process = subprocess.Popen(command, env=here.environment(), stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while not (children := children_of(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == -number
        while any(map(runs, children)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children and not any(map(runs, children))


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [*map(int, text.split())]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# Names and inventories


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=id", "a b", "", "user@-oProxyCommand=id", "a\x1bb", "ssh://-x", "a;b"]
)
def test_what_is_no_name_of_a_host(name: str, tmp_path: Path) -> None:
    if name:
        done = run_command("-tln", f"--host={name}")
        assert done.returncode == 2 and b"is no name of a host" in done.stderr
        assert b"\x1b" not in done.stderr
    file = tmp_path / "hosts"
    file.write_text(f"# nothing\n{name.replace(' ', '')[:0]}\n")
    done = run_command("-tln", "--hosts", str(file))
    assert done.returncode == 2 and b"no host to ask" in done.stderr


def test_hosts_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\nweb1\n  root@web2  # the second\n\nweb1\n")
    names = [host.name for host in asked_hosts(Options(hosts=str(file), host=("web3",)))]
    assert names == ["web3", "web1", "root@web2"]
    with pytest.raises(Misuse, match="No such file"):
        asked_hosts(Options(hosts="/nowhere"))


INVENTORY: dict[str, Any] = {
    "_meta": {
        "hostvars": {
            "web1": {"ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_user": "deploy"},
            "web2": {"ansible_become": True, "ansible_python_interpreter": "/opt/python"},
            "db1": {"ansible_python_interpreter": "auto_silent"},
        }
    },
    "all": {"children": ["ungrouped", "web", "db"]},
    "web": {"hosts": ["web1", "web2"]},
    "db": {"hosts": ["db1"]},
}


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), "web1 web2 db1"),
        (("web",), "web1 web2"),
        (("*1",), "web1 db1"),
        (("all", "!db"), "web1 web2"),
        (("web", "&*2"), "web2"),
        (("db:web1",), "db1 web1"),
        (("!web",), "db1"),
    ],
)
def test_patterns_of_an_inventory(patterns: tuple[str, ...], names: str) -> None:
    assert [host.name for host in inventory_hosts(INVENTORY, patterns)] == names.split()


def test_variables_of_an_inventory() -> None:
    web1, web2, db1 = inventory_hosts(INVENTORY, ())
    assert web1 == Host("web1", "192.0.2.1", "deploy", "2222")
    assert web2 == Host("web2", "web2", python="/opt/python", become="root")
    assert db1 == Host("db1", "db1")
    with pytest.raises(Misuse, match="no host or group `cache'"):
        inventory_hosts(INVENTORY, ("cache",))


def test_an_inventory_needs_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = invoke(main, ["-tln", "--inventory", "hosts.ini"])
    assert result.exit_code == 2 and "install ansible-core" in result.stderr


INI = """
[web]
web[1:3]
[db]
web4 ansible_host=127.9.0.5
[gone]
silent
"""
needs_ansible = pytest.mark.skipif(not shutil.which("ansible"), reason="ansible-core is not here")


@needs_ansible
@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_an_inventory_by_either_engine(here: Machines, tmp_path: Path, engine: str) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text(INI)
    environment = here.environment(LC_ALL="C.UTF-8")
    words = ("-tln", *LISTENERS, "--inventory", str(file), "--engine", engine)
    done = here.ask(*words, "--host", "web:db,!web2", "--json", env=environment)
    rows = [(row["host"], row["local_port"]) for row in json.loads(text_of(done))["sockets"]]
    assert sorted(rows) == [(f"web{one}", port) for one in (1, 3, 4) for port in (6379, 8080)]
    done = here.ask(*words, "--host", "web1,gone", env=environment)
    (line,) = lines_about(done, "silent")
    assert done.returncode == 1 and "connection refused" in line
    assert [row.split()[0] for row in done.stdout.decode().splitlines()[2:]] == ["web1", "web1"]


def test_the_engine_needs_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = invoke(main, ["-tln", "--host", "web1", "--engine", "ansible"])
    assert result.exit_code == 2 and "install ansible-core" in result.stderr


# What a host may send


def answer_to(*lines: Any, **options: Any) -> Answer:
    plan = Plan(Options(tcp=True, host=("web1",), **options))
    answer = Answer("web1", plan.listings, plan.options, ())
    for line in lines:
        answer.take(json.dumps(line).encode())
    answer.read_lines()
    return answer


ROW = dict.fromkeys(Plan(Options(tcp=True)).listings[0].record._fields)
ROW |= {"record": "sockets", "proto": "tcp", "family": "inet", "local_port": 80}


def test_a_record_becomes_a_row_of_its_host() -> None:
    row = {**ROW, "program": "n\x1b\u00e4me"}
    ((table,),) = answer_to({"section": 0}, row, format="jsonl").sections
    (record,) = table
    assert (record.host, record.local_port, record.program) == ("web1", 80, "n\x1b\u00e4me")


@pytest.mark.parametrize(
    "change",
    [
        {"local_port": "80"}, {"local_port": True}, {"local_port": 1 << 70}, {"proto": None},
        {"proto": 1}, {"program": "\ud800"}, {"timer": {"name": "on"}}, {"timer": 1},
        {"processes": [{"pid": "1", "program": "x", "fd": 1}]}, {"record": "unix"},
        {"host": "web2"}, {"more": 1}, {"memory": {"\ud800": 1}}, {"local_port": 1e99},
    ],
)  # fmt: skip
def test_what_the_schema_does_not_have(change: dict[str, Any]) -> None:
    with pytest.raises(Untrue):
        answer_to({"section": 0}, {**ROW, **change}, format="jsonl")


@pytest.mark.parametrize(
    "line", [{"section": 1}, {"section": True}, {"section": -1}, {"text": "a"}]
)
def test_lines_that_are_no_rows(line: Any) -> None:
    with pytest.raises(Untrue):
        answer_to(line, format="jsonl")


def test_the_question_over_snapshots(here: Machines, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not here")
    page = (Path(__file__).parents[1] / ".docs" / "hosts.md").read_text("utf-8")
    query = re.search(r'duckdb -c "\n(.*?)"\n', page, re.S)
    assert query
    rows = here.ask("-tanp", "--host", "web1,web2", "--format", "jsonl").stdout
    import gzip

    (tmp_path / "now.jsonl.gz").write_bytes(gzip.compress(rows))
    text = query[1].replace("sockets/*", f"{tmp_path}/*").replace("192.0.2.7", "0.0.0.0")
    found = duckdb.sql(text.replace("ESTABLISHED", "LISTEN")).fetchall()
    assert {host for host, _, _ in found} == {"web1", "web2"}


def test_any_python_3_can_read_the_loader() -> None:
    import ast

    from pynetstat.fleet.payload import loader_text
    from pynetstat.fleet.ssh import FIRST, first_command

    for text in (loader_text().decode(), FIRST):
        ast.parse(text, feature_version=(3, 4))
    words = shlex.split(first_command(Host("web1", "web1", python="/opt/a b/python", become="www")))
    assert words[:7] == ["sudo", "-n", "-u", "www", "--", "/opt/a b/python", "-c"]
    assert len(words) == 8 and "'" not in words[7] and "\n" not in words[7]


def pythons() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(root.glob("versions/3.*/bin/python3")) or [Path(sys.executable)]


@pytest.mark.parametrize("python", pythons(), ids=lambda path: path.parts[-3])
def test_every_python_answers_or_says_that_it_is_old(python: Path, tmp_path: Path) -> None:
    from pynetstat.fleet.payload import packed_program
    from pynetstat.fleet.ssh import Call, Lost, first_command

    answer = answer_to(numeric_hosts=True)
    fields = {"tcp": True, "listening": True, "numeric_hosts": True, "host": ["web1"]}
    call = Call(Host("web1", "web1"), answer, {"options": fields, "fields": []}, 30)
    whole = packed_program()
    done = subprocess.run(
        ["/bin/sh", "-c", first_command(Host("web1", "web1", python=str(python)))],
        input=call.out + b"%d\n%s" % (len(whole), whole),
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
        env={"PATH": "/nowhere"},
    )
    version = subprocess.run([python, "-V"], capture_output=True, text=True).stdout.split()[1]
    if tuple(map(int, version.split(".")[:2])) < (3, 10):
        with pytest.raises(Lost, match=f"its Python is {version}; install Python 3.10"):
            call.feed(done.stdout)
        return
    call.feed(done.stdout)
    assert call.ended and not done.stderr, done.stderr
    assert answer.status == 0 and answer.sections


@pytest.mark.unmeasured
def test_memory_is_bounded_while_many_hosts_flood(here: Machines) -> None:
    """The longest of all answers that are coming ends first; here the limit is small."""
    lie(here, "flood")
    code = (
        "import sys\n"
        "from pynetstat.fleet import ssh\n"
        "ssh.TOGETHER = 1 << 20\n"
        "sys.argv[0] = 'pynetstat'\n"
        "from pynetstat.__main__ import main\n"
        "main()\n"
    )
    done = here.run(sys.executable, "-c", code, "-tln", "--host", "flood,web1")
    (line,) = lines_about(done, "flood")
    assert "MiB of answers at a time" in line
    assert [row.split()[0] for row in done.stdout.decode().splitlines()[2:]] == ["web1"] * 3
