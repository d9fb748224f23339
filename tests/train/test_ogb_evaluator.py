"""Loading OGB's Evaluator asks nobody anything."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import socket, sys, threading

def refuse(*_, **__):
    raise AssertionError("network")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
from plstm_graph.train.ogb_evaluator import load_evaluator
before = threading.active_count()
assert load_evaluator("ogbg-molhiv").eval_metric == "rocauc"
assert threading.active_count() == before, threading.enumerate()
assert "outdated" not in sys.modules
import outdated
"""


def test_no_thread_no_network_no_prompt() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
