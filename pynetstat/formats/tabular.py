"""All of tabulate's formats: tables for documents and eyes, with netstat's columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tabulate import tabulate

from ..cells import user_cells
from ..listing import Section
from ..options import EVERY_FIELD, Options
from ..table import Table, joined
from ..text import safe_cells
from .colour import in_colour, painted_state
from .markup import ESCAPES
from .structured import chosen_fields, plain_value

Cells = Sequence[Any]


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    """A table for each listing: what netstat shows of it, or the fields of --columns; with
    `--columns all` every field that is not empty in all rows."""
    between = ""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    colour = options.drawn and in_colour(options.color, terminal)
    for listing, tables in sections:
        parts = [part for part in tables if isinstance(part, Table)]
        if not parts:  # there is no such table
            continue
        table = joined(listing.record, parts)
        fields = shown_fields(table, options)
        columns = {name: texts(field, options) for name, field in fields.items()}
        if options.columns == EVERY_FIELD:
            columns = {name: cells for name, cells in columns.items() if any(cells)}
        if colour and "state" in columns:
            columns["state"] = list(map(painted_state, columns["state"]))
        text = tabulate(
            list(zip(*columns.values())),
            headers=list(columns) if options.header else (),
            tablefmt="plain" if options.format == "classic" else options.format,
            disable_numparse=True,
            colalign=[alignment(fields[name]) for name in columns] if len(table) else None,
        )
        yield f"{between}{text}\n".encode() if text else b""
        between = "\n"


def shown_fields(table: Table, options: Options) -> dict[str, Cells]:
    """The columns of a table, by their titles."""
    usual = USUAL.get(table.record.__name__)
    if options.columns or options.count_by or usual is None:
        return {name: table[name] for name in chosen_fields(table, options)}
    host = {"host": table["host"]} if "host" in table.record._fields else {}
    return host | usual(table, options)


# What netstat shows of a listing


def socket_fields(table: Table, options: Options) -> dict[str, Cells]:
    found: dict[str, Cells] = {name: table[name] for name in ("proto", "recv_q", "send_q")}
    for side in ("local", "remote"):
        names = [f"{side}_{part}" for part in ("address", "port", "host", "service")]
        found[side] = list(map(end_cell, *map(table.__getitem__, names)))
    found["state"] = table["state"]
    if options.extend:
        found |= {"user": list(user_cells(table["uid"], table["user"])), "inode": table["inode"]}
    return found | holder_fields(table, options) | more_fields(table, options)


def unix_fields(table: Table, options: Options) -> dict[str, Cells]:
    names = ("proto", "refcnt", "flags", "type", "state", "inode")
    found = {name: table[name] for name in names} | holder_fields(table, options)
    return {**found, "path": table["path"]} | more_fields(table, options)


def route_fields(table: Table, options: Options) -> dict[str, Cells]:
    names = ("dst", "gateway", "flags_str", "metric", "dev")
    return {name: table[name] for name in names} | more_fields(table, options)


def interface_fields(table: Table, options: Options) -> dict[str, Cells]:
    found: dict[str, Cells] = {name: table[name] for name in ("ifname", "mtu")}
    for side in ("rx", "tx"):
        for name in ("packets", "errors", "dropped"):
            found[f"{side}_{name}"] = [
                ((stats or {}).get(side) or {}).get(name) for stats in table["stats"]
            ]
    return {**found, "flags_str": table["flags_str"]} | more_fields(table, options)


def holder_fields(table: Table, options: Options) -> dict[str, Cells]:
    return {"program": list(map(holders_cell, table["processes"]))} if options.programs else {}


def more_fields(table: Table, options: Options) -> dict[str, Cells]:
    """What options of ours ask for."""
    names = ["timer"] * options.timers + ["rate_in", "rate_out"] * options.rates
    names += ["unit", "container"] * options.details + ["netns"] * bool(options.netns)
    names += ["tcp_info"] * options.tcp_info + ["memory"] * options.memory
    return {name: table[name] for name in names if name in table.record._fields}


USUAL: dict[str, Callable[[Table, Options], dict[str, Cells]]] = {
    "InetSocket": socket_fields,
    "UnixSocket": unix_fields,
    "Route": route_fields,
    "Interface": interface_fields,
}


# Cells


def end_cell(address: str | None, port: int | None, host: Any, service: Any) -> str | None:
    """127.0.0.1:80, [::1]:http, *:* where nothing is known."""
    if address is None:
        return None
    name = host or address
    end = f"[{name}]" if ":" in name else name
    return f"{end}:{service or port or '*'}"


def holders_cell(holders: Sequence[Any] | None) -> str | None:
    """nginx[812,813]: each program with its processes."""
    if not holders:
        return None
    programs: dict[str, dict[int, None]] = {}
    for holder in holders:
        programs.setdefault(holder.program or "", {})[holder.pid] = None
    return ", ".join(f"{name}[{','.join(map(str, pids))}]" for name, pids in programs.items())


def texts(field: Sequence[Any], options: Options) -> list[str]:
    """Cells that hold nothing but printable text."""
    held = safe_cells(["" if value is None else cell_text(value) for value in field])
    cells = [cell.encode("latin-1").decode() for cell in held]
    escape = ESCAPES.get(options.format)
    return list(map(escape, cells)) if escape else cells


def cell_text(value: Any) -> str:
    """A value in one line: `keepalive 3.2 s`, `nginx[812,813]`, lists with commas."""
    if isinstance(value, str):
        return value
    if hasattr(value, "expires_ms") and hasattr(value, "retransmits"):
        return value.name if value.name == "off" else f"{value.name} {value.expires_ms / 1000:g} s"
    if isinstance(value, list) and value and hasattr(value[0], "program"):
        return holders_cell(value) or ""
    if isinstance(value, (list, tuple)) and all(isinstance(one, (str, int)) for one in value):
        return ", ".join(map(str, value))
    if isinstance(value, dict) and not any(isinstance(one, (dict, list)) for one in value.values()):
        told = {name: one for name, one in value.items() if one not in (None, 0, ())}
        words = (" ".join(one) if isinstance(one, tuple) else one for one in told.values())
        return ", ".join(f"{name} {word}" for name, word in zip(told, words))
    return json.dumps(plain_value(value)).strip('"')


def alignment(field: Sequence[Any]) -> str:
    kinds = set(map(type, field)) - {type(None)}
    return "right" if kinds and kinds <= {int, float} else "left"
