"""Interfaces of Windows: psutil, and GetAdaptersAddresses() for what psutil does not tell there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..portable import interfaces
from ..portable.interfaces import BITS, More
from . import iphlpapi
from .adapters import adapters

# Kinds of interfaces (ifdef.h) that have broadcast and multicast: Ethernet and wireless
SHARED_MEDIUM = (6, 71)
LOOPBACK = 24


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    ask: Callable[[], tuple[bytes, int, int]] = iphlpapi.adapter_list,
    psutil: Any = None,
) -> Iterator[Table]:
    more = {}
    with suppress(OSError, ValueError):  # psutil's part stands without it
        for adapter in adapters(*ask()):
            bits = BITS["LOOPBACK"] if adapter.kind == LOOPBACK else 0
            if adapter.kind in SHARED_MEDIUM:
                bits = BITS["BROADCAST"] | BITS["MULTICAST"]
            more[adapter.name] = More(bits, adapter.lengths)
    yield from interfaces.collect(proc, options, outcome, psutil=psutil, more=more)


INTERFACES = interfaces.INTERFACES._replace(collect=collect)
