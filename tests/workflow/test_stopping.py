"""The program behind `make run`: how it ends when it is stopped, and what it leaves running."""

import os
import signal
import subprocess
import sys
import time

import pytest

from nblib.project.paths import ROOT

WORKER = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, "workflow")
import run
run.end_as_interrupted()
folder = Path(sys.argv[1])
try:
    run.watch([sys.executable, "-c", sys.argv[2], str(folder / "pid")], folder, folder / "log")
except KeyboardInterrupt:
    sys.exit(130)
"""


def _started(tmp_path, ignored):
    def ignore():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the tests themselves may run under nohup
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    command = [sys.executable, "-c", PROGRAM, str(tmp_path), WORKER]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, preexec_fn=ignore)
    pid = tmp_path / "pid"
    for _ in range(1200):
        if pid.exists() and pid.read_text():
            return program, int(pid.read_text())
        time.sleep(0.05)
    program.kill()
    raise AssertionError("the workflow's process never began")


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("sent", "ignored"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGTERM, (signal.SIGINT,))],
    ids=["Ctrl-C", "terminated", "terminated, a shell's background job"],
)
def test_what_is_stopped_leaves_nothing_running(tmp_path, sent, ignored):
    """Planted bug: started with & by a shell, the workflow ignored the interrupt, and was waited for without end."""
    program, worker = _started(tmp_path, ignored)
    program.send_signal(sent)
    try:
        assert program.wait(timeout=60) == 130
        assert not _is_alive(worker)
    finally:
        program.kill()
        if _is_alive(worker):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_nohup_survives_the_terminal(tmp_path):
    """Planted bug: the handler of a lost terminal set over the one that nohup had asked to ignore it."""
    program, worker = _started(tmp_path, (signal.SIGHUP,))
    program.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(timeout=2)
    assert _is_alive(worker)
    program.send_signal(signal.SIGTERM)
    assert program.wait(timeout=60) == 130


def test_a_missing_file_is_refused_before_the_workflow_starts(tmp_path, monkeypatch, capsys):
    """Planted bug: the workflow was read first, and a misspelt file was refused after ten seconds."""
    monkeypatch.syspath_prepend(str(ROOT / "workflow"))
    import run

    monkeypatch.setattr(run, "watch", lambda *_: pytest.fail("the workflow was started"))
    monkeypatch.setattr(sys, "argv", ["run.py", "report", "--data", str(tmp_path / "no such.csv")])
    assert run.main() == 2
    assert "no such.csv" in capsys.readouterr().err
