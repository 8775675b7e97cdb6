"""What a run will do: every implication of the options, and every mistake in them."""

from __future__ import annotations

from typing import Any

from . import collectors
from .kernel.sockdiag import TOLD_ALIKE
from .listing import DETAILS, MORE_DETAILS, OWNED, Listing
from .options import LINUX, MODES, Misuse, Options, nearest
from .table import names_of


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
        fields = {*options.columns, *options.sort_keys, *options.count_by}
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
        self.listings = found(self.options)
        check(self)
        check_places(self.options)
        if not self.alike(fields):
            self.options = self.options.replace(dump=False)

    def alike(self, fields: set[str]) -> bool:
        """Are all fields that this run reads the same in the kernel's dump and in /proc?"""
        read = set(fields)
        for listing in self.listings:
            if listing.name != "sockets":
                continue
            if self.options.structured:
                read |= set() if self.options.columns else set(listing.record._fields)
            else:
                for column in listing.columns(self.options):
                    read.update(column.fields.split())
        return read <= TOLD_ALIKE


RATES = frozenset({"rate_in", "rate_out"})


def named_internals(options: Options, fields: set[str]) -> tuple[str, ...]:
    """The fields of sock_diag's attributes that this run reads; the kernel is asked for no more."""
    rates = options.rates or not fields.isdisjoint(RATES)
    whole = [name for name in ("tcp_info", "memory") if getattr(options, name) or name in fields]
    if not (rates or whole or fields):
        return ()
    from .kernel.internals import KINDS, MEMORY_NAMES, RATE_NAMES, TCP_NAMES

    names = {name: None for name in KINDS if name in fields}
    if options.structured and options.columns:
        whole = [name for name in whole if name in fields]
    for name in whole:
        names |= dict.fromkeys(TCP_NAMES if name == "tcp_info" else MEMORY_NAMES)
    if rates:
        names |= dict.fromkeys(RATE_NAMES)
    return tuple(names)


def found(options: Options) -> list[Listing]:
    """What is listed, in order; the modules are imported now. In records the listings of one
    name stand together, each once."""
    listings = [collectors.find(*key, source=options.source) for key in wanted(options)]
    if options.structured:
        names = [listing.name for listing in listings]
        listings = sorted(dict.fromkeys(listings), key=lambda listing: names.index(listing.name))
    return listings


def wanted(options: Options) -> list[tuple[str, str]]:
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
    return keys


def wanted_routes(options: Options) -> list[tuple[str, str]]:
    """The routing tables family by family, as named and as often as named."""
    keys = []
    for family in options.families or ("inet",):
        if family not in ("inet", "inet6"):
            keys.append(("route", family))
            continue
        if options.fib or not options.cache:
            keys.append(("route", family))
        if options.cache:
            keys.append(("cache", family))
    return keys


# Mistakes


def check_places(options: Options) -> None:
    """Misuse for what only Linux's own tables have, asked of something else."""
    asked = {
        **{"netns": options.netns, "details": options.details, "tcp-info": options.tcp_info},
        **{"memory": options.memory, "rates": options.rates},
    }
    names = [f"--{name}" for name, value in asked.items() if value]
    if names and (options.source == "psutil" or not LINUX):
        raise Misuse(f"{', '.join(names)}: only Linux tells that, and not by --source psutil")
    if options.netns == "":
        raise Misuse("--netns takes a name, the number of a process, or all")
    if options.netns == "all" and options.statistics and options.format == "json":
        raise Misuse("statistics in one JSON object are of one namespace: --netns NAME")


def check(plan: Plan) -> None:
    """Misuse for fields that no listing has, and for a filter that a listing cannot answer."""
    options = plan.options
    if plan.filter:
        for listing in plan.listings:
            plan.filter.check(listing.record)
    if options.count_by:
        from .stages.count import check_fields

        check_fields([listing.record for listing in plan.listings], options.count_by)
    names = [*options.columns, *options.sort_keys]
    if not names:
        return
    valid = dict.fromkeys(name for listing in plan.listings for name in listing.record._fields)
    every = {name for listing in plan.listings for name in names_of(listing.record)}
    for name in names:
        if name not in every:
            hint = nearest(name, sorted(every))
            raise Misuse(f"no field `{name}' here{hint}; the fields are: {', '.join(valid)}")
