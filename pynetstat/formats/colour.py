"""When text is in colour (--color), and the colours of states."""

from __future__ import annotations

import os

CODES = {"cyan": 36, "red": 91, "grey": 90, "magenta": 35, "yellow": 33}
# What needs a look stands out; what is over stands back.
STATES = {
    "LISTEN": "cyan", "CLOSE_WAIT": "red", "TIME_WAIT": "grey",
    "SYN_SENT": "magenta", "SYN_RECV": "magenta", "FIN_WAIT1": "yellow", "FIN_WAIT2": "yellow",
    "LAST_ACK": "yellow", "CLOSING": "yellow",
}  # fmt: skip


def in_colour(choice: str, terminal: bool) -> bool:
    """--color auto, always or never. `auto` is in colour on a terminal that has colours, unless
    NO_COLOR is set."""
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb")
    return terminal and not plain


def painted_state(state: str) -> str:
    """A state between the codes of its colour; as it is where it has none."""
    colour = STATES.get(state)
    return f"\033[{CODES[colour]}m{state}\033[0m" if colour else state
