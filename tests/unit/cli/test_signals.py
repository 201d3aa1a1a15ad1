from __future__ import annotations

import subprocess
import sys

ENDING_SLOWLY = """
import os, signal, time
from jettison.cli import main
from jettison.cli.signals import Interruptible

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(1)

slow = Slow()  # freed while the interpreter is taken down, after Python's signal handlers

def run(argv):
    with Interruptible() as cancel:
        os.kill(os.getpid(), signal.SIGINT)
        cancel.wait(5)
    return 130

main.run = run
main.main([])
"""


def test_the_alarm_does_not_kill_a_process_that_is_leaving() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING_SLOWLY], capture_output=True, check=False)
    assert done.returncode == 130, done.stderr
