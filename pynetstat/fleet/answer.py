"""What a host answers: lines of JSON, each a row, and a last one that says how it went.

A line is `{"section": 0}` before the rows of a listing; a record as --format jsonl has it; or, for
netstat's own text, the row as it is printed (`line`, and `below` what stands below it) with the
fields that it is sorted by, `{"text": ...}` for prose and `{"heading", "header"}` where the
columns change. The last line begins with the mark that the asker has sent.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import namedtuple
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

from ..formats.classic import BELOW, indented_lines, parts, table_lines, without_layouts
from ..formats.structured import objects
from ..kernel.proc import Proc
from ..listing import Column, Layout, Listing, Section, Stop, header_of
from ..options import Misuse, Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run, put
from ..table import Remark, Table, names_of
from ..text import decode_nested

NOTICES = 20  # that are sent


def give_answer(request: dict[str, Any], mark: str) -> None:
    """Print all lines of the answer to one request."""
    gc.disable()  # as the command itself does
    notices: list[str] = []
    outcome = Outcome(notices.append)
    fault = None
    try:
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in request["options"].items()
        }
        options = Options(**given, answering=True)
        if request.get("diagnose"):
            pieces = diagnosed(options, outcome)
        else:
            pieces = answered(options, tuple(request["fields"]), outcome)
        for piece in pieces:
            put(sys.stdout.buffer, piece.encode())
    except Misuse as misuse:
        fault = str(misuse)
    except Stop as stop:
        fault = stop.message
    except Exception as error:  # the asker prints it as the reason
        fault = f"{type(error).__name__}: {error}"
    end = {
        "status": outcome.exit_status(),
        "fault": fault,
        "notices": [valid_text(one) for one in notices[:NOTICES]],
        "more_notices": len(notices[NOTICES:]),
        "incomplete": [
            {**one, "reason": valid_text(one["reason"])} for one in outcome.incomplete()
        ],
    }
    put(sys.stdout.buffer, f"{mark}{json.dumps(end)}\n".encode(), flush=True)


def valid_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def answered(options: Options, fields: tuple[str, ...], outcome: Outcome) -> Iterator[str]:
    """The lines of all listings. In netstat's own text each row has these `fields` too."""
    plan = Plan(options)
    plan.listings = [naming(listing, options.host[0]) for listing in plan.listings]
    run = Run(plan, Proc(options.root, outcome.error), outcome)
    place = -1
    for section in run.gather():
        tables = iter(section.tables)
        first = next(tables, None)
        if first is None:  # there is no such table: not even a heading
            continue
        section = section._replace(tables=chain([first], tables))
        if run.place != place:
            place = run.place
            yield json.dumps({"section": place}) + "\n"
        if plan.options.structured:
            yield from (
                objects(table, plan.options, section.listing.name, "\n")
                for table in section.tables
                if isinstance(table, Table)
            )
        else:
            yield from classic_answer(section, plan.options, fields)
    run.notices_of_processes()


def diagnosed(options: Options, outcome: Outcome) -> Iterator[str]:
    """The lines of the diagnosis: the result, what was found, what was not checked, the values."""
    from ..diagnosis import finding_sections, judge
    from ..diagnosis.rule import SEVERITIES

    judgement = judge(options, outcome)
    status = SEVERITIES[judgement.severity]
    if not status and outcome.errors:
        status = SEVERITIES["unknown"]
    for place, section in enumerate(finding_sections(judgement, options, status)):
        yield json.dumps({"section": place}) + "\n"
        for table in section.tables:
            if isinstance(table, Table):
                yield objects(table, options, section.listing.name, "\n")


def naming(listing: Listing, host: str) -> Listing:
    """The listing, its rows with the name of this host for the filter."""

    def collect(*given: Any) -> Iterator[Any]:
        for piece in listing.collect(*given):
            if isinstance(piece, Table):
                piece.fields["host"] = [host] * len(piece)
            yield piece

    return listing._replace(collect=collect)


def classic_answer(section: Section, options: Options, fields: tuple[str, ...]) -> Iterator[str]:
    """netstat's own text, row by row, and prose line by line."""
    listing = section.listing
    prose = listing.text and listing.text(without_layouts(section.tables), options)
    if prose is not None:
        lines = [*listing.heading(options).splitlines(), *prose]
        yield from map(text_line, lines)
        return
    columns = list(listing.columns(options))
    below = list(listing.below(options))
    for table in section.tables:
        if isinstance(table, Remark):
            yield text_line(table)
        elif isinstance(table, Layout):
            columns = list(table.columns)
            header = header_of(columns)
            yield json.dumps({"heading": table.heading, "header": header}) + "\n"
        elif len(table):
            named = [name for name in fields if name in names_of(table.record)]
            for part, own in parts(table):
                lines = table_lines((own and own(options)) or columns, part).split("\n")[:-1]
                yield row_lines(part, named, lines, lines_below(below, part))


def text_line(text: str) -> str:
    return json.dumps({"text": decode_nested(str(text))}) + "\n"


def lines_below(columns: Iterable[Column], table: Table) -> list[str]:
    """What stands below each row, without the indent."""
    texts = [
        repeat(cells, len(table)) if isinstance(cells, str) else cells
        for column in columns
        for cells in indented_lines(column, table)
    ]
    if not texts:
        return [""] * len(table)
    return ["".join(words).replace(BELOW, "\n")[1:] for words in zip(*texts)]


def row_lines(table: Table, named: list[str], lines: list[str], below: list[str]) -> str:
    """A line of JSON for each row of text."""
    make: Any = namedtuple
    record = make("Line", [*named, "line", "below"])
    kinds = dict.fromkeys(("line", "below"), "str")
    record.__annotations__ = kinds
    values = {name: table.readable(name) for name in named}
    rows = Table(record, len(table), line=lines, below=below, **values)
    return objects(rows, Options(), "", "\n")
