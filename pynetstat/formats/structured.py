"""Records for programs: json, jsonl, csv, tsv. Written field by field, a table at a time."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, groupby, repeat
from json.encoder import encode_basestring_ascii
from typing import Any

from ..kernel.rights import sees_every_process
from ..listing import Section
from ..options import EVERY_FIELD, Options
from ..table import Table, names_of
from ..text import cleaned, set_of, valid

SCHEMA = "pynetstat/2"

Incomplete = Callable[[], list[dict[str, Any]]]


def render(
    sections: Iterable[Section], options: Options, incomplete: Incomplete, frame: Any = None
) -> Iterator[bytes]:
    """The format that the options name. A document of json streams, and ends whole even where
    a listing broke off: what is missing then stands in `incomplete`. In a `frame` of several the
    rows of jsonl begin with `ts` and `round`, and csv has a first column `ts` and one header."""
    if options.format == "json":
        yield from document(sections, options, incomplete)
        return
    first = True
    for listing, tables in sections:
        for table in tables:
            if not isinstance(table, Table):
                continue
            if options.format == "jsonl":
                yield objects(table, options, listing.name, "\n", frame).encode()
            else:
                headed = frame and listing.name in frame.headed
                yield separated(table, options, first and not headed, frame.ts if frame else "")
                if frame:
                    frame.headed.add(listing.name)
            first = False
        first = True  # another listing has a header of its own


def document(
    sections: Iterable[Section], options: Options, incomplete: Incomplete
) -> Iterator[bytes]:
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME")
    envelope: dict[str, object] = {
        "schema": SCHEMA,
        "generated_at": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime()),
        "host": valid(host) if host else None,
        "platform": sys.platform,
        "privileged": sees_every_process(),
    }
    stamp = str(envelope["generated_at"])
    envelope["generated_at"] = f"{stamp[:-2]}:{stamp[-2:]}"  # RFC 3339: +01:00
    envelope |= options.recorded or {}
    yield json.dumps(envelope)[:-1].encode()
    for name, halves in groupby(sections, lambda section: section.listing.name):
        tables = (table for section in halves for table in section.tables)
        yield f', "{name}": '.encode()
        yield from whole_value(name, (one for one in tables if isinstance(one, Table)), options)
    missing = [{**one, "reason": valid(one["reason"])} for one in incomplete()]
    yield f', "incomplete": {json.dumps(missing)}}}\n'.encode()


def whole_value(name: str, tables: Iterator[Table], options: Options) -> Iterator[bytes]:
    """An array of all rows; the halves of one listing share it. null where there is no table."""
    first = next(tables, None)
    if first is None:
        yield b"null"
        return
    tables = chain([first], tables)
    if name == "statistics":
        yield statistics_json(tables).encode()
        return
    comma = "[\n"
    for table in tables:
        if len(table):
            yield comma.encode()
            yield objects(table, options, separator=",\n").encode()
            comma = ",\n"
    yield b"[]" if comma == "[\n" else b"]"


def statistics_json(tables: Iterable[Table]) -> str:
    """The kernel's names in two levels: {"Tcp": {"ActiveOpens": 1}}."""
    sections: dict[str, dict[str, int]] = {}
    for table in tables:
        for section, name, value in table:
            counters = sections.setdefault(section, {})
            if name is not None:
                counters[name] = value
    return json.dumps(sections)


def chosen_fields(table: Table, options: Options) -> list[str]:
    """The fields to show: all of the record, or those of --columns that it has."""
    if options.columns and options.columns != EVERY_FIELD:
        return [name for name in options.columns if name in names_of(table.record)]
    return list(table.record._fields)


def objects(
    table: Table,
    options: Options,
    record: str = "",
    separator: str = ",\n",
    frame: Any = None,
) -> str:
    """The rows as JSON objects. What all rows have alike, most of a record's fields, is written
    once. One join over all values: 90 ms for 100,000 rows; with a pattern for each row 118."""
    if not len(table):
        return ""
    pieces: list[Iterable[str]] = []  # one after the other they give a row
    same = f'{{"record": "{record}", ' if record else "{"  # in all rows, up to the next value
    if frame and frame.ts:
        same += f'"ts": "{frame.ts}", "round": {frame.number}, '
    for name in chosen_fields(table, options):
        field = table.readable(name)
        same += f'"{name}": '
        if field.count(field[0]) == len(field):
            same += encoded_json(field[:1])[0] + ", "
        else:
            pieces += repeat(same, len(table)), encoded_json(field)
            same = ", "
    pieces.append(repeat(same.removesuffix(", ") + "}" + separator, len(table)))
    cells = list(chain.from_iterable(zip(*pieces)))
    if separator != "\n":  # none after the last; to cut it from the text would copy 2 MB
        cells[-1] = cells[-1].removesuffix(separator)
    return "".join(cells)


def encoded_json(field: Sequence[Any]) -> list[str]:
    """A field's values as JSON, in ASCII: valid everywhere, and no terminal can be led astray."""
    kinds = set(map(type, field))
    write = str if kinds == {int} else encode_basestring_ascii if kinds == {str} else None
    if write:
        distinct = set(field)
        if len(distinct) * 4 > len(field):
            return list(map(write, field))
        texts = dict(zip(distinct, map(write, distinct)))
        return list(map(texts.__getitem__, field))
    try:
        texts = {value: json.dumps(plain_value(value)) for value in set(field)}
    except TypeError:  # lists
        return [json.dumps(plain_value(value)) for value in field]
    return list(map(texts.__getitem__, field))


def plain_value(value: Any, written: Callable[[str], str] = str) -> Any:
    """A record within a record as the object it is, its text as `written`."""
    if hasattr(value, "_asdict"):
        return {name: plain_value(part, written) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: plain_value(part, written) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(part, written) for part in value]
    return written(value) if isinstance(value, str) else value


# csv and tsv


def separated(table: Table, options: Options, header: bool, ts: str = "") -> bytes:
    text = io.StringIO()
    dialect = "excel-tab" if options.format == "tsv" else "excel"
    writer = csv.writer(text, dialect, lineterminator="\r\n" if dialect == "excel" else "\n")
    names = chosen_fields(table, options)
    if header and options.header:
        writer.writerow(["ts", *names] if ts else names)
    columns = [csv_cells(table.readable(name)) for name in names]
    writer.writerows(zip(repeat(ts, len(table)), *columns) if ts else zip(*columns))
    return text.getvalue().encode()


def csv_cells(field: Sequence[Any]) -> Iterable[Any]:
    """Numbers as they are, nothing for null, text harmless, the rest as JSON."""
    if set(map(type, field)) <= {int}:
        return field
    try:
        texts = {value: csv_value(value) for value in set_of(field)}
    except TypeError:
        return [csv_value(value) for value in field]
    return map(texts.__getitem__, field)


def csv_value(value: Any) -> Any:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        return harmless(value)
    return json.dumps(plain_value(value, harmless), separators=(",", ":"))


def harmless(text: str) -> str:
    """Text that no spreadsheet runs and no terminal obeys: `'` before what begins a formula,
    controls escaped."""
    if not (text.isascii() and text.isprintable()):
        text = cleaned(text, escape_of)
    return formula().sub(r"\1'\2", text)


@cache
def formula() -> re.Pattern[str]:
    """The beginning of a formula, also behind blanks, behind what separates cells in spreadsheets
    of some countries, and with signs of full width."""
    return re.compile("(^|[;,|\t])([\\s\"']*[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def escape_of(found: re.Match[str]) -> str:
    """\\x1b or \\u202e; a C1 control is \\u009b, since a byte that is no UTF-8 is \\x9b already."""
    text = found[0].encode("unicode_escape").decode()
    return text if found[0] < "\x80" else text.replace("\\x", "\\u00")
