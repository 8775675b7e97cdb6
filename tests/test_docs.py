"""README, .docs and the man pages against the program: options, samples, commands, links."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import etc
import pytest
import record
from conftest import can_unshare, pynetstat

from pynetstat.cli import main, manpage, topics
from pynetstat.diagnosis import RULES
from pynetstat.stages.filters.grammar import TERMS
from pynetstat.stages.filters.terms import STATES

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", *sorted((TOP / ".docs").glob("*.md"))]
DOCS = "\n".join(page.read_text("utf-8") for page in PAGES)
ARTICLE = Path(__file__).parent / "captures" / "article"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", DOCS, re.DOTALL)
FOREIGN = {
    "--only",
    "--strict",
    "--target",
    "--global",
    "--damaged",
    "--collector",
}  # of pip, pipx, tests/fuzz.py


def known_options() -> set[str]:
    return {name for param in main.params for name in param.opts if name.startswith("--")} | {
        "--numeric-*"
    }


def test_the_documents_name_no_option_that_is_not_there() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*\*?", DOCS))
    assert named <= known_options() | FOREIGN | {"--inet"}, named - known_options()


def test_every_option_that_netstat_never_had_is_documented() -> None:
    from pynetstat.cli.getopt import LONG

    ours = known_options() - {f"--{name}" for name, _ in LONG} - {"--numeric-*"}
    text = DOCS + (TOP / "pynetstat" / "pynetstat.1").read_text().replace("\\-", "-")
    assert all(name in text for name in ours), {name for name in ours if name not in text}


@pytest.mark.parametrize("name", ["-apA inet", "-r", "-i"])
def test_the_article_s_commands_show_what_netstat_shows(name: str) -> None:
    """The samples in .docs/reading.md are the texts that netstat wrote over the capture."""
    expected = (ARTICLE / f"netstat {name}.txt").read_text("utf-8")
    assert f"```console\n$ pynetstat {name}\n{expected}```" in DOCS


def test_the_article_s_pipe_shows_what_netstat_shows() -> None:
    text = (ARTICLE / "netstat -apWA inet.txt").read_text("utf-8")
    lines = "".join(line for line in text.splitlines(True) if "https" in line)
    assert f"$ pynetstat -apWA inet | grep https\n{lines}```" in DOCS


def test_readme_is_short() -> None:
    lines = PAGES[0].read_text("utf-8").splitlines()
    assert len(lines) <= 250
    assert all(
        len(line) <= 120
        for line in lines
        if not line.startswith(("|", "python3 ", "sudo ", ".venv"))
    )


def heading_anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]*(?:#[^)]*)?)\)", page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in map(heading_anchor, headings), target


def commands() -> list[str]:
    found = []
    for language, block in BLOCKS:
        for line in block.splitlines():
            if language == "sh" and line.startswith("pynetstat"):
                found.append(line)
            elif language == "console" and line.startswith("$ pynetstat"):
                found.append(line[2:])
    rows = re.findall(r"^\|.*\| `(pynetstat [^`]*)` \|$", DOCS, re.MULTILINE)
    return list(dict.fromkeys(found + rows))


@pytest.mark.parametrize("command", commands())
def test_every_command_in_the_documents_runs(command: str, tmp_path: Path) -> None:
    if "jq" in command and shutil.which("jq") is None:
        pytest.skip("jq is not here")
    script = tmp_path / "pynetstat"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m pynetstat "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    before = ""
    if snapshot := re.search(r"--diff (\S+)", command):  # which the command before it saved
        before = f"pynetstat -tuln --save {snapshot[1]}; "
    inside = ["bash", "-c", f"set -o pipefail; {before}{command}"]
    if can_unshare():
        own_etc = etc.write(
            tmp_path / "etc", {"services": "ssh 22/tcp\nhttp 80/tcp\nhttps 443/tcp\n"}
        )
        mounted = ["sh", "-c", f'mount --bind {own_etc} /etc; exec "$@"', "-"]
        inside = [*record.unshare("--mount"), *mounted, *inside]
    elif "https" in command and not Path("/etc/services").exists():
        pytest.skip("no /etc/services here, and no private mounts to bring one")
    more = {"env": environment, "cwd": tmp_path, "timeout": 60}
    done = subprocess.run(inside, capture_output=True, text=True, **more)
    assert "Traceback" not in done.stderr and "Usage:" not in done.stderr, done.stderr
    allowed = (
        {0, 1, 2}
        if "--diagnose" in command
        else {0, 1}
        if "grep" in command or snapshot or "--fail-if" in command
        else {0}
    )
    assert done.returncode in allowed, (done.stdout[-500:], done.stderr[-500:])


def test_the_python_example_runs() -> None:
    code = next(block for language, block in BLOCKS if language == "python")
    ast.parse(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", manpage.PAGES)
def test_a_man_page_is_made_from_the_tables(name: str) -> None:
    page = "\n".join(manpage.PAGES[name]()) + "\n"
    assert (TOP / "pynetstat" / name).read_text("utf-8") == page, "python -m pynetstat.cli.manpage"


@pytest.mark.parametrize("name", manpage.PAGES)
def test_a_man_page_is_one(name: str) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not here")
    done = subprocess.run(
        ["man", "--warnings", "-l", str(TOP / "pynetstat" / name)],
        capture_output=True, text=True, env={**os.environ, "MANWIDTH": "80"},
    )  # fmt: skip
    assert done.returncode == 0 and "pynetstat" in done.stdout
    assert "warning" not in done.stderr, done.stderr


def test_the_manual_has_every_field_state_and_rule() -> None:
    text = "".join(page.read_text("utf-8") for page in (TOP / "pynetstat").glob("*.[17]"))
    text = text.replace("\\-", "-")
    schema = json.loads((TOP / "pynetstat" / "schema.json").read_text("utf-8"))
    for name in topics.LISTINGS.values():
        for field, said in schema["$defs"][name]["properties"].items():
            assert f".B {field}\n" in text and said["description"], (name, field)
    for rule in RULES:
        assert f'.SS "{rule.name}"' in text
    assert all(state in text for state in STATES) and all(f".B {term}\n" in text for term in TERMS)


@pytest.mark.parametrize("topic", topics.TOPICS)
@pytest.mark.parametrize("columns", ["50", "80", "200"])
def test_help_on_a_topic(topic: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = pynetstat("--help", topic)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"") and len(lines) > 5
    assert max(map(len, lines)) <= 80


def test_no_help_on_what_there_is_not() -> None:
    done = pynetstat("--help", "filtres")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"pynetstat: no help on `filtres'; did you mean `filters'?\n"


def test_no_path_of_a_machine_anywhere() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True).stdout
    for name in files.splitlines():
        path = TOP / name
        if path.suffix in (".py", ".md", ".toml", ".1", ".json") and path.is_file():
            text = path.read_text("utf-8")
            for word in ("/wo" + "rk/", "/root/.py" + "env", "pypi-" + "more"):
                assert word not in text, (name, word)
