"""What a run will do: every implication of the options, and every mistake in them."""

from __future__ import annotations

from typing import Any

from . import collectors
from .kernel.sockdiag import TOLD_ALIKE
from .listing import OWNED, Listing
from .options import MODES, Misuse, Options, nearest


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
        if options.context or not fields.isdisjoint(OWNED):
            implied["programs"] = True
        if options.rounds or options.interval != 1.0:
            implied["continuous"] = True
        self.options = options.replace(**implied) if implied else options
        self.every = options.structured or "processes" in fields
        self.listings = found(self.options)
        check(self)
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
    for name in names:
        if name not in valid:
            hint = nearest(name, valid)
            raise Misuse(f"no field `{name}' here{hint}; the fields are: {', '.join(valid)}")
