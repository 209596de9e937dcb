"""The lines that people see: counts and times from the events of a notebook, in a terminal and in a file."""

import io
import json

from nblib.notebook.progress import TOTAL, Job, Watcher, clock
from nblib.project import progress


def write(path, *events):
    with path.open("a") as stream:
        for time, event in events:
            stream.write(json.dumps(event | {"time": time}) + "\n")


def test_a_line_counts_the_runs_of_the_whole_notebook(tmp_path):
    """Planted bug: the bar counted cells, so its time left meant nothing."""
    path = tmp_path / "03.progress"
    job = Job("03", path)
    write(path, (100, {"section": "The test"}), (100, {"planned": ["a", "b", "c", "d"], "what": "run"}))
    job.read()
    assert job.line(101) == "03: The test: run 1 of 4"
    write(path, (106, {"reached": 10, "total": 100, "of": "a"}))
    write(path, (110, {"reached": 100, "total": 100, "of": "a"}), (110, {"reached": 60, "total": 100, "of": "b"}))
    job.read()
    # 1.5 of 4 runs in the 10 s since the first 10 steps were seen (imports before do not count): 2.4 runs in 16 s
    assert job.line(116) == "03: The test: run 2 of 4, step 60 of 100, about 0:16 left"
    write(path, *((120, {"reached": 100, "total": 100, "of": name}) for name in "bcd"))
    write(path, (120, {"planned": ["e"], "what": "run"}))
    job.read()
    assert job.line(121) == "03: The test: run 5 of 5"
    write(path, (125, {"reached": 9, "total": 9, "of": "e"}))
    job.read()
    assert job.line(130) == "03: The test, 0:30 so far"
    write(path, (140, {"state": "done"}))
    job.read()
    assert job.line(999) == "03: done after 0:40"


def test_measurements_are_not_lost_in_their_trainings(tmp_path):
    path = tmp_path / "05.progress"
    job = Job("05", path)
    write(path, (0, {"section": "Sweep"}), (0, {"planned": ["m1", "m2"], "what": "measurement"}))
    write(path, (1, {"planned": ["r"], "what": "run"}), (1, {"reached": 3, "total": 10, "of": "r"}))
    job.read()
    assert job.line(2) == "05: Sweep: measurement 1 of 2, step 3 of 10"


def test_half_a_line_waits_for_its_other_half(tmp_path):
    path = tmp_path / "a.progress"
    path.write_text('{"section": "One", "time": 1}\n{"section": "Tw')
    job = Job("a", path)
    job.read()
    assert job.section == "One"
    with path.open("a") as stream:
        stream.write('o", "time": 2}\n')
    job.read()
    assert job.section == "Two"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_is_rewritten_and_a_file_is_not_flooded(tmp_path):
    write(tmp_path / "a.progress", (0, {"section": "One"}))
    terminal, file = Terminal(), io.StringIO()
    watchers = [Watcher(tmp_path, stream) for stream in (terminal, file)]
    for now in range(60):
        for watcher in watchers:
            watcher.update(now)
    write(tmp_path / "a.progress", (60, {"state": "done"}))
    for watcher in watchers:
        watcher.update(61)
        watcher.update(62)
    assert terminal.getvalue().count("\x1b[1A") == 60
    assert terminal.getvalue().count("done after") == 1
    assert file.getvalue().splitlines() == ["a: One, 0:00 so far", "a: One, 0:30 so far", "a: done after 1:00"]


def test_points_of_a_grid_are_counted_as_they_end(tmp_path):
    """Planted bug: the time left from the last point alone."""
    stream = io.StringIO()
    (tmp_path / TOTAL).write_text("4")
    watcher = Watcher(tmp_path, stream)
    write(tmp_path / "a.progress", (0.0, {"section": "x"}), (60.0, {"state": "done"}))
    watcher.update(60.0)
    write(tmp_path / "b.progress", (60.0, {"section": "x"}), (100.0, {"state": "done"}))
    watcher.update(100.0)
    assert stream.getvalue().splitlines() == [
        "a: done after 1:00; 1 of 4, about 3:00 left",
        "b: done after 0:40; 2 of 4, about 1:40 left",
    ]


def test_events_go_where_the_variable_says(tmp_path, monkeypatch):
    path = tmp_path / "events"
    monkeypatch.delenv(progress.PROGRESS_VARIABLE, raising=False)
    progress.section("nowhere")
    monkeypatch.setenv(progress.PROGRESS_VARIABLE, str(path))
    progress.planned("run", [])
    progress.planned("run", ["a"])
    report = progress.reporter("a", 1000)
    for step in range(1, 1001):
        report(step)
    progress.ended("done")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert events[0]["planned"] == ["a"]
    steps = [event["reached"] for event in events if "reached" in event]
    assert (steps[0], steps[-1]) == (1, 1000)
    assert len(steps) < 100
    assert events[-1]["state"] == "done"


def test_times_are_read_as_on_a_clock():
    assert [clock(seconds) for seconds in (0, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]
