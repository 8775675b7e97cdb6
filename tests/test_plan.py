"""The plan of a run: what options imply, and which make no sense."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from runner import invoke

from pynetstat.cli import main
from pynetstat.options import Misuse, Options
from pynetstat.plan import Plan
from pynetstat.settings import DIAGNOSE, SETTINGS, WHAT

CAPTURE = str(Path(__file__).parent / "captures/article/proc")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-tan --top 5", "--top has no effect: it needs --count-by"),
        ("-tan --json --no-header", "--no-header has no effect"),
        ("-s --no-header", "--no-header has no effect"),
        ("-tan --json --format csv", "--json and --format csv contradict each other"),
        ("-tan -c --fail-if-empty", "--fail-if-empty has no effect"),
        ("-s --json --columns name", "--columns has no effect"),
        ("-r --port 80", "no row of routes has local_port or remote_port"),
        ("-i --state listening", "no row of interfaces has state"),
        ("-s --pid 1", "no row of statistics has"),
        ("-tan --table 100", "--table has no effect: it is about routes"),
        ("-rC --table 100", "--table has no effect: it is about routes"),
        ("-M --user root", "no row of masquerade has uid"),
        ("-tan --user nosuch", "no user `nosuch'"),
        ("-tan --sort local_host", "`local_host' is a name, and -n asks for none"),
        ("-tan --columns nope", "no field `nope' here"),
        ("-tan --count-by state --sort nope", "no field `nope' here"),
        ("-tan --filter host=web1", "no row of sockets has host"),
        ("-tan --forks 3", "--forks has no effect: it is about other hosts"),
        ("-tan --host-timeout 3", "--host-timeout has no effect: it is about other hosts"),
        ("-an --host web1 --as windows", "--as windows is of this machine"),
        ("-tan --host web1 --lsof", "--lsof is of this machine"),
        ("-s --host web1 --json", "statistics in one JSON object are of one machine"),
        ("-tan --host web1 --watch", "--watch has no effect: the screen is of this machine"),
        ("-tan --host web1 --events", "--events has no effect: with --host"),
    ],
)
def test_options_without_effect(words: str, message: str) -> None:
    result = invoke(main, [*words.split(), "--proc", CAPTURE])
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"pynetstat: {message}")


def test_what_is_implied() -> None:
    assert Plan(Options(tcp=True, columns=("program",))).options.programs
    assert Plan(Options(tcp=True, state=("listening",))).options.all
    assert Plan(Options(tcp=True, rounds=2)).options.continuous
    assert Plan(Options(tcp=True, interval=0.5)).options.continuous
    assert not Plan(Options(tcp=True, extend=1)).options.dump  # users of half-open connections
    assert Plan(Options(tcp=True, extend=1)).options.dump_users
    assert not Plan(Options(tcp=True, extend=1)).options.dump_timers
    assert Plan(Options(tcp=True, format="json")).options.dump_timers
    assert Plan(Options(tcp=True, numeric_hosts=True, numeric_ports=True)).options.dump


def test_options_are_frozen() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Options().tcp = True


# Each option of ours with what gives it something to do
ALONE = {
    "layout": "-an --as windows",
    "lsof": "-n --lsof TCP:17500",
    "filter": "-tan --filter dport=443",
    "state": "-tan --state close-wait",
    "port": "-tan --port 17500",
    "pid": "-tanp --pid 2477",
    "program": "-tanp --program dropbox",
    "user": "-tane --user root",
    "fail_if_empty": "-tan --fail-if-empty",
    "format": "-tan --format csv",
    "json": "-tan --json",
    "columns": "-tan --columns proto,local_port",
    "color": "-tan --columns state,inode --color always",
    "sort": "-tan --sort -local_port",
    "header": "-tan --no-header",
    "count_by": "-tan --count-by state",
    "top": "-tan --count-by state --top 1",
    "rounds": "-tan --interval 0.01 --count 2",
}


def answer(*words: str) -> tuple[int, str]:
    result = invoke(main, [*words, "--proc", CAPTURE, "--source", "proc"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def stable(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "generated_at" not in line)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(ALONE, 2)))
def test_pairs_of_options(one: str, other: str) -> None:
    """Two options of ours together are a mistake, or differ from each alone. Where the rows are
    by chance the same, the option that should matter is one that chooses rows."""
    both = [*ALONE[one].split(), *ALONE[other].split()[1:]]
    status, text = answer(*both)
    if status == 2:
        return
    choosing = {"filter", "state", "port", "pid", "program", "user", "fail_if_empty"}
    for name in (one, other):
        alone = answer(*ALONE[name].split())
        lost = other if name == one else one
        if lost not in choosing:
            assert stable(alone[1]) != stable(text) or lost in ("sort", "top"), both


def test_every_option_of_ours_changes_something() -> None:
    ours = {
        one.field
        for one in SETTINGS
        if one.netstat is None
        and one.kind not in ("family", "immediate")
        and one.section not in (WHAT, DIAGNOSE)  # which have tests of their own
    }
    elsewhere = {"json_schema", "interval", "diagnose", "explain", "root", "source"}
    elsewhere |= {"resolve_timeout", "table"}
    elsewhere |= {"netns", "details", "tcp_info", "memory", "rates"}  # of a live system
    elsewhere |= {"events", "save", "diff", "fail_on_change"}  # test_overtime.py
    elsewhere |= {"record", "keep", "at", "since", "until"}  # test_recording.py
    elsewhere.add("watch")  # test_watch.py
    elsewhere |= {"host", "hosts", "inventory", "forks", "host_timeout", "engine"}  # test_hosts.py
    assert ours - elsewhere <= {*ALONE}, "give the new option a line in ALONE"
    plain = answer("-tan")
    for field, words in ALONE.items():
        if field != "fail_if_empty":
            assert answer(*words.split()) != plain, field


def test_a_plan_reads_nothing() -> None:
    with pytest.raises(Misuse, match="no field"):
        Plan(Options(root="/nonexistent", tcp=True, sort=("nope",)))
