"""The command as a user meets it: exit statuses, messages, help, streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Tree, pynetstat, tcp_file
from runner import invoke

from pynetstat.cli import main


def run(*options: str, **more: object) -> tuple[int, str, str]:
    result = invoke(main, list(options), **more)  # type: ignore[arg-type]
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["-q"], 3, "invalid option -- 'q'; Windows' -q is -a here\n"),
        (["--ip6"], 3, "unrecognized option '--ip6'; did you mean --ip?\n"),
        (["-A", "foo"], 1, "Unknown address family `foo'.\n"),
        (["-A", "inet,"], 1, "Unknown address family `'.\n"),
        (["-A", ""], 1, "Unknown address family `'.\n"),
        (["-A", "foo", "-h"], 1, "Unknown address family `foo'.\n"),
        (["-?"], 3, "Usage: pynetstat"),
        (["-ri"], 3, "exclude each other"),
        (["-rr"], 3, "-r is there twice; give it once"),
        (["--format", "foo"], 2, "no format `foo'; there are: classic, json"),
        (["--columns", "foo", "-t"], 2, "no field `foo' here; the fields are: proto"),
        (["--sort", "foo", "-t"], 2, "no field `foo' here"),
        (["--filter", "dport ==", "-t"], 2, "^"),
        (["--resolve-timeout", "-1"], 2, "--resolve-timeout"),
        (["--pid", "x"], 2, "--pid"),
        (["--filter"], 3, "option '--filter' requires an argument"),
    ],
)
def test_bad_command_lines(options: list[str], status: int, message: str) -> None:
    code, out, err = run(*options)
    assert (code, out) == (status, "")
    assert message in err and "Traceback" not in err


def test_what_comes_first_wins() -> None:
    assert run("-V", "-q")[0] == 0
    assert run("-h", "-A", "foo")[0] == 0
    assert run("-q", "-V")[0] == 3


def test_version_is_ours() -> None:
    assert run("-V")[1].startswith("pynetstat ")
    assert run("--vers")[1] == run("--version")[1]


def test_help_fits_a_terminal_and_tells_every_option() -> None:
    code, out, err = run("--help")
    assert code == 0 and not err
    assert max(map(len, out.splitlines())) <= 80
    for param in main.params:
        if not getattr(param, "hidden", False):
            assert max(param.opts, key=len) in out, param.name
    assert run("-h")[1] == out


def test_context_needs_selinux() -> None:
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("SELinux is enabled here")
    assert run("-tZV") == (1, "", "SELinux is not enabled on this machine.\n")


@pytest.fixture
def capture(proc_tree: Tree) -> str:
    return str(proc_tree(tcp=tcp_file(300), tcp6=tcp_file(0), unix="Num RefCount Inode\n"))


def test_full_disk_is_told(capture: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pynetstat", "-tan", "--proc", capture],
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert done.stderr == b"pynetstat: standard output: No space left on device\n"


@pytest.mark.parametrize("options", ["-tan", "-tan --json", "-tan --format csv", "-tanc"])
def test_a_pipe_that_closes_ends_it_quietly(capture: str, options: str) -> None:
    command = f"{sys.executable} -m pynetstat {options} --proc {capture}"
    script = f"{command} | head -n 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert done.stdout.strip() in ("141", "0")  # 0: all was written before head went away
    if options == "-tanc":
        assert done.stdout.strip() == "141"


def test_closed_streams(capture: str) -> None:
    command = f"{sys.executable} -m pynetstat -tan --proc {capture}"
    for script, status in ((f"{command} >&-", 1), (f"{command} 2>&- >/dev/null", 0)):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert done.returncode == status and "Traceback" not in done.stderr
    done = subprocess.run(["bash", "-c", f"{command} <&-"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("\n") == 302


def test_continuous_flushes_every_round_and_ends_by_the_signal(capture: str) -> None:
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "pynetstat", "-ltnc", "--proc", capture], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Active Internet connections")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    process.stdout.close()


def test_count_and_interval(capture: str) -> None:
    code, out, _ = run("-ltn", "--proc", capture, "--count", "3", "--interval", "0")
    assert code == 0 and out.count("Active Internet connections") == 3


def test_no_header_and_fail_if_empty(capture: str) -> None:
    code, out, _ = run("-tn", "--proc", capture, "--no-header")
    assert code == 0 and out.count("\n") == 299
    assert run("-tn", "--proc", capture, "--fail-if-empty", "--port", "60000")[0] == 1
    assert run("-tn", "--proc", capture, "--port", "60000")[0] == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    done = pynetstat(env={**os.environ, "_PYNETSTAT_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0 and b"_PYNETSTAT_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("--format j", "json"),
        ("--format git", "github"),
        ("-A inet,un", "inet,unix"),
        ("--state est", "established"),
        ("--columns proto,loc", "proto,local_address"),
        ("--sort remote_p", "remote_port"),
        ("--res", "--resolve-timeout"),
        ("--program py", "python"),
    ],
)
def test_completes(words: str, offered: str) -> None:
    given = words.split()
    environment = {
        "_PYNETSTAT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"pynetstat {words}",
        "COMP_CWORD": str(len(given)),
    }
    done = pynetstat(env={**os.environ, **environment})
    assert offered in done.stdout.decode(), done.stderr


def test_the_module_and_the_script_are_one(capture: str) -> None:
    script = Path(sys.executable).with_name("pynetstat")
    if not script.exists():
        pytest.skip("the package is not installed here")
    done = subprocess.run([script, "-tan", "--proc", capture], capture_output=True)
    assert done.stdout == pynetstat("-tan", "--proc", capture).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--filter", "port = 80"], "no term `port'; write sport = N or dport = N"),
        (["--filter", "remote_port = 80"], "no term `remote_port'; write dport"),
        (["--filter", "frobnicate = 80"], "no term `frobnicate'; the terms are: src, dst"),
        (["--output", "json"], "unrecognized option '--output'; it is --format here"),
        (["--unit", "x"], "unrecognized option '--unit'; it is --filter 'unit = NAME' here"),
    ],
)
def test_words_that_people_try(words: list[str], message: str) -> None:
    done = pynetstat("-tan", *words)
    assert done.returncode in (2, 3) and done.stdout == b""
    assert done.stderr.decode().startswith(f"pynetstat: {message}")


def test_ports_of_two_options_are_both_meant() -> None:
    capture = ["-tan", "--proc", str(Path(__file__).parent / "captures/article/proc")]
    both = pynetstat(*capture, "--port", "111", "--port", "25").stdout
    assert both == pynetstat(*capture, "--port", "111,25").stdout
    assert both.count(b"\n") > 3


def test_a_program_of_no_socket() -> None:
    capture = ["-tanp", "--proc", str(Path(__file__).parent / "captures/article/proc")]
    done = pynetstat(*capture, "--program", "dropb")
    assert b"--filter 'program ~ dropb' takes a part of the name" in done.stderr
    assert b"takes a part" not in pynetstat(*capture, "--program", "dropbox").stderr
