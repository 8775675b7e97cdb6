"""Metrics, judged by Prometheus's own parser and by promtool."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, tcp_file, tcp_row
from runner import invoke

from pynetstat.cli import main

parser = pytest.importorskip("prometheus_client.openmetrics.parser")
old_parser = pytest.importorskip("prometheus_client.parser")
CAPTURES = Path(__file__).parent / "captures"
LISTINGS = ["-tuwUSxapn", "-r", "-r6", "-iae", "-g", "-s", "-s6", "-M", "-a --ax25 --ipx --rose"]


def text(*words: str) -> str:
    result = invoke(main, [*words, "--source", "proc"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.stdout


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(document: str) -> Samples:
    """The samples of a document that Prometheus's parser accepts; none stands there twice."""
    found: Samples = {}
    for family in parser.text_string_to_metric_families(document):
        for one in family.samples:
            key = one.name, frozenset(one.labels.items())
            assert key not in found, key
            found[key] = one.value
    return found


def test_states(proc_tree: Tree) -> None:
    heading = tcp_file(0)[0]
    rows = [tcp_row(at, state=state) for at, state in enumerate((1, 1, 8, 10))]
    root = str(proc_tree(tcp=[heading, *rows], tcp6=[heading, tcp_row(0, state=1)]))
    found = samples(text("-tan", "--proc", root, "--format", "openmetrics"))
    states = {"established": 3, "close_wait": 1, "listen": 1}
    for state, count in states.items():
        assert found["node_tcp_connection_states", frozenset({("state", state)})] == count
    labels = {"proto": "tcp", "family": "inet", "state": "ESTABLISHED"}
    assert found["pynetstat_sockets", frozenset(labels.items())] == 2


@pytest.mark.parametrize("options", LISTINGS)
@pytest.mark.parametrize(
    "capture", sorted(CAPTURES.glob("*/proc")), ids=lambda one: one.parent.name
)
def test_every_listing(options: str, capture: Path) -> None:
    words = [*options.split(), "--proc", str(capture), "--format"]
    document = text(*words, "openmetrics")
    if document:
        assert document.endswith("# EOF\n")
        found = samples(document)
        old: Samples = {}
        for family in old_parser.text_string_to_metric_families(text(*words, "prometheus")):
            old |= {(one.name, frozenset(one.labels.items())): one.value for one in family.samples}
        assert old == found


def test_the_counters_are_those_of_json() -> None:
    capture = str(CAPTURES / "article/proc")
    found = samples(text("-i", "--proc", capture, "--format", "openmetrics"))
    key = "node_network_receive_packets_total", frozenset({("device", "eth1")})
    assert found[key] == 253744


def test_ports_only_where_they_were_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert port not in text("-tan", "--format", "openmetrics")
        found = samples(text("-tan", "--port", port, "--format", "openmetrics"))
    labels = {"proto": "tcp", "state": "LISTEN", "port": port, "end": "local"}
    assert found["pynetstat_port_sockets", frozenset(labels.items())] == 1


def test_a_label_of_a_stranger_is_harmless(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(1), tcp6=tcp_file(0))
    process = root / "42"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to("socket:[1000]")
    (process / "cmdline").write_bytes(b'a"b\\c\n\x1b[2J} 5\n# EOF\0')
    words = ["-tanp", "--count-by", "program", "--top", "3", "--proc", str(root)]
    found = samples(text(*words, "--format", "openmetrics"))
    labels = {dict(labels).get("program") for name, labels in found if name == "pynetstat_rows"}
    assert labels == {'a"b\\c??[2J} 5?# EOF'}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("-ta --count-by program", "add --top N"),
        ("-ta --count-by state,remote_address", "add --top N"),
        ("-ta -c", "-c goes with --save"),
        ("-ta --columns proto", "no effect"),
        ("-ta --sort proto", "no effect"),
        ("-ta --no-header", "no effect"),
        ("-ta --diff x", "no effect"),
    ],
)
def test_what_makes_no_sense(words: str, why: str) -> None:
    result = invoke(main, [*words.split(), "--format", "openmetrics"])
    assert result.exit_code == 2 and why in result.stderr and result.stdout == ""


def test_saved_for_the_textfile_collector(tmp_path: Path) -> None:
    file = tmp_path / "sockets.prom"
    words = ["-tan", "--format", "prometheus", "--save", str(file), "--count", "2"]
    assert invoke(main, [*words, "--interval", "0"]).exit_code == 0
    content = file.read_text()
    assert "# TYPE pynetstat_sockets gauge\n" in content and "# EOF" not in content


@pytest.mark.parametrize("options", LISTINGS[:5])
def test_promtool(options: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's package prometheus) is not here")
    capture = str(CAPTURES / "article/proc")
    document = text(*options.split(), "--proc", capture, "--format", "prometheus")
    check = ["promtool", "check", "metrics"]
    done = subprocess.run(check, input=document, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_promtool_of_the_statistics() -> None:
    """The kernel's names are the one thing that it does not like."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's package prometheus) is not here")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text("-s", "--format", "prometheus"),
        capture_output=True,
        text=True,
    )
    complaints = (done.stdout + done.stderr).splitlines()
    assert all("camelCase" in line for line in complaints), complaints


SCRAPED = """
global: {{scrape_interval: 5s, scrape_timeout: 5s}}
scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_prometheus_answers_with_the_right_number(tmp_path: Path) -> None:
    """--save, node_exporter's textfile collector, a scrape, a query. Who wants this test installs
    Debian's prometheus and prometheus-node-exporter."""
    programs = ("prometheus", "prometheus-node-exporter")
    if not all(map(shutil.which, programs)):
        pytest.skip("prometheus and prometheus-node-exporter are not here")
    exported, served = free_port(), free_port()
    (tmp_path / "config").write_text(SCRAPED.format(port=exported))
    commands = (
        ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
         f"--collector.textfile.directory={tmp_path}",
         f"--web.listen-address=127.0.0.1:{exported}"],
        ["prometheus", f"--config.file={tmp_path / 'config'}",
         f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{served}"],
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            stack.callback(process.kill)
        listeners = [stack.enter_context(socket.create_server(("127.0.0.2", 0))) for _ in range(7)]
        chosen = ["-tln", "--filter", "src 127.0.0.2"]
        saved = str(tmp_path / "sockets.prom")
        assert invoke(main, [*chosen, "--format", "prometheus", "--save", saved]).exit_code == 0
        query = f"http://127.0.0.1:{served}/api/v1/query?query=pynetstat_sockets"
        results: list[dict[str, Any]] = []
        until = time.monotonic() + 200
        while not results and time.monotonic() < until:
            time.sleep(0.5)
            with contextlib.suppress(OSError), urllib.request.urlopen(query, timeout=5) as answer:
                results = json.load(answer)["data"]["result"]
        assert [one["value"][1] for one in results] == [str(len(listeners))]
        labels = {"proto": "tcp", "family": "inet", "state": "LISTEN"}
        assert labels.items() <= results[0]["metric"].items()


def test_queues_of_udp() -> None:
    """Under node_exporter's name: bytes by queue and IP version."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        end.sendto(b"x" * 100, end.getsockname())
        port = end.getsockname()[1]
        words = ["-uan", "--filter", f"sport = {port}", "--format", "openmetrics"]
        lines = text(*words).splitlines()
        rows = [line for line in lines if line.startswith('node_udp_queues{queue="rx",ip="v4"}')]
        assert len(rows) == 1 and int(rows[0].split()[1]) >= 100
