"""Metrics for Prometheus: openmetrics, and prometheus (its older text format, which the textfile
collector of node_exporter reads). The names are node_exporter's where it has the same number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from socket import getservbyname
from typing import Any

from ..listing import Section
from ..options import Options
from ..table import Table, joined
from ..text import cleaned

# node_exporter's name, our field of stats.rx or stats.tx, what it counts. Where the name has
# several of the kernel's numbers in one, as /proc/net/dev adds them up, they stand with blanks.
RECEIVE = (
    ("bytes", "bytes", "Bytes received."),
    ("packets", "packets", "Packets received."),
    ("errs", "errors", "Packets received with an error."),
    ("drop", "dropped missed_errors", "Packets received and dropped."),
    ("fifo", "fifo_errors", "Packets lost in the queue of the device."),
    ("frame", "length_errors over_errors crc_errors frame_errors", "Malformed packets received."),
    ("compressed", "compressed", "Compressed packets received."),
    ("multicast", "multicast", "Multicast packets received."),
)
TRANSMIT = (
    ("bytes", "bytes", "Bytes sent."),
    ("packets", "packets", "Packets sent."),
    ("errs", "errors", "Packets that could not be sent."),
    ("drop", "dropped", "Packets to be sent and dropped."),
    ("fifo", "fifo_errors", "Packets lost in the queue of the device."),
    ("colls", "collisions", "Collisions."),
    (
        "carrier",
        "aborted_errors carrier_errors heartbeat_errors window_errors",
        "Packets lost since the carrier was.",
    ),
    ("compressed", "compressed", "Compressed packets sent."),
)


class Family:
    """A metric: its name, its kind (gauge, counter or unknown), its samples by their labels."""

    def __init__(self, name: str, kind: str, text: str) -> None:
        self.name, self.kind, self.text = name, kind, text
        self.samples: dict[tuple[tuple[str, str], ...], Any] = {}

    def add(self, value: Any, **labels: Any) -> None:
        """Add to the sample of these labels; what is unknown is left out."""
        if value is not None:
            key = tuple((name, str(label)) for name, label in labels.items() if label is not None)
            self.samples[key] = self.samples.get(key, 0) + value

    def lines(self, old: bool) -> Iterator[str]:
        """In the older format a counter is called by its whole name and `unknown` untyped."""
        end = "_total" if self.kind == "counter" else ""
        head = self.name + end if old else self.name
        kind = "untyped" if old and self.kind == "unknown" else self.kind
        yield f"# HELP {head} {self.text}"
        yield f"# TYPE {head} {kind}"
        for labels, value in self.samples.items():
            text = ",".join(f'{name}="{escaped_label(label)}"' for name, label in labels)
            yield f"{self.name}{end}{{{text}}} {value}" if text else f"{self.name}{end} {value}"


def escaped_label(label: str) -> str:
    """A label's value as it stands between quotes, without control characters."""
    return cleaned(label).replace("\\", "\\\\").replace('"', '\\"')


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], list[Any]]
) -> Iterator[bytes]:
    """A document: the metrics of every listing, and whether anything is missing from them."""
    families: dict[str, Family] = {}

    def family(name: str, kind: str, text: str) -> Family:
        return families.setdefault(name, Family(name, kind, text))

    for listing, tables in sections:
        every = [part for part in tables if isinstance(part, Table)]
        for parts, make in by_host(listing.name, every, family):
            if listing.name == "statistics":
                counter_metrics(parts, make)
            elif listing.name == "counts":
                count_metrics(joined(listing.record, parts), make)
            elif listing.name == "interfaces":
                interface_metrics(joined(listing.record, parts), make)
            elif listing.name == "routes":
                route_counts(joined(listing.record, parts), make)
            else:
                socket_metrics(listing.name, joined(listing.record, parts), options, make)
    gaps = family("pynetstat_incomplete", "gauge", "What could not be read, by its kind.")
    for missing in incomplete():
        gaps.add(missing["count"] or 1, what=missing["what"], host=missing.get("host"))
    old = options.format == "prometheus"
    lines = [line for one in families.values() if one.samples for line in one.lines(old)]
    end = [] if old else ["# EOF"]
    yield "\n".join([*lines, *end, ""]).encode()


class Labelled:
    """A metric of one of several hosts: each sample has its label."""

    def __init__(self, family: Family, host: str) -> None:
        self.family, self.host = family, host

    def add(self, value: Any, **labels: Any) -> None:
        self.family.add(value, **{"host": self.host, **labels})


Make = Callable[[str, str, str], Any]


def by_host(name: str, tables: list[Table], family: Make) -> Iterator[tuple[list[Table], Make]]:
    """The tables of each host with what makes its metrics; counts have the host as a field."""
    if name == "counts" or not any("host" in table.record._fields for table in tables):
        yield tables, family
        return
    found: dict[str, list[Table]] = {}
    for table in tables:
        if len(table):
            found.setdefault(table.readable("host")[0], []).append(table)
    for host, parts in found.items():
        yield parts, lambda *names, host=host: Labelled(family(*names), host)


def socket_metrics(name: str, table: Table, options: Options, family: Make) -> None:
    """How many sockets are in each state, and the bytes that wait in their queues."""
    fields = table.record._fields
    if "proto" not in fields:
        text = f"Rows that pynetstat lists of {name}."
        family(f"pynetstat_{metric_word(name)}", "gauge", text).add(len(table))
        return
    names = [one for one in ("proto", "family", "state", "netns") if one in fields]
    every = family("pynetstat_sockets", "gauge", "Sockets by protocol and state.")
    for values, count in Counter(zip(*map(table.readable, names))).items():
        every.add(count, **{"proto": name, **dict(zip(names, values))})
    if name != "sockets":
        return
    rows = zip(*map(table.readable, ("netns", "proto", "state", "recv_q", "send_q")))
    states = family("node_tcp_connection_states", "gauge", "TCP sockets by state.")
    received = family("pynetstat_recv_queue_bytes", "gauge", "Bytes that no program has read.")
    sent = family("pynetstat_send_queue_bytes", "gauge", "Bytes that no peer has acknowledged.")
    udp = family("node_udp_queues", "gauge", "Bytes in the queues of UDP sockets.")
    for (netns, proto, state), group in rows_by_kind(rows).items():
        where = {"netns": netns}
        if proto in ("udp", "udp6"):
            version = "v6" if proto == "udp6" else "v4"
            udp.add(sum(recv or 0 for recv, _ in group), queue="rx", ip=version, **where)
            udp.add(sum(send or 0 for _, send in group), queue="tx", ip=version, **where)
        if proto.startswith("tcp"):
            label = "listen" if state == "LISTEN" else str(state).lower()
            states.add(len(group), state=label, **where)
        if state != "LISTEN":  # there the queue is of connections
            received.add(sum(recv or 0 for recv, _ in group), proto=proto, **where)
            sent.add(sum(send or 0 for _, send in group), proto=proto, **where)
    if options.port:
        port_metrics(table, options, family)


def rows_by_kind(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[tuple[Any, Any]]]:
    found: dict[tuple[Any, ...], list[tuple[Any, Any]]] = {}
    for netns, proto, state, recv, send in rows:
        found.setdefault((netns, proto, state), []).append((recv, send))
    return found


def port_metrics(table: Table, options: Options, family: Make) -> None:
    """The ports that were named: at which end, in which state."""
    asked: set[int] = set()
    for part in str(options.port).split(","):
        low, _, high = part.strip().partition("-")
        if low.isdecimal() and (high or low).isdecimal():
            asked.update(range(int(low), int(high or low) + 1))
        else:  # a service, by its name
            with suppress(OSError):
                asked.add(getservbyname(part.strip()))
    named = family("pynetstat_port_sockets", "gauge", "Sockets with a port that was named.")
    for side in ("local", "remote"):
        columns = map(table.readable, ("proto", "state", f"{side}_port", "netns"))
        for (proto, state, port, netns), count in Counter(zip(*columns)).items():
            if port in asked:
                named.add(count, proto=proto, state=state, port=port, end=side, netns=netns)


def counter_metrics(tables: Iterable[Table], family: Make) -> None:
    """node_netstat_Tcp_ActiveOpens: the kernel's own names, some of which are no counters."""
    for table in tables:
        for section, name, value in zip(*map(table.readable, ("section", "name", "value"))):
            if name is not None:
                name = name[len(section) :] if name.startswith(section) else name
                whole = f"node_netstat_{metric_word(section)}_{metric_word(name)}"
                family(whole, "unknown", f"{name} of {section}, as the kernel counts it.").add(
                    value
                )


def metric_word(text: str) -> str:
    return "".join(one if one.isascii() and one.isalnum() else "_" for one in text)


def interface_metrics(table: Table, family: Make) -> None:
    for record in table:
        where = {"device": record.ifname, "netns": getattr(record, "netns", None)}
        family("node_network_mtu_bytes", "gauge", "The largest packet.").add(record.mtu, **where)
        stats: Mapping[str, Mapping[str, int]] = plain_stats(record.stats)
        for way, names, verb in (("rx", RECEIVE, "receive"), ("tx", TRANSMIT, "transmit")):
            for name, fields, text in names:
                values = [stats.get(way, {}).get(field) for field in fields.split()]
                known = [value for value in values if value is not None]
                if known:
                    one = family(f"node_network_{verb}_{name}", "counter", text)
                    one.add(sum(known), **where)


def plain_stats(stats: Any) -> Any:
    """Records or dicts, as dicts."""
    if hasattr(stats, "_asdict"):
        stats = stats._asdict()
    if not isinstance(stats, dict):
        return {}
    parts = {name: part._asdict() if hasattr(part, "_asdict") else part
             for name, part in stats.items()}  # fmt: skip
    return {name: part for name, part in parts.items() if isinstance(part, dict)}


def route_counts(table: Table, family: Make) -> None:
    one = family("pynetstat_routes", "gauge", "Routes by family and interface.")
    columns = map(table.readable, ("family", "dev", "netns"))
    for values, count in Counter(zip(*columns)).items():
        one.add(count, **dict(zip(("family", "device", "netns"), values)))


def count_metrics(table: Table, family: Make) -> None:
    """--count-by: its fields are labels; the N largest alone where they may have many values."""
    names = [name for name in table.record._fields if name != "count"]
    one = family("pynetstat_rows", "gauge", "Rows that have these values.")
    for values in zip(*map(table.readable, (*names, "count"))):
        one.add(values[-1], **dict(zip(map(metric_word, names), values)))
