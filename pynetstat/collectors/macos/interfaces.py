"""Interfaces of macOS, from psutil, which does not know dropped packets there."""

from __future__ import annotations

from functools import partial

from ..portable import interfaces

INTERFACES = interfaces.INTERFACES._replace(collect=partial(interfaces.collect, dropout=False))
