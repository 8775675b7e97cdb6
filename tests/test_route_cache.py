"""Routing caches of old kernels; the captures hold the texts."""

from __future__ import annotations

from pathlib import Path

from conftest import Tree
from test_routes import CAPTURES, printed

from pynetstat.collectors.linux.routes import Route
from pynetstat.collectors.rare.route_cache import INET, INET6
from pynetstat.kernel.proc import Proc
from pynetstat.listing import Listing
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.table import Table


def collected(name: str, listing: Listing = INET) -> list[Route]:
    tables = listing.collect(Proc(str(CAPTURES / name / "proc")), Options(), Outcome())
    return [route for part in tables if isinstance(part, Table) for route in part]


def test_records_of_the_cache() -> None:
    first, second, *_ = collected("cache-new")
    assert first[:7] == ("inet", "10.0.0.2/32", "10.0.0.1", "eth0", None, "10.0.0.5/32", 3)
    assert second.flags_str == "l"


def test_of_ipv6_the_routes_with_the_flag_of_the_cache() -> None:
    assert [route.dev for route in collected("cache-new", INET6)] == ["eth0", "eth1"]


def test_neighbours_of_an_ancient_kernel() -> None:
    first = collected("cache-old", INET6)[0]
    assert first[:4] == ("inet6", "fe80::1/128", None, "eth0")


def test_no_cache(tmp_path: Path) -> None:
    status, text, notices = printed(tmp_path, route=True, cache=True)
    assert (status, text) == (1, "INET (IPv4) not configured in this system.\n")
    assert notices == [f"{tmp_path}/net/rt_cache: No such file or directory"]


def test_nothing_in_it(proc_tree: Tree) -> None:
    root = proc_tree(rt_cache="")
    status, text, notices = printed(root, route=True, cache=True)
    assert (status, text) == (255, "Kernel IP routing cache\n")
    assert notices == [f"{root}/net/rt_cache: nothing in it"]


def test_a_column_that_lacks_is_named_and_nothing_more() -> None:
    root = CAPTURES / "routes-odd/proc"
    status, text, notices = printed(root, route=True, cache=True)
    assert (status, text.count("\n")) == (0, 2)
    assert notices == [f"warning: {root}/net/rt_cache does not contain required field Window"]


def test_a_heading_of_something_else_gives_no_rows(proc_tree: Tree) -> None:
    """netstat prints its memory here."""
    root = proc_tree(rt_cache=["one two", "three four"])
    status, text, notices = printed(root, route=True, cache=True)
    assert (status, text.count("\n"), len(notices)) == (0, 2, 1)


def test_bogus_rows_are_said_and_skipped(proc_tree: Tree) -> None:
    heading = (CAPTURES / "routes/proc/net/rt_cache").read_text().rstrip()
    root = proc_tree(rt_cache=[heading, "eth0 0200000A", ""], ndisc=["fe80 00"])
    assert printed(root, route=True, cache=True)[2] == ["warning, got bogus rt_cache line 1."]
    six = printed(root, route=True, cache=True, families=("inet6",))
    assert six[1].startswith("Kernel IPv6 Neighbour Cache\nNeighbour ")
    assert six[2] == ["warning, got bogus ndisc line 0."]


def test_without_header() -> None:
    root = CAPTURES / "cache-new/proc"
    with_header = printed(root, route=True, cache=True)[1]
    without = printed(root, route=True, cache=True, header=False)[1]
    assert without == "".join(with_header.splitlines(keepends=True)[2:])


def test_names_of_interfaces_are_untrusted(proc_tree: Tree) -> None:
    lines = (CAPTURES / "cache-new/proc/net/rt_cache").read_text().splitlines()
    root = proc_tree(rt_cache=[lines[0], lines[1].replace("eth0", "e\x1b[2J")])
    assert printed(root, route=True, cache=True)[1].endswith(" e?[2J\n")
