"""The loopback interface of a new network namespace is down: this sets it up, without iproute2.

As a program (`python loopback.py COMMAND...`) it runs the command then.
"""

import fcntl
import os
import socket
import struct
import sys

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def set_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


if __name__ == "__main__":
    set_up()
    if sys.argv[1:]:
        os.execvp(sys.argv[1], sys.argv[1:])
