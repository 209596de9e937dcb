"""Many files in one command: processes, progress, the joint table and page, interruption, kills, a full disk."""

import contextlib
import csv
import os
import re
import signal
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest
import shapes

import nblib
from nblib import __main__ as command_line
from nblib.__main__ import main
from nblib.measured import batch, drawing, unfinished
from nblib.measured.batch import Progress
from nblib.measured.drawing import DetectionFigure, envelope
from nblib.measured.joint import Row, joint_csv, shared_lines
from nblib.measured.outputs import jobs_of
from nblib.measured.page import page
from nblib.project import processes

FREQS = np.arange(1.0, 401.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _files(count, bad=()):
    Path("in").mkdir()
    for seed in range(count):
        psd = (1 / FREQS + 0.01) * np.random.default_rng(seed).gamma(64, 1 / 64, len(FREQS))
        psd[FREQS == 50] *= 30
        rows = "".join(f"{freq:g},{level:.6g}\n" for freq, level in zip(FREQS, psd, strict=True))
        Path(f"in/{seed:03}.csv").write_text("nothing\n" if seed in bad else "f,S\n" + rows)


def _results():
    return {path.name: path.read_bytes() for path in sorted(Path("in/nblib-results").iterdir())}


@pytest.mark.slow
def test_processes_side_by_side_write_what_one_writes(capsys):
    """Planted bugs: reports in the order in which they came; figures of another file."""
    _files(5, bad=[2])
    assert main(["detect", "in"]) == 2
    one, printed = _results(), capsys.readouterr()
    assert main(["detect", "in", "--jobs", "2"]) == 2
    again = capsys.readouterr()
    assert _results() == one and again == printed
    assert (
        again.err == "refused: 002.csv: it holds no rows of numbers; a spectrum needs two columns: frequency [Hz] "
        "and PSD [unit^2/Hz]\n"
    )
    assert {f"{at:03}.flags.png" for at in (0, 1, 3, 4)} <= set(one)
    rows = list(csv.DictReader(Path("in/nblib-results/all.flags.csv").read_text().splitlines()))
    assert {row["file"] for row in rows} == {f"{at:03}.csv" for at in (0, 1, 3, 4)}
    assert list(rows[0])[:4] == ["file", "fmin", "fmax", "cause"]
    html = Path("in/nblib-results/all.html").read_text()
    assert html.index("50 Hz mains") < html.index("Files not read") < html.index("002.csv: it holds no rows")
    assert 'href="000.flags.png"' in html and "data:image/png" in html and "http" not in html


@pytest.mark.slow
def test_figures_can_be_left_out_or_be_pdf_too():
    _files(2)
    assert main(["detect", "in", "--no-figures"]) == 0
    assert not [name for name in _results() if name.endswith((".png", ".pdf"))]
    assert "data:image/png" not in _results()["all.html"].decode()
    assert main(["detect", "in/000.csv", "--pdf"]) == 0
    assert {"000.flags.png", "000.flags.pdf"} <= set(_results())


class _Terminal(list):
    def isatty(self):
        return True

    def write(self, text):
        self.append(text)

    def flush(self):
        pass


def test_how_far_it_is_and_how_long_the_rest_takes(monkeypatch):
    """Planted bug: the time of the last file for each that is left."""
    clock = iter([0.0, *(2.0 * at for at in range(1, 38))])
    monkeypatch.setattr(batch.time, "monotonic", lambda: next(clock))
    shown = _Terminal()
    progress = Progress(72, shown)
    for _ in range(37):
        progress.count()
    assert shown[-1].endswith("37 of 72, about 1:10 left")
    monkeypatch.setattr(batch.time, "monotonic", lambda: 3600.0 * 2)
    assert progress.words() == "37 of 72, about 1:53:31 left"
    assert not Progress(1, shown).shown  # one file has no progress


@pytest.mark.slow
def test_an_interrupted_batch_leaves_what_is_done_and_says_so(capsys, monkeypatch, unrendered):
    """Planted bugs: figures of finished files lost; no table of what was done; the list of the rest gone."""
    _files(6)
    unrendered()
    real, calls = batch.examined, iter(range(9))

    def interrupted(*given):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(batch, "examined", interrupted)
    assert main(["detect", "in"]) == 130
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == "interrupted: 3 of 6 files done, the others not"
    assert "3 of 6 files read" in shown.out
    results = _results()
    assert {name for name in results if name.endswith("png")} == {f"{at:03}.flags.png" for at in range(3)}
    assert b"002.csv" in results["all.flags.csv"] and b"003.csv" not in results["all.flags.csv"]
    monkeypatch.setattr(batch, "examined", real)
    assert main(["detect", "in"]) == 0
    printed = capsys.readouterr().err
    assert "an earlier command was ended before 3 of its 3 files: 003.csv, 004.csv, 005.csv" in printed
    assert unfinished.UNFINISHED not in _results()


def _killed(arguments, fatal, printed):
    """A process with this command, which need not import anything, killed in the middle of its `fatal`-th write.

    What it says goes to a file. The signal that ended it.
    """
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    shapes.begin(checking=False)  # each process would make the checks anew
    processes.IS_COPIED = False  # a process that was copied has no server of copies of its own
    writes, real = iter(range(1, fatal)), os.replace
    os.replace = lambda *given: real(*given) if next(writes, 0) else os.kill(os.getpid(), signal.SIGKILL)
    with printed.open("w", buffering=1) as stream, contextlib.redirect_stderr(stream):
        os._exit(main(arguments))


@pytest.mark.slow
def test_a_killed_batch_leaves_whole_results_and_names_the_rest(capsys, unrendered):
    """Five times. Planted bugs: a table written in place; a command that does not say what an earlier one left."""
    _files(12)
    results, printed = Path("in/nblib-results"), Path("printed.txt")
    unrendered()
    for at, fatal in enumerate((6, 13, 20, 27, 34)):
        assert _killed(["detect", "in", "--jobs", "1"], fatal, printed) == -signal.SIGKILL
        assert at == 0 or "an earlier command was ended before" in printed.read_text()
        names = [path.name.removesuffix(".flags.json") for path in results.glob("*.flags.json")]
        assert len(names) > at
        for name in names:
            assert (results / f"{name}.cleaned.csv").read_text().count("\n") == 402
            assert (results / f"{name}.flags.csv").read_text().startswith("fmin")
        for path in results.glob("*.png"):
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
        (results / "mark").write_text("")
    Path("in/nblib-results/mark").unlink()
    assert main(["detect", "in", "--no-figures"]) == 0
    assert "12 of 12 files read" in capsys.readouterr().out


@pytest.mark.slow
def test_a_full_disk_leaves_whole_results_and_names_the_rest(capsys, monkeypatch):
    """Planted bug: the figure of a file half written, and the file counted as done."""
    _files(4)
    real = Path.open

    class Full:
        """A file of which only the first bytes fit on the disk."""

        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def write(self, content):
            self.stream.write(content[:100])
            raise OSError(28, "No space left on device", self.stream.name)

    def opened(path, mode="r", *more, **given):
        stream = real(path, mode, *more, **given)
        return Full(stream) if mode == "xb" and path.name.startswith(("002.flags", "003")) else stream

    monkeypatch.setattr(Path, "open", opened)
    assert main(["detect", "in", "--no-figures"]) == 2
    printed = capsys.readouterr()
    assert "2 of 4 files read" in printed.out
    assert re.findall(r"refused: (00\d).csv: cannot write \S+: No space left on device", printed.err) == ["002", "003"]
    assert {name for name in _results() if name.startswith(("002", "003"))} == {"002.cleaned.csv"}
    assert not [name for name in _results() if name.endswith(".partial")]


def _dies(*_):
    os._exit(1)


@pytest.mark.slow
def test_a_process_that_dies_is_said_of_its_files(capsys, monkeypatch):
    """Planted bug: BrokenProcessPool with a traceback, and nothing of what was done."""
    _files(3)
    monkeypatch.setattr(batch, "_whole", _dies)
    assert main(["detect", "in", "--jobs", "2"]) == 1
    assert capsys.readouterr().err.count("was ended (out of memory?)") == 3


@pytest.mark.slow
def test_a_process_has_the_environment_of_its_command(monkeypatch):
    """Planted bug: that of the process which it is a copy of, from when that was started."""
    if processes.IS_COPIED:
        forkserver.ensure_running()
    monkeypatch.setenv("NBLIB_RUNS", "elsewhere")
    with batch._pool(1) as pool:
        assert pool.submit(os.getenv, "NBLIB_RUNS").result() == "elsewhere"


def test_imports_of_processes_to_come_begin_with_the_command(monkeypatch, capsys):
    """Planted bug: one more process where no second one was asked for."""
    begun: list[str] = []
    monkeypatch.setattr(command_line, "import_ahead", begun.append)
    for more in ([], ["--jobs", "2"]):
        assert main(["detect", "nowhere", *more]) == 2
    assert begun == ["nblib.measured.command"] and "nowhere" in capsys.readouterr().err


def _row(file, *centres, step=1.0):
    flags = [
        {"fmin": at, "fmax": at, "centre": at, "excess": 2.0, "excess_db": 4.8, "probability": 1e-3, "kind": "line"}
        for at in centres
    ]
    return Row(file, flags=tuple(flag | {"cause": "50 Hz mains, harmonic 1"} for flag in flags), step=step)


def test_lines_in_several_spectra_are_found_within_a_bin():
    """Planted bugs: two lines of one spectrum counted as two spectra; a line one bin beside another as a new one."""
    lines = shared_lines([_row("a", 50.0, 51.0, 120.0), _row("b", 50.4, 300.0), _row("c", 300.9, 122.5)])
    assert [(line.files, round(line.centre, 1)) for line in lines] == [(("a", "b"), 50.4), (("b", "c"), 300.4)]
    assert lines[0].causes == ("50 Hz mains",)


def test_the_page_escapes_names_and_lists_failures_last():
    """Planted bug: a file's name as HTML."""
    html = page([Row("<b>.csv", problem="<b>.csv: no"), _row("a&b.csv", 50.0)], "x & y")
    assert "<b>" not in html and "&lt;b&gt;.csv: no" in html and "a&amp;b.csv" in html
    assert html.index("a&amp;b.csv") < html.index("&lt;b&gt;.csv: no")
    assert joint_csv([_row("a;b,c.csv", 50.0)]).splitlines()[1].startswith('"a;b,c.csv",50,50,')


def test_a_figure_shows_the_peak_of_every_pixel():
    """Planted bug: every tenth bin, so that a line of one bin is not seen."""
    values = np.ones(100_000)
    values[77_777] = 9.0
    freqs, shown = envelope(np.arange(1.0, 100_001.0), values, "log")
    assert len(freqs) == len(shown) <= 2000 and shown.max() == 9.0 and shown.min() == 1.0
    assert (np.diff(freqs) >= 0).all()


def test_a_figure_does_not_depend_on_the_one_before():
    """Planted bug: the axis of a short spectrum reached over the flags of the longer one that was drawn before it."""
    drawn, limits = DetectionFigure(), []
    for n_bins, line in ((400, 50), (3000, 2500), (400, 50)):
        freqs = np.arange(1.0, n_bins + 1)
        psd = np.random.default_rng(n_bins).gamma(64, 1 / 64, n_bins) / freqs
        psd[freqs == line] *= 30
        ((measured, detection),) = nblib.analyse(freqs, psd, n_segments=64)
        assert line in [round(flag.centre) for flag in detection.flags]
        drawn.show(measured, detection)
        drawn.figure.canvas.draw()
        limits.append((*drawn.ax.get_xlim(), *drawn.ax.get_ylim()))
    assert limits[2] == limits[0] and limits[1][1] > 3000


def test_files_of_several_folders_are_named_apart():
    """Planted bug: a.csv twice in the joint table."""
    jobs = jobs_of([Path("x/a.csv"), Path("y/z/a.csv")])
    assert [(job.shown, job.name, str(job.folder)) for job in jobs] == [
        ("x/a.csv", "a", str(Path("x/nblib-results"))),
        ("y/z/a.csv", "a", str(Path("y/z/nblib-results"))),
    ]


def test_page_and_figures_are_the_same_whatever_style_a_notebook_set(tmp_path, monkeypatch):
    """Planted bugs: either drawn with the settings of the process, so that a batch and a notebook differed."""
    import matplotlib.pyplot as plt

    from nblib.style import STYLE

    monkeypatch.chdir(tmp_path)
    rng, freqs = np.random.default_rng(0), np.arange(1.0, 301.0)
    for name in ("a.csv", "b.csv"):
        np.savetxt(name, np.column_stack([freqs, rng.gamma(64, 1 / 64, 300)]), delimiter=",", header="f,S", comments="")
    pages = []
    for style in ({}, STYLE):
        drawing._kept_figure.cache_clear()  # as in a process of its own
        with plt.rc_context(style):
            nblib.analyse("*.csv").write("out")
        pages.append([(tmp_path / "out" / name).read_bytes() for name in ("all.html", "a.flags.png")])
    assert pages[0] == pages[1]
