"""The states of TCP, by which the kernel numbers those of every Internet socket."""

from __future__ import annotations

# netstat's word for each state, and the word that filters use; in the kernel's order, from 1.
FILTER_WORDS = {
    "ESTABLISHED": "established",
    "SYN_SENT": "syn-sent",
    "SYN_RECV": "syn-recv",
    "FIN_WAIT1": "fin-wait-1",
    "FIN_WAIT2": "fin-wait-2",
    "TIME_WAIT": "time-wait",
    "CLOSE": "closed",
    "CLOSE_WAIT": "close-wait",
    "LAST_ACK": "last-ack",
    "LISTEN": "listening",
    "CLOSING": "closing",
}
STATES = ("", *FILTER_WORDS)  # by the kernel's number
