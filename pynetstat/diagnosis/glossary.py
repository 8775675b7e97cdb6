"""What the words that netstat prints mean: records for --explain."""

from __future__ import annotations

from typing import NamedTuple


class Word(NamedTuple):
    """A word that netstat prints: what it means, where it comes from, what to do about it.

    One word may have several meanings, each with a record of its own. `also` are other spellings.
    """

    name: str
    subject: str
    means: str
    causes: str = ""
    advice: str = ""
    also: tuple[str, ...] = ()


STATES = "States of tcp"
SOCKETS = "Columns of sockets"
ADDRESSES = "Addresses"
TIMERS = "Timers, -o"
PROTOCOLS = "Protocols"
UNIX = "Unix sockets"
ROUTES = "Routes, -r"
ROUTE_FLAGS = "Flags of routes"
INTERFACES = "Interfaces, -i"
INTERFACE_FLAGS = "Flags of interfaces"
IN_FULL = "Interfaces in full, -ie"
GROUPS = "Multicast groups, -g"
COUNTERS = "Counters, -s"
TCP_INFO = "TCP internals, --tcp-info"
RARE = "Bluetooth, AX.25, X.25, NET/ROM, ROSE, IPX"
CACHE = "The route cache, -rC, and masquerading, -M"

WORDS = (
    Word(
        "ESTABLISHED",
        STATES,
        "The connection is open: both ends may send and receive.",
        causes=(
            "This is the ordinary state. Many with data in Recv-Q: the program does not read."
            " Many with data in Send-Q: the other end does not read, does not answer, or the"
            " network is slow."
        ),
        advice=(
            "Nothing, unless the queues do not empty: `pynetstat -tanpo` shows the timer. `probe`"
            " means that the other end takes no more data, `on` that data is not acknowledged."
        ),
    ),
    Word(
        "SYN_SENT",
        STATES,
        "A program here wants to connect: the first packet (SYN) is sent, and not answered yet.",
        causes=(
            "It lasts as long as a packet takes there and back. When it stays, nothing comes"
            " back: a wrong address, a machine that is off, a firewall that drops, a server whose"
            " queue is full."
        ),
        advice=(
            "Check the address, `ping` it, `tracepath` it. After about two minutes the program"
            ' gets the error "Connection timed out".'
        ),
    ),
    Word(
        "SYN_RECV",
        STATES,
        "A client wants to connect to a program here: its first packet (SYN) came, this"
        " system has answered, and the last packet of the handshake has not come yet.",
        causes=(
            "Many that stay: an attack with forged addresses (SYN flood), a port scan, or our"
            " answers get lost on the way back."
        ),
        advice=(
            "Leave net.ipv4.tcp_syncookies at 1. If they are your own clients, look at the routes"
            " back to them and at the firewall."
        ),
    ),
    Word(
        "FIN_WAIT1",
        STATES,
        "This end has closed the connection (FIN is sent), and the other end has not"
        " acknowledged that yet; there may be data before it that is still on the way.",
        causes="When it stays, the other end is gone, or does not read.",
        advice="The system gives up by itself. Many: see the rule orphans.",
    ),
    Word(
        "FIN_WAIT2",
        STATES,
        "This end has closed the connection; the other end knows it, and has not closed its own.",
        causes="When it stays, the program there does not close: at that end it is CLOSE_WAIT.",
        advice=(
            "Look at the other end. Connections that belong to no program any more are forgotten"
            " after net.ipv4.tcp_fin_timeout (60 seconds)."
        ),
    ),
    Word(
        "TIME_WAIT",
        STATES,
        "The connection is closed. The end that closed first keeps a note for 60 seconds, so"
        " that stray packets are not taken for those of a new connection. It belongs to no"
        " program.",
        causes="Many: a program that opens a new connection for each request.",
        advice=(
            "Nothing, unless ports run out: then reuse connections (keep-alive, a pool), and set"
            " net.ipv4.tcp_tw_reuse to 1."
        ),
    ),
    Word(
        "CLOSE",
        STATES,
        "The socket is not connected to anything.",
        causes=(
            "A tcp socket that is not used yet or no more. Udp and raw sockets without a fixed"
            " peer have an empty state."
        ),
        advice="Nothing.",
    ),
    Word(
        "CLOSE_WAIT",
        STATES,
        "The other end has closed the connection, and the program here has not. Only the"
        " program can do that; the system waits for it, for ever if need be. In Recv-Q the end"
        " itself counts as one byte until the program has read it.",
        causes=(
            "A program that forgets to close, mostly after an error or a timeout, or that hangs."
            " Each one takes a file descriptor, of which the program has a limited number."
        ),
        advice=(
            "A few that go away are ordinary. Many, or ever more, are a fault of the program:"
            " restart it to gain time, and look where it does not close. `pynetstat --diagnose`"
            " names it."
        ),
    ),
    Word(
        "LAST_ACK",
        STATES,
        "Both ends have closed; the last acknowledgement of the other end is missing.",
        causes=(
            "It lasts as long as a packet takes there and back. When it stays, the other end is"
            " gone."
        ),
        advice="Nothing: the system gives up by itself.",
    ),
    Word(
        "LISTEN",
        STATES,
        "A program waits for others to connect. Recv-Q counts the connections that it has not"
        " accepted yet.",
        causes=(
            "A server. At 0.0.0.0 or :: it is open at every address of the machine, at 127.0.0.1"
            " or ::1 to programs of this machine only."
        ),
        advice=(
            "`pynetstat -tlnp` shows which program it is. A Recv-Q that does not go down: the"
            " program is too slow, or hangs."
        ),
    ),
    Word(
        "CLOSING",
        STATES,
        "Both ends have closed at the same moment, and the acknowledgement of the other end"
        " is missing.",
        causes="Rare, and short.",
        advice="Nothing.",
    ),
    Word(
        "UNKNOWN",
        STATES,
        "The kernel names a state, type or protocol that netstat has no word for.",
        causes="A newer kernel, or a protocol that is rarely used.",
        advice="Nothing.",
    ),
    Word(
        "Proto",
        SOCKETS,
        "The protocol of the socket: tcp, udp, udplite, raw, sctp, unix; with a 6 at its end"
        " it is over IPv6.",
    ),
    Word(
        "Recv-Q",
        SOCKETS,
        "Bytes that have arrived and that the program has not read. Of a listener:"
        " connections that wait to be accepted. Of CLOSE_WAIT: one more than the unread bytes,"
        " until the program has read the end.",
        causes="A program that is busy with something else, or hangs.",
        advice=(
            "0 is ordinary, and a number that comes and goes, too. One that stays: see what the"
            " program is doing."
        ),
        also=("RecvQ",),
    ),
    Word(
        "Send-Q",
        SOCKETS,
        "Bytes that the program has written and the other end has not acknowledged: some are"
        " on the way, some were never sent, since the other end takes no more or the network"
        " is slow. Of a listener it is 0.",
        causes=(
            "Another end that does not read (timer `probe`). A slow or broken network (timer `on`)."
        ),
        advice=(
            "A number that comes and goes is ordinary. One that stays: `pynetstat -tanpo` shows"
            " the timer and how often data was sent again."
        ),
        also=("SendQ",),
    ),
    Word(
        "Local Address",
        SOCKETS,
        "The address and the port of this end. 0.0.0.0 or :: (and *) is every address of the"
        " machine; 127.0.0.1 or ::1 is reached from this machine only. When a program here"
        " talks to another one here, both ends are listed, each with the other as its Foreign"
        " Address.",
        also=(
            "local",
            "Local Address:Port",
        ),
    ),
    Word(
        "Foreign Address",
        SOCKETS,
        "The address and the port of the other end (the peer). *:* or 0.0.0.0:* is none: the"
        " socket listens, or takes datagrams from anybody. -W shows long names in full.",
        also=(
            "foreign",
            "peer",
            "remote address",
        ),
    ),
    Word(
        "port",
        SOCKETS,
        "The number behind the colon: it tells which program of a machine is meant. A server"
        " waits at a known one (443 is https). A client is given any free one, so that its"
        " number tells nothing; names such as https are looked up in /etc/services, -n shows"
        " numbers.",
    ),
    Word(
        "State",
        SOCKETS,
        "How far a tcp connection has come: LISTEN, ESTABLISHED, CLOSE_WAIT, ... Empty for"
        " udp, which has no connections; udp sockets with a fixed peer are shown as"
        " ESTABLISHED.",
    ),
    Word(
        "User",
        SOCKETS,
        "The user who made the socket (-e).",
        also=("uid",),
    ),
    Word(
        "Inode",
        SOCKETS,
        "The number by which the system tells sockets apart (-e). `/proc/PID/fd` links to it"
        " as socket:[NUMBER]. 0: no program holds it - it is closed (TIME_WAIT), or not"
        " accepted yet.",
        also=("I-Node",),
    ),
    Word(
        "PID/Program name",
        SOCKETS,
        "The process that holds the socket, and its name (-p). A dash: none does any more, or"
        " it may not be seen; root sees all. If several processes hold it, netstat shows one"
        " of them; `--json` has all.",
        also=(
            "pid",
            "program",
            "program name",
        ),
    ),
    Word(
        "-",
        SOCKETS,
        "Unknown, or none: a socket that no process holds (TIME_WAIT), or whose process only"
        " root may see.",
    ),
    Word(
        "*:*",
        ADDRESSES,
        "Any address and any port, as Foreign Address: the socket has no peer. A tcp socket"
        " in LISTEN waits for connections, a udp socket takes datagrams from anybody.",
        also=(
            "0.0.0.0:*",
            ":::*",
        ),
    ),
    Word(
        "0.0.0.0",
        ADDRESSES,
        "As local address: every IPv4 address of this machine. As destination of a route:"
        " everything (default). As gateway: none, the network is reached directly. With -n the"
        " number for `*` and `default`.",
        also=("*",),
    ),
    Word(
        "::",
        ADDRESSES,
        "The same for IPv6: every address of this machine, or everything. A socket that"
        " listens at :: mostly takes IPv4 too.",
        also=("[::]",),
    ),
    Word(
        "127.0.0.1",
        ADDRESSES,
        "This machine itself, over the interface lo: no other machine can reach what listens here.",
        also=(
            "localhost",
            "::1",
            "loopback",
        ),
    ),
    Word(
        "default",
        ADDRESSES,
        "The route for every destination that no other route fits: the way to the rest of the"
        " world, through a gateway.",
        also=("default route",),
    ),
    Word(
        "Timer",
        TIMERS,
        "Which timer of a connection runs, and in parentheses three numbers: the seconds"
        " until it fires, how often data was sent again, and how often the other end was"
        " probed without an answer: on (1.52/3/0).",
    ),
    Word(
        "on",
        TIMERS,
        "Data was sent and is not acknowledged yet. When the timer fires, it is sent again;"
        " the second number counts how often that was done. 0 is ordinary, 3 and more means"
        " that nothing comes back.",
        causes="The other end is gone, or packets are lost.",
        advice="`ping` and `tracepath` the other end.",
    ),
    Word("off", TIMERS, "No timer runs: nothing is on the way."),
    Word(
        "keepalive",
        TIMERS,
        "The connection is idle. When the timer fires (after two hours, if the program sets"
        " nothing else), the other end is asked whether it is still there. The third number"
        " counts questions without an answer.",
    ),
    Word(
        "timewait",
        TIMERS,
        "The connection is closed (TIME_WAIT), and is forgotten when the timer fires.",
    ),
    Word(
        "probe",
        TIMERS,
        "The other end has no room for more data: the program there does not read. When the"
        " timer fires, this system asks again.",
        causes="A program at the other end that hangs, is stopped or is slow.",
        advice="See the rule peer-not-reading.",
    ),
    Word("tcp", PROTOCOLS, "Connections over IPv4: data arrives whole and in order."),
    Word(
        "tcp6",
        PROTOCOLS,
        "Connections over IPv6. A socket that listens at :: mostly takes IPv4 too, and then"
        " shows it as ::ffff:192.0.2.1.",
    ),
    Word(
        "udp",
        PROTOCOLS,
        "Single datagrams over IPv4, without a connection: what is lost is lost.",
    ),
    Word("udp6", PROTOCOLS, "Single datagrams over IPv6."),
    Word("udplite", PROTOCOLS, "Datagrams whose damaged parts may be delivered too. Hardly used."),
    Word(
        "raw",
        PROTOCOLS,
        "Packets below tcp and udp, as ping uses them. The number that stands as port is the"
        " protocol: 1 is icmp.",
    ),
    Word("raw6", PROTOCOLS, "The same over IPv6; 58 is icmp."),
    Word(
        "sctp",
        PROTOCOLS,
        "Associations: like tcp, with several streams and addresses. Used in telephone networks.",
    ),
    Word("unix", PROTOCOLS, "Sockets between programs of one machine, by the name of a file."),
    Word("RefCnt", UNIX, "How many references the system has to the socket."),
    Word(
        "Flags",
        UNIX,
        "ACC: it takes connections (listens). W: a program waits for it to take data. N:"
        " there is no room for more data.",
    ),
    Word("ACC", UNIX, "The socket takes connections: it listens."),
    Word("W", UNIX, "A program waits until the socket takes data."),
    Word("N", UNIX, "There is no room for more data in the socket."),
    Word(
        "Type",
        UNIX,
        "STREAM: a connection. DGRAM: single messages. SEQPACKET: a connection that keeps"
        " messages apart. RAW and RDM are hardly used.",
    ),
    Word("STREAM", UNIX, "A connection, whose data is one stream."),
    Word("DGRAM", UNIX, "Single messages without a connection."),
    Word("SEQPACKET", UNIX, "A connection that keeps messages apart."),
    Word("RDM", UNIX, "Messages that arrive in any order. Hardly used."),
    Word(
        "State",
        UNIX,
        "LISTENING: a server waits. CONNECTING: a client waits for the server to accept."
        " CONNECTED: an open connection. DISCONNECTING: it is being closed. FREE: not used"
        " yet. Empty: it has no connection.",
    ),
    Word("LISTENING", UNIX, "A server waits for clients (of unix sockets; of tcp it is LISTEN)."),
    Word("CONNECTING", UNIX, "A client waits for the server to accept."),
    Word("CONNECTED", UNIX, "An open connection between two programs."),
    Word("DISCONNECTING", UNIX, "The connection is being closed."),
    Word("FREE", UNIX, "The socket is not used yet."),
    Word(
        "Path",
        UNIX,
        "The file that stands for the socket, which clients name. With @ it is a name that is"
        " no file (abstract). Empty: the client's end.",
    ),
    Word(
        "Destination",
        ROUTES,
        "Where packets go that this route is for: a network, a machine, or default"
        " (everything else). Of the routes that fit, the one with the longest Genmask is"
        " taken.",
    ),
    Word(
        "Gateway",
        ROUTES,
        "The machine that packets are given to, which sends them on. * or 0.0.0.0: none; the"
        " destination is on the network of this interface.",
        also=("Next Hop",),
    ),
    Word(
        "Genmask",
        ROUTES,
        "How much of the destination counts: 255.255.255.0 means its first three numbers,"
        " 255.255.255.255 this machine alone, 0.0.0.0 anything. IPv6 writes the number of bits"
        " behind a slash.",
        also=("netmask",),
    ),
    Word(
        "Flags",
        ROUTES,
        "Letters that say what kind of route it is: U is up, G leads to a gateway, H is for"
        " one machine, ! refuses. `pynetstat --explain UG` tells each letter.",
        also=("Flag",),
    ),
    Word(
        "Metric",
        ROUTES,
        "Of routes to the same destination, the one with the lowest metric is taken.",
        also=("Met",),
    ),
    Word("Ref", ROUTES, "References to this route. Linux does not use it for IPv4 (always 0)."),
    Word("Use", ROUTES, "How often the route was looked up. Of current kernels 0 for IPv4."),
    Word(
        "MSS",
        ROUTES,
        "The largest piece of data (maximum segment size) in a packet of tcp over this route;"
        " 0: as large as the interface allows.",
    ),
    Word(
        "Window",
        ROUTES,
        "How many bytes of tcp may be on the way over this route without an acknowledgement;"
        " 0: the system decides.",
    ),
    Word(
        "irtt",
        ROUTES,
        "The time in milliseconds that the first answer of tcp over this route is expected to"
        " take (initial round trip time); 0: the system's own guess.",
    ),
    Word(
        "Iface",
        ROUTES,
        "The interface that packets leave by: eth0, wlan0, lo.",
        also=(
            "If",
            "Interface",
        ),
    ),
    Word("U", ROUTE_FLAGS, "The route is up."),
    Word("G", ROUTE_FLAGS, "It leads to a gateway: another machine sends the packets on."),
    Word("H", ROUTE_FLAGS, "It is for one machine, not for a network."),
    Word("!", ROUTE_FLAGS, "It refuses: what is sent there gets an error."),
    Word("R", ROUTE_FLAGS, "It was put back by a routing program (reinstate)."),
    Word(
        "D",
        ROUTE_FLAGS,
        "It was made by a routing program or a redirect (dynamic); of IPv6: it is a default route.",
    ),
    Word("M", ROUTE_FLAGS, "It was changed by a routing program or a redirect (modified)."),
    Word("A", ROUTE_FLAGS, "It was made from a router's advertisement (IPv6)."),
    Word("C", ROUTE_FLAGS, "It is an entry of the cache (IPv6)."),
    Word("n", ROUTE_FLAGS, "It is not kept in the cache; of IPv6: it has no next hop."),
    Word("l", ROUTE_FLAGS, "It is for an address of this machine (local)."),
    Word("u", ROUTE_FLAGS, "It has an MTU of its own."),
    Word("w", ROUTE_FLAGS, "It has a window of its own."),
    Word("i", ROUTE_FLAGS, "It has a first round trip time of its own."),
    Word(
        "Iface",
        INTERFACES,
        "The name of the interface: eth0 and enp3s0 are cables, wlan0 is wireless, lo the"
        " machine itself, docker0 and br- bridges, veth the end of a container, tun and wg"
        " tunnels.",
        also=("Interface",),
    ),
    Word(
        "MTU",
        INTERFACES,
        "The largest packet that the interface sends, in bytes (maximum transmission unit);"
        " ethernet has 1500. lo has 65536 (16436 in old kernels): what never leaves the"
        " machine needs no small pieces.",
    ),
    Word("Met", INTERFACES, "The metric of the interface; Linux does not use it (always 0)."),
    Word("RX-OK", INTERFACES, "Packets that were received."),
    Word(
        "RX-ERR",
        INTERFACES,
        "Packets that arrived damaged.",
        causes="A bad cable, plug or wireless signal.",
        advice=(
            "0 is ordinary. If it grows (`pynetstat -ci`): change the cable and the port,"
            " `ethtool -S IFACE`."
        ),
    ),
    Word(
        "RX-DRP",
        INTERFACES,
        "Packets that were received and dropped: no room, or of a protocol that nobody here wants.",
        causes="A few are ordinary.",
        advice="See the rule interface-errors.",
    ),
    Word(
        "RX-OVR",
        INTERFACES,
        "Packets that were lost since the machine did not fetch them in time (overrun).",
        causes="A machine that is too busy, a ring that is too small.",
        advice="`ethtool -G IFACE rx 4096`.",
    ),
    Word("TX-OK", INTERFACES, "Packets that were sent."),
    Word(
        "TX-ERR",
        INTERFACES,
        "Packets that could not be sent without an error.",
        causes="No link, a bad cable.",
        advice="0 is ordinary. `ip link` shows whether there is a link.",
    ),
    Word(
        "TX-DRP",
        INTERFACES,
        "Packets that were to be sent and were dropped: the queue of the interface was full.",
        causes="More is sent than the line takes.",
        advice="See the rule interface-errors.",
    ),
    Word(
        "TX-OVR",
        INTERFACES,
        "Packets that could not be handed to the hardware in time (underrun).",
    ),
    Word(
        "Flg",
        INTERFACES,
        "Letters that say how the interface is set up: B M R U is the ordinary set of a"
        " cable, L R U of lo. `pynetstat --explain BMRU` tells each.",
    ),
    Word(
        "lo",
        INTERFACES,
        "The loopback interface: packets from this machine to itself (127.0.0.1, ::1). It"
        " never leaves the machine, has no cable and no errors.",
    ),
    Word("U", INTERFACE_FLAGS, "It is switched on (up)."),
    Word("R", INTERFACE_FLAGS, "It runs: there is a link (a cable, an access point)."),
    Word("B", INTERFACE_FLAGS, "It can send to all machines of its network at once (broadcast)."),
    Word("M", INTERFACE_FLAGS, "It can send to groups (multicast)."),
    Word("L", INTERFACE_FLAGS, "It is the loopback: the machine itself."),
    Word(
        "P",
        INTERFACE_FLAGS,
        "It leads to one other machine (point to point); or it takes all packets that it sees"
        " (promiscuous), as while tcpdump runs.",
    ),
    Word("A", INTERFACE_FLAGS, "It takes the packets of all groups (all multicast)."),
    Word("O", INTERFACE_FLAGS, "It does not ask for hardware addresses (no ARP)."),
    Word("m", INTERFACE_FLAGS, "It stands for several others (master of a bond)."),
    Word("s", INTERFACE_FLAGS, "It is part of a bond (slave)."),
    Word("D", INTERFACE_FLAGS, "Its driver writes out what it does (debug)."),
    Word("N", INTERFACE_FLAGS, "It sends no trailers. Hardly used."),
    Word("d", INTERFACE_FLAGS, "It gets its address when it is dialled (dynamic)."),
    Word(
        "RX",
        IN_FULL,
        "What was received. packets and bytes; errors: damaged ones; dropped: no room;"
        " overruns: not fetched in time; frame: damaged ones of a wrong length.",
        also=(
            "RX packets",
            "frame",
            "overruns",
        ),
    ),
    Word(
        "TX",
        IN_FULL,
        "What was sent. carrier: no link; collisions: two sent at once, of old cables; the"
        " other words as for RX.",
        also=(
            "TX packets",
            "carrier",
            "collisions",
        ),
    ),
    Word(
        "ether",
        IN_FULL,
        "The hardware address of the interface.",
        also=(
            "hwaddr",
            "mac",
        ),
    ),
    Word("inet", IN_FULL, "An IPv4 address of the interface, its netmask and broadcast address."),
    Word(
        "inet6",
        IN_FULL,
        "An IPv6 address of the interface; the number behind the slash is the length of its"
        " network. fe80: addresses are valid on this network alone.",
    ),
    Word("txqueuelen", IN_FULL, "How many packets may wait for the interface to send them."),
    Word(
        "Group",
        GROUPS,
        "The address of a group that packets are sent to: this machine takes part in it, so"
        " it receives them.",
        also=("Multicast group",),
    ),
    Word(
        "RefCnt",
        GROUPS,
        "How many programs (or parts of the system) of this machine take part in the group.",
    ),
    Word(
        "ActiveOpens",
        COUNTERS,
        "Connections that programs here began.",
        also=("active connection openings",),
    ),
    Word(
        "PassiveOpens",
        COUNTERS,
        "Connections that others began to programs here.",
        also=("passive connection openings",),
    ),
    Word(
        "AttemptFails",
        COUNTERS,
        "Attempts to connect that failed: refused, or given up.",
        also=("failed connection attempts",),
    ),
    Word(
        "EstabResets",
        COUNTERS,
        "Open connections that ended with a reset (RST), sent by either end.",
        also=("connection resets received",),
    ),
    Word(
        "InSegs",
        COUNTERS,
        "Segments (packets of tcp) received.",
        also=("segments received",),
    ),
    Word(
        "OutSegs",
        COUNTERS,
        "Segments (packets of tcp) sent, without those sent again.",
        also=("segments sent out",),
    ),
    Word(
        "RetransSegs",
        COUNTERS,
        "Segments that were sent again, since no acknowledgement came in time. Up to about 2%"
        " of OutSegs is normal.",
        also=("segments retransmitted",),
    ),
    Word(
        "OutRsts",
        COUNTERS,
        "Resets sent: connections that this machine cut off, or refused since nothing listens"
        " there.",
        also=("resets sent",),
    ),
    Word(
        "CurrEstab",
        COUNTERS,
        "Connections that are open now.",
        also=("connections established",),
    ),
    Word(
        "TCPSynRetrans",
        COUNTERS,
        "First packets of a connection (SYN, SYN/ACK) that were sent again.",
    ),
    Word(
        "ListenOverflows",
        COUNTERS,
        "Connections that came when the queue of a listener was full.",
        also=("times the listen queue of a socket overflowed",),
    ),
    Word(
        "ListenDrops",
        COUNTERS,
        "Connections to listeners that were dropped, for a full queue or another reason.",
        also=("SYNs to LISTEN sockets dropped",),
    ),
    Word(
        "SyncookiesSent",
        COUNTERS,
        "Answers to first packets that were given without keeping anything in memory, since"
        " too many came at once (SYN flood).",
        also=("SYN cookies sent",),
    ),
    Word(
        "TCPTimeWaitOverflow",
        COUNTERS,
        "Closed connections for which there was no room in the table of TIME_WAIT.",
    ),
    Word(
        "TCPMemoryPressures",
        COUNTERS,
        "How often the memory for tcp ran short.",
        also=("TCP ran low on memory",),
    ),
    Word(
        "TCPAbortOnMemory",
        COUNTERS,
        "Connections that were cut off since the memory for tcp was used up.",
        also=("connections aborted due to memory pressure",),
    ),
    Word(
        "TCPBacklogDrop",
        COUNTERS,
        "Segments that were dropped while the program was busy with the socket.",
    ),
    Word("TCPRcvQDrop", COUNTERS, "Segments that were dropped since the receive buffer was full."),
    Word(
        "PruneCalled",
        COUNTERS,
        "How often the system had to make room in a receive buffer.",
        also=("packets pruned from receive queue because of socket buffer overrun",),
    ),
    Word(
        "RcvPruned",
        COUNTERS,
        "Segments that were thrown out of a receive buffer to make room.",
        also=("packets pruned from receive queue",),
    ),
    Word(
        "OfoPruned",
        COUNTERS,
        "Segments that had come out of order and were thrown out to make room.",
        also=("packets dropped from out-of-order queue because of socket buffer overrun",),
    ),
    Word(
        "IPReversePathFilter",
        COUNTERS,
        "Packets that were dropped since they came in at an interface that no route leads"
        " back over (rp_filter).",
    ),
    Word(
        "InDatagrams",
        COUNTERS,
        "Datagrams (udp) that were delivered to a program.",
        also=("packets received",),
    ),
    Word(
        "OutDatagrams",
        COUNTERS,
        "Datagrams (udp) that were sent.",
        also=("packets sent",),
    ),
    Word(
        "NoPorts",
        COUNTERS,
        "Datagrams (udp) to a port where no program listens.",
        also=("packets to unknown port received",),
    ),
    Word(
        "InErrors",
        COUNTERS,
        "Datagrams (udp) that could not be delivered: damaged, or no room.",
        also=("packet receive errors",),
    ),
    Word(
        "RcvbufErrors",
        COUNTERS,
        "Datagrams (udp) that were dropped since the program's receive buffer was full.",
        also=("receive buffer errors",),
    ),
    Word(
        "SndbufErrors",
        COUNTERS,
        "Datagrams (udp) that could not be sent since a send buffer was full.",
        also=("send buffer errors",),
    ),
    Word(
        "OutNoRoutes",
        COUNTERS,
        "Packets that could not be sent since no route leads to their destination.",
        also=(
            "dropped because of missing route",
            "Ip6OutNoRoutes",
        ),
    ),
    Word(
        "NetNS",
        SOCKETS,
        (
            "The network namespace in which the socket lives: its name, else the container, the "
            "unit or a process in it. A dash is our own."
        ),
    ),
    Word(
        "In-B/s",
        SOCKETS,
        "Bytes that the connection received per second, between two samples (--rates).",
    ),
    Word(
        "Out-B/s",
        SOCKETS,
        "Bytes that the peer acknowledged per second, between two samples (--rates).",
    ),
    Word(
        "Security Context",
        SOCKETS,
        "The SELinux context of the program that holds the socket (-Z).",
    ),
    Word(
        "Protocol",
        SOCKETS,
        (
            "Of a packet socket: the kind of frames that it receives. Of a netlink socket: the"
            " part of the kernel that it talks to."
        ),
    ),
    Word(
        "Drops",
        SOCKETS,
        "Messages that the kernel dropped, since the socket's buffer was full.",
    ),
    Word(
        "Groups",
        SOCKETS,
        "The multicast groups of netlink that the socket listens to, as bits.",
    ),
    Word(
        "Port",
        SOCKETS,
        (
            "Of a netlink socket: the number by which the kernel answers it, often a pid. 0 is the "
            "kernel."
        ),
    ),
    Word(
        "cwnd",
        TCP_INFO,
        "The congestion window: how many segments may be under way without an acknowledgement.",
    ),
    Word(
        "rtt",
        TCP_INFO,
        "The round trip time of the connection, and its deviation, in milliseconds.",
    ),
    Word(
        "rto",
        TCP_INFO,
        (
            "The retransmission timeout in milliseconds: so long it is waited for an "
            "acknowledgement."
        ),
    ),
    Word(
        "ssthresh",
        TCP_INFO,
        "The slow start threshold: from this congestion window on it grows slowly.",
    ),
    Word(
        "retrans",
        TCP_INFO,
        "Segments sent again: under way now, and in all.",
    ),
    Word(
        "rcv_space",
        TCP_INFO,
        "The receive buffer that is in use, in bytes.",
    ),
    Word(
        "Source",
        RARE,
        "The address here: a Bluetooth address or a call sign.",
    ),
    Word(
        "Dest",
        RARE,
        "The address of the peer: a call sign or an address of that protocol.",
        also=("Destination address",),
    ),
    Word(
        "PSM",
        RARE,
        "Bluetooth: the number of the service (protocol/service multiplexer).",
    ),
    Word(
        "DCID",
        RARE,
        "Bluetooth: the number of the channel at the peer.",
    ),
    Word(
        "SCID",
        RARE,
        "Bluetooth: the number of the channel here.",
    ),
    Word(
        "IMTU",
        RARE,
        "Bluetooth: the largest packet that is received, in bytes.",
    ),
    Word(
        "OMTU",
        RARE,
        "Bluetooth: the largest packet that is sent, in bytes.",
    ),
    Word(
        "Security",
        RARE,
        "Bluetooth: the security level of the connection.",
    ),
    Word(
        "Channel",
        RARE,
        "Bluetooth: the channel of rfcomm, which stands for a service.",
    ),
    Word(
        "Device",
        RARE,
        "The interface that the connection or the route uses.",
        also=("dev",),
    ),
    Word(
        "LCI",
        RARE,
        "X.25 and ROSE: the number of the logical channel.",
    ),
    Word(
        "Vr/Vs",
        RARE,
        "The counters of frames received and sent, V(R) and V(S).",
        also=(
            "vr",
            "vs",
        ),
    ),
    Word(
        "Mnemonic",
        RARE,
        "NET/ROM: the short name of a node.",
    ),
    Word(
        "Quality",
        RARE,
        "NET/ROM: how good the way to the node is, up to 255.",
    ),
    Word(
        "Neighbour",
        RARE,
        "The station next to us that the way leads over.",
        also=(
            "neigh",
            "neighbour1",
            "neighbour2",
            "neighbour3",
            "neigh1",
            "neigh2",
            "neigh3",
        ),
    ),
    Word(
        "dest_addr",
        RARE,
        "ROSE: the address of the peer.",
        also=("dest_call",),
    ),
    Word(
        "src_addr",
        RARE,
        "ROSE: the address here.",
        also=("src_call",),
    ),
    Word(
        "Router Net",
        RARE,
        "IPX: the network of the router that the route leads to.",
    ),
    Word(
        "Router Node",
        RARE,
        "IPX: the address of the router in that network.",
        also=("Network",),
    ),
    Word(
        "callsign",
        RARE,
        "AX.25: the station that the route leads to.",
        also=(
            "address",
            "mask",
            "node",
        ),
    ),
    Word(
        "prot",
        CACHE,
        "Masquerading: the protocol of the entry.",
    ),
    Word(
        "expire",
        CACHE,
        "Masquerading: the time until the entry is forgotten.",
    ),
    Word(
        "initseq",
        CACHE,
        "Masquerading: the sequence number from which on delta counts.",
    ),
    Word(
        "delta",
        CACHE,
        "Masquerading: by how much sequence numbers are changed.",
    ),
    Word(
        "prevd",
        CACHE,
        "Masquerading: the delta before that.",
    ),
    Word(
        "source",
        CACHE,
        "Masquerading: the address behind this machine.",
    ),
    Word(
        "ports",
        CACHE,
        "Masquerading: the ports: source, destination, and ours in parentheses.",
    ),
    Word(
        "TOS",
        CACHE,
        "Route cache: the type of service of the packets.",
    ),
    Word(
        "HHRef",
        CACHE,
        "Route cache: how many routes share the hardware header.",
    ),
    Word(
        "HHUptod",
        CACHE,
        "Route cache: 1 if the hardware header is up to date.",
    ),
    Word(
        "SpecDst",
        CACHE,
        "Route cache: the address that the packets are meant for here.",
    ),
)
