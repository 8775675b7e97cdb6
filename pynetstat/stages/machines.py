"""--host: rows of several machines, each with the name of its own."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import Any

from ..listing import Listing


def with_host(listing: Listing) -> Listing:
    """The listing, its records with a first field `host`."""
    return listing._replace(record=hosted_record(listing.record))


@cache
def hosted_record(record: Any) -> Any:
    """The type of record with a first field `host`."""
    make: Any = namedtuple
    nothing = [record._field_defaults.get(name) for name in record._fields]
    hosted = make(record.__name__, ("host", *record._fields), defaults=[None, *nothing])
    hosted.__annotations__ = {"host": "str", **record.__annotations__}
    if hasattr(record, "more"):
        hosted.more = record.more
    return hosted
