"""The flight recorder: --record, and --at, --events --from and --diagnose --at of what it wrote."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import can_unshare, needs_namespaces, needs_root
from faults import TOOLS
from record import unshare
from runner import invoke

import pynetstat
from pynetstat.cli import main
from pynetstat.overtime import journal
from pynetstat.overtime.journal import Journal, began_at, journal_names, lines_from
from pynetstat.overtime.moments import asked_moment
from pynetstat.overtime.recording import kept

TOP = Path(__file__).parents[1]
ROUNDS, EVERY = 360, 0.05  # an hour's worth of rounds, in 18 seconds

# A program whose leak grows and whose listener comes and goes, and one whose peer stops answering
STORY = """
begun = time.monotonic()
def until(second, what):
    time.sleep(max(begun + second - time.monotonic(), 0))
    print(what, time.time(), flush=True)
server = socket.create_server(("127.0.0.1", 5001), backlog=100)
until(0, "begun")
until(2, "listens")
listener = socket.create_server(("127.0.0.1", 7777))
until(5, "gone")
listener.close()
until(6, "leaks")
for number in range(40):
    client, end = pair(server)
    client.close()
    kept.append(end)
until(8, "leaked")
until(17, "end")
"""
CALLER = """
server = socket.create_server(("127.0.0.1", 5002), backlog=100)
client, end = pair(server)
time.sleep(9)
print("silent", time.time(), flush=True)
deaf(end)
client.sendall(b"x" * 1000)
time.sleep(20)
"""
PLAY = """
import subprocess, sys
story, caller, *command = sys.argv[1:]
sys.path.insert(0, "tests")
import loopback
loopback.set_up()
actors = [subprocess.Popen([name, "-c", code], executable=sys.executable)
          for name, code in (("guilty", story), ("caller", caller))]
subprocess.run(command, check=True)
for actor in actors:
    actor.kill()
"""


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")


def ask(*words: str) -> Any:
    return invoke(main, list(words))


def record(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "pynetstat", "--record", str(folder), *words]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, float]]:
    """The recording of the play, and when its scenes were."""
    if not can_unshare():
        pytest.skip("no private namespaces here")
    folder = tmp_path_factory.mktemp("story") / "recording"
    command = record(folder, "--interval", str(EVERY), "--count", str(ROUNDS))
    done = subprocess.run(
        [*unshare("--net"), sys.executable, "-c", PLAY, TOOLS + STORY, TOOLS + CALLER, *command],
        capture_output=True, text=True, cwd=TOP, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    words = done.stdout.split()
    return str(folder), dict(zip(words[::2], map(float, words[1::2])))


@pytest.mark.timing
def test_each_trouble_is_found_at_its_time(story: tuple[str, dict[str, float]]) -> None:
    folder, when = story

    def findings(moment: float) -> set[str]:
        done = ask("--record", folder, "--at", at(moment), "--diagnose", "--json")
        found = json.loads(done.stdout)["findings"]
        return {one["rule"] for one in found if one["severity"] in ("warning", "critical")}

    def listens(moment: float) -> bool:
        done = ask("--record", folder, "--at", at(moment), "-tlnp")
        assert done.exit_code == 0
        return "127.0.0.1:7777" in done.stdout and "/guilty" in done.stdout

    assert not listens(when["listens"] - 0.1) and listens(when["listens"] + 0.5)
    assert listens(when["gone"] - 0.1) and not listens(when["gone"] + 0.5)
    assert findings(when["leaks"] - 0.1) == set()
    assert findings(when["leaked"]) == {"close-wait-leak"}
    assert findings(when["silent"] - 0.1) == {"close-wait-leak"}
    assert findings(when["end"]) == {"close-wait-leak", "unacknowledged-data"}
    counts = ask(
        "--record", folder, "--at", at(when["leaked"]), "-tan", "--count-by", "program,state",
        "--filter", "sport = 5001", "--json",
    )  # fmt: skip
    found = json.loads(counts.stdout)["counts"]
    assert {"program": "guilty", "state": "CLOSE_WAIT", "count": 40} in found


def test_the_api_gives_the_records_of_a_moment(story: tuple[str, dict[str, float]]) -> None:
    folder, when = story
    moment = at(when["leaked"])
    leaking: Any = {"record": folder, "at": moment, "tcp": True, "port": 5001}
    records = pynetstat.sockets(**leaking, state="close-wait", programs=True)
    words = ("-tanp", "--record", folder, "--at", moment, "--port", "5001", "--state", "close-wait")
    assert records.to_dicts() == json.loads(ask(*words, "--json").stdout)["sockets"]
    assert {one.program for one in records} == {"guilty"} and len(records) == 40
    assert pynetstat.interfaces(record=folder, at=moment)[0].ifname == "lo"
    assert "Tcp" in pynetstat.statistics(record=folder, at=moment)
    found = pynetstat.diagnose(record=folder, at=moment)
    assert found[0].rule == "close-wait-leak" and "guilty" in str(found[0])
    for ask_api, mistake in (
        (lambda: pynetstat.sockets(record=folder), "record= names the folder that at= reads"),
        (
            lambda: pynetstat.sockets(at="yesterday"),
            "`yesterday' is neither a time nor a recording",
        ),
        (lambda: pynetstat.watch(record=folder, at="-1m"), "--at"),
        (lambda: pynetstat.sockets(at="-1m", tcp_info=True), "--at"),
        (lambda: pynetstat.diagnose(at="-1m", interval=3), "--interval does not go with"),
    ):
        with pytest.raises(pynetstat.Misuse, match=re.escape(mistake)):
            ask_api()
    for ask_api, reason in (
        (lambda: pynetstat.sockets(record=folder, at="2020-01-01T00:00:00"), "begins at"),
        (lambda: pynetstat.sockets(record="/nowhere", at="-1m"), "/nowhere"),
        (lambda: pynetstat.sockets(record=folder, at=moment, sctp=True), "sctp"),
    ):
        with pytest.raises(pynetstat.Unavailable) as caught:
            ask_api()
        assert reason in caught.value.message


@pytest.mark.timing
def test_events_of_a_recording(story: tuple[str, dict[str, float]]) -> None:
    folder, when = story
    words = ("--record", folder, "--events", "-tln", "--format", "jsonl")
    done = ask(*words, "--from", at(when["begun"] - 5))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    own = [row for row in rows if row["row"]["local_port"] == 7777]
    assert [row["event"] for row in own] == ["opened", "closed"]
    assert own[0]["row"]["state"] == "LISTEN"
    moments = [datetime.fromisoformat(row["ts"]).timestamp() for row in own]
    assert moments[0] == pytest.approx(when["listens"], abs=0.5)
    assert moments[1] == pytest.approx(when["gone"], abs=0.5)
    done = ask(*words, "--from", at(when["gone"] + 0.5), "--to", at(when["end"]))
    assert done.stdout == ""
    named = ("--record", folder, "--events", "-tanp", "--from", at(when["leaks"] - 0.2))
    done = ask(*named, "--filter", "state close-wait and program = guilty")
    assert done.stdout.count(" opened ") == 40 and "guilty" in done.stdout
    detailed = (*words[:3], "-tan", "--from", at(when["leaks"] - 0.2), "--format", "jsonl")
    done = ask(*detailed, "--filter", "state close-wait and command ~ 7777")
    assert len(done.stdout.splitlines()) >= 40
    assert "guilty" in json.loads(done.stdout.splitlines()[0])["row"]["details"][0]["command"]


# What is listed is what was listed

LISTED = (
    "-tuan", "-tuanp", "-tlnpeo", "-uln", "-xa", "-xlp", "-ia", "-iae", "-rn", "-rne", "-rn6",
    "-gn", "-s", "-s6", "-tan --json", "-xap --json", "-i --json", "-rn --json", "-gn --json",
    "-tanp --details --json", "-tan --count-by state", "-tan --format csv --columns all",
    "-tanp --filter 'state listening' --sort -local_port",
)  # fmt: skip
SCENE = """
import json, shlex, socket, subprocess, sys
folder, base, *cases = sys.argv[1:]
sys.path.insert(0, "tests")
import loopback
loopback.set_up()
kept = [socket.create_server(("127.0.0.1", 8080)), socket.create_server(("::1", 8081), family=10)]
kept += [socket.create_connection(("127.0.0.1", 8080)), socket.socket(2, 2), socket.socket(1, 1)]
kept[3].bind(("127.0.0.1", 5353))
kept[4].bind("\\0recorded\\xff")
def run(*words):
    done = subprocess.run([*json.loads(base), *words], capture_output=True, text=True)
    return done.returncode, done.stdout
assert run("--record", folder, "--count", "2", "--interval", "0.2") == (0, "")
found = {}
for case in cases:
    words = shlex.split(case)
    found[case] = run(*words), run(*words, "--at", folder)
print(json.dumps(found))
"""


@needs_namespaces
def test_listings_of_a_moment(tmp_path: Path) -> None:
    base = json.dumps([sys.executable, "-m", "pynetstat"])
    done = subprocess.run(
        [*unshare("--net"), sys.executable, "-c", SCENE, str(tmp_path / "r"), base, *LISTED],
        capture_output=True, text=True, cwd=TOP, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for case, (now, then) in json.loads(done.stdout).items():
        assert then[0] == now[0] == 0, case
        assert comparable(case, then[1]) == comparable(case, now[1]), case


def comparable(case: str, text: str) -> Any:
    if "--json" in case:
        document = json.loads(text)
        document["generated_at"] = None
        rows = [rows for rows in document.values() if isinstance(rows, list) and rows]
        for row in rows[0] if rows else ():
            row.pop("timer", None)
            row.pop("stats", None)
        return document
    if case.startswith("-s"):
        return [line.translate(str.maketrans("", "", "0123456789")) for line in text.splitlines()]
    return sorted(text.splitlines()) if case.startswith(("-t", "-u", "-x")) else text


# Crashes, damage, limits


def lines_of(folder: Path) -> list[Any]:
    complaints: list[str] = []
    found = [
        line
        for name in journal_names(str(folder))
        for line in lines_from(str(folder / name), 0.0, complaints.append)
    ]
    assert complaints == []
    return found


def test_a_killed_recorder_loses_at_most_one_round(tmp_path: Path) -> None:
    chance = random.Random(18)
    for number in range(int(os.environ.get("PYNETSTAT_KILLS", "8"))):
        folder = tmp_path / str(number)
        with subprocess.Popen(record(folder, "--interval", "0.01"), cwd=TOP) as recorder:
            until = time.monotonic() + 20
            while not list(folder.glob("*.gz")) and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(chance.random() / 2)
            recorder.send_signal(signal.SIGKILL)
        names = journal_names(str(folder))
        lines = lines_of(folder)
        whole = subprocess.run(["zcat", folder / names[0]], capture_output=True).stdout
        assert len(lines) == whole.count(b"\n")
        if lines:
            assert ask("--at", str(folder), "-tan").exit_code == 0
        again = subprocess.run([*record(folder, "--count", "2", "--interval", "0")], cwd=TOP)
        assert again.returncode == 0 and len(lines_of(folder)) == len(lines) + 2


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short") / "recording"
    command = record(folder, "--count", "6", "--interval", "0.05")
    assert subprocess.run(command, cwd=TOP, timeout=60).returncode == 0
    return folder


def test_a_file_cut_anywhere(recording: Path, tmp_path: Path) -> None:
    name = journal_names(str(recording))[0]
    data, chance = (recording / name).read_bytes(), random.Random(1)
    most = len(lines_of(recording))
    found = []
    for size in sorted(chance.randrange(len(data)) for _ in range(60)):
        (tmp_path / name).write_bytes(data[:size])
        found.append(len(lines_of(tmp_path)))
    assert found == sorted(found) and found[-1] <= most


def test_a_flipped_bit_is_told_and_never_a_traceback(recording: Path, tmp_path: Path) -> None:
    name = journal_names(str(recording))[0]
    data, chance = (recording / name).read_bytes(), random.Random(2)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[chance.randrange(10, len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / name).write_bytes(damaged)
        for words in (("-tan",), ("--diagnose",), ("-i", "--json")):
            done = ask("--at", str(tmp_path), *words)
            assert done.exception is None or isinstance(done.exception, SystemExit)
            assert "damaged" in done.stderr or done.exit_code in (0, 1)


def test_a_line_without_an_end(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bomb of zeros is read no further than a line may be long."""
    name = journal_names(str(recording))[0]
    bomb = gzip.compress(bytes(1 << 26))
    (tmp_path / name).write_bytes((recording / name).read_bytes() + bomb)
    monkeypatch.setattr(journal, "LONGEST", 1 << 23)
    done = ask("--at", str(tmp_path), "-tan")
    assert done.exit_code == 0 and "damaged" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"opened": [{"n": 1, "in": "sockets", "proto": 7}]},
        {"opened": [{"n": 1, "in": "sockets", "proto": "tcp"}]},
        {"opened": [{"n": 1, "in": "sockets", "proto": "tcp", "timer": {"a": 1}}]},
        {"opened": [{"n": "x"}]},
        {"files": {"net/route": 3}},
        {"incomplete": [{}]},
        {"ts": "yesterday"},
        {"opened": None},
    ],
)
def test_lines_that_no_recorder_writes(
    recording: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    name = journal_names(str(recording))[0]
    line = json.loads(gzip.decompress((recording / name).read_bytes()).splitlines()[0])
    (tmp_path / name).write_bytes(gzip.compress(json.dumps(line | change).encode() + b"\n"))
    for words in (("-tan",), ("-rn",), ("--diagnose",), ("--events", "--from", "-1h")):
        where = ("--record",) if "--events" in words else ("--at",)
        done = ask(*where, str(tmp_path), *words)
        assert isinstance(done.exception, SystemExit) or done.exception is None
        assert done.exit_code in (0, 1, 3) and "Traceback" not in done.stderr


def test_names_of_strangers_are_washed(recording: Path, tmp_path: Path) -> None:
    name = journal_names(str(recording))[0]
    line = json.loads(gzip.decompress((recording / name).read_bytes()).splitlines()[0])
    line["opened"] = [
        {"n": 1, "in": "sockets", "proto": "tcp", "family": "inet", "state": "LISTEN",
         "local_address": "0.0.0.0", "local_port": 1, "remote_address": "0.0.0.0", "inode": 1,
         "remote_port": 0, "recv_q": 0, "send_q": 0, "pid": 7, "program": "a\x1b[31m\nb\udcff"}
    ]  # fmt: skip
    (tmp_path / name).write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    assert "7/a?[31m?b?" in ask("--at", str(tmp_path), "-tlnp").stdout
    found = json.loads(ask("--at", str(tmp_path), "-tlnp", "--json").stdout)["sockets"]
    assert found[0]["program"] == "a\x1b[31m\nb\\xff"


def test_a_forged_row_commands_no_terminal(recording: Path, tmp_path: Path) -> None:
    """Fields that the kernel itself fills hold nothing that a stranger may write, but in a file."""
    name = journal_names(str(recording))[0]
    line = json.loads(gzip.decompress((recording / name).read_bytes()).splitlines()[0])
    bad = "\x1b]0;x\x07\n"
    row = {**SOCKET, "n": 1, **dict.fromkeys(("local_address", "state", "user", "container"), bad)}
    unix = {"n": 2, "in": "unix", "proto": bad, "flags": [bad], "type": bad, "refcnt": bad}
    unix |= {"inode": bad, "state": "LISTENING", "path": bad}
    face = {"n": 3, "in": "interfaces", "ifname": bad, "flags_str": bad, "mtu": bad}
    line["opened"] = [row, {**row, "n": 4, "remote_address": bad}, unix, face]
    (tmp_path / name).write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    for words in (
        "-tanpe", "-tan --format simple", "-tan --format csv", "-xa", "-ia", "-iae", "-xa --json",
        "-tan --count-by state", "-tanp --details", "-tan --format jsonl", "-tan --format html",
    ):  # fmt: skip
        done = ask("--at", str(tmp_path), *words.split())
        assert "\x1b" not in done.stdout + done.stderr and "\x07" not in done.stdout, words
        assert isinstance(done.exception, SystemExit) or done.exception is None


LINE: dict[str, Any] = {
    "ts": "2026-11-26T03:12:00.000+00:00", "key": True, "interval": 10.0, "host": "h",
    "privileged": True, "parts": ["sockets", "unix"], "opened": [], "changed": [], "closed": [],
    "files": {}, "incomplete": [],
}  # fmt: skip


def filled(folder: Path, seconds: float, size: int, hours: int) -> list[str]:
    journal = Journal(str(folder), seconds, size)
    begun = time.time() - hours * 3600
    for number in range(hours * 6):
        moment = begun + number * 600
        line = {
            **LINE,
            "ts": at(moment),
            "files": {"noise": random.Random(number).randbytes(999).hex()},
        }
        assert journal.whole_next(moment)
        journal.write(line, moment)
        os.utime(folder / journal_names(str(folder))[-1], (moment, moment))
    journal.close()
    return journal_names(str(folder))


def test_files_of_an_hour_with_members_of_ten_minutes(tmp_path: Path) -> None:
    names = filled(tmp_path, 1e9, 1 << 40, 3)
    assert len(names) == 3
    assert len(lines_of(tmp_path)) == 18
    data = (tmp_path / names[0]).read_bytes()
    assert data.count(b"\x1f\x8b\x08") >= 6
    assert os.stat(tmp_path / names[0]).st_mode & 0o777 == 0o600


def test_the_oldest_files_go(tmp_path: Path) -> None:
    assert len(filled(tmp_path / "time", 2 * 3600, 1 << 40, 5)) <= 4
    names = filled(tmp_path / "size", 1e9, 15_000, 5)
    sizes = [os.stat(tmp_path / "size" / name).st_size for name in names]
    assert 1 <= len(names) < 5 and sum(sizes[:-1]) <= 15_000


def test_a_clock_that_is_set_back(tmp_path: Path) -> None:
    """The file that is written stays, and the lines of both are read."""
    now = time.time()
    journal = Journal(str(tmp_path), 1e9, 1)
    for moment in (now, now - 7200, now - 7190, now - 3000):
        journal.write({**LINE, "ts": at(moment), "key": journal.whole_next(moment)}, moment)
    journal.close()
    (name,) = journal_names(str(tmp_path))
    assert len(lines_of(tmp_path)) == 1 and began_at(name) == pytest.approx(now - 3000, abs=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_file_properly(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        record(tmp_path, "--interval", "0.05"), cwd=TOP, stderr=subprocess.PIPE
    ) as recorder:
        until = time.monotonic() + 20
        while not journal_names(str(tmp_path)) or len(lines_of(tmp_path)) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        recorder.send_signal(number)
        assert recorder.wait(20) == (0 if number == signal.SIGTERM else 130)
        assert recorder.stderr and recorder.stderr.read().strip() == b""
    data = (tmp_path / journal_names(str(tmp_path))[0]).read_bytes()
    assert gzip.decompress(data).count(b"\n") == len(lines_of(tmp_path)) > 1


def test_what_stays() -> None:
    assert kept("2d,500M") == (172_800, 500_000_000)
    assert kept("12h") == (43_200, 1 << 62)
    assert kept("2G") == (float("inf"), 2_000_000_000)
    for text in ("2", "d", "-1d", "0d", "2x", "\u0662d"):
        done = ask("--record", "/nonexistent", "--keep", text)
        assert done.exit_code == 2 and "--keep takes" in done.stderr


def test_two_recorders_do_not_share_a_folder(tmp_path: Path) -> None:
    with subprocess.Popen(record(tmp_path, "--interval", "5"), cwd=TOP) as first:
        until = time.monotonic() + 20
        while not journal_names(str(tmp_path)) and time.monotonic() < until:
            time.sleep(0.01)
        done = subprocess.run(record(tmp_path), capture_output=True, text=True, cwd=TOP, timeout=20)
        first.kill()
    assert done.returncode == 1 and "another pynetstat records here" in done.stderr


@pytest.mark.parametrize("options", ["-s", "-g", "-r", "-rn6"])
def test_our_own_tables_are_not_another_namespace_s(recording: Path, options: str) -> None:
    done = ask("--at", str(recording), options, "--netns", "web")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "of other namespaces" in done.stderr


@pytest.mark.parametrize("name", ["passwd", "pynetstat-20269999T000000.000Z.jsonl.gz"])
def test_a_file_of_another_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("root:x:0:0\n")
    done = ask("--at", str(tmp_path / name), "-tn")
    assert done.exit_code == 1 and "this is no file of a recording" in done.stderr
    done = ask("--at", "-1m", "--record", str(tmp_path), "-tn")
    assert done.exit_code == 1 and "there is no recording" in done.stderr


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / ".lock").symlink_to(tmp_path / "victim")
    done = subprocess.run(
        record(tmp_path / "r", "--count", "1"), capture_output=True, text=True, cwd=TOP, timeout=20
    )
    assert done.returncode == 1 and not (tmp_path / "victim").exists()


FULL = """
mount -t tmpfs -o size=%d none "$0" && head -c 200000 /dev/zero > "$0/ballast"
log=$(mktemp); "$@" --interval 0.2 --count 40 2>"$log" & recorder=$!
for try in $(seq 400); do grep -q "No space" "$log" && break; sleep 0.05; done
rm "$0/ballast"; wait $recorder; echo "status $?"; cat "$log" >&2; rm "$log"
ls "$0"; python3 - "$0" <<'END'
import os, sys
files = [os.path.join(sys.argv[1], name) for name in os.listdir(sys.argv[1]) if name[0] != "."]
print(len(files), [name for name in files if not os.stat(name).st_size])
END
"""


@needs_root
@needs_namespaces
def test_a_full_disk_stops_nothing_else(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "bash", "-c", FULL % 204_800, str(tmp_path)]
    done = subprocess.run(
        [*command, *record(tmp_path)], capture_output=True, text=True, cwd=TOP, timeout=60
    )
    assert "No space left on device; trying again each round" in done.stderr, done.stderr
    assert "recording again" in done.stderr and "status 0" in done.stdout
    assert done.stdout.endswith(" []\n")  # no file without anything


# Moments, and mistakes


def test_moments() -> None:
    now = time.time()
    assert asked_moment("-20m") == pytest.approx(now - 1200, abs=2)
    assert asked_moment("-2d") == pytest.approx(now - 172_800, abs=2)
    assert asked_moment("2026-11-26T03:12:00+01:00") == 1795659120.0
    assert asked_moment("2026-11-26T02:12:00Z") == 1795659120.0
    local = datetime(2026, 11, 26, 3, 12).timestamp()
    assert asked_moment("2026-11-26 03:12") == asked_moment("2026-11-26T03:12:00") == local
    for text in ("03:12", "3:12", "23:59", "00:00:01"):
        moment = asked_moment(text)
        assert moment and now - 86_400 < moment <= now + 1
        assert datetime.fromtimestamp(moment).strftime("%H:%M:%S").startswith(text.zfill(5))
    for text in ("", "yesterday", "-20", "25:00", "-1y", "12"):
        assert asked_moment(text) is None


def test_the_commands_of_its_page(recording: Path) -> None:
    page = (TOP / ".docs" / "recording.md").read_text("utf-8")
    commands = re.findall(r"^pynetstat (--(?:at|events) .*)$", page, re.MULTILINE)
    assert len(commands) == 9
    begun = lines_of(recording)[0].moment
    for command in commands:
        words = shlex.split(command)
        for option, time_of in (("--at", begun + 0.1), ("--from", begun), ("--to", begun + 1)):
            if option in words:
                words[words.index(option) + 1] = at(time_of)
        done = ask("--record", str(recording), *words)
        assert done.exit_code in ((0, 1, 2) if "--diagnose" in words else (0,)), done.stderr


def test_mistakes(recording: Path, tmp_path: Path) -> None:
    def message(*words: str) -> tuple[int, str]:
        done = ask(*words)
        assert done.stdout == ""
        return done.exit_code, done.stderr

    folder = str(recording)
    assert message("--record", str(tmp_path / "none"), "--at", "-1m") == (
        1, f"pynetstat: {tmp_path / 'none'}: No such file or directory; --record DIR names the"
        " folder of a recording\n",
    )  # fmt: skip
    assert "there is no recording" in message("--at", str(tmp_path), "-t")[1]
    status, text = message("--record", folder, "--at", "-2d", "-t")
    assert status == 1 and "the recording begins at" in text
    assert message("--at", "whenever")[0] == 2
    assert message("--record", folder, "-tan")[0] == 2
    assert message("--record", folder, "--format", "json")[0] == 2
    assert message("--at", folder, "-c")[0] == 2
    assert message("--at", folder, "--watch")[0] == 2
    assert message("--at", folder, "-t", "--tcp-info")[0] == 2
    assert message("--at", folder, "-t", "--columns", "rto_us")[0] == 1
    assert ask("--at", folder, "-tan", "--columns", "rtt_us,local_port").exit_code == 0
    assert message("--at", folder, "--sctp")[0] == 1
    for words in ("-A ax25", "-M", "-rC", "-r --ax25"):
        assert message("--at", folder, *words.split())[0] == 1, words
    assert message("--at", folder, "--netns", "all")[0] == 1
    assert message("--at", folder, "--diagnose", "--interval", "5")[0] == 3
    assert message("--from", "-5m")[0] == message("--keep", "2d")[0] == 2
    assert message("--events", "--to", "-5m")[0] == 2
    assert message("--record", folder, "--events", "--from", "-5m", "--to", "-6m")[0] == 2


def test_nothing_is_said_of_a_time_without_rounds(tmp_path: Path) -> None:
    now = time.time()
    journal = Journal(str(tmp_path), 1e9, 1 << 40)
    for moment in (now - 3600, now - 60):
        journal.write({**LINE, "ts": at(moment)}, moment)
    journal.close()
    done = ask("--record", str(tmp_path), "--at", "-30m", "-tan")
    assert done.exit_code == 1 and "nothing was recorded at" in done.stderr
    assert ask("--record", str(tmp_path), "--at", at(now - 3595), "-tan").exit_code == 0
    assert ask("--record", str(tmp_path), "--at", "-1s", "-tan").exit_code == 1
    assert ask("--at", str(tmp_path), "-tan").exit_code == 0  # the last, however old


def test_a_file_without_a_line_hides_nothing(tmp_path: Path) -> None:
    now = time.time()
    journal = Journal(str(tmp_path), 1e9, 1 << 40)
    journal.write({**LINE, "ts": at(now - 20)}, now - 20)
    journal.close()
    empty = datetime.fromtimestamp(now - 10, timezone.utc).strftime("%Y%m%dT%H%M%S")
    (tmp_path / f"pynetstat-{empty}.000Z.jsonl.gz").touch()
    for moment in ("-5s", "-15s"):
        assert ask("--record", str(tmp_path), "--at", moment, "-tan").exit_code == 0


SOCKET: dict[str, Any] = {
    "in": "sockets", "proto": "tcp", "family": "inet", "state": "LISTEN", "inode": 7,
    "local_address": "0.0.0.0", "local_port": 80, "remote_address": "0.0.0.0", "remote_port": 0,
}  # fmt: skip


def test_what_could_not_be_read_is_told_and_is_no_event(tmp_path: Path) -> None:
    """A table that could not be read in some rounds: its sockets were not closed."""
    now = time.time()
    journal = Journal(str(tmp_path), 1e9, 1 << 40)
    missing = {"what": "table", "reason": "/proc/net/tcp: Permission denied", "count": None}
    rounds: list[dict[str, Any]] = [
        {"key": True, "opened": [{"n": 1, **SOCKET}]},
        {"closed": [1], "incomplete": [missing]},
        {"incomplete": [missing]},
        {"opened": [{"n": 2, **SOCKET}]},
        {"closed": [2]},
        {},
    ]
    for number, more in enumerate(rounds):
        moment = now - 60 + 10 * number
        journal.write({**LINE, "key": False, "ts": at(moment), **more}, moment)
    journal.close()
    done = ask("--record", str(tmp_path), "--events", "-tln", "--from", at(now - 61))
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["closed"]
    done = ask("--record", str(tmp_path), "--at", at(now - 45), "-tln")
    assert done.exit_code == 1
    assert "could not be recorded: /proc/net/tcp: Permission denied" in done.stderr


def test_what_this_kernel_has_not_is_not_recorded(tmp_path: Path) -> None:
    """Of /proc alone there are no vsock sockets: that is no failure, and no empty list either."""
    command = record(tmp_path, "--count", "2", "--interval", "0", "--source", "proc")
    assert subprocess.run(command, cwd=TOP, timeout=60).returncode == 0
    assert "vsock" not in lines_of(tmp_path)[-1].parts
    done = ask("--at", str(tmp_path), "-an")
    assert done.exit_code == 0 and done.stderr.count("\n") == 1
    done = ask("--at", str(tmp_path), "--vsock")
    assert done.exit_code == 1 and done.stderr.endswith("a recording has no vsock\n")


@needs_root
@needs_namespaces
def test_namespaces_of_a_recording(tmp_path: Path) -> None:
    scene = (
        "import socket, sys; server = socket.create_server(('', 0));"
        " print(server.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", scene],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout and other.stdin
        port = other.stdout.readline().strip()
        command = record(tmp_path / "r", "--netns", "all", "--count", "1")
        assert subprocess.run(command, cwd=TOP, timeout=60).returncode == 0
        other.stdin.close()
    folder = str(tmp_path / "r")
    assert f":{port} " not in ask("--at", folder, "-tln", "--filter", f"sport = {port}").stdout
    done = ask("--at", folder, "-tlnp", "--netns", "all", "--filter", f"sport = {port}")
    assert f"0.0.0.0:{port} " in done.stdout and "NetNS" in done.stdout
    assert f"pid {other.pid} (python" in done.stdout


@pytest.fixture
def zoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_of_day_are_those_here(zoned: None, recording: Path) -> None:
    begun = lines_of(recording)[0].moment
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begun + 1))
    assert ask("--record", str(recording), "--at", text, "-tan").exit_code == 0
