"""The catalogue: what can be listed, and the module that knows all of it."""

from __future__ import annotations

import sys
from importlib import import_module

from ..table import Listing

CATALOGUE = {
    ("sockets", "inet"): "inet:SOCKETS",
    ("sockets", "unix"): "unix:SOCKETS",
    ("sockets", "ipx"): "ipx:SOCKETS",
    ("sockets", "ax25"): "ax25:SOCKETS",
    ("sockets", "x25"): "x25:SOCKETS",
    ("sockets", "netrom"): "netrom:SOCKETS",
    ("sockets", "rose"): "rose:SOCKETS",
    ("sockets", "bluetooth"): "bluetooth:SOCKETS",
    ("groups", ""): "groups:GROUPS",
    ("interfaces", ""): "interfaces:INTERFACES",
    ("statistics", ""): "statistics:STATISTICS",
    ("masquerade", ""): "masquerade:MASQUERADE",
    ("route", "inet"): "routes:INET",
    ("route", "inet6"): "routes:INET6",
    ("cache", "inet"): "routes:INET_CACHE",
    ("cache", "inet6"): "routes:INET6_CACHE",
    ("route", "ipx"): "ipx:ROUTES",
    ("route", "ax25"): "ax25:ROUTES",
    ("route", "x25"): "x25:ROUTES",
    ("route", "netrom"): "netrom:ROUTES",
    ("route", "rose"): "rose:ROUTES",
    ("route", "ddp"): "ddp:ROUTES",
    ("route", "unix"): "routes:NONE",
    ("route", "ec"): "routes:NONE",
    ("route", "ash"): "routes:NONE",
    ("route", "bluetooth"): "routes:NONE",
}


def find(what: str, family: str = "", source: str = "auto") -> Listing:
    """The listing of this name; its module is imported now, on this system's own terms."""
    module, name = CATALOGUE[what, family].split(":")
    if source == "psutil" or (source == "auto" and not sys.platform.startswith("linux")):
        module = "portable"
    listing: Listing = getattr(import_module(f".{module}", __name__), name)
    return listing
