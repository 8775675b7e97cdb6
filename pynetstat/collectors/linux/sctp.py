"""SCTP sockets: endpoints and associations, each of which may have several addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain, islice, repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, NamedTuple

from ...cells import host_texts, port_texts, signed
from ...kernel.proc import Proc, lines_of
from ...listing import Column, Missing, Report, halves
from ...options import Options
from ...table import Table
from ...text import safe_cells
from .inet import InetSocket, inet_tail_columns, names, state_name

Several = tuple[str, ...]  # the addresses of one end
Known = Mapping[str, "str | None"]  # each word with its address, or None where it is none

# A row of /proc/net/sctp/eps as sctp_eps_seq_show() prints it, a blank after each address:
#  ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS
# ffff8d1c ffff8d2c 2   10  29   80         0 23457 10.0.0.1 192.168.100.200
ENDPOINT = re.compile(
    r"^ *\S+ +\S+ +\d+ +(\d{1,10}) +\d+ +(\d{1,10}) +(\d{1,10}) +(\d{1,20})((?: [0-9a-f.:]+)*) *\n",
    re.ASCII | re.MULTILINE,
)
# A row of /proc/net/sctp/assocs as sctp_assocs_seq_show() prints it, * before a primary address:
#  ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS <->
# ffff8d1c ffff8d2c 2   1   4  0    17       11       22      1000 33334 5001  5002   *10.0.0.1 <->
#   RADDRS HBINT INS OUTS MAXRT T1X T2X RTXC wmema wmemq sndbuf rcvbuf
#   *10.0.0.2 10.0.0.3 <TAB>    7500    10    10   10    0    0        0        1        0   212992
ASSOCIATION = re.compile(
    r"^ *\S+ +\S+ +\d+ +(\d{1,10}) +\d+ +\d+ +\d+ +(\d{1,10}) +(\d{1,10}) +(\d{1,10}) +(\d{1,20})"
    r" +(\d{1,10}) +(\d{1,10}) *((?: \*?[0-9a-f.:]+)*) <->((?: \*?[0-9a-f.:]+)*) *\t[^\n]*\n",
    re.ASCII | re.MULTILINE,
)
# The same with all the freedom that netstat allows.
LOOSE_ENDPOINT = re.compile(
    r"\s*(?:\S+\s+){3}(-?\d{1,10})\s+\S+\s+(\d{1,10})\s+(-?\d{1,10})\s+(\d{1,20})(?!\S)([^\t]*)",
    re.ASCII,
)
LOOSE_ASSOCIATION = re.compile(
    r"\s*(?:\S+\s+){3}(-?\d{1,10})\s+(?:\S+\s+){3}(\d{1,10})\s+(\d{1,10})\s+(-?\d{1,10})"
    r"\s+(\d{1,20})\s+(\d{1,10})\s+(\d{1,10})(?!\S)([^<>\t-]*)[<>\t-]*([^<>\t-]*)",
    re.ASCII,
)


class Kind(NamedTuple):
    """What differs between the two tables. A row ends with `ends` lists of addresses."""

    file: str
    name: str
    row: re.Pattern[str]
    loose: re.Pattern[str]
    decode: Callable[..., Table]
    ends: int


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Missing]:
    """Endpoints are what listens, associations are what is connected. Modern kernels list IPv6
    in the first file too, and have none for it alone."""
    for kind in KINDS:
        if options.all or options.listening == (kind.file == "eps"):
            missing = Missing("AF INET (sctp)", proc.path(f"net/sctp/{kind.file}"))
            yield from halves(options, missing, partial(read_sctp, proc, outcome, kind))


def read_sctp(proc: Proc, outcome: Report, kind: Kind, version: str) -> Iterator[Table]:
    heading = True
    for block in proc.blocks(f"net/sctp{version}/{kind.file}"):
        if heading:  # the first line is always the heading
            block, heading = block.partition("\n")[2], False
        rows = kind.row.findall(block)
        if len(rows) != block.count("\n") or not block.endswith("\n"):
            rows = loose_sctp_rows(outcome, kind, block) if block else []
        known = decode_addresses([text for row in rows for text in row[-kind.ends :]])
        if None in known.values():
            rows = [row for row in rows if sound(outcome, kind, known, row)]
        if rows:
            yield kind.decode(known, *zip(*rows))


def loose_sctp_rows(outcome: Report, kind: Kind, block: str) -> list[tuple[str, ...]]:
    """Line by line, where a block holds something that no kernel prints."""
    rows = []
    for line in lines_of(block):
        match = kind.loose.match(line)
        if match:
            rows.append(match.groups())
        else:
            bogus(outcome, kind)
    return rows


def sound(outcome: Report, kind: Kind, known: Known, row: Sequence[str]) -> bool:
    """True if all its addresses are valid; netstat would print 255.255.255.255 for a wrong one."""
    if all(known[word] for text in row[-kind.ends :] for word in text.split()):
        return True
    bogus(outcome, kind)
    return False


def bogus(outcome: Report, kind: Kind) -> None:
    outcome.warn(f"warning, got bogus sctp {kind.name} line.")


def decode_addresses(texts: Iterable[str]) -> Known:
    """`*10.0.0.1` -> 10.0.0.1, and IPv6 as all write it; each distinct one once."""
    words = set(" ".join(texts).split())
    short, long = [w for w in words if ":" not in w], [w for w in words if ":" in w]
    try:
        return {**dict(zip(short, canonical(AF_INET, short))),
                **dict(zip(long, canonical(AF_INET6, long)))}  # fmt: skip
    except (OSError, ValueError):
        return {word: address_of_word(word) for word in words}


def canonical(family: int, words: Iterable[str]) -> Iterator[str]:
    bare = [word.removeprefix("*") for word in words]
    return map(partial(inet_ntop, family), map(partial(inet_pton, family), bare))


def address_of_word(word: str) -> str | None:
    try:
        return next(canonical(AF_INET6 if ":" in word else AF_INET, [word]))
    except (OSError, ValueError):
        return None


def endpoints(known: Known, *columns: Sequence[str]) -> Table:
    code, port, uid, inode, here = columns
    fields = {"code": code, "uid": uid, "inode": inode, "local_port": port}
    ends = {"local": several(known, here), "remote": [()] * len(code)}
    return sctp_table(fields, ends, layout=[endpoint_columns] * len(code))


def associations(known: Known, *columns: Sequence[str]) -> Table:
    code, sending, received, uid, inode, port, peer, here, there = columns
    fields = {"code": code, "uid": uid, "inode": inode, "local_port": port, "remote_port": peer}
    ends = {"local": several(known, here), "remote": several(known, there)}
    return sctp_table(
        fields,
        ends,
        recv_q=lambda: [int(number) & 0xFFFFFFFF for number in received],
        send_q=lambda: [int(number) & 0xFFFFFFFF for number in sending],
        layout=[association_columns] * len(code),
    )


KINDS = (
    Kind("eps", "eps", ENDPOINT, LOOSE_ENDPOINT, endpoints, 1),
    Kind("assocs", "assoc", ASSOCIATION, LOOSE_ASSOCIATION, associations, 2),
)


def several(known: Known, texts: Sequence[str]) -> list[Any]:
    return list(map(tuple, map(partial(map, known.__getitem__), map(str.split, texts))))


def sctp_table(
    numbers: Mapping[str, Sequence[str]], ends: Mapping[str, Sequence[Several]], **fields: Any
) -> Table:
    """The record has the first address of each end; `local_addresses` and `remote_addresses`
    have them all."""
    code, length = numbers["code"], len(numbers["code"])
    for name, digits in numbers.items():
        if name.endswith("port"):
            fields[name] = [int(text) & 0xFFFF for text in digits]
        elif name != "code":
            fields[name] = list(map(int, digits))
    for side, lists in ends.items():
        fields[f"{side}_addresses"] = lists
        fields[f"{side}_address"] = [some[0] if some else None for some in lists]
    six = [":" in (text or "") for text in fields["local_address"]]
    return Table(
        InetSocket,
        length,
        proto=["sctp"] * length,
        family=["inet6" if yes else "inet" for yes in six],
        state=lambda: sctp_states(code),
        timer_text=[""] * length,
        **fields,
    )


def sctp_states(codes: Sequence[str]) -> list[str | None]:
    """The state of the socket; that of the association is not shown."""
    named = {code: sctp_state(signed(int(code))) for code in set(codes)}
    return list(map(named.__getitem__, codes))


def sctp_state(number: int) -> str | None:
    return state_name(number) or None if number >= 0 else f"UNKNOWN({number})"


# The classic text: a row for the first address of each end, and a line for each further one;
# what -e, -p and -o add stands on the last of them.

MARGIN = "\n" + " " * 20  # before a further line
FIELDS = "state recv_q send_q local_port remote_port"
FIELDS += " local_addresses local_hosts remote_addresses remote_hosts"


def endpoint_columns(options: Options) -> Iterator[Column]:
    yield Column("", "%s", FIELDS, partial(endpoint_cells, options))
    yield from inet_tail_columns(options)


def association_columns(options: Options) -> Iterator[Column]:
    yield Column("", "%s", FIELDS, partial(association_cells, options))
    yield from inet_tail_columns(options)


def endpoint_cells(options: Options, *columns: Sequence[Any]) -> list[str]:
    state, _, _, port, _, local, hosts, _, _ = columns
    counts = list(map(len, local))
    ends = written_several(local, host_names(options, local, hosts))
    ports = map(port_texts(port).__getitem__, chain.from_iterable(map(repeat, port, counts)))
    cells = zip(
        folded(["sctp" + " " * 16] * len(counts), counts, MARGIN),
        map(":".join, zip(chain.from_iterable(ends), ports)),
        folded(state, counts, ""),
    )
    return gathered(map("%s%-47s %-11s".__mod__, cells), counts)


def association_cells(options: Options, *columns: Sequence[Any]) -> list[str]:
    state, received, sending, port, peer, local, hosts, remote, peers = columns
    counts = list(map(max, map(len, local), map(len, remote)))
    cells = zip(
        folded(list(map("sctp  %6d %6d ".__mod__, zip(received, sending))), counts, MARGIN),
        padded_cells(written_several(local, host_names(options, local, hosts)), port, counts),
        padded_cells(written_several(remote, host_names(options, remote, peers)), peer, counts),
        folded(state, counts, ""),
    )
    return gathered(map("%s%-23s %-23s %-11s".__mod__, cells), counts)


def host_names(
    options: Options, addresses: Sequence[Several], hosts: Sequence[Any]
) -> dict[str, str]:
    """How each distinct address is shown: cut to 63 bytes, and nothing in it that could break
    out of its line, since the lines of a row are ours."""
    numeric = "local_hosts" not in names(options)
    found = repeat(None) if numeric or None in hosts else chain.from_iterable(hosts)
    shown = host_texts(list(chain.from_iterable(addresses)), found, numeric)
    return dict(zip(shown, safe_cells([text[:63] for text in shown.values()])))


def written_several(lists: Sequence[Several], shown: Mapping[str, str]) -> list[Several]:
    return list(map(tuple, map(partial(map, shown.__getitem__), lists)))


def padded_cells(
    ends: Sequence[Several], ports: Sequence[int], counts: Sequence[int]
) -> Iterable[str]:
    """An end's cells in as many lines as its row has; the port stands with the first address."""
    flat = list(
        chain.from_iterable([(*some, *[""] * (n - len(some))) for some, n in zip(ends, counts)])
    )
    numbers = port_texts(ports)
    for start, n, port in zip(accumulate(counts, initial=0), counts, ports):
        if n and flat[start]:
            flat[start] += ":" + numbers[port]
    return flat


def folded(firsts: Sequence[Any], counts: Sequence[int], further: str) -> Iterable[str]:
    """What stands in the first line of each row, and what in its further ones."""
    rows = [(first or "", *[further] * (n - 1))[:n] for first, n in zip(firsts, counts)]
    return chain.from_iterable(rows)


def gathered(lines: Iterator[str], counts: Sequence[int]) -> list[str]:
    return ["".join(islice(lines, n)) for n in counts]
