"""The catalogue: what can be listed, and the module that knows all of it."""

from __future__ import annotations

import sys
from importlib import import_module

from ..listing import Listing

CATALOGUE = {
    ("sockets", "inet"): "linux.inet:SOCKETS",
    ("sockets", "unix"): "linux.unix:SOCKETS",
    ("sockets", "ipx"): "rare.ipx:SOCKETS",
    ("sockets", "ax25"): "rare.ax25:SOCKETS",
    ("sockets", "x25"): "rare.x25:SOCKETS",
    ("sockets", "netrom"): "rare.netrom:SOCKETS",
    ("sockets", "rose"): "rare.rose:SOCKETS",
    ("sockets", "bluetooth"): "rare.bluetooth:SOCKETS",
    ("sockets", "packet"): "linux.packet:SOCKETS",
    ("sockets", "netlink"): "linux.netlink:SOCKETS",
    ("sockets", "vsock"): "linux.vsock:SOCKETS",
    ("groups", ""): "linux.groups:GROUPS",
    ("interfaces", ""): "linux.interfaces:INTERFACES",
    ("statistics", ""): "linux.statistics:STATISTICS",
    ("masquerade", ""): "rare.masquerade:MASQUERADE",
    ("route", "inet"): "linux.routes:INET",
    ("route", "inet6"): "linux.routes6:INET6",
    ("cache", "inet"): "rare.route_cache:INET",
    ("cache", "inet6"): "rare.route_cache:INET6",
    ("route", "ipx"): "rare.ipx:ROUTES",
    ("route", "ax25"): "rare.ax25:ROUTES",
    ("route", "x25"): "rare.x25:ROUTES",
    ("route", "netrom"): "rare.netrom:ROUTES",
    ("route", "rose"): "rare.rose:ROUTES",
    ("route", "ddp"): "rare.ddp:ROUTES",
    ("route", "unix"): "linux.routes:NONE",
    ("route", "ec"): "linux.routes:NONE",
    ("route", "ash"): "linux.routes:NONE",
    ("route", "bluetooth"): "linux.routes:NONE",
}

# What comes from elsewhere where there is no /proc, and with --source psutil. The rest stays:
# it looks for a file that is not there, and says what netstat says then.
PSUTIL = {
    ("sockets", "inet"): "portable.sockets:INET",
    ("sockets", "unix"): "portable.sockets:UNIX",
    ("interfaces", ""): "portable.interfaces:INTERFACES",
}
PORTABLE = {
    "darwin": {
        ("sockets", "inet"): "macos.sockets:SOCKETS",
        ("sockets", "unix"): "macos.sockets:UNIX_SOCKETS",
        ("interfaces", ""): "macos.interfaces:INTERFACES",
        ("groups", ""): "macos.groups:GROUPS",
        ("statistics", ""): "macos.statistics:STATISTICS",
        ("route", "inet"): "macos.routes:INET",
        ("route", "inet6"): "macos.routes:INET6",
    },
    "win32": {
        ("sockets", "inet"): "windows.sockets:SOCKETS",
        ("sockets", "unix"): "windows.sockets:UNIX_SOCKETS",
        ("interfaces", ""): "windows.interfaces:INTERFACES",
        ("groups", ""): "windows.groups:GROUPS",
        ("statistics", ""): "windows.statistics:STATISTICS",
        ("route", "inet"): "windows.routes:INET",
        ("route", "inet6"): "windows.routes:INET6",
    },
}


def find_listing(
    what: str, family: str = "", source: str = "auto", platform: str = sys.platform
) -> Listing:
    """The listing of this name; its module is imported now, on this system's own terms."""
    place = CATALOGUE[what, family]
    if source == "psutil" or (source == "auto" and not platform.startswith("linux")):
        place = PORTABLE.get(platform, PSUTIL).get((what, family), place)
    module, name = place.split(":")
    listing: Listing = getattr(import_module(f".{module}", __name__), name)
    return listing
