"""Faults of a network that are really there, each in a namespace of its own, made by a program
that is called `guilty`; and a busy host without any. By hand, the busy host in full:

    sudo python tests/faults.py [CONNECTIONS] [RUNS]
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).parents[1]

# In a namespace: its setup, the program with the fault, and what --diagnose says then.
STAGE = """
import json, subprocess, sys
setup, fault, *command = sys.argv[1:]
subprocess.run(["sh", "-c", setup], check=True)
guilty = subprocess.Popen(["guilty", "-c", fault], executable=sys.executable,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ready = guilty.stdout.readline()
done = subprocess.run(command, capture_output=True)
guilty.communicate()
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

def ready():
    print("ready", flush=True)
    sys.stdin.read()

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


class Fault(NamedTuple):
    """The rule that has to fire, how loud, and how it is brought about."""

    rule: str
    severities: set[str]
    code: str
    setup: str = LO
    named: bool = True

    def needs_ip(self) -> bool:
        return "ip " in self.setup


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
client.settimeout(0.3)
try:
    while True:
        client.send(b"x" * 65536)
except TimeoutError:
    ready()
"""),
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
"""),
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
    "a flood of connections closed by the server": Fault("time-wait-flood", {"warning"}, """
server = socket.create_server(("127.0.0.1", 8080), backlog=100)
for number in range(20000):
    client, end = pair(server)
    end.close()
    client.close()
ready()
""", f"{LO}; echo '1025 65000' > /proc/sys/net/ipv4/ip_local_port_range"),
    "nobody there": Fault("syn-sent-stuck", {"warning"}, """
kept += [attempt("10.1.2.3", 80) for number in range(3)]
time.sleep(1.2)
ready()
""", SILENT),
    "forged addresses": Fault("syn-flood", {"warning", "critical"}, """
server = socket.create_server(("10.0.0.1", 80), backlog=200)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
for number in range(150):
    here, there = bytes([10, 0, 0, 1]), bytes([10, 9, number // 250, number % 250 + 1])
    syn = struct.pack("!HHIIBBHHH", 1024 + number, 80, 7, 0, 0x50, 2, 8192, 0, 0)
    sum_of = checksum(there + here + struct.pack("!BBH", 0, 6, 20) + syn)
    syn = syn[:16] + struct.pack("!H", sum_of) + syn[18:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, there, here)
    raw.sendto(head + syn, ("10.0.0.1", 0))
time.sleep(1.2)
ready()
""", SILENT),
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
    "connections that are refused": Fault("resets", {"warning"}, """
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
    "no way out": Fault("no-default-route", {"warning"}, "ready()", f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
""", named=False),
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
""", f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
""", named=False),
    "a way over a dead cable": Fault("route-over-down-interface", {"critical"}, "ready()", f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
ip route add default via 10.0.0.2
""", named=False),
    "a network with nobody in it": Fault("route-over-down-interface", {"information"}, "ready()",
        f"""{LO}
ip link add v0 type veth peer name v1
ip addr add 10.0.0.1/24 dev v0
ip link set v0 up
""", named=False),
    "open to everybody": Fault("exposed-listeners", {"information"}, """
kept = [socket.create_server(("", 8080)), socket.create_server(("127.0.0.1", 8081))]
ready()
"""),
}  # fmt: skip


COMMAND = [sys.executable, "-m", "pynetstat"]


def stage(
    setup: str, code: str, *options: str, command: Sequence[str] = COMMAND
) -> subprocess.Popen[bytes]:
    """Begin a play in a network of its own."""
    inside = [sys.executable, "-c", STAGE, setup, TOOLS + code, *command, "--diagnose", *options]
    return subprocess.Popen(
        ["unshare", "--net", *inside],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP,
    )  # fmt: skip


def outcome(play: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, err = play.communicate(timeout=120)
    assert play.returncode == 0, err.decode()
    answer: dict[str, Any] = json.loads(out)
    assert answer["ready"] == "ready\n", err.decode()
    return answer


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


if __name__ == "__main__":
    connections, runs = map(int, [*sys.argv[1:], "10000", "20"][:2])
    for number in range(runs):
        answer = outcome(stage(LO, BUSY % connections, "--json"))
        document = json.loads(answer["out"])
        told = [one for one in document["findings"] if one["severity"] != "information"]
        print(number + 1, "status", answer["status"], *told, flush=True)
