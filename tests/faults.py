"""Faults of a network that are really there, each in a namespace of its own, made by a program
that is called `guilty`; and scenes without any. By hand, all scenes, each so many times:

    sudo python tests/faults.py [CONNECTIONS] [LOOKS]
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).parents[1]

# In a namespace: its setup, the program with the fault, and what --diagnose says then; with a
# peer, a second namespace at the other end of a cable, 10.0.0.2 and fd00::2 to us, 10.0.0.1 and
# fd00::1 to it. "there": the diagnosis is made in the peer's.
STAGE = """
import json, subprocess, sys
setup, fault, peer, where, *command = sys.argv[1:]
subprocess.run(["sh", "-c", setup], check=True)
actors = []
if peer:
    boot = "import sys; print('up', flush=True); sys.stdin.readline()\\n"
    other = subprocess.Popen(["unshare", "--net", sys.executable, "-c", boot + peer],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    actors.append(other)
    there = ["nsenter", "-t", str(other.pid), "-n"]
    cable = '''
ip link add v0 type veth peer name v1 netns PID
ip addr add 10.0.0.1/24 dev v0
ip -6 addr add fd00::1/64 dev v0 nodad
ip link set v0 up
IN ip link set lo up
IN ip addr add 10.0.0.2/24 dev v1
IN ip -6 addr add fd00::2/64 dev v1 nodad
IN ip link set v1 up
'''
    cable = cable.replace("PID", str(other.pid)).replace("IN", " ".join(there))
    subprocess.run(["sh", "-ec", cable], check=True)
    other.stdin.write(b"\\n")
    other.stdin.flush()
    answer = other.stdout.readline().decode()
    assert answer == "ready\\n", answer
guilty = subprocess.Popen(["guilty", "-c", fault], executable=sys.executable,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
actors.append(guilty)
ready = guilty.stdout.readline()
if where == "there":
    command = [*there, *command]
done = subprocess.run(command, capture_output=True)
for actor in reversed(actors):
    actor.kill()
    actor.communicate()
print(json.dumps({"ready": ready.decode(), "status": done.returncode, "pid": guilty.pid,
                  "out": done.stdout.decode(), "err": done.stderr.decode()}))
"""

# What the faults have in common. A filter of two instructions loses all that reaches a socket,
# or (four) so many percent of it.
TOOLS = """
import ctypes, os, random, resource, select, socket, struct, sys, threading, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

def filtered(sock, program):
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    kept.append(ctypes.create_string_buffer(code))
    SO_ATTACH_FILTER = 26
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HP", len(program), ctypes.addressof(kept[-1])))

def deaf(sock):
    filtered(sock, [(6, 0, 0, 0)])

def lossy(sock, percent):
    filtered(sock, [(0x20, 0, 0, 0xFFFFF038), (0x25, 0, 1, 0xFFFFFFFF // 100 * percent),
                    (6, 0, 0, 0xFFFFFFFF), (6, 0, 0, 0)])

def pair(server):
    client = socket.create_connection(server.getsockname()[:2])
    return client, server.accept()[0]

def attempt(address, port):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((address, port))
    return client

def meanwhile(work):
    def again():
        while True:
            work()
    threading.Thread(target=again, daemon=True).start()

def ready(after=0.0):
    time.sleep(after)
    print("ready", flush=True)
    sys.stdin.read()

def full(sock):
    # Send until nothing more is taken.
    sock.settimeout(0.2)
    try:
        while True:
            sock.send(b"x" * 65536)
    except TimeoutError:
        pass

def fork(work):
    # Another program; it ends with us.
    libc = ctypes.CDLL(None)
    parent = os.getpid()
    if os.fork() == 0:
        libc.prctl(1, 9)
        work()
        time.sleep(1000)
        os._exit(0)

def many(files):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

def pairs(server, number):
    return [pair(server) for _ in range(number)]

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF

def syn(number, there, here):
    # The first packet of a connection to port 80, from an address of our choice.
    text = struct.pack("!HHIIBBHHH", 1024 + number, 80, 7, 0, 0x50, 2, 8192, 0, 0)
    sum_of = checksum(there + here + struct.pack("!BBH", 0, 6, 20) + text)
    text = text[:16] + struct.pack("!H", sum_of) + text[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, there, here) + text

kept = []
"""

LO = f"'{sys.executable}' '{Path(__file__).with_name('loopback.py')}'"
# A network with nobody in it, to which packets go without a question.
SILENT = f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/8 dev v0
ip link set v0 arp off up
ip link set v1 up
ip route add default via 10.0.0.2
"""


CABLE = f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
"""


class Fault(NamedTuple):
    """The rule that has to fire, how loud, and how it is brought about: in which network, with
    which program at the other end of the cable, looked at where. `says` are words of its summary,
    `absent` rules that must not fire beside it."""

    rule: str
    severities: set[str]
    code: str
    setup: str = LO
    named: bool = True
    peer: str = ""
    where: str = "here"
    says: str = ""
    absent: frozenset[str] = frozenset()

    def needs_ip(self) -> bool:
        return bool(self.peer) or "ip " in self.setup + self.code


FAULTS = {
    "never closed, with unread data": Fault("close-wait-leak", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0), backlog=100)
for number in range(20):
    client, end = pair(server)
    client.sendall(b"x" * 100)
    client.close()
    kept.append(end)
ready()
"""),
    "never closed, until no file is left": Fault("close-wait-leak", {"critical"}, """
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
server = socket.create_server(("127.0.0.1", 0), backlog=100)
for number in range(40):
    client, end = pair(server)
    client.close()
    kept.append(end)
ready()
"""),
    "never closed, by the thousand": Fault("close-wait-leak", {"critical"}, """
server = socket.create_server(("127.0.0.1", 0), backlog=100)
for number in range(1100):
    client, end = pair(server)
    client.close()
    kept.append(end)
ready()
"""),
    "never read": Fault("unread-data", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
client, end = pair(server)
full(client)
ready(5)
""", says="bytes wait in 1 connection"),
    "an other end that drops all": Fault("unacknowledged-data", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
client, end = pair(server)
deaf(end)
client.sendall(b"x" * 1000)
time.sleep(2)
ready()
"""),
    "never accepted": Fault("listen-overflow", {"warning", "critical"}, """
server = socket.create_server(("0.0.0.0", 8080), backlog=3)
kept += [attempt("127.0.0.1", 8080) for number in range(8)]
time.sleep(0.2)
ready()
""", says="does not accept connections at 0.0.0.0:8080 (4 wait, 3 have room)",
        absent=frozenset({"retransmissions", "close-wait-leak"})),
    "ten ports, all taken": Fault("port-exhaustion", {"critical"}, """
server = socket.create_server(("127.0.0.1", 8080))
kept += [pair(server) for number in range(10)]
ready()
""", f"{LO}; echo '50000 50009' > /proc/sys/net/ipv4/ip_local_port_range"),
    "ten ports of udp": Fault("port-exhaustion", {"critical"}, """
for number in range(10):
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    kept[-1].bind(("", 0))
ready()
""", f"{LO}; echo '50000 50009' > /proc/sys/net/ipv4/ip_local_port_range"),
    "a flood of closed connections": Fault("time-wait-flood", {"warning"}, """
servers = [socket.create_server(("127.0.0.1", 8080 + n), backlog=100) for n in range(2)]
for number in range(12000):
    client, end = pair(servers[number % 2])
    client.close()
    end.close()
kept = pair(servers[0])
ready()
"""),
    "nobody there": Fault("syn-sent-stuck", {"warning"}, """
kept += [attempt("10.1.2.3", 80) for number in range(3)]
time.sleep(1.2)
ready()
""", SILENT),
    "forged addresses": Fault("syn-flood", {"warning", "critical"}, """
server = socket.create_server(("10.0.0.1", 80), backlog=200)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for number in range(150):
    raw.sendto(syn(number, bytes([10, 9, 0, number + 1]), bytes([10, 0, 0, 1])), ("10.0.0.1", 0))
ready(1.2)
""", SILENT, absent=frozenset({"retransmissions"})),
    "a lossy way": Fault("retransmissions", {"warning", "critical"}, """
server = socket.create_server(("127.0.0.1", 0))
ends = [pair(server) for number in range(8)]
for client, end in ends:
    lossy(end, 20)
    client.setblocking(False)
    end.setblocking(False)
def work():
    for client, end in ends:
        try:
            client.send(b"x" * 20000)
        except BlockingIOError:
            pass
        try:
            end.recv(1 << 20)
        except BlockingIOError:
            pass
    time.sleep(0.001)
meanwhile(work)
time.sleep(0.5)
ready()
""", f"{LO}; ip link set lo mtu 1500"),
    "connections that are cut off": Fault("resets", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0), backlog=100)
def work():
    client, end = pair(server)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    end.close()
    time.sleep(0.001)
meanwhile(work)
ready()
""", named=False),
    "connections that are refused": Fault("nobody-listens", {"warning"}, """
def work():
    kept[:] = [attempt("127.0.0.1", 9)]
    time.sleep(0.001)
meanwhile(work)
ready()
""", named=False),
    "a udp buffer that is full": Fault("udp-drops", {"warning"}, """
end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end.bind(("127.0.0.1", 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1000):
    sender.sendto(b"x" * 1000, end.getsockname())
ready()
"""),
    "a udp socket that is read too slowly": Fault("udp-drops", {"warning"}, """
end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
end.bind(("::1", 0))
sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
def work():
    for number in range(300):
        sender.sendto(b"x" * 2000, end.getsockname()[:2])
    end.recv(2000)
    time.sleep(0.01)
meanwhile(work)
ready()
"""),
    "left by their program": Fault("orphans", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=100)
for number in range(1200):
    client, end = pair(server)
    deaf(end)
    client.sendall(b"x")
    client.close()
    kept.append(end)
ready()
"""),
    "no way out": Fault("no-default-route", {"information"}, "ready()", CABLE, named=False),
    "no way out, but packets for it": Fault("no-default-route", {"critical"}, """
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def work():
    try:
        sender.sendto(b"x", ("192.0.2.1", 9))
    except OSError:
        pass
    time.sleep(0.05)
meanwhile(work)
ready()
""", CABLE, named=False),
    "a way over a dead cable": Fault("route-over-down-interface", {"critical"}, "ready()", f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip route add default via 10.0.0.2
""", named=False),
    "open to everybody": Fault("exposed-listeners", {"information"}, """
kept = [socket.create_server(("", 8080)), socket.create_server(("127.0.0.1", 8081))]
ready()
"""),
    "a reader that trickles": Fault("unread-data", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
client, end = pair(server)
full(client)
client.setblocking(True)
meanwhile(lambda: client.send(b"x" * 4096))
meanwhile(lambda: (end.recv(2000), time.sleep(0.3)))
ready(5)
""", says="reads more slowly than it is sent"),
    "a reader that trickles, seen by the sender": Fault("peer-not-reading", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
def read():
    client.close()
    end = server.accept()[0]
    while True:
        end.recv(2000)
        time.sleep(0.3)
fork(read)
full(client)
client.setblocking(True)
meanwhile(lambda: client.send(b"x" * 4096))
ready(5)
""", says="it is not the network"),
    "a peer that does not read": Fault("peer-not-reading", {"warning"}, """
client = socket.create_connection(("10.0.0.2", 80))
full(client)
ready(6)
""", peer="""
server = socket.create_server(("10.0.0.2", 80))
fork(lambda: kept.append(server.accept()))
ready()
""", says="10.0.0.2:80 does not read what guilty", absent=frozenset({"unacknowledged-data"})),
    "a hundred clients that take nothing": Fault("peer-not-reading", {"critical"}, """
server = socket.create_server(("10.0.0.1", 80), backlog=200)
ends = [server.accept()[0] for number in range(100)]
for end in ends:
    end.setblocking(False)
    for _ in range(40):
        try:
            end.send(b"x" * 65536)
        except BlockingIOError:
            break
ready(6)
""", peer="""
def work():
    while len(kept) < 100:
        try:
            kept.append(socket.create_connection(("10.0.0.1", 80)))
        except OSError:
            time.sleep(0.05)
threading.Thread(target=work, daemon=True).start()
ready()
""", says="100 connections"),
    "loss in few connections": Fault("loss-of-one", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
ends = pairs(server, 5)
for client, end in ends:
    lossy(end, 20)
    end.setblocking(False)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def work():
    for client, end in ends:
        client.send(b"x" * 100)
        try:
            end.recv(10000)
        except BlockingIOError:
            pass
    time.sleep(0.12)
meanwhile(work)
ready(4)
""", says="of the segments to 127.0.0.1 had to be sent again"),
    "packets of full size are lost": Fault("unacknowledged-data", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0))
client, end = pair(server)
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
filtered(end, [(0x80, 0, 0, 0), (0x25, 0, 1, 1000), (6, 0, 0, 0), (6, 0, 0, 0xFFFFFFFF)])
client.send(b"x" * 1400)
for _ in range(5):
    time.sleep(0.01)
    client.send(b"x" * 100)
ready(2.5)
""", says="(MTU)"),
    "a port where nobody listens": Fault("nobody-listens", {"warning"}, """
def work():
    kept[:] = [attempt("10.0.0.2", 81)]
    time.sleep(0.1)
meanwhile(work)
ready()
""", named=False, peer="ready()", absent=frozenset({"resets", "retransmissions"})),
    "a server whose queue is full, seen by its clients": Fault("syn-sent-stuck", {"warning"}, """
kept += [socket.create_connection(("10.0.0.2", 80))]
time.sleep(0.5)
kept += [attempt("10.0.0.2", 80) for number in range(20)]
ready(1.5)
""", peer="""
server = socket.create_server(("10.0.0.2", 80), backlog=1)
kept.append(server)
ready()
""", says="the server's queue is full", absent=frozenset({"retransmissions"})),
    "a server that is slow to accept": Fault("waits-for-accept", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
kept += [socket.create_connection(("127.0.0.1", 8080)) for number in range(89)]
ready(0.2)
""", says="8080 (89 of 128 wait)", absent=frozenset({"close-wait-leak", "unread-data"})),
    "clients that gave up waiting": Fault("waits-for-accept", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
for number in range(30):
    client = socket.create_connection(("127.0.0.1", 8080))
    client.send(b"GET")
    client.close()
ready(0.2)
""", says="30 clients have given up", absent=frozenset({"close-wait-leak", "unread-data"})),
    "answers that get lost": Fault("syn-flood", {"warning"}, """
server = socket.create_server(("10.0.0.1", 80), backlog=200)
os.system("ip route add 10.9.0.0/16 via 10.0.0.2")
ready(4)
""", peer="""
def work():
    time.sleep(2)
    os.system("ip route add blackhole 10.9.0.0/16")
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for number in range(40):
        raw.sendto(syn(number, bytes([10, 9, 0, 1 + number]), bytes([10, 0, 0, 1])),
                   ("10.0.0.1", 0))
threading.Thread(target=work, daemon=True).start()
ready()
""", says="40 connections to guilty", absent=frozenset({"retransmissions"})),
    "ports bound to four destinations": Fault("ports-gone", {"warning"}, """
server = [socket.create_server(("127.0.0.1", 8080 + n), backlog=100) for n in range(4)]
for number in range(40):
    client = socket.socket()
    client.bind(("127.0.0.1", 0))
    client.connect(("127.0.0.1", 8080 + number % 4))
    kept.append(client)
ready()
""", f"{LO}; echo '50000 50039' > /proc/sys/net/ipv4/ip_local_port_range",
        says="40 of the 40 local ports"),
    # connect() tries an even number of ports: of an odd range it misses one now and then.
    "a range eaten by listeners": Fault("port-exhaustion", {"critical"}, """
kept += [socket.create_server(("", 50000 + n)) for n in range(9)]
server = socket.create_server(("127.0.0.1", 8080))
kept += pairs(server, 3)
ready()
""", f"{LO}; echo '50000 50011' > /proc/sys/net/ipv4/ip_local_port_range",
        says="12 of the 12 local ports"),
    "read to the end and never closed": Fault("close-wait-leak", {"warning"}, """
server = socket.create_server(("127.0.0.1", 0), backlog=100)
for client, end in pairs(server, 40):
    client.close()
    end.recv(10)
    kept.append(end)
ready()
""", says="40 connections that the other end closed, though it has read their end"),
    "closed, and nobody takes the rest": Fault("orphans", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=400)
for client, end in pairs(server, 300):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.setblocking(False)
    try:
        while True:
            client.send(b"x" * 8192)
    except BlockingIOError:
        client.close()
    kept.append(end)
ready(1)
""", says="300 closed connections still wait"),
    "a server without a free file": Fault("files-exhausted", {"critical"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
fork(lambda: [kept.append(socket.create_connection(("127.0.0.1", 8080))) for _ in range(100)])
many(64)
try:
    while True:
        kept.append(server.accept()[0])
except OSError:
    pass
ready(0.3)
""", says="has 64 of the 64 files open"),
    "a client without a free file": Fault("files-exhausted", {"critical"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
fork(lambda: [kept.append(server.accept()) for number in range(50)])
many(40)
try:
    while True:
        kept.append(socket.create_connection(("127.0.0.1", 8080)))
except OSError:
    pass
ready(0.3)
"""),
    "a server that is stopped": Fault("unread-data", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=128)
fork(lambda: [kept.append(socket.create_connection(("127.0.0.1", 8080))) or
              kept[-1].send(b"question") for number in range(10)])
ends = [server.accept() for number in range(10)]
server.setblocking(False)
def stop(pid=os.getpid()):
    time.sleep(5)
    os.kill(pid, 19)
os.system(f"(sleep 5.2; kill -STOP {os.getpid()}) &")
print("ready", flush=True) if False else None
time.sleep(5)
print("ready", flush=True)
time.sleep(1000)
""", says="the program is stopped"),
    "datagrams to nobody": Fault("udp-nobody-listens", {"warning"}, """
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def work():
    sender.sendto(b"x", ("127.0.0.1", 514))
    time.sleep(0.005)
meanwhile(work)
ready()
""", named=False),
    # The kernel asks for the neighbour for a minute, not for three seconds: time to look.
    "an address that no machine has": Fault("syn-sent-stuck", {"warning"}, """
open("/proc/sys/net/ipv4/neigh/v0/mcast_solicit", "w").write("60")
kept += [attempt("10.0.0.9", 80) for number in range(3)]
ready(1.3)
""", peer="ready()", says="no machine on this network answers"),
    "a gateway that is dead": Fault("gateway-silent", {"critical"}, """
def work():
    kept[:] = [attempt("192.0.2.1", 80)]
    time.sleep(0.2)
meanwhile(work)
ready(1.5)
""", f"{CABLE}ip route add default via 10.0.0.9", named=False, says="10.0.0.9 of the default"),
    "an IPv6 gateway that is dead": Fault("gateway-silent", {"critical"}, """
def work():
    client = socket.socket(socket.AF_INET6)
    client.setblocking(False)
    client.connect_ex(("2001:db8::1", 80))
    kept[:] = [client]
    time.sleep(0.2)
meanwhile(work)
ready(1.5)
""", f"{CABLE}ip -6 addr add fd00::1/64 dev v0 nodad; ip -6 route add default via fd00::9",
        named=False, says="fd00::9 of the default"),
    "a machine that vanishes": Fault("unacknowledged-data", {"warning"}, """
kept += [socket.create_connection(("10.0.0.2", 80)) for number in range(10)]
time.sleep(0.2)
os.system("ip link set v0 mtu 1000; ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:09 dev v0")
for client in kept:
    client.send(b"x" * 23)
ready(2)
""", peer="""
server = socket.create_server(("10.0.0.2", 80), backlog=50)
fork(lambda: [kept.append(server.accept()) for number in range(10)])
ready()
""", says="230 bytes in 10 connections are not acknowledged"),
    "an interface that is switched off": Fault("interface-down", {"critical"}, "ready()",
        f"{LO}; ip link add v0 type veth peer name v1; ip addr add 10.0.0.1/24 dev v0",
        named=False, says="v0 is switched off"),
    "packets at the wrong interface": Fault("wrong-interface", {"warning"}, """
ready()
""", named=False, peer="""
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def work():
    raw.sendto(syn(1, bytes([172, 16, 0, 1]), bytes([10, 0, 0, 1])), ("10.0.0.1", 0))
    time.sleep(0.02)
meanwhile(work)
ready()
""", setup=f"""{LO}
echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter
echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter
ip link add w0 type veth peer name w1
ip addr add 172.16.0.9/16 dev w0
ip link set w0 up
ip link set w1 up
"""),
    "IPv6 without a way out": Fault("family-broken", {"warning"}, """
def work():
    client = socket.socket(socket.AF_INET6)
    client.setblocking(False)
    client.connect_ex(("2001:db8::1", 80))
    client.close()
    time.sleep(0.05)
meanwhile(work)
ready()
""", f"{CABLE}ip route add default via 10.0.0.9; ip -6 addr add 2001:db8:1::1/64 dev v0 nodad",
        named=False, says="no IPv6 route"),
    "name servers that do not answer": Fault("dns-silent", {"warning", "critical"}, """
for number in range(6):
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    kept[-1].connect(("10.1.2.3", 53))
    kept[-1].send(b"question")
ready()
""", SILENT, says="10.1.2.3 does not answer"),
    "a listener for this machine alone": Fault("nobody-listens", {"information"}, """
server = socket.create_server(("127.0.0.1", 8080))
ready(0.3)
""", peer="""
def work():
    kept[:] = [attempt("10.0.0.1", 8080)]
    time.sleep(0.05)
meanwhile(work)
ready()
""", says="these programs listen for this machine alone: guilty"),
    "two programs at one port": Fault("shared-port", {"warning"}, """
def listen():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", 8080))
    server.listen()
    kept.append(server)
listen()
import subprocess
code = '''import socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(('127.0.0.1', 8080))
server.listen()
time.sleep(20)'''
kept.append(subprocess.Popen([os.readlink("/proc/self/exe"), "-c", code]))
ready(1)
"""),
}  # fmt: skip


COMMAND = [sys.executable, "-m", "pynetstat"]


def stage(
    fault: Fault | Scene, *options: str, command: Sequence[str] = COMMAND
) -> subprocess.Popen[bytes]:
    """Begin a play in a network of its own."""
    peer = TOOLS + fault.peer if fault.peer else ""
    play = [fault.setup, TOOLS + fault.code, peer, fault.where]
    return subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", STAGE, *play, *command, "--diagnose", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP,
    )  # fmt: skip


def outcome(play: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, err = play.communicate(timeout=120)
    assert play.returncode == 0, err.decode()
    answer: dict[str, Any] = json.loads(out)
    assert answer["ready"] == "ready\n", err.decode()
    return answer


class Scene(NamedTuple):
    """A network in which nothing is wrong."""

    code: str
    setup: str = LO
    peer: str = ""
    where: str = "here"

    def needs_ip(self) -> bool:
        return bool(self.peer) or "ip " in self.setup + self.code


# A server and its clients in ordinary traffic: questions and answers in many connections, short
# connections, a slow reader now and then, answers that take their time, udp.
BUSY = """
NUMBER = %d
def serve(server, gram):
    watch = select.epoll()
    watch.register(sys.stdin, select.EPOLLIN)
    watch.register(server, select.EPOLLIN)
    watch.register(gram, select.EPOLLIN)
    ends, slow = {}, []
    while True:
        for number, event in watch.poll(0.05):
            if number == sys.stdin.fileno():
                return
            if number == server.fileno():
                end = server.accept()[0]
                ends[end.fileno()] = end
                watch.register(end, select.EPOLLIN)
            elif number == gram.fileno():
                gram.sendto(*gram.recvfrom(2000))
            elif random.random() < 0.02:
                slow.append((time.monotonic() + random.random() / 2, number))
                watch.unregister(number)
            else:
                answer(watch, ends, number)
        while slow and slow[0][0] < time.monotonic():
            number = slow.pop(0)[1]
            if number in ends:
                watch.register(number, select.EPOLLIN)
                answer(watch, ends, number)

def answer(watch, ends, number):
    data = ends[number].recv(65536)
    if data:
        ends[number].send(data * 3)
    else:
        watch.unregister(number)
        ends.pop(number).close()

server = socket.create_server(("127.0.0.1", 8080), backlog=1000)
gram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
gram.bind(("127.0.0.1", 8080))
if os.fork() == 0:
    serve(server, gram)
    os._exit(0)
server.close()
clients = [socket.create_connection(("127.0.0.1", 8080)) for number in range(NUMBER)]
for client in clients:
    client.setblocking(False)
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.connect(("127.0.0.1", 8080))
asker.setblocking(False)
def read(watch=select.epoll()):
    for client in clients:
        watch.register(client, select.EPOLLIN)
    by_number = {client.fileno(): client for client in clients}
    while True:
        for number, event in watch.poll():
            by_number[number].recv(1 << 20)
threading.Thread(target=read, daemon=True).start()
def work():
    for client in random.sample(clients, 100):
        try:
            client.send(b"x" * random.choice([100, 100, 1500, 60000]))
        except BlockingIOError:
            pass
    try:
        asker.send(b"x" * 500)
        asker.recv(2000)
    except OSError:
        pass
    short = socket.create_connection(("127.0.0.1", 8080))
    short.send(b"x")
    short.recv(100)
    short.close()
    time.sleep(0.005)
meanwhile(work)
time.sleep(1)
ready()
"""


POOL = """
server = socket.create_server(("127.0.0.1", 443), backlog=200)
def work():
    for number in range(NUMBER):
        end = server.accept()[0]
        kept.append(end)
        if number < CLOSED:
            if FAREWELL:
                end.send(b"x" * FAREWELL)
            end.close()
fork(work)
clients = [socket.create_connection(("127.0.0.1", 443)) for number in range(NUMBER)]
server.close()
ready(0.3)
"""


def pool(number: int, closed: int, farewell: int = 0) -> Scene:
    words = {"NUMBER": number, "CLOSED": closed, "FAREWELL": farewell}
    code = POOL
    for word, value in words.items():
        code = code.replace(word, str(value))
    return Scene(code)


HEALTHY = {
    "a browser, 8 of whose 64 idle connections the servers closed": pool(64, 8),
    "a pool, 6 of whose 10 connections the server closed": pool(10, 6),
    "a pool of TLS connections, closed by the server with a farewell": pool(10, 8, 31),
    "a pool with a notice that nobody has read yet": Scene("""
server = socket.create_server(("127.0.0.1", 443), backlog=200)
def work():
    for number in range(10):
        kept.append(server.accept()[0])
        kept[-1].send(b"x" * 60)
fork(work)
clients = [socket.create_connection(("127.0.0.1", 443)) for number in range(10)]
server.close()
ready(5.5)
"""),
    "a reader in batches": Scene("""
server = socket.create_server(("127.0.0.1", 8080))
client, end = pair(server)
meanwhile(lambda: (client.send(b"x" * 3500), time.sleep(0.15)))
meanwhile(lambda: (end.recv(1 << 20), time.sleep(3)))
ready(random.uniform(3, 6))
"""),
    "a load balancer that resets its health checks": Scene("""
server = socket.create_server(("127.0.0.1", 8080), backlog=100)
meanwhile(lambda: server.accept()[0].close())
def work():
    client = socket.create_connection(("10.0.0.2", 80))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    time.sleep(0.01)
meanwhile(work)
ready()
""", peer="""
server = socket.create_server(("10.0.0.2", 80), backlog=100)
def work():
    end = server.accept()[0]
    threading.Thread(target=end.recv, args=(10,), daemon=True).start()
fork(lambda: [work() for _ in range(10**6)])
ready()
"""),
    "a crawler, some of whose hosts are dead": Scene("""
server = socket.create_server(("127.0.0.1", 80), backlog=300)
kept += pairs(server, 150)
kept += [attempt(f"10.1.{number}.9", 6881) for number in range(60)]
ready(1.5)
""", SILENT),
    "an isolated network": Scene("ready()", CABLE),
    "loopback and nothing else": Scene("ready()"),
    "a default route that is not used": Scene("ready()", f"""{CABLE}
ip route add default via 10.0.0.9
ip link add w0 type veth peer name w1
ip addr add 10.9.0.1/24 dev w0
ip link set w0 up
ip route add default via 10.9.0.9 metric 50
"""),
    "a bridge for containers with nobody in it": Scene("ready()", f"""{CABLE}
ip route add default via 10.0.0.9
ip link add w0 type veth peer name w1
ip addr add 10.9.0.1/24 dev w0
ip link set w0 up
"""),
    "an interface without an address": Scene("ready()", f"""{CABLE}
ip route add default via 10.0.0.9
ip link add w0 type veth peer name w1
ip link set w0 up
"""),
    "a server whose clients were many": Scene("""
server = socket.create_server(("127.0.0.1", 8080), backlog=100)
for number in range(13600):
    client, end = pair(server)
    end.close()
    client.close()
ready()
""", f"{LO}; echo '1025 65000' > /proc/sys/net/ipv4/ip_local_port_range"),
    "one slow client of fifty": Scene("""
server = socket.create_server(("10.0.0.1", 8080), backlog=100)
ends = [server.accept()[0] for number in range(50)]
for end in ends:
    end.setblocking(False)
def work():
    for end in ends:
        try:
            end.send(b"x" * 10000)
        except BlockingIOError:
            pass
    time.sleep(0.02)
meanwhile(work)
ready(6)
""", peer="""
def work():
    while len(kept) < 50:
        try:
            kept.append(socket.create_connection(("10.0.0.1", 8080)))
        except OSError:
            time.sleep(0.05)
    while True:
        for client in kept[1:]:
            client.recv(1 << 20)
threading.Thread(target=work, daemon=True).start()
ready()
"""),
    "a player that reads as fast as it plays": Scene("""
server = socket.create_server(("127.0.0.1", 8080))
def play():
    client = socket.create_connection(("127.0.0.1", 8080))
    while True:
        client.recv(100000)
        time.sleep(0.1)
fork(play)
end = server.accept()[0]
meanwhile(lambda: end.send(b"x" * 65536))
ready(6)
"""),
    "half closed on purpose": Scene("""
server = socket.create_server(("127.0.0.1", 8080), backlog=100)
def ask():
    for number in range(30):
        kept.append(socket.create_connection(("127.0.0.1", 8080)))
        kept[-1].shutdown(socket.SHUT_WR)
    while True:
        for client in kept:
            client.recv(1 << 16)
fork(ask)
ends = [server.accept()[0] for number in range(30)]
for end in ends:
    end.recv(10)
def work():
    for end in ends:
        end.send(b"x" * 100)
    time.sleep(0.1)
meanwhile(work)
ready(0.5)
"""),
    "workers that share a port": Scene("""
def listen():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", 8080))
    server.listen()
    kept.append(server)
for number in range(4):
    fork(listen)
ready(0.3)
"""),
    "idle connections": Scene("""
server = socket.create_server(("127.0.0.1", 8080), backlog=300)
for client, end in pairs(server, 200):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    kept.append((client, end))
ready()
"""),
    "data both ways as fast as it goes": Scene("""
server = socket.create_server(("127.0.0.1", 8080), backlog=300)
def echo():
    end = server.accept()[0]
    while True:
        end.sendall(end.recv(1 << 16))
fork(echo)
client = socket.create_connection(("127.0.0.1", 8080))
def work():
    client.sendall(b"x" * 50000)
    left = 50000
    while left:
        left -= len(client.recv(left))
meanwhile(work)
ready(1)
"""),
    "a name server that answers": Scene("""
gram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
gram.bind(("127.0.0.1", 53))
meanwhile(lambda: gram.sendto(*gram.recvfrom(2000)))
def work():
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", 53))
    client.send(b"question")
    client.recv(100)
    client.close()
    time.sleep(0.005)
meanwhile(work)
ready()
"""),
    "a listener at this machine's own address, and a few attempts from outside": Scene("""
server = socket.create_server(("10.0.0.1", 8080))
meanwhile(lambda: server.accept())
ready(0.3)
""", peer="""
meanwhile(lambda: (kept.append(attempt("10.0.0.1", 81)), time.sleep(1)))
ready()
"""),
    "a program with half of its files open": Scene("""
many(64)
server = socket.create_server(("127.0.0.1", 8080), backlog=300)
kept += pairs(server, 16)
ready()
"""),
}  # fmt: skip


def told(answer: dict[str, Any]) -> list[str]:
    """What --diagnose --json found that is more than information, or could not check."""
    document = json.loads(answer["out"])
    found = [one for one in document["findings"] if one["severity"] != "information"]
    failed = [one for one in document["not_checked"] if one["failure"]]
    return [f"{one['severity']} {one['rule']}: {one['summary']}" for one in found] + [
        f"{one['rule']}: {one['reason']}" for one in failed
    ]


def looks(scene: Scene, number: int) -> list[str]:
    """What was found in so many looks at a scene, several of them at once."""
    with ThreadPoolExecutor(5) as threads:
        plays = [threads.submit(lambda: outcome(stage(scene, "--json"))) for _ in range(number)]
        return [line for play in plays for line in told(play.result())]


if __name__ == "__main__":
    connections, number = map(int, [*sys.argv[1:], "10000", "20"][:2])
    for name, scene in {"a busy host": Scene(BUSY % connections), **HEALTHY}.items():
        alarms = looks(scene, number)
        print(f"{name}: {number} looks, {len(alarms)} alarms", *alarms, sep="\n    ", flush=True)
