"""What a host has sent, line by line against the schema: rows of its own, and nothing else.

A host is not trusted. A line that is none of pynetstat's ends its answer, and none of its rows are
given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ..collectors.linux.inet import NESTED, nested_record
from ..listing import Column, Layout, Listing
from ..options import Options
from ..table import Remark, Table, field_kind, names_of
from ..text import cleaned, safe

BATCH = 500  # lines that are read at a time
LARGEST = 1 << 64  # no number of the kernel's is larger
MESSAGE = 500  # characters of a message that are shown
TYPES: dict[str, type] = {
    "string": str, "integer": int, "boolean": bool, "null": type(None), "object": dict,
    "array": list, "number": float,
}  # fmt: skip
KINDS = {"str": "string", "int": "integer", "bool": "boolean", "float": "number",
         "dict": "object", "list": "array"}  # fmt: skip


class Untrue(Exception):
    """A line that pynetstat does not write; the text says what is wrong with it."""


@cache
def schema_of_records() -> Any:
    return json.loads(files("pynetstat").joinpath("schema.json").read_text("utf-8"))


def field_schema(listing: Listing, name: str) -> dict[str, Any]:
    """What the schema says of a field; of one that it does not know, by its annotation."""
    known = schema_of_records()["properties"].get(listing.name, {}).get("items", {}).get("$ref", "")
    record = schema_of_records()["$defs"].get(known.rpartition("/")[2], {})
    found = record.get("properties", {}).get(name)
    if found is None:
        kind = field_kind(listing.record, name)
        found = {"type": [KINDS[word] for word in KINDS if word in kind] + ["null"]}
    return dict(found)


def referred(rule: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in rule:
        rule = schema_of_records()["$defs"][rule["$ref"].rpartition("/")[2]]
    return rule


def fits(value: Any, rule: dict[str, Any]) -> bool:
    """True if the value is valid by the schema. (As much of JSON Schema as schema.json uses.)"""
    rule = referred(rule)
    kinds = rule.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_kind(value, kind) for kind in kinds):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, (int, float)):
        return abs(value) < LARGEST
    if isinstance(value, list):
        return all(fits(one, rule.get("items", {})) for one in value)
    if isinstance(value, dict):
        known, other = rule.get("properties", {}), rule.get("additionalProperties", True)
        if not set(rule.get("required", ())) <= value.keys() or not all(map(is_text, value)):
            return False
        if other is False and not value.keys() <= known.keys():
            return False
        rest = other if isinstance(other, dict) else {}
        return all(fits(one, known.get(name, rest)) for name, one in value.items())
    return True


def is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind]) or (kind == "number" and isinstance(value, int))


def is_text(text: str) -> bool:
    """True if it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Answer:
    """The rows of one host, section by section, as far as they have come.

    `expected` are the fields of each row where they are not those of the record; `classic`: the
    rows are netstat's own text.
    """

    def __init__(
        self, host: str, listings: Sequence[Listing], options: Options, fields: Sequence[str]
    ) -> None:
        self.host, self.listings, self.options = host, listings, options
        self.classic = not options.structured
        self.fields = fields
        self.sections: list[list[Table | Remark | Layout]] = [[] for _ in listings]
        self.read: set[int] = set()  # the sections of which the host has tables
        self.place = -1
        self.lines: list[bytes] = []
        self.rows: list[dict[str, Any]] = []
        self.status = 0
        self.notices: list[str] = []
        self.incomplete: list[dict[str, Any]] = []

    def take(self, line: bytes) -> None:
        self.lines.append(line)
        if len(self.lines) == BATCH:
            self.read_lines()

    def read_lines(self) -> None:
        """Check the lines that have come."""
        if not self.lines:
            return
        text, count = b",".join(self.lines), len(self.lines)
        self.lines = []
        try:
            rows = json.loads(b"[" + text + b"]", parse_constant=no_number)
        except (ValueError, RecursionError):
            raise Untrue("a line is no JSON") from None
        if len(rows) != count or not all(type(row) is dict for row in rows):
            raise Untrue("a line is no object of JSON")
        for row in rows:
            if "record" in row or "line" in row:
                self.rows.append(row)
            else:
                self.enter_rows()
                self.control(row)
        self.enter_rows()

    def control(self, row: dict[str, Any]) -> None:
        """A line that is no row: another section, prose, other columns."""
        names, strings = (
            set(row),
            all(isinstance(one, str) and is_text(one) for one in row.values()),
        )
        if names == {"section"} and type(row["section"]) is int:
            if not self.place < row["section"] < len(self.sections):
                raise Untrue("its listings are not those that were asked for")
            self.place = row["section"]
            self.read.add(self.place)
        elif self.place < 0 or not self.classic or not strings:
            raise Untrue("a line is no row")
        elif names == {"text"}:
            self.section.append(Remark(kernel_text(row["text"])))
        elif names == {"heading", "header"}:
            heading, header = (safe(kernel_text(row[name])) for name in ("heading", "header"))
            self.section.append(Layout(heading, [line_column(header)]))
        else:
            raise Untrue("a line is no row")

    @property
    def section(self) -> list[Table | Remark | Layout]:
        return self.sections[self.place]

    def enter_rows(self) -> None:
        """The rows that have come since the last other line, as a table."""
        rows, self.rows = self.rows, []
        if not rows:
            return
        if self.place < 0:
            raise Untrue("a row is of no listing")
        listing = self.listings[self.place]
        names, rules = self.expected(listing)
        whole = {*names, *(() if self.classic else ("record",))}
        if not all(row.keys() == whole for row in rows):
            raise Untrue("a row has not the fields that were asked for")
        if not self.classic and any(row["record"] != listing.name for row in rows):
            raise Untrue("a row is of another listing")
        columns = {}
        for name, rule in zip(names, rules):
            column = [row[name] for row in rows]
            if not column_fits(column, rule):
                raise Untrue(f"`{name}' is not what the schema says")
            if "str" in field_kind(listing.record, name) or name in ("line", "below"):
                column = list(map(kernel_value, column))
            if name in NESTED:
                column = [nested_record(name, value) for value in column]
            columns[name] = column
        if self.classic:
            columns["line"] = [safe(line) for line in columns["line"]]
            columns["below"] = ["\n".join(map(safe, text.split("\n"))) for text in columns["below"]]
        columns["host"] = [self.host] * len(rows)
        self.section.append(Table(listing.record, len(rows), **columns))

    def expected(self, listing: Listing) -> tuple[list[str], list[dict[str, Any]]]:
        """The fields of each row, and what the schema says of them."""
        own = [name for name in names_of(listing.record) if name != "host"]
        if self.classic:
            named = [name for name in self.fields if name in own]
            text = {"type": "string"}
            return [*named, "line", "below"], [
                *(field_schema(listing, n) for n in named),
                text,
                text,
            ]
        chosen = [name for name in self.fields if name in own] if self.fields else [
            name for name in listing.record._fields if name != "host"]  # fmt: skip
        return chosen, [field_schema(listing, name) for name in chosen]

    def finish(self, text: bytes) -> str:
        """Read the last line; why the host could not answer, or nothing."""
        self.read_lines()
        try:
            end = json.loads(text)
            fault, status, notices = end["fault"], end["status"], end["notices"]
            more, incomplete = end["more_notices"], end["incomplete"]
            fine = type(status) is int and type(more) is int and isinstance(notices, list)
            fine = fine and all(isinstance(one, str) for one in notices)
            missing = schema_of_records()["properties"]["incomplete"]
            fine = fine and fits(incomplete, missing) and isinstance(fault, (str, type(None)))
        except (ValueError, TypeError, KeyError, RecursionError):
            fine = False
        if not fine:
            raise Untrue("its last line is not pynetstat's")
        self.status = status
        self.notices = [shown(one) for one in notices[:NOTICES]]
        if more > 0:
            self.notices.append(f"({min(more, 10**9):,} more notices)")
        self.incomplete = [
            {"what": shown(one["what"]), "reason": shown(one["reason"]), "count": one["count"],
             "host": self.host} for one in incomplete[:NOTICES]
        ]  # fmt: skip
        return shown(fault.partition("\n")[0]) if fault else ""


NOTICES = 20  # of each host that are shown


def shown(text: str) -> str:
    """A message of a host in one line of printable text."""
    return cleaned(text[:MESSAGE].replace("\n", " "))


def no_number(text: str) -> None:
    raise ValueError(text)


def kernel_text(text: str) -> str:
    """Text as tables have it: one character per byte."""
    try:
        return text.encode().decode("latin-1")
    except UnicodeEncodeError:
        raise Untrue("a text is no UTF-8") from None


def kernel_value(value: Any) -> Any:
    """The texts within a value in the same way."""
    if isinstance(value, str):
        return kernel_text(value)
    if isinstance(value, dict):
        return {kernel_text(name): kernel_value(one) for name, one in value.items()}
    return list(map(kernel_value, value)) if isinstance(value, list) else value


def column_fits(column: list[Any], rule: dict[str, Any]) -> bool:
    """True if all values of a field are valid. Those of one type are checked at once."""
    rule = referred(rule)
    kinds = set(map(type, column))
    plain = rule.get("type", ())
    allowed = {TYPES[kind] for kind in ([plain] if isinstance(plain, str) else plain)}
    if "enum" in rule or not kinds <= {str, int, bool, type(None)} or float in allowed:
        return all(fits(value, rule) for value in column)
    if not kinds <= allowed:
        return False
    numbers: Iterable[int] = [value for value in column if type(value) is int]
    if not -LARGEST < min(numbers, default=0) <= max(numbers, default=0) < LARGEST:
        return False
    return str not in kinds or is_text("".join(filter(None, column)))


def line_column(header: str) -> Column:
    """A row of netstat's own text, as the host has printed it."""
    return Column(header, "%s", "line")
