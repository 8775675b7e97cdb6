"""Rules about open tcp connections: never closed, never read at either end, not acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .host import Host
from .rule import (
    Finding,
    Limit,
    Limits,
    Owner,
    Rule,
    Value,
    by_owner,
    finding_of,
    mostly,
    others,
    peers,
    percent,
    plural,
    value,
)

HELD = "pid program recv_q local_address local_port remote_address remote_port key"
Row = tuple[Any, ...]


def accepted(owner: Owner, key: Any) -> bool:
    """True if a program has accepted the connection. Until then it has no inode."""
    return isinstance(key, int) or owner[0] is not None


def close_wait_leak(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    rows = host.rows(HELD.replace("recv_q", "recv_q?"), {"CLOSE_WAIT"})
    later = host.later("recv_q?", {"CLOSE_WAIT"}) if rows else {}
    held = [
        row for row in rows if row[-1] in later and accepted(row[:2], row[-1])
        and not host.info_grown(row[-1], "bytes_sent")  # half closed on purpose: it still sends
    ]  # fmt: skip
    leaks, told = {}, {}
    most = 0
    for owner, all_of_it in by_owner(held).items():
        left = [row for row in all_of_it if not idle(host, row, limits)]
        allowed = host.files_allowed(owner[0])
        full = allowed is not None and len(all_of_it) >= limits["files"] * allowed
        most = max(most, len(left))
        unseen = all_of_it[0][2] is None and len(all_of_it) >= limits["many"]
        if full or unseen or leaking(host, left, host.connections[owner], limits):
            leaks[owner] = (all_of_it if full or unseen else left), allowed, full
        elif any((row[2] or 0) > 1 for row in all_of_it):
            told[owner] = all_of_it, allowed, full
    yield value("sockets", most, limits["several"], limits["critical"])
    chosen = leaks or told
    if not chosen:
        return
    evidence = [unclosed_row(host, owner, *held) for owner, held in chosen.items()]
    owner, (left, allowed, full) = next(iter(chosen.items()))
    critical = any(one[2] or len(one[0]) >= limits["critical"] for one in leaks.values())
    severity = "critical" if critical else "warning" if leaks else "information"
    text = f"{host.who(owner)} has not closed {plural(len(left), 'connection')}"
    text += f" that the other end closed{unclosed(evidence[0], full)}"
    yield finding_of(
        severity, text + others(evidence), evidence, next_steps(host, owner, "close-wait")
    )


def idle(host: Host, row: Row, limits: Limits) -> bool:
    """A connection that a program here opened, and that the peer closed while it was idle: a pool
    notices it when it needs the connection next. A little text before the end is a farewell.
    Where no queue is told, a connection that a program here opened may be such a one."""
    if row[2] is None:
        return row[4] not in host.listeners
    unread = row[2] - 1
    return 0 <= unread <= limits["farewell"] and row[4] not in host.listeners


def leaking(host: Host, left: Sequence[Row], total: int, limits: Limits) -> bool:
    if len(left) >= limits["many"]:
        return True
    if len(left) < limits["sockets"] or len(left) < limits["share"] * total:
        return False
    ages = [host.info(row[-1], "last_ack_recv_ms") or 0 for row in left]
    old = [age for age in ages if age >= 1000 * limits["seconds"]]
    return len(left) >= limits["several"] or len(old) >= limits["sockets"]


def unclosed_row(
    host: Host, owner: Owner, rows: Sequence[Row], allowed: int | None, full: bool
) -> dict[str, Any]:
    # In CLOSE_WAIT, Recv-Q counts the peer's FIN as one byte until the program has read the end.
    queues = [row[2] for row in rows if row[2] is not None]
    ages = [age for row in rows if (age := host.info(row[-1], "last_ack_recv_ms")) is not None]
    return host.owned(
        owner,
        connections=len(rows),
        end_read=queues.count(0) if queues else None,
        unread_bytes=sum(max(size - 1, 0) for size in queues) if queues else None,
        oldest_seconds=max(ages) // 1000 if ages else None,
        local=mostly(row[3:5] for row in rows),
        peer=peers(row[5:7] for row in rows),
        max_files=allowed,
    )


def unclosed(row: dict[str, Any], full: bool) -> str:
    text = ""
    if row["unread_bytes"]:
        text = f", and never read the last {plural(row['unread_bytes'], 'byte')} they sent"
    elif row["end_read"] == row["connections"]:
        text = ", though it has read their end"
    elif row["end_read"] == 0:
        text = ", and has not looked at them since"
    if full:
        text += f"; it may have {row['max_files']:,} files and connections open at once"
    return text


def next_steps(host: Host, owner: Owner, state: str) -> list[str]:
    """Commands about the connections of a program, and its log."""
    pid, _ = owner
    if pid is None:
        return [f"sudo pynetstat -tanp --state {state}"]
    return [f"pynetstat -tanpo --state {state} --pid {pid}", *log_of(host, owner)]


def log_of(host: Host, owner: Owner) -> list[str]:
    unit = host.process(owner[0]).unit
    plain = unit and unit.endswith(".service") and not set(unit) & set(" '\"\\$`;&|<>()*?!\n")
    return [f"journalctl -u {unit} -n 50"] if plain else []


CLOSE_WAIT_LEAK = Rule(
    "close-wait-leak",
    close_wait_leak,
    limits=(
        Limit("sockets", 5, "from {:,} connections of one program in CLOSE_WAIT"),
        Limit("seconds", 60, "for {:g} seconds"),
        Limit("share", 0.1, "if these are {:.0%} of its connections"),
        Limit("several", 20, "from {:,} connections at once"),
        Limit("many", 100, "from {:,} whatever their share"),
        Limit(
            "farewell",
            100,
            "idle connections that the program opened, with at most {:,} bytes"
            " unread, are not counted",
        ),
        Limit("critical", 1000, "critical from {:,} connections"),
        Limit("files", 0.5, "and from {:.0%} of the file descriptors that the program may have"),
    ),
    means=(
        "The other end has closed these connections, and the program here has not (their state is"
        " CLOSE_WAIT). Only the program can close them. Until it does, or ends, each takes one of"
        " its file descriptors, of which it has a limited number, and memory of the system."
    ),
    causes=(
        "A program that forgets to close, mostly after an error or a timeout. A pool of"
        " connections that does not notice that they are dead. A program that hangs."
    ),
    advice=(
        "Restart the program: this frees them for a while. Then find the place where it does not"
        " close. If it has read their end (Recv-Q is 0), it forgot close(). If data is unread, it"
        " stopped reading earlier, or hangs. A few such connections are no reason to worry."
    ),
)


def unread_data(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    rows = host.rows(HELD, {"ESTABLISHED"}, having="recv_q")
    later = host.later("recv_q", {"ESTABLISHED"}) if rows else {}
    stuck: list[Row] = []
    slow: list[Row] = []
    for row in rows:
        waiting = later.get(row[-1], (0,))[0]
        small = waiting <= limits["notice"] and row[4] not in host.listeners
        if not waiting or small or not accepted(row[:2], row[-1]):
            continue
        kind = unread_kind(host, row, waiting, limits)
        if kind:
            (stuck if kind == "stuck" else slow).append(row)
    chosen: dict[Owner, list[Any]] = {}
    for owner, held in by_owner([*stuck, *slow]).items():
        share = len(held) / max(host.connections[owner], len(held))
        several = len(held) >= limits["sockets"] and share >= limits["share"]
        if several or max(row[2] for row in held) >= limits["bytes"]:
            chosen[owner] = held
    yield value("bytes", sum(row[2] for row in (*stuck, *slow)), limits["bytes"])
    if not chosen:
        return
    owner, held = next(iter(chosen.items()))
    reads = "reads more slowly than it is sent" if held[0] in slow else "does not read what it is"
    reads += "" if held[0] in slow else " sent"
    text = f"{host.who(owner)} {reads}: {plural(sum(row[2] for row in held), 'byte')} wait in"
    text += f" {plural(len(held), 'connection')}"
    state = host.process(owner[0]).state
    text += f"; the program is {state}" if state else ""
    steps = next_steps(host, owner, "established")
    if owner[0] is not None:
        cure = f"kill -CONT {owner[0]}" if state == "stopped" else f"cat /proc/{owner[0]}/stack"
        steps = [cure, *steps]
    yield finding_of(
        "critical" if len(held) >= limits["critical"] else "warning",
        text + others(list(chosen)),
        [unread_row(host, *group) for group in chosen.items()],
        steps,
    )


def unread_kind(host: Host, row: Row, waiting: int, limits: Limits) -> str:
    """Is it "stuck", or read too "slow"ly? Empty where it is read, or may be soon."""
    silent = host.info(row[-1], "last_data_recv_ms")
    received = host.info_grown(row[-1], "bytes_received")
    if silent is None or received is None:  # /proc alone: as much as in the first sample
        return "stuck" if waiting == row[2] else ""
    before, after = host.queued(row[-1])
    read = before - after + received
    if not before or not after:
        return ""
    if read <= 0:
        return "stuck" if max(silent / 1000, host.infos_span) >= limits["seconds"] else ""
    behind = after * host.infos_span / read
    full = min(before, after) >= limits["bytes"]
    return "slow" if full and behind >= limits["behind"] else ""


def unread_row(host: Host, owner: Owner, rows: Sequence[Row]) -> dict[str, Any]:
    ages = [age for row in rows if (age := host.info(row[-1], "last_data_recv_ms")) is not None]
    return host.owned(
        owner,
        connections=len(rows),
        unread_bytes=sum(row[2] for row in rows),
        oldest_seconds=max(ages) // 1000 if ages else None,
        process_state=host.process(owner[0]).state,
        local=mostly(row[3:5] for row in rows),
        peer=peers(row[5:7] for row in rows),
    )


UNREAD_DATA = Rule(
    "unread-data",
    unread_data,
    limits=(
        Limit("sockets", 5, "from {:,} connections with unread data"),
        Limit("share", 0.2, "if these are {:.0%} of the program's connections"),
        Limit("bytes", 65536, "or from {:,} unread bytes in one connection"),
        Limit("seconds", 5, "for {:g} seconds"),
        Limit("behind", 10, "or where reading it all would take {:g} seconds at the present speed"),
        Limit("notice", 4096, "connections that the program opened count from {:,} bytes"),
        Limit("critical", 100, "critical from {:,} connections"),
    ),
    means=(
        "Data has arrived (Recv-Q counts its bytes) and the program does not read it. The system"
        " keeps it; when its buffer is full, the other end has to stop sending."
    ),
    causes=(
        "A program that hangs, or waits for something else (a lock, a disk, another server). A"
        " program that is too slow for what it is sent. A program that is stopped (Ctrl-Z, a"
        " debugger)."
    ),
    advice=(
        "See what the program is doing: its log, `strace -p PID`, `cat /proc/PID/stack` (as"
        " root). A process in state T is stopped: `kill -CONT PID`. Restart it if it hangs."
    ),
)


def peer_not_reading(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    names = "pid program send_q remote_address remote_port key timer"
    states = {"ESTABLISHED", "CLOSE_WAIT"}
    rows = host.rows(names, states, having="send_q")
    later = host.later("send_q timer", states) if rows else {}
    blocked = [row for row in rows if row[5] in later and shut_out(host, row, later, limits)]
    chosen = {}
    for owner, held in by_owner(blocked).items():
        share = len(held) / max(host.connections[owner], len(held))
        several = len(held) >= limits["sockets"] and share >= limits["share"]
        large = max(row[2] for row in held) >= limits["bytes"] and share >= limits["large_share"]
        if several or large:
            chosen[owner] = held
    yield value("sockets", len(blocked), limits["sockets"], limits["critical"])
    if not chosen:
        return
    owner, held = next(iter(chosen.items()))
    place = peers((row[3], row[4]) for row in held)
    text = f"{place} does not read what {host.who(owner)} sends:"
    if "hosts, such as" in place:
        text = f"{place}, do not read what {host.who(owner)} sends:"
    text += f" {plural(sum(row[2] for row in held), 'byte')} wait in"
    text += f" {plural(len(held), 'connection')}; it is not the network{others(list(chosen))}"
    yield finding_of(
        "critical" if len(held) >= limits["critical"] else "warning",
        text,
        [blocked_row(host, *group) for group in chosen.items()],
        [f"ss -tino dst {held[0][3]}", *next_steps(host, owner, "established")],
    )


def shut_out(host: Host, row: Row, later: dict[Any, Row], limits: Limits) -> bool:
    """Did the peer's receive window stop this connection, and does it hardly move?"""
    waiting, timer = later[row[5]]
    probing = timer is not None and row[6].name == timer.name == "probe"
    limited = host.info_grown(row[5], "rwnd_limited")
    acknowledged = host.info_grown(row[5], "bytes_acked")
    silent = host.info(row[5], "last_data_sent_ms")
    if limited is None or acknowledged is None or silent is None:
        return probing and waiting > 0
    if not waiting or not (probing or limited >= limits["limited"] * host.infos_span * 1e6):
        return False
    if acknowledged == 0:
        return max(silent / 1000, host.span) >= limits["seconds"]
    return bool(waiting * host.infos_span / acknowledged >= limits["behind"])


def blocked_row(host: Host, owner: Owner, rows: Sequence[Row]) -> dict[str, Any]:
    unsent = [size for row in rows if (size := host.info(row[5], "notsent_bytes")) is not None]
    limited = [
        part for row in rows if (part := host.info_grown(row[5], "rwnd_limited")) is not None
    ]
    share = max(limited) / host.infos_span / 1e6 if limited and host.infos_span else None
    return host.owned(
        owner,
        connections=len(rows),
        send_q_bytes=sum(row[2] for row in rows),
        notsent_bytes=sum(unsent) if unsent else None,
        rwnd_limited_percent=None if share is None else min(round(100 * share), 100),
        peer=peers((row[3], row[4]) for row in rows),
    )


PEER_NOT_READING = Rule(
    "peer-not-reading",
    peer_not_reading,
    limits=(
        Limit(
            "limited", 0.8, "where the peer's window stopped a connection for {:.0%} of the time"
        ),
        Limit("seconds", 5, "and nothing was sent for {:g} seconds"),
        Limit("behind", 20, "or what waits would take {:g} seconds at the present speed"),
        Limit("sockets", 5, "from {:,} such connections"),
        Limit("share", 0.1, "if these are {:.0%} of the program's"),
        Limit("bytes", 65536, "or from {:,} bytes in one connection"),
        Limit("large_share", 0.2, "if such are {:.0%} of the program's"),
        Limit("critical", 100, "critical from {:,} connections"),
    ),
    means=(
        "The program here has data to send, and the machine at the other end says that it has no"
        " room for it: the program there does not read (its receive window is full). The data"
        " waits here, in Send-Q. The network and this machine are not the cause."
    ),
    causes=(
        "At the other end: a program that hangs, is stopped, or is slower than what it is sent; a"
        " client that stopped reading and did not close."
    ),
    advice=(
        "Look at the program at the other end: there, `pynetstat -tanp` shows the connection with"
        " data in Recv-Q, and who holds it. Here, a timeout for sending keeps the program from"
        " waiting for ever. `ss -tin` shows rwnd_limited for each connection."
    ),
)


def unacknowledged_data(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    names = "pid program send_q remote_address remote_port key timer"
    states = {"ESTABLISHED", "CLOSE_WAIT"}
    rows = [row for row in host.rows(names, states, having="send_q") if row[-1].retransmits]
    later = host.later("timer", states) if rows else {}
    lost = []
    for row in rows:
        timer = later.get(row[-2], (row[-1],))[0]
        if timer.name == "on" and timer.retransmits >= limits["tries"] and row[-2] in later:
            lost.append((*row[:-1], timer.retransmits))
    chosen = {}
    for owner, held in by_owner(lost).items():
        if len(held) >= limits["share"] * host.connections[owner]:
            chosen[owner] = held
    yield value("sockets", len(lost), 1, limits["critical"])
    if not chosen:
        return
    evidence = [unanswered(host, *group) for group in chosen.items()]
    owner, held = next(iter(chosen.items()))
    first = evidence[0]
    size, tries = first["unacknowledged_bytes"], plural(first["retransmits"] + 1, "attempt")
    text = f"{first['peer']} does not answer {host.who(owner)}: {plural(size, 'byte')} in"
    if "hosts, such as" in first["peer"]:
        text = f"{first['peer']}, do not answer {host.who(owner)}: {plural(size, 'byte')} in"
    text += f" {plural(len(held), 'connection')} are not acknowledged after {tries}"
    if any(host.info(row[-2], "sacked") for row in held):
        text += "; smaller packets sent later did arrive, so packets of full size may not fit (MTU)"
    yield finding_of(
        "critical" if len(held) >= limits["critical"] else "warning",
        text + others(list(chosen)),
        evidence,
        [f"ping -c 3 {held[0][3]}", f"tracepath {held[0][3]}"],
    )


def unanswered(host: Host, owner: Owner, rows: Sequence[Row]) -> dict[str, Any]:
    """A program's rows that are pid, program, bytes, the peer, ..., key, retransmissions."""
    sizes = [row[2] - (host.info(row[-2], "notsent_bytes") or 0) for row in rows]
    return host.owned(
        owner,
        connections=len(rows),
        unacknowledged_bytes=sum(max(size, 0) for size in sizes),
        retransmits=max(row[-1] for row in rows),
        peer=peers((row[3], row[4]) for row in rows),
    )


UNACKNOWLEDGED_DATA = Rule(
    "unacknowledged-data",
    unacknowledged_data,
    limits=(
        Limit("tries", 3, "from {:,} repetitions without an answer (about 1.4 seconds)"),
        Limit("share", 0.1, "in {:.0%} of the program's connections"),
        Limit("critical", 50, "critical from {:,} connections"),
    ),
    means=(
        "The other machine does not acknowledge what was sent: this system sends it again, each"
        " time after a longer pause, and gives the connection up after some 15 minutes. The"
        " program notices nothing until then, unless it has a timeout of its own."
    ),
    causes=(
        "The other machine is off or cut off. A cable or a wireless link is dead. A firewall has"
        " begun to drop the packets. Packets of full size do not fit through (MTU) while small"
        " ones do."
    ),
    advice=(
        "`ping` the other machine, then `tracepath` it: that shows how far packets come and how"
        " large they may be. If only this program is affected, ask who runs the other machine."
    ),
)


def loss_of_one(host: Host, limits: Limits) -> Iterator[Finding | Value]:
    host.must_tell_infos()
    lossy = host.repeating()
    names = "pid program remote_address remote_port key"
    rows = host.rows(names, {"ESTABLISHED", "CLOSE_WAIT"})
    addresses = {row[2] for row in rows if row[4] in lossy}
    groups: dict[str, list[Any]] = {}
    for row in rows:
        if row[2] in addresses:
            groups.setdefault(row[2], []).append(row)
    paths = [path_to(host, address, held) for address, held in groups.items()]
    bad = [path for path in paths if worth_telling(path, limits)]
    bad.sort(key=lambda path: -path["retransmitted"])
    yield value("paths", len(bad), 1)
    if not bad:
        return
    for kind in ("lost", "full", "reordered"):
        chosen = [path for path in bad if path_kind(path, limits) == kind]
        if chosen and not (kind == "lost" and host.lossy):  # retransmissions tells it
            yield finding_of(
                "warning" if kind == "lost" else "information",
                path_text(host, kind, chosen[0]) + others(chosen, "host", "alike"),
                chosen,
                [f"tracepath {chosen[0]['peer']}", f"ss -ti dst {chosen[0]['peer']}"],
            )


def path_to(host: Host, address: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The sums of tcp_info over the connections to a host."""

    def total(name: str, ask: Any = host.info) -> int:
        return sum(ask(row[4], name) or 0 for row in rows)

    owner = next(iter(by_owner(rows)))
    rtts = [rtt for row in rows if (rtt := host.info(row[4], "rtt"))]
    least = [rtt for row in rows if (rtt := host.info(row[4], "min_rtt"))]
    return host.owned(
        owner,
        connections=len(rows),
        peer=address,
        retransmitted=total("total_retrans", host.info_grown),
        segments=total("segs_out", host.info_grown),
        retransmitted_total=total("total_retrans"),
        segments_total=total("segs_out"),
        duplicates_total=total("dsack_dups"),
        rtt_ms=max(rtts) // 1000 if rtts else None,
        min_rtt_ms=min(least) // 1000 if least else None,
    )


def worth_telling(path: dict[str, Any], limits: Limits) -> bool:
    now, sent = path["retransmitted"], path["segments"]
    if now >= limits["segments"] and sent >= limits["sent"] and now >= limits["share"] * sent:
        return True
    ever, all_sent = path["retransmitted_total"], path["segments_total"]
    enough = ever >= limits["ever"] and all_sent >= limits["sent"]
    return bool(now and enough and ever >= limits["share"] * all_sent)


def path_kind(path: dict[str, Any], limits: Limits) -> str:
    slow = (path["rtt_ms"] or 0) >= limits["rtt_ms"]
    if slow and path["rtt_ms"] >= limits["rtt_times"] * max(path["min_rtt_ms"] or 0, 1):
        return "full"
    if path["duplicates_total"] >= 0.5 * path["retransmitted_total"]:
        return "reordered"
    return "lost"


def path_text(host: Host, kind: str, path: dict[str, Any]) -> str:
    again, sent = path["retransmitted"], path["segments"]
    if again < 3:
        again, sent = path["retransmitted_total"], path["segments_total"]
    share = f"{percent(again / max(sent, 1))} of the segments to {path['peer']}"
    program = f" (connections of {host.who((path['pid'], path['program']))})"
    if kind == "reordered":
        text = f"{share} were sent again though they had arrived: they overtake one another on the"
        return f"{text} way, or answers come late{program}"
    if kind == "full":
        text = f"The line to {path['peer']} is full: an answer takes {path['rtt_ms']:,} ms, and"
        return f"{text} {path['min_rtt_ms']:,} ms when the line is free{program}"
    return f"{share} had to be sent again ({again:,} of {sent:,}){program}"


LOSS_OF_ONE = Rule(
    "loss-of-one",
    loss_of_one,
    limits=(
        Limit("share", 0.05, "from {:.0%} of the segments to one host sent again"),
        Limit("segments", 3, "from {:,} between the samples"),
        Limit("ever", 5, "or {:,} in the life of connections that still lose some"),
        Limit("sent", 20, "of at least {:,} sent"),
        Limit("rtt_ms", 200, "the line is full from {:,} ms to an answer"),
        Limit("rtt_times", 4, "if this is {:g} times the shortest"),
    ),
    means=(
        "Packets to one host are lost on the way and have to be sent again (retransmission)."
        " Connections to it are slow; those to other hosts are not. A full line looks alike: then"
        " packets wait in a queue on the way, and the time to an answer grows."
    ),
    causes=(
        "A wireless link, a bad cable or an overloaded line near that host, or on the way to it."
        " A line that is full of the traffic of these very connections."
    ),
    advice=(
        "`tracepath HOST` or `mtr HOST` shows where on the way packets are lost. If the line is"
        " full, send less, or let the router share it out (fq_codel, cake)."
    ),
)
