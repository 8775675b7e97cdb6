"""Unit, container and pod from the lines of /proc/PID/cgroup."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pynetstat.stages.cgroups import Container, chain_texts, place_of_cgroup

CAPTURES = Path(__file__).parent / "captures" / "cgroups"
ROWS = [
    line.split("\t")
    for name in ("paths.tsv", "more.tsv")
    for line in (CAPTURES / name).read_text("utf-8").splitlines()[1:]
]
A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_a_line(row: list[str]) -> None:
    line, *expected = row[:5]
    place = place_of_cgroup(line + "\n")
    assert [place.unit, place.container, place.runtime, place.pod] == [
        value or None for value in expected
    ]


def test_no_row_is_lost() -> None:
    assert len(ROWS) >= 84 + 15


def test_the_chain_has_the_outermost_first() -> None:
    place = place_of_cgroup(f"0::/lxc.payload.host/system.slice/docker-{A}.scope")
    assert place.chain == (Container("host", "lxc"), Container(A, "docker"))
    assert chain_texts(place.chain) == ["lxc:host", f"docker:{A}"]
    assert chain_texts([Container(A, None)]) == [f"container:{A}"]


def test_of_many_hierarchies_the_one_with_the_container_counts() -> None:
    text = f"12:pids:/\n1:name=systemd:/docker/{A}\n0::/system.slice/containerd.service\n"
    assert place_of_cgroup(text).container == A
    text = "3:cpu:/other.service\n1:name=systemd:/system.slice/a.service\n0::/\n"
    assert place_of_cgroup(text).unit == "a.service"
    assert (
        place_of_cgroup("3:cpu:/system.slice/c.service\n0::/system.slice/b.service").unit
        == "b.service"
    )


def test_a_pod_stays_known_beside_its_monitor() -> None:
    line = f"0::/kubepods/podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/crio-conmon-{B}"
    assert place_of_cgroup(line)[1:4] == (
        None,
        "kubernetes",
        "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    )


def test_our_own_file() -> None:
    if not os.path.exists("/proc/self/cgroup"):
        pytest.skip("no cgroups in this kernel")
    place_of_cgroup(Path("/proc/self/cgroup").read_text("latin-1"))


def test_nothing_raises() -> None:
    """Anybody may name a cgroup: pieces of real lines in any order, and bytes of any kind."""
    chance = random.Random(5)
    pieces = [piece for row in ROWS for piece in row[0].replace(":", "/:").split("/")]
    pieces += [
        "supervisor",
        "payload",
        "machine-.scope",
        "pod",
        "..",
        ":",
        "\n",
        "\0",
        "\xff" * 300,
    ]
    for _ in range(20000):
        text = "/".join(chance.choices(pieces, k=chance.randrange(9)))
        place_of_cgroup(chance.choice(["", "0::", "1:name=systemd:", "0::/"]) + text)
    place_of_cgroup("0::" + "/a" * 100000)
    place_of_cgroup("\n" * 100000)
