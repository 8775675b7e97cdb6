"""The module for Ansible, run as Ansible runs it: a file of JSON in, one JSON object out."""

import json
import socket
import subprocess
import sys
from pathlib import Path

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
    for text, told in (("echo '[1]'", "no document"), ("exec sleep 100", "0.5 seconds")):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        status, result = module(tmp_path, executable=str(program), timeout=0.5)
        assert status == 1 and told in result["msg"]
