"""The module for Ansible, run as Ansible runs it: a file of JSON in, one JSON object out."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pynetstat

MODULE = Path(pynetstat.__file__).parent / "fleet" / "ansible" / "sockets.py"


def module(folder, **arguments):
    file = folder / "arguments"
    file.write_text(json.dumps({"_ansible_check_mode": True, **arguments}))
    done = subprocess.run(
        [sys.executable, MODULE, file], capture_output=True, timeout=60, cwd=MODULE.parents[3]
    )
    return done.returncode, json.loads(done.stdout)


def test_a_listener_is_in_the_result_and_in_the_facts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, result = module(tmp_path, options=["-tln"])
        port = server.getsockname()[1]
    assert (status, result["changed"]) == (0, False)
    assert port in [row["local_port"] for row in result["sockets"]]
    assert result["ansible_facts"]["pynetstat"]["sockets"] == result["sockets"]


def test_a_mistake_is_the_message(tmp_path):
    status, result = module(tmp_path, options=["-tln", "--filter", "dport ="])
    assert status == 1 and result["failed"] and "\n" not in result["msg"]
    status, result = module(tmp_path, option=["-tln"])
    assert status == 1 and "no such argument: option" in result["msg"]


def test_a_program_that_is_not_there_garbage_and_one_that_hangs(tmp_path):
    status, result = module(tmp_path, executable="/nowhere/pynetstat")
    assert status == 1 and "install pynetstat" in result["msg"]
    program = tmp_path / "program"
    for text, limit, told in (
        ("echo '[1]'", 60, "no document"),
        ("exec sleep 100", 0.5, "0.5 seconds"),
    ):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        status, result = module(tmp_path, executable=str(program), timeout=limit)
        assert status == 1 and told in result["msg"]


@pytest.mark.skipif(shutil.which("ansible-playbook") is None, reason="ansible-core is not here")
def test_the_tasks_of_readme_in_a_playbook(tmp_path):
    """Found as a collection: true where only the ports named listen, else the play fails."""
    top = MODULE.parents[3]
    place = re.search(r'sockets.py" = "(ansible_.*)"', (top / "pyproject.toml").read_text())[1]
    (tmp_path / place).parent.mkdir(parents=True)
    shutil.copy(MODULE, tmp_path / place)
    tasks = re.search(r"```yaml\n(- pynetstat.*?)```", (top / "README.md").read_text(), re.S)[1]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(top),
    }
    play = tmp_path / "play.yml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for ports, status in ((f"[{port}]", 0), ("[22]", 2)):
            text = tasks.replace("[-tln]", f"[-tln, --port, {port}]")
            text = textwrap.indent(text.replace("[22, 80, 443]", ports), "    ")
            play.write_text(f"- hosts: localhost\n  gather_facts: false\n  tasks:\n{text}")
            given = ["-e", f"ansible_python_interpreter={sys.executable}"]
            command = ["ansible-playbook", "-c", "local", "-i", "localhost,", "--check", *given]
            done = subprocess.run(
                [*command, play], capture_output=True, text=True, timeout=120, env=environment
            )
            assert done.returncode == status, done.stdout + done.stderr
