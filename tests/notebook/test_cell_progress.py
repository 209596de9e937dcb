"""The line under a cell of JupyterLab: counts while it trains, what was done at the end, nothing elsewhere."""

import os
import time
from types import SimpleNamespace

import pytest

from nblib.notebook import cell_progress
from nblib.notebook.cell_progress import CellProgress, follow_runs
from nblib.project import progress


@pytest.fixture
def lines(monkeypatch, tmp_path):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    monkeypatch.delenv(progress.PROGRESS_VARIABLE, raising=False)
    monkeypatch.setattr(progress, "_followers", [])
    monkeypatch.setattr(cell_progress, "PERIOD", 0.01)
    texts = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: texts.append(bundle["text/plain"]))
    return texts


def _until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it was never shown")


def test_a_cell_says_how_far_its_runs_are(lines, tmp_path):
    """Planted bug: nothing changed on the screen while a cell trained for a minute."""
    line = CellProgress()
    progress.follow(line.start)
    progress.planned("run", ["a", "b"])
    progress.reached("a", 60, 100)
    _until(lambda: lines[-1] == "run 1 of 2, step 60 of 100")
    progress.reached("a", 100, 100)
    progress.planned("run", ["a", "b"])  # announced again: the same line
    progress.reached("b", 100, 100)
    line.stop()
    assert lines[-1] == "2 of 2 runs in 0:00"
    assert lines.count("training ...") == 1
    assert not list(tmp_path.rglob("*.progress"))
    assert progress.PROGRESS_VARIABLE not in os.environ


def test_an_interrupted_cell_counts_what_is_done_and_the_next_starts_afresh(lines):
    line = CellProgress()
    progress.follow(line.start)
    progress.planned("run", ["a", "b"])
    progress.reached("a", 10, 10)
    line.stop()
    assert lines[-1] == "1 of 2 runs in 0:00"
    line.stop()  # a cell without runs
    assert lines[-1] == "1 of 2 runs in 0:00"
    progress.planned("run", ["b"])
    progress.reached("b", 10, 10)
    line.stop()
    assert lines[-1] == "1 of 1 run in 0:00"


def test_a_kernel_is_followed_once_and_a_script_never(monkeypatch, lines):
    """Planted bug: use_style() called twice showed two lines."""
    monkeypatch.setattr(cell_progress, "_shell", lambda: None)
    follow_runs()
    assert not progress.is_followed()
    registered = []
    shell = SimpleNamespace(events=SimpleNamespace(register=lambda name, function: registered.append(name)))
    monkeypatch.setattr(cell_progress, "_shell", lambda: shell)
    follow_runs()
    follow_runs()
    assert registered == ["post_run_cell"]
    assert len(progress._followers) == 1


def test_one_line_for_all_runs_and_no_bar_beside_it(monkeypatch, lines):
    monkeypatch.setattr(progress, "is_live", lambda: True)
    assert not progress.training_bar(range(3), 3, 0, "run", None).disable
    progress.follow(lambda: None)
    assert progress.training_bar(range(3), 3, 0, "run", None).disable
    assert not progress.training_bar(range(3), 3, 0, "run", True).disable  # asked for


def test_a_run_of_the_report_keeps_its_own_file_of_events(monkeypatch, lines, tmp_path):
    monkeypatch.setenv(progress.PROGRESS_VARIABLE, str(tmp_path / "mine"))
    CellProgress().start()
    assert os.environ[progress.PROGRESS_VARIABLE] == str(tmp_path / "mine")
    assert lines == []
