"""What `make run`, `make evidence` and `make grid` start, and what they say when it ends."""

import argparse
import importlib.util
import json
import signal
import sys
from pathlib import Path

import pytest

from nblib.project.paths import ROOT

_SPEC = importlib.util.spec_from_file_location("workflow_run", ROOT / "workflow" / "run.py")
run = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(run)


def options(**given):
    return argparse.Namespace(**({"target": "report", "profile": "", "cores": 2, "data": "", "grid": ""} | given))


@pytest.fixture
def signals():
    """The program takes over the signals of its process; the tests' own come back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def started(command):
    """Of a snakemake command: the config of the last file, and the files before it."""
    files = command[command.index("--configfile") + 1 : command.index("--")]
    return json.loads(Path(files[-1]).read_text()), files[:-1]


def test_texts_reach_the_workflow_as_they_are(tmp_path):
    """Planted bug: the config given on the command line, where '#' and blanks mean something."""
    command = run.snakemake(options(profile="quick #3", cores=3), tmp_path)
    assert started(command) == ({"profile": "quick #3"}, [])
    assert command[command.index("--cores") + 1] == "3"
    assert command[-2:] == ["--", "report"]
    assert "--keep-going" not in command


@pytest.mark.parametrize(("target", "profile"), [("report", "brief"), ("evidence", "quick")])
def test_the_first_run_is_brief_and_evidence_is_what_is_published(target, profile, tmp_path):
    """Planted bug: evidence of the brief profile, which is too short to judge by."""
    assert run.settings_of(options(target=target))["profile"] == profile
    assert run.settings_of(options(target=target, profile="full"))["profile"] == "full"


def test_a_grid_comes_first_and_what_was_given_wins(tmp_path):
    """Snakemake's later files win. Planted bug: an empty profile that overwrites the one in the grid's file."""
    grid = tmp_path / "mine.yaml"
    grid.touch()
    command = run.snakemake(options(target="grid", grid=str(grid)), tmp_path)
    assert started(command) == ({"grid_name": "mine"}, [str(grid)])
    assert "--keep-going" in command  # one point that fails does not cost the others


@pytest.mark.parametrize("status", [0, 3])
def test_the_workflows_words_go_to_its_log_and_its_status_comes_back(status, tmp_path):
    log = tmp_path / "workflow.log"
    program = f"import os, sys; print(os.environ['NBLIB_JOBS']); sys.stderr.write('more'); sys.exit({status})"
    assert run.watch([sys.executable, "-c", program], tmp_path, log) == status
    assert sorted(log.read_text().split()) == sorted([str(tmp_path), "more"])


def test_an_interrupt_is_handed_on_once_and_waited_for(tmp_path, monkeypatch, signals):
    """Planted bug: the program gone while its notebooks went on."""
    ready, log = tmp_path / "ready", tmp_path / "workflow.log"
    program = (
        "import sys, time, pathlib\n"
        "try:\n"
        "    pathlib.Path(sys.argv[1]).touch()\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(0.2); print('stopped')\n"
    )

    def update(watcher):
        if ready.exists() and not log.read_text():
            ready.unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(run.Watcher, "update", update)
    with pytest.raises(KeyboardInterrupt):
        run.watch([sys.executable, "-c", program, str(ready)], tmp_path, log)
    assert log.read_text() == "stopped\n"


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (["[rule]", "  refused: n_segments=0 must be", "CalledProcessError: x"], "refused: n_segments=0 must be"),
        (
            ["ValueError: first", "KeyError: 'last'", "kept up to there: a.failed.ipynb", "words: of no error"],
            "kept up to there: a.failed.ipynb\nfailed\nKeyError: 'last'",
        ),
        (["nothing known"], "failed"),
        (
            ["RuntimeError: point 3", "RuleException:", "WorkflowError:", "At least one job ..."],
            "failed\nRuntimeError: point 3",
        ),
        (
            [
                "rule a:",
                "    output: /x/seed=1/a.ipynb, b",
                "Error in rule a:",
                "    jobid: 3",
                "    output: /x/seed=2/a.ipynb, b",
            ],
            "not finished: /x/seed=2\nfailed",
        ),
    ],
)
def test_the_reason_is_the_refusal_or_the_last_error(lines, printed, tmp_path):
    """Planted bugs: the workflow's last line, about the workflow; a point that runs named as one that failed."""
    log = tmp_path / "workflow.log"
    log.write_text("\n".join(lines))
    assert run.reason(log) == printed


@pytest.fixture
def program(tmp_path, monkeypatch, signals):
    """The command line, with a workflow that ends as it is told to."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))

    def ends(status, text="", arguments=("report", "--profile", "smoke")):
        def watch(command, folder, log, kept):
            log.write_text(text)
            if isinstance(status, type):
                raise status
            (folder / "table").write_text(str(tmp_path / "mine.csv"))
            return status

        monkeypatch.setattr(run, "watch", watch)
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        return run.main()

    return ends


def test_a_failure_names_its_log_and_a_refusal_stands_alone(program, capsys):
    """Planted bug: exit status 0 after a failure."""
    assert program(1, "ValueError: no file") == 1
    printed = capsys.readouterr().err.splitlines()
    assert printed[1:] == ["failed", "ValueError: no file"]  # planted bug: the log's name last
    assert printed[0].startswith("more: ") and printed[0].endswith("workflow.log")
    assert program(1, "refused: seed=-1 must be") == 1
    assert capsys.readouterr().err == "refused: seed=-1 must be\n"


def test_an_interrupted_run_says_how_it_goes_on(program, capsys):
    assert program(KeyboardInterrupt) == 130
    assert "the same command goes on from here" in capsys.readouterr().err


def test_a_finished_run_lists_what_there_is_and_a_grid_shows_its_table(program, capsys, tmp_path):
    assert program(0) == 0
    assert "executed notebooks" in capsys.readouterr().out
    table = tmp_path / "mine.csv"
    table.write_text("seed,ap\n7,0.5\n")
    (tmp_path / "mine.yaml").touch()
    assert program(0, arguments=("grid", "--grid", str(tmp_path / "mine.yaml"))) == 0
    printed = capsys.readouterr().out
    assert "0.5" in printed
    assert f"{table}; everything: {tmp_path / 'mine_all.csv'}" in printed


@pytest.mark.parametrize(
    ("data", "given", "words"),
    [
        ("dev 3, 300K #1.csv", "", ["--", "dev 3, 300K #1.csv"]),
        ("*.csv", "--column 2 --unit 'kHz,V^2/Hz'", ["--column", "2", "--unit", "kHz,V^2/Hz", "--", "*.csv"]),
        ("'dev 3, 300K #1.csv' b.csv", "", ["--", "dev 3, 300K #1.csv", "b.csv"]),
        ("dev 4, 300K.csv", "", ["--", "dev 4, 300K.csv"]),
    ],
)
def test_own_spectra_are_those_of_the_command(program, tmp_path, monkeypatch, data, given, words):
    """Planted bugs: a name with blanks taken for several; a misspelt one, too."""
    monkeypatch.chdir(tmp_path)
    for name in ("dev 3, 300K #1.csv", "b.csv"):
        Path(name).touch()
    asked = []
    monkeypatch.setattr(run, "nblib_command", lambda arguments: asked.append(arguments) or 2)
    assert program(0, arguments=("report", f"--data={data}", f"--options={given}")) == 2
    assert asked == [["detect", *words]]


def test_a_grid_that_is_not_there_starts_nothing(program, capsys, tmp_path):
    assert program(0, arguments=("grid", "--grid", str(tmp_path / "none.yaml"))) == 2
    assert "none.yaml' is not a file; give a grid like" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
