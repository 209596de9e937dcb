"""Run the workflow for a person: one line per notebook, the workflow's own words in a file. Used by the Makefile.

`python workflow/run.py report|evidence|grid --profile quick --cores 2 --grid FILE`. Without a profile the report is a
first look (brief), the evidence what is published (quick), and a grid's file names its own. With `--data SOURCE` the
report is that of `nblib detect SOURCE`, and `--options` are that command's.
"""

import argparse
import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nblib.__main__ import main as nblib_command
from nblib.measured.inputs import files_of
from nblib.notebook.commands import JOBS_VARIABLE
from nblib.notebook.outputs import full_table, list_outputs, show_table
from nblib.notebook.progress import Watcher
from nblib.project.paths import ROOT, from_root, runs_dir
from nblib.project.records import write_json

ERROR = re.compile(r"(?!WorkflowError|RuleException)[^:]*(Error|Exception|Interrupt)(:|$)")
NOT_FINISHED = re.compile(r"^Error in rule .*\n(?: {4}.*\n)*? {4}output: (.+?\.ipynb)", re.MULTILINE)
PARENT_DIED = 1  # PR_SET_PDEATHSIG of Linux
MOST_WAIT = 10.0  # s that a notebook may take to end once it is interrupted
PROFILE_OF = {"report": "brief", "evidence": "quick", "grid": ""}


def settings_of(options: argparse.Namespace) -> dict:
    """The workflow's config: what was given or is usual for the target, nothing else."""
    profile = options.profile or PROFILE_OF[options.target]
    config = {"profile": profile, "grid_name": Path(options.grid).stem}
    return {name: value for name, value in config.items() if value}


def snakemake(options: argparse.Namespace, folder: Path) -> list[str]:
    """The command that runs the workflow, its config written to a file so that every text stays as it is."""
    files = [str(Path(options.grid).resolve())] if options.target == "grid" else []
    files.append(str(write_json(folder / "config.json", settings_of(options))))
    command = [
        sys.executable,
        str(ROOT / "workflow" / "engine.py"),
        "--snakefile",
        str(ROOT / "workflow" / "Snakefile"),
    ]
    command += ["--cores", str(options.cores), "--rerun-incomplete"]
    command += ["--nolock"]  # `alone` locks, and a killed runner leaves no lock behind
    command += ["--keep-going"] if options.target == "grid" else []
    return [*command, "--configfile", *files, "--", options.target]


@contextmanager
def alone() -> Iterator[int]:
    """One workflow at a time works in runs/: another runner waits, then does what is still missing.

    The workflow's process inherits the lock. So where this program alone is killed, the next one waits until the
    notebooks that were running have ended; nothing runs twice, and no lock is left behind.

    Yields
    ------
    The descriptor to hand on.
    """
    import fcntl

    with (runs_dir() / ".workflow.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another workflow is at work in the same runs/: waiting until it has ended", file=sys.stderr)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()


def _heed_interrupts() -> None:
    """In the workflow's process: a shell's background job ignores Ctrl-C, and so would all that it starts.

    Where this program is killed, Linux tells it to end the notebooks that run and to begin no further one.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGTERM)


def end_as_interrupted() -> None:
    """Let a termination or a lost terminal end this program as Ctrl-C does; a signal that `nohup` ignores stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def watch(command: list[str], folder: Path, log: Path, kept: tuple[int, ...] = ()) -> int:
    """Run the workflow in `folder`'s name until it ends, and show its notebooks; returns its exit status.

    Parameters
    ----------
    kept : descriptors that it inherits
    """
    print(f"looking for what has to run; the workflow's own words: {from_root(log)}", file=sys.stderr, flush=True)
    watcher = Watcher(folder, sys.stderr)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {JOBS_VARIABLE: str(folder), "PATH": path}
    with log.open("w", encoding="utf-8") as stream:
        # a session of its own: Ctrl-C reaches this program alone, which hands it on once
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
            pass_fds=kept,
            preexec_fn=_heed_interrupts,
        )
        try:
            while process.poll() is None:
                watcher.update()
                time.sleep(0.5)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        finally:
            watcher.update()
    if process.returncode < 0:
        _end_group(process.pid)
    return process.returncode


def _end_group(group: int) -> None:
    """End what a killed workflow had started, and wait until it is gone."""
    for number in (signal.SIGINT, signal.SIGKILL):
        until = time.monotonic() + MOST_WAIT
        try:
            os.killpg(group, number)
            while time.monotonic() < until:
                time.sleep(0.1)
                os.killpg(group, 0)
        except ProcessLookupError:
            return


def reason(log: Path) -> str:
    """Why the workflow failed, from its log: its refusal, or the last error of a notebook."""
    lines = log.read_text(encoding="utf-8").splitlines()
    refused = [line.strip() for line in lines if line.strip().startswith("refused: ")]
    if refused:
        return refused[0]
    kept = [line for line in lines if line.startswith("kept up to there: ")]
    unfinished = NOT_FINISHED.findall("\n".join(lines))
    kept += dict.fromkeys(f"not finished: {from_root(Path(output).parent)}" for output in unfinished)
    errors = [line for line in lines if ERROR.match(line)]
    return "\n".join([*kept, "failed", *errors[-1:]])


def own_spectra(data: str, options: str) -> int:
    """`nblib detect` on a user's own spectra, and its exit status.

    Parameters
    ----------
    data : one file, folder or pattern, blanks and all; or several, quoted as in a shell
    options : of the command, quoted as in a shell
    """
    several = shlex.split(data)
    whole = len(several) == 1 or Path(data).expanduser().exists() or not all(map(_is_there, several))
    return nblib_command(["detect", *shlex.split(options), "--", *([data] if whole else several)])


def _is_there(name):
    try:
        return all(path.exists() for path in files_of([name])[0])
    except ValueError:
        return False


def main() -> int:
    """Command line; the exit status is the workflow's, 130 when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("report", "evidence", "grid"))
    parser.add_argument("--profile", default="")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--data", default="", help="a file, folder or pattern of spectra of your own")
    parser.add_argument("--options", default="", help="of nblib detect, for --data")
    parser.add_argument("--grid", default="", help="YAML file of a grid")
    options = parser.parse_args()
    if options.target == "grid" and not Path(options.grid).is_file():
        print(f"refused: {options.grid!r} is not a file; give a grid like workflow/grid.yaml", file=sys.stderr)
        return 2
    if options.data and options.target == "report":
        return own_spectra(options.data, options.options)
    end_as_interrupted()
    folder = runs_dir("log", time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}")
    log = folder / "workflow.log"
    try:
        with alone() as lock:
            status = watch(snakemake(options, folder), folder, log, (lock,))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    if status:
        why = reason(log)
        words = "" if why.startswith("refused: ") else f"more: {from_root(log)}\n"
        print(words + why, file=sys.stderr)
    elif options.target == "grid":
        table = Path((folder / "table").read_text(encoding="utf-8"))
        print(f"{show_table(table)}\n{from_root(table)}; everything: {from_root(full_table(table))}")
    else:
        print(list_outputs(options.profile or PROFILE_OF[options.target]))
    return status


if __name__ == "__main__":
    sys.exit(main())
