"""Multicast groups of Windows: GetAdaptersAddresses()."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import groups
from ..portable.groups import Row, psutil_groups
from . import adapters as windows
from . import iphlpapi


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    ask: Callable[[], tuple[bytes, int, int]] = iphlpapi.adapter_list,
) -> Iterator[Table]:
    """GetAdaptersAddresses(); how often a group was joined is not told"""

    def read() -> list[Row]:
        found = windows.adapters(*ask())
        return [(adapter.name, packed, None) for adapter in found for _, packed in adapter.groups]

    yield from psutil_groups(outcome, options, "GetAdaptersAddresses", read)


GROUPS = groups.GROUPS._replace(collect=collect)
