"""Kills runs of `-tulnp --json` at random moments while many sockets are open, and lets calls of
the API raise or be abandoned: counts what is left behind. By hand, as root: minutes.

    sudo python tests/kill_runs.py 500
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

from bench import load

import pynetstat
from pynetstat.stages import owners as running

MARK = "PYNETSTAT_KILLED"  # in the environment of every run, and of whatever it starts


def left_behind() -> list[str]:
    found = []
    for folder in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{folder}/environ", "rb") as file:
            if f"{MARK}=".encode() in file.read():
                found.append(folder)
    return found


def kill_runs(count: int) -> None:
    command = [sys.executable, "-m", "pynetstat", "-tulnp", "--json"]
    environment = {**os.environ, MARK: "1"}
    ended = hung = 0
    longest = 0.0
    for _ in range(count):
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        time.sleep(random.uniform(0.02, 1.2))
        ended += run.poll() is not None
        run.send_signal(random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        start = time.monotonic()
        try:
            run.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            hung += 1
        longest = max(longest, time.monotonic() - start)
    time.sleep(1)
    print(
        f"{count} runs killed ({ended} had ended by themselves): {hung} callers hung, longest wait"
        f" {longest:.2f} s, {len(left_behind())} processes left"
    )


def call(count: int) -> None:
    running.CROWD = 0
    children = f"/proc/self/task/{threading.get_native_id()}/children"

    def state() -> tuple[int, int, int]:
        with open(children) as file:
            kin = len(file.read().split())
        return len(os.listdir("/proc/self/fd")), kin, threading.active_count()

    before, raised = state(), 0
    for number in range(count):
        try:
            if number % 2:
                next(pynetstat.sockets(tcp=True, listening=True, programs=True), None)
            else:
                list(pynetstat.sockets(sctp=True, programs=True))
        except pynetstat.Unavailable:
            raised += 1
    print(f"{count} calls, {raised} raised: descriptors, children, threads {before} -> {state()}")


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with load(21_000):
        kill_runs(wanted)
        call(wanted)
