"""The lines of --details below each socket: the processes that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...listing import Column
from ...options import Options
from ...text import safe


def holder_lines(options: Options) -> Iterator[Column]:
    yield Column("", "%s", "details published_for", lines_of_holders)


def lines_of_holders(
    rows: Iterable[Sequence[dict[str, Any]] | None], published: Iterable[Any]
) -> list[str]:
    """The lines below each row: one for each process."""
    return [
        "\n".join([*map(process_line, row or ()), *([target_line(target)] if target else [])])
        for row, target in zip(rows, published)
    ]


def process_line(one: dict[str, Any]) -> str:
    """pid 812 (nginx), fd 6 7, parent 1/systemd, since 2026-11-26T08:00:00+01:00, unit ..."""
    words = [f"pid {one['pid']} ({one['program']})"]
    if one["fds"]:
        words.append(f"fd {' '.join(map(str, one['fds']))}")
    words += [
        f"{title} {one[name]}"
        for title, name in (("parent", "parent"), ("since", "started_at"), ("unit", "unit"))
        if one[name]
    ]
    if one["container"]:
        short = one["container"][:12] if len(one["container"]) == 64 else one["container"]
        named = one["container_name"]
        named = f" ({named})" if named and named != one["container"] else ""
        words.append(
            f"container {one['runtime'] or ''}{':' if one['runtime'] else ''}{short}{named}"
        )
    words += [
        f"{title} {one[name]}"
        for title, name in (("pod", "pod"), ("executable", "executable"), ("command", "command"))
        if one[name]
    ]
    return safe(", ".join(words))


def target_line(target: dict[str, Any]) -> str:
    name = target["container_name"] or (target["container"] or "")[:12] or "a container"
    at = f", {target['address']} port {target['port']}" if target["port"] else ""
    return safe(f"published for {name}{at}")
