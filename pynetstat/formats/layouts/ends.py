"""The ends of a socket as every layout needs them: names where they were asked for."""

from __future__ import annotations

from collections.abc import Iterable

from ...listing import Layout
from ...options import Options
from ...table import Remark, Table, joined
from ...text import safe_cells

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from ...tuples import NamedTuple

Pieces = Iterable["Table | Remark | Layout"]


class End(NamedTuple):
    """A host and a port as text; "" for an unknown address or port.

    `port` is a name where it has one and names were asked for. `inside` is an IPv4 address that
    an IPv6 socket has.
    """

    host: str
    port: str
    family: str
    inside: bool


def socket_ends(table: Table, side: str, options: Options) -> list[End]:
    """One end of every socket of a table, "local" or "remote"."""
    hosts: Iterable[Any] = table[f"{side}_address"]
    ports: Iterable[Any] = table[f"{side}_port"]
    if not options.numeric_hosts:
        hosts = map(name_or_number, table[f"{side}_host"], hosts)
    if not options.numeric_ports:
        ports = map(name_or_number, table[f"{side}_service"], ports)
    families = table["family"]
    hosts, ports = safe_cells(map(shown_value, hosts)), safe_cells(map(shown_value, ports))
    found = []
    for host, port, family in zip(hosts, ports, families):
        inside = host.startswith("::ffff:") and "." in host
        none = host in ("0.0.0.0", "::", "*", "")
        found.append(End("" if none else host, port, family, inside))
    return found


def name_or_number(name: Any, number: Any) -> Any:
    return number if name is None else name


def shown_value(value: Any) -> str:
    """The text of a value; "" for None and for port 0."""
    return str(value) if value else ""


def rows_alone(tables: Pieces) -> list[Table]:
    """The tables of a listing, without what is remarked between them."""
    return [table for table in tables if isinstance(table, Table)]


def whole_table(tables: Pieces, record: Any) -> Table:
    """All rows of a listing as one table."""
    return joined(record, rows_alone(tables))


def encoded_lines(lines: Iterable[str]) -> bytes:
    """Lines of text, one character for each byte."""
    return "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")
