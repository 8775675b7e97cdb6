"""What the states, and the words of netstat's columns, mean: records for --explain."""

from __future__ import annotations

from typing import NamedTuple


class Word(NamedTuple):
    """A word that netstat prints: what it means, where it comes from, what to do about it."""

    name: str
    subject: str
    means: str
    causes: str
    advice: str


# The states are named as filters name them.
WORDS = (
    Word(
        "ESTABLISHED",
        "states",
        "The connection is open: both ends may send and receive.",
        "This is the ordinary state. Many with data in Recv-Q: the program does not read. Many with"
        " data in Send-Q: the other end does not answer, or the network is slow.",
        "Nothing, unless the queues do not empty: `pynetstat -tanpo` shows whether data is being"
        " sent again (timer `on`, its second number).",
    ),
    Word(
        "SYN_SENT",
        "states",
        "A program here wants to connect: the first packet (SYN) is sent, and not answered yet.",
        "It lasts as long as a packet takes there and back. When it stays, nobody answers: a wrong"
        " address, a machine that is off, a firewall that drops.",
        "Check the address, `ping` it, `tracepath` it. After about two minutes the program gets"
        ' the error "Connection timed out".',
    ),
    Word(
        "SYN_RECV",
        "states",
        "Somebody wants to connect to a program here: we have answered, and their confirmation is"
        " not there yet.",
        "Many that stay: an attack with forged addresses (SYN flood), a scan, or our answers get"
        " lost on the way back.",
        "Leave net.ipv4.tcp_syncookies at 1. If they are your own clients, look at the routes back"
        " to them and at the firewall.",
    ),
    Word(
        "FIN_WAIT1",
        "states",
        "This end has closed the connection (FIN is sent), and the other end has not confirmed that"
        " yet; there may be data before it that is still on the way.",
        "When it stays, the other end is gone, or takes no data.",
        "The system gives up by itself. Many: see the rule orphans.",
    ),
    Word(
        "FIN_WAIT2",
        "states",
        "This end has closed the connection; the other end knows it, and has not closed its own.",
        "When it stays, the program at the other end does not close: there it is CLOSE_WAIT.",
        "Look at the other end. What belongs to no program any more is forgotten after"
        " net.ipv4.tcp_fin_timeout (60 seconds).",
    ),
    Word(
        "TIME_WAIT",
        "states",
        "The connection is closed. The end that closed first keeps a note for 60 seconds, so that"
        " stray packets are not taken for those of a new connection. It belongs to no program.",
        "Many: a program that opens a new connection for each request.",
        "Nothing, unless ports run out: then let the program keep its connections (keep-alive, a"
        " pool), and set net.ipv4.tcp_tw_reuse to 1.",
    ),
    Word(
        "CLOSE",
        "states",
        "The socket is not connected to anything.",
        "Datagram sockets (udp, raw) without a fixed other end are all like that.",
        "Nothing.",
    ),
    Word(
        "CLOSE_WAIT",
        "states",
        "The other end has closed the connection, and the program here has not. Only the program"
        " can do that; the system waits for it, for ever if need be.",
        "A program that forgets to close, mostly after an error or a timeout, or that hangs. Each"
        " one takes a file descriptor, of which the program has a limited number.",
        "A few that go away are ordinary. Many, or ever more, are a fault of the program: restart"
        " it to gain time, and look where it does not close. `pynetstat --diagnose` names it.",
    ),
    Word(
        "LAST_ACK",
        "states",
        "Both ends have closed; the last confirmation of the other end is missing.",
        "It lasts as long as a packet takes there and back. When it stays, the other end is gone.",
        "Nothing: the system gives up by itself.",
    ),
    Word(
        "LISTEN",
        "states",
        "A program waits for others to connect. Recv-Q counts those that are connected and that the"
        " program has not accepted yet.",
        "A server. At 0.0.0.0 or :: it can be reached at every address of the machine, at"
        " 127.0.0.1 or ::1 from the machine itself only.",
        "`pynetstat -tlnp` shows which program it is. A Recv-Q that does not go down: the program"
        " is too slow, or hangs.",
    ),
    Word(
        "CLOSING",
        "states",
        "Both ends have closed at the same moment, and the confirmation of the other end is"
        " missing.",
        "Rare, and short.",
        "Nothing.",
    ),
    Word(
        "Recv-Q",
        "columns",
        "Bytes that have arrived and that the program has not read. Of a listener: connections that"
        " wait to be accepted.",
        "A program that is busy with something else, or hangs.",
        "0 is ordinary, and a number that comes and goes, too. One that stays: see what the"
        " program is doing.",
    ),
    Word(
        "Send-Q",
        "columns",
        "Bytes that the program has sent and the other end has not confirmed yet.",
        "A slow or broken network, or another end that does not read.",
        "A number that comes and goes is ordinary. One that stays: `pynetstat -tanpo` shows how"
        " often it was sent again; look at the way to the other end.",
    ),
)
