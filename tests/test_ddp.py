"""AppleTalk: routes word by word."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main

HEADING = "Target        Router  Flags Dev"
HEADER = "Destination     Gateway         Device          Flags"


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_routes(proc_tree: Tree) -> None:
    root = proc_tree(atalk_route=[HEADING, "834F:39     120A:3D  7     ltalk0", "1:2 3:4", "512 e"])
    assert run("-r", "--ddp", "--proc", str(root)) == (
        0,
        [
            HEADER,
            "834F:39         120A:3D         ltalk0          UGH",
            "1:2             3:4             e               !",
        ],
        "",
    )
    found = json.loads("".join(run("-r", "--ddp", "--json", "--proc", str(root))[1]))
    assert found["ddp_routes"][0] == {
        "dst": "834F:39",
        "gateway": "120A:3D",
        "dev": "ltalk0",
        "flags": ["up", "gateway", "host"],
        "flags_str": "UGH",
    }


@pytest.mark.parametrize("rest", ["", "1:2 3:4", "1:2 3:4 x eth0", f"1:2 3:4 {'9' * 5000} eth0"])
def test_the_list_ends_where_a_row_is_none(rest: str, proc_tree: Tree) -> None:
    first = "834F:39     120A:3D  1     ltalk0"
    root = proc_tree(atalk_route=[HEADING, first, rest])
    row = "834F:39         120A:3D         ltalk0          U"
    assert run("-r", "--ddp", "--proc", str(root)) == (0, [HEADER, row], "")


def test_an_empty_file(proc_tree: Tree) -> None:
    """netstat aborts."""
    root = proc_tree(atalk_route="")
    assert run("-r", "--appletalk", "--proc", str(root)) == (0, [HEADER], "")


def test_no_file(proc_tree: Tree) -> None:
    root = proc_tree()
    code, lines, err = run("-r", "--ddp", "--proc", str(root))
    assert (code, lines) == (1, [])
    assert err.splitlines() == [
        f"Error opening {root}/net/atalk_route: No such file or directory",
        "DDP (AppleTalk) not configured on this system.",
    ]
