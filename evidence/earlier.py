"""The detector of an earlier commit beside the present one: timed in turn on one spectrum, or asked for its scores.

The commit is checked out into a folder of its own, which is removed at the end. Each detector runs in a process that is
started once, by the present Python and its libraries.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.project.paths import ROOT
from nblib.project.threads import ONE_THREAD

# freqs, psd, K (None: measured) -> by name, (bin,)
Scorer = Callable[[ndarray, ndarray, float | ndarray | None], dict[str, ndarray]]
THREADS = ONE_THREAD | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
EARLIER_COMMIT = "807ec2a"  # before lines at the ends, whole humps, and bins that depend on each other
TIMES = """
import sys, time
import numpy as np
import nblib
from nblib.measured.detector import NoiseDetector
freqs, psd = np.load(sys.argv[1])
detector = NoiseDetector()
detector.score(freqs, psd)  # reads what it needs
print(nblib.__file__, flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        started = time.process_time()
        detector.score(freqs, psd)
        times.append(time.process_time() - started)
    print(min(times), flush=True)
"""
SCORES = """
import sys
import numpy as np
import nblib
from nblib.measured.detector import NoiseDetector
detector = NoiseDetector()
print(nblib.__file__, flush=True)
for _ in sys.stdin:
    with np.load(sys.argv[1]) as file:
        freqs, psd, segments = file["freqs"], file["psd"], file["n_segments"]
    found = detector.score(freqs, psd, None if np.isnan(segments).all() else segments)
    chance = found.limits.probability(found.scored.by_group, len(found.plan.grid.index))
    np.savez(sys.argv[1], scores=found.scored.scores, ranks=found.scored.ranks, chance=chance)
    print("scored", flush=True)
"""


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The folder of a git worktree of a commit, removed afterwards.

    Raises
    ------
    ValueError where the clone does not hold the commit
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "earlier"
        answer = _git("worktree", "add", "--detach", "--quiet", str(path), commit)
        if answer.returncode:
            raise ValueError(
                f"commit {commit!r} cannot be checked out: {answer.stderr.strip()}; fetch the whole history "
                "(git fetch --unshallow), or leave it out with --against ''"
            )
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*arguments):
    """What git answers in the clone."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


@contextmanager
def _answers(clone: Path, program: str, file: Path) -> Iterator[Callable[[object], str]]:
    """What a program that knows the detector of a clone answers to a line; its argument is the file.

    Raises
    ------
    ValueError where the detector does not start or stops, or is not that of the clone
    """
    with tempfile.TemporaryDirectory() as runs, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=runs,
            env=os.environ | THREADS | {"PYTHONPATH": str(clone), "NBLIB_RUNS": runs},
        )

        def refused(words=""):
            process.kill()
            errors.seek(0)
            return ValueError(f"the detector of {clone} does not run: {words or errors.read()}; name another commit")

        with process:  # its input is closed at the end, and it stops
            questions, answers = process.stdin, process.stdout
            assert questions is not None and answers is not None
            home = answers.readline().strip()
            if not home or not Path(home).is_relative_to(clone):
                raise refused(home)

            def answer(question: object) -> str:
                questions.write(f"{question}\n")
                questions.flush()
                if not (line := answers.readline().strip()):
                    raise refused()
                return line

            yield answer


@contextmanager
def timer(clone: Path, spectrum: Path) -> Iterator[Callable[[int], float]]:
    """Seconds of processor time that the detector of a clone takes for all scores of a spectrum, the best of n.

    Parameters
    ----------
    clone : folder that holds nblib/
    spectrum : .npy of freqs and psd; K is measured

    Raises
    ------
    ValueError where the detector does not start, or is not that of the clone
    """
    with _answers(clone, TIMES, spectrum) as answer:
        yield lambda repetitions: float(answer(repetitions))


@contextmanager
def scorer(clone: Path) -> Iterator[Scorer]:
    """Scores per bin that the detector of a clone gives a spectrum: "scores", "ranks" and "chance" of a flag.

    The detector must have `ranks`, as that of EARLIER_COMMIT has.

    Raises
    ------
    ValueError where the detector does not start or score, or is not that of the clone
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spectrum.npz"
        with _answers(clone, SCORES, file) as answer:

            def scores(freqs, psd, n_segments):
                np.savez(file, freqs=freqs, psd=psd, n_segments=np.nan if n_segments is None else n_segments)
                answer("score")
                with np.load(file) as found:
                    return dict(found)

            yield scores


@contextmanager
def scorer_of(commit: str) -> Iterator[Scorer]:
    """`scorer` of a commit, whose checkout is removed afterwards."""
    with checkout(commit) as clone, scorer(clone) as scores:
        yield scores


def against(
    commit: str, freqs: Float[ndarray, " bin"], psd: Float[ndarray, " bin"], rounds: int = 21, repetitions: int = 5
) -> dict:
    """Time of all scores of one spectrum over that of an earlier commit's detector, in rounds that begin in turn.

    Parameters
    ----------
    repetitions : scores of each detector a round; the fastest counts

    Returns
    -------
    commit, rounds, repetitions; "ratio", its median over rounds with "low" and "high", the smallest and the largest of
    them; "milliseconds" and "milliseconds, earlier", medians

    Raises
    ------
    ValueError where the commit cannot be checked out, or its detector does not run
    """
    with ExitStack() as stack:
        earlier = stack.enter_context(checkout(commit))
        spectrum = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "spectrum.npy"
        np.save(spectrum, np.stack([freqs, psd]))
        now, then = (stack.enter_context(timer(clone, spectrum)) for clone in (ROOT, earlier))
        return {"commit": commit} | in_turn(now, then, rounds, repetitions)


def in_turn(
    present: Callable[[int], float], earlier: Callable[[int], float], rounds: int, repetitions: int
) -> dict[str, float]:
    """What `against` returns of two timers; the one that begins changes from round to round."""
    rows = []
    for number in range(rounds):
        order = (present, earlier) if number % 2 == 0 else (earlier, present)
        times = {timer: timer(repetitions) for timer in order}
        rows.append((times[present], times[earlier]))
    now, then = np.array(rows).T
    ratios = now / then
    return {
        "rounds": rounds,
        "repetitions": repetitions,
        "ratio": float(np.median(ratios)),
        "low": float(ratios.min()),
        "high": float(ratios.max()),
        "milliseconds": float(np.median(now)) * 1e3,
        "milliseconds, earlier": float(np.median(then)) * 1e3,
    }
