"""What a run will do: every implication of the options, and every mistake in them."""

from __future__ import annotations

from collections.abc import Callable

from . import collectors
from .kernel.sockdiag import TIMED, TOLD_ALIKE, TOLD_WITH_USERS
from .listing import DETAILS, MORE_DETAILS, OWNED, Listing
from .options import EVERY_FIELD, LINUX, MODES, NAMED, OTHERS, Misuse, Options, nearest
from .settings import BY_FIELD, FAMILIES
from .table import names_of

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any


class Plan:
    """The options of a run as its steps need them. Nothing of the system is read here.

    Misuse says what makes no sense, on the command line and in the API alike.

    options   with everything that they imply
    filter    which rows to keep, or None; `early` is the part that can be checked at once,
              `late` the part that waits for owners and names
    every     all holders of a socket are wanted, and not only the one that netstat prints
    """

    def __init__(self, options: Options) -> None:
        self.filter = self.early = self.late = None
        if options.layout or options.lsof is not None:
            options = in_layout(options)
        fields = {*options.sort_keys, *options.count_by}
        fields.update(() if options.columns == EVERY_FIELD else options.columns)
        implied: dict[str, Any] = {}
        if options.filtered:
            from .stages.filters import from_options

            self.filter = from_options(options)
        if self.filter:
            self.early, self.late = self.filter.split()
            fields |= self.filter.fields
            if self.filter.names_state:  # it replaces netstat's own choice of rows
                implied["all"] = True
        if options.details or not fields.isdisjoint((*DETAILS, *MORE_DETAILS)):
            implied["details"] = implied["programs"] = True
        if options.context or not fields.isdisjoint(OWNED):
            implied["programs"] = True
        if "netns" in fields and not options.netns:
            implied["netns"] = "all"
        internals = named_internals(options, fields)
        if internals:
            implied["internals"] = internals
        if options.rates or not fields.isdisjoint(RATES):
            implied["rates"] = True
        if options.rounds or (options.interval != 1.0 and "rates" not in implied):
            implied["continuous"] = True
        self.options = options.replace(**implied) if implied else options
        self.every = options.structured or "processes" in fields or self.options.details
        self.listings = listings_found(self.options)
        if options.elsewhere:
            from .stages.machines import with_host

            self.listings = list(map(with_host, self.listings))
        check(self)
        check_places(self.options)
        read = self.fields_read(fields)
        dump, users = read <= TOLD_ALIKE, read <= TOLD_WITH_USERS
        if not dump:
            timers = users and not read.isdisjoint(TIMED)
            self.options = self.options.replace(dump=False, dump_users=users, dump_timers=timers)
        if self.filter and users:
            self.options = self.options.replace(condition=self.filter.kernel)

    def fields_read(self, fields: set[str]) -> set[str]:
        """All fields of Internet sockets that this run reads."""
        read = set(fields)
        for listing in self.listings:
            if listing.name != "sockets":
                continue
            if self.options.structured:
                chosen = self.options.columns not in ((), EVERY_FIELD)
                read |= set() if chosen else set(listing.record._fields)
            else:
                for column in listing.columns(self.options):
                    read.update(column.fields.split())
        return read


RATES = frozenset({"rate_in", "rate_out"})


def named_internals(options: Options, fields: set[str]) -> tuple[str, ...]:
    """The fields of sock_diag's attributes that this run reads; the kernel is asked for no more."""
    rates = options.rates or not fields.isdisjoint(RATES)
    whole = [name for name in ("tcp_info", "memory") if getattr(options, name) or name in fields]
    if not (rates or whole or fields - TOLD_WITH_USERS):  # the import takes 3 ms
        return ()
    from .kernel.internals import KINDS, MEMORY_NAMES, RATE_NAMES, TCP_NAMES

    names = {name: None for name in KINDS if name in fields}
    if options.structured and options.columns not in ((), EVERY_FIELD):
        whole = [name for name in whole if name in fields]
    for name in whole:
        names |= dict.fromkeys(TCP_NAMES if name == "tcp_info" else MEMORY_NAMES)
    if rates:
        names |= dict.fromkeys(RATE_NAMES)
    return tuple(names)


def in_layout(options: Options) -> Options:
    """What another program lists where nothing more is said. Misuse for what its layout has not."""
    layout = f"--as {options.layout}" if options.layout else "--lsof"
    if options.elsewhere:
        raise Misuse(f"{layout} is of this machine; with --host leave it out")
    if options.layout and options.lsof is not None:
        raise Misuse("--as and --lsof exclude each other")
    if options.format != "classic" or options.columns or options.count_by:
        raise Misuse(f"{layout} is a layout of its own: no --format, --columns, --count-by")
    lacking = ["masquerade"]
    if options.layout == "windows":
        lacking.append("groups")
    elif options.lsof is not None:
        lacking += ["statistics", "groups"]
    lacking += ["packet", "netlink", "vsock", "l2cap", "rfcomm"]
    for mode in lacking:
        if getattr(options, mode):
            raise Misuse(f"{layout} has no layout for --{mode}")
    inet = layout != "--as macos" and layout != "--as bsd"
    for family in options.families:
        if family not in ("inet", "inet6") and (inet or family != "unix"):
            raise Misuse(f"{layout} has no layout for {family}")
    named = any(getattr(options, name) for name in NAMED)
    if options.lsof is not None:
        if options.route or options.interfaces:
            raise Misuse("--lsof lists sockets alone; no -r, no -i")
        return selected(options)
    windows = options.layout == "windows"
    if options.route:
        families = options.families or ("inet", "inet6")
        numbers = {"numeric_hosts": True, "all": True} if windows else {}
        return options.replace(families=families, **numbers)
    if options.interfaces or options.statistics or options.groups or named:
        return options
    if windows:  # without -a no sockets of UDP
        return options.replace(tcp=True, udp=options.all)
    return options if options.explicit else options.replace(families=("inet", "inet6", "unix"))


def selected(options: Options) -> Options:
    """The sockets that --lsof selects, in any state, with all their holders."""
    from .stages.filters.lsof import selection

    chosen = selection(options.lsof or "")
    parts = [f"({text})" for text in (options.filter, chosen.filter) if text]
    return options.replace(
        all=True,
        programs=True,
        families=chosen.families or options.families,
        filter=" and ".join(parts) or None,
        tcp_states=chosen.states,
        **dict.fromkeys(chosen.protocols, True),
    )


def listings_found(options: Options) -> list[Listing]:
    """What is listed, in order; the modules are imported now. In records the listings of one
    name stand together, each once."""
    listings = [
        collectors.find_listing(*key, source=options.source) for key in wanted_listings(options)
    ]
    if options.statistics and options.layout and not options.families:
        return [*listings, *map(of_version6, listings)]
    if options.structured:
        names = [listing.name for listing in listings]
        listings = sorted(dict.fromkeys(listings), key=lambda listing: names.index(listing.name))
    return listings


def of_version6(listing: Listing) -> Listing:
    """A listing as -6 has it."""

    def collect(proc: Any, options: Options, outcome: Any) -> Any:
        return listing.collect(proc, options.replace(families=("inet6",)), outcome)

    return listing._replace(collect=collect)


def wanted_listings(options: Options) -> list[tuple[str, str]]:
    """Which listings, as (what, family), in netstat's order."""
    mode = next((mode for mode in MODES if getattr(options, mode)), "sockets")
    if mode == "route":
        return wanted_routes(options)
    if mode != "sockets":
        return [(mode, "")]
    everything = not options.explicit
    keys = [("sockets", "inet")] if everything or options.protocols else []
    if options.groups:
        keys.append(("groups", ""))
    for family in ("unix", "ipx", "ax25", "x25", "netrom", "rose"):
        if everything or family in options.families:
            keys.append(("sockets", family))
    if options.l2cap or options.rfcomm or "bluetooth" in options.families:
        keys.append(("sockets", "bluetooth"))
    for family in OTHERS:
        if getattr(options, family) or family in options.families:
            keys.append(("sockets", family))
    return keys


def wanted_routes(options: Options) -> list[tuple[str, str]]:
    """The routing tables family by family, as named and as often as named; Windows lists its
    interfaces before them."""
    keys = [("interfaces", "")] if options.layout == "windows" else []
    for family in options.families or ("inet",):
        if family not in ("inet", "inet6"):
            keys.append(("route", family))
            continue
        if options.fib or not options.cache:
            keys.append(("route", family))
        if options.cache:
            keys.append(("cache", family))
    return keys


# Mistakes: what no listing can answer, and options that would change nothing.


def check_places(options: Options) -> None:
    """Misuse for an empty --netns, and for several namespaces in one JSON object."""
    if options.netns == "":
        raise Misuse("--netns takes a name, the number of a process, or all")
    if options.statistics and options.netns == "all" and (options.structured or options.columns):
        raise Misuse("statistics in records are of one namespace: --netns NAME")
    if options.statistics and options.format == "json" and options.elsewhere:
        raise Misuse("statistics in one JSON object are of one machine; use --format jsonl")


def check(plan: Plan) -> None:
    """Misuse for values that an option does not take, for options without effect, for fields
    that no listing has, and for filters that no listing can answer."""
    check_values(plan.options)
    check_effects(plan.options)
    if plan.filter:
        check_filter(plan.filter, plan.listings, plan.options.answering)
    if plan.options.count_by and plan.options.format in METRICS:
        check_labels(plan.options)
    if plan.options.count_by:
        from .stages.count import check_fields

        check_fields([listing.record for listing in plan.listings], plan.options.count_by)
    check_names(plan)


# What --count-by may make labels of without --top: fields that have few values.
BOUNDED = frozenset(
    ("host", "proto", "family", "state", "type", "dev", "ifname", "scope", "table", "netns", "unit")
)


def check_labels(options: Options) -> None:
    """Misuse for labels without a bound, each of whose values Prometheus would keep for ever."""
    loose = [name for name in options.count_by if name not in BOUNDED]
    if loose and options.top is None:
        raise Misuse(f"`{loose[0]}' may have any number of values, a metric each; add --top N")


def check_values(options: Options) -> None:
    """Misuse for values of another type, too small, or not among those that there are."""
    for field, value in vars(options).items():
        setting = BY_FIELD.get(field)
        if setting is None or value == setting.default:
            continue
        kinds = TYPES.get(setting.kind, (str,))
        parts = value if setting.many and isinstance(value, tuple) else (value,)
        if not all(isinstance(part, kinds) for part in parts) or setting.many != (parts is value):
            raise Misuse(f"{field}={value!r} is of the wrong type; {setting.says_type()}")
        if setting.least is not None and value < setting.least:
            raise Misuse(f"`{value}' is too small; --{setting.long} takes {setting.least} or more")
        if setting.kind == "choice" and value not in setting.words:
            raise Misuse(f"no {field} `{value}'; there are: {', '.join(setting.words)}")
        if setting.kind == "families":
            for family in value:
                if family not in FAMILIES.values():
                    hint = nearest(family, FAMILIES.values())
                    raise Misuse(f"no family `{family}'{hint}")


TYPES = {
    "flag": (int,),
    "count": (int,),
    "integer": (int,),
    "seconds": (int, float),
}


def check_effects(options: Options) -> None:
    """Misuse for an option of ours that would change nothing of what was asked."""
    for field, fits, why in EFFECTS:
        setting = BY_FIELD[field]
        if getattr(options, field) != setting.default and not fits(options):
            raise Misuse(f"--{setting.long} has no effect: {why}")


def lists_sockets(options: Options) -> bool:
    return not any(getattr(options, mode) for mode in MODES)


def has_holders(options: Options) -> bool:
    linux = LINUX or options.elsewhere  # there the host itself says what it has not
    return lists_sockets(options) and options.source != "psutil" and linux


def has_namespaces(options: Options) -> bool:
    return options.source != "psutil" and (LINUX or options.elsewhere)


def has_no_layout(options: Options) -> bool:
    """True if no other program's layout was asked for."""
    return not options.layout and options.lsof is None


def asks_kernel(options: Options, protocol: str = "") -> bool:
    """True if Internet sockets, or those of this protocol, are listed by the kernel itself."""
    there = protocol in options.protocols if protocol else options.protocols
    return has_holders(options) and bool(there) and options.source != "proc"


def replays(options: Options) -> bool:
    """True if a recording is read."""
    return options.at is not None or options.since is not None


# What a recorder heeds; all else says what is listed, and how
RECORDED_WITH = {"record", "keep", "interval", "rounds", "continuous", "netns", "root", "source"}


def replays_or_records_all(options: Options) -> bool:
    given = {name for name, setting in BY_FIELD.items() if said_otherwise(options, name, setting)}
    return replays(options) or given <= RECORDED_WITH


def said_otherwise(options: Options, name: str, setting: Any) -> bool:
    numbers = ("numeric_hosts", "numeric_ports", "numeric_users", "color", "resolve_timeout")
    return name not in numbers and getattr(options, name, setting.default) != setting.default


IS_OVER = "what is recorded is over"
NOT_OF_IT = "a recording has not what it takes"
KERNEL_TELLS = "the kernel's own dump of tcp or udp sockets tells it (-t, -u), on Linux alone"
STREAMED = ("classic", "jsonl", "csv", "tsv")  # formats in which what comes later is added
METRICS = ("openmetrics", "prometheus")
HEADLESS = ("json", "jsonl", "records", *METRICS)  # formats without a header line
# An option, when it has an effect, and why it has none otherwise.
EFFECTS: tuple[tuple[str, Callable[[Options], Any], str], ...] = (
    ("top", lambda options: options.count_by, "it needs --count-by"),
    (
        "format",
        lambda options: options.format not in METRICS or not options.repeated or options.save,
        "metrics are of one moment; -c goes with --save, which writes the file again",
    ),
    ("columns", lambda options: options.format not in METRICS, "metrics have names of their own"),
    ("sort", lambda options: options.format not in METRICS, "metrics have no order"),
    ("diff", lambda options: options.format not in METRICS, "metrics are numbers, not rows"),
    ("fail_on_change", lambda options: options.diff, "it needs --diff"),
    ("events", lambda options: not options.count_by, "counts neither open nor close"),
    ("events", lambda options: not options.statistics, "counters neither open nor close"),
    ("events", lambda options: not options.rates, "rates are of rows that stay"),
    ("events", lambda options: not options.sort, "events come in the order of time"),
    ("events", lambda options: not (options.save or options.diff), "a snapshot is of one moment"),
    ("events", lambda options: options.format in STREAMED, "it goes with text, jsonl, csv and tsv"),
    ("events", lambda options: not options.columns, "an event has its whole row"),
    ("events", lambda options: not options.fail_if_empty, "--fail-if-empty is about rows"),
    ("watch", lambda options: options.format == "classic", "a screen has no format"),
    ("watch", lambda options: not options.count_by, "g on the screen groups the rows"),
    ("watch", lambda options: not options.columns, "the screen has columns of its own"),
    ("watch", lambda options: not options.rounds, "q ends it; leave --count out"),
    (
        "watch",
        lambda options: not (options.events or options.save or options.diff),
        "events and snapshots are printed; leave --watch out",
    ),
    ("watch", lambda options: not options.fail_if_empty, "--fail-if-empty is about a listing"),
    ("watch", lambda options: options.header, "the screen always has a header"),
    (
        "watch",
        lambda options: not (options.details or options.tcp_info or options.memory),
        "Enter on the screen shows them",
    ),
    ("watch", lambda options: options.lsof is None and not options.layout, "it has one layout"),
    (
        "color",
        lambda options: options.color != "always" or options.watch or options.drawn,
        "tables for terminals alone (--format simple, ...) have colours",
    ),
    ("diff", lambda options: not options.count_by, "a snapshot has rows, not counts"),
    ("diff", lambda options: not options.repeated, "it compares once; leave -c out"),
    (
        "table",
        lambda options: any(what == "route" for what, _ in wanted_listings(options)),
        "it is about routes, and goes with -r",
    ),
    (
        "header",
        lambda options: options.format not in HEADLESS and not (
            options.statistics and options.format == "classic"
            and not (options.columns or options.count_by)
        ),
        "this output has no header",
    ),
    (
        "fail_if_empty",
        lambda options: options.rounds or not options.repeated,
        "-c without --count never ends",
    ),
    (
        "columns",
        lambda options: not (options.statistics and options.format == "json"),
        "the statistics are sections and counters in json; --format jsonl has columns",
    ),
    ("rounds", lambda options: options.repeated, "netstat gives -s once"),
    ("netns", has_namespaces, "only Linux's tables tell it"),
    ("details", has_holders, "it tells of the processes of sockets"),
    ("tcp_info", lambda options: asks_kernel(options, "tcp"), KERNEL_TELLS),
    ("memory", lambda options: asks_kernel(options), KERNEL_TELLS),
    ("rates", lambda options: asks_kernel(options, "tcp"), KERNEL_TELLS),
    ("watch", lambda options: not options.elsewhere, "the screen is of this machine; -c goes"),
    ("events", lambda options: not options.elsewhere, "with --host there are lists, not events"),
    ("forks", lambda options: options.elsewhere, "it is about other hosts; it needs --host"),
    ("engine", lambda options: options.elsewhere, "it is about other hosts; it needs --host"),
    ("host_timeout", lambda options: options.elsewhere, "it is about other hosts; it needs --host"),
    (
        "record",
        lambda options: replays(options) or (LINUX and options.source != "psutil"),
        "only Linux's tables are recorded",
    ),
    ("record", lambda options: not options.elsewhere, "a recording is of one machine"),
    ("record", replays_or_records_all, "it records everything; --at chooses and prints"),
    ("keep", lambda options: options.record and not replays(options), "it goes with --record"),
    ("at", lambda options: not options.elsewhere, "a recording is of one machine"),
    ("at", lambda options: not (options.continuous or options.events or options.watch), IS_OVER),
    ("at", lambda options: not (options.save or options.diff), "a snapshot is of now"),
    ("at", lambda options: not (options.layout or options.lsof is not None), NOT_OF_IT),
    ("at", lambda options: not (options.tcp_info or options.memory or options.rates), NOT_OF_IT),
    ("at", lambda options: not options.context and options.table is None, NOT_OF_IT),
    ("at", lambda options: options.source == "auto", "a recording is its source"),
    ("since", lambda options: options.events and not options.at, "it goes with --events"),
    ("since", lambda options: not options.repeated, IS_OVER),
    ("since", lambda options: options.source == "auto", "a recording is its source"),
    ("since", lambda options: not options.groups, "groups are recorded as text: --at lists them"),
    *((name, has_no_layout, "--as and --lsof print layouts of their own") for name in (
        "tcp_info", "memory", "rates", "save", "diff", "events")),
    ("header", lambda options: not options.layout or not (
        options.route or options.groups or options.extend), "this layout keeps its headings"),
    ("details", lambda options: not options.layout and options.lsof is None,
     "--as and --lsof print layouts of their own"),
    ("sort", lambda options: options.lsof is None, "--lsof is in the order of processes"),
    ("netns", lambda options: options.netns != "all" or has_no_layout(options),
     "this layout does not say where a row is"),
    *((name, lambda options: options.format not in METRICS, "metrics have none of it") for name in (
        "tcp_info", "memory")),
    ("rates", lambda options: not (options.count_by and options.format in METRICS),
     "metrics of counts have none of it"),
    ("rates", lambda options: not options.diff, "rates are not compared"),
    ("until", lambda options: options.since, "it goes with --events --from"),
    ("ignore", lambda options: False, "it goes with --diagnose"),
    ("limit", lambda options: False, "it goes with --diagnose"),
    ("perfdata", lambda options: False, "it goes with --diagnose"),
)  # fmt: skip


def check_filter(chosen: Any, listings: list[Listing], answering: bool) -> None:
    """Misuse where no listing has what a part of the filter reads."""
    for listing in listings:
        chosen.check(listing.record)
    own = {name for listing in listings for name in listing.record._fields}
    if not any(own.isdisjoint(part.fields) for part in chosen.parts):
        return  # without the import that other names take: 3 ms
    known = {name for listing in listings for name in names_of(listing.record)}
    if answering:
        known.add("host")
    if "ifname" in known:
        known.add("dev")  # the interface by its other name
    for part in chosen.parts:
        if known.isdisjoint(part.fields):
            names = ", ".join(dict.fromkeys(listing.name for listing in listings))
            fields = " or ".join(sorted(part.fields))
            raise Misuse(f"no row of {names} has {fields}; the filter cannot be answered")


def check_names(plan: Plan) -> None:
    """Misuse for a field that no listing has, and for a name that -n leaves out."""
    options = plan.options
    columns = () if options.columns == EVERY_FIELD else options.columns
    names = [*columns, *options.sort_keys]
    if not names:
        return
    records = [listing.record for listing in plan.listings]
    if options.count_by:
        from .stages.count import count_fields

        valid = dict.fromkeys(count_fields(options.count_by))
        every = {*valid, *(RATES if options.rates else ())}
    else:
        valid = dict.fromkeys(name for record in records for name in record._fields)
        every = {name for record in records for name in names_of(record)}
    for name in names:
        if name not in every:
            hint = nearest(name, sorted(every))
            raise Misuse(f"no field `{name}' here{hint}; the fields are: {', '.join(valid)}")
    numeric = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), False)
    for listing in plan.listings:
        given = listing.names(options)
        left_out = {*listing.names(options.replace(**numeric))} - {*given}
        for name in names:
            if name in left_out and name in listing.record._fields:
                raise Misuse(f"`{name}' is a name, and -n asks for none; leave -n out")
