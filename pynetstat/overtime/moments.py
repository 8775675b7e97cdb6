"""Moments as people write them: -20m, 03:12, 2026-11-26T03:12:00."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from ..options import Misuse

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def asked_moment(text: str) -> float | None:
    """Seconds since 1970 of `-20m`, `03:12`, `2026-11-26 03:12:30` or RFC 3339; None for anything
    else. A time of day is the latest that has been."""
    if match := re.fullmatch(r"-(\d{1,6})([smhd])", text.strip(), re.ASCII):
        return time.time() - int(match[1]) * UNITS[match[2]]
    try:
        if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text.strip(), re.ASCII):
            of_day = datetime.strptime(text.strip(), "%H:%M:%S"[: 8 if text.count(":") > 1 else 5])
            here = datetime.now()
            found = here.replace(
                hour=of_day.hour, minute=of_day.minute, second=of_day.second, microsecond=0
            )
            return (found if found <= here else found - timedelta(days=1)).timestamp()
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def needed_moment(option: str, text: str) -> float:
    """Misuse for what is no moment."""
    moment = asked_moment(text)
    if moment is None:
        raise Misuse(f"`{text}' is no moment; --{option} takes 03:12, -20m or 2026-11-26T03:12:00")
    return moment


def moment_text(moment: float) -> str:
    """The time of day here, with the date where it is not today's."""
    local = time.localtime(moment)
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", local)
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", local)
