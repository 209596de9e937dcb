"""Detectors of two commits timed in turn, with timers and clones whose times are known."""

import subprocess

import numpy as np
import pytest

from evidence import earlier
from evidence.pages import detector_page
from evidence.pages.rendering import render
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

DETECTOR = "class NoiseDetector:\n    def score(self, freqs, psd):\n        assert (psd == 2 * freqs).all()\n"
SCORING = """
from types import SimpleNamespace as Bag

class NoiseDetector:
    def score(self, freqs, psd, n_segments):
        limits = Bag(probability=lambda by_group, n_bins: by_group[0] / n_bins)
        scored = Bag(scores=psd, ranks=-freqs if n_segments is None else freqs * n_segments, by_group=[psd, freqs])
        return Bag(scored=scored, limits=limits, plan=Bag(grid=Bag(index=range(1, len(psd)))))
"""


def test_the_ratio_is_the_present_over_the_earlier_and_each_begins_in_turn():
    """Planted bugs: earlier over present; the mean in place of the median; the present one always first."""
    asked, times = [], iter([1.0, 2.0, 4.0, 6.0, 9.0, 1.0])  # as they are asked for

    def timer(name):
        return lambda repetitions: asked.append((name, repetitions)) or next(times)

    row = earlier.in_turn(timer("present"), timer("earlier"), 3, 5)
    assert asked == [(name, 5) for name in ("present", "earlier", "earlier", "present", "present", "earlier")]
    assert (row["low"], row["ratio"], row["high"]) == (0.5, 1.5, 9.0)
    assert (row["milliseconds"], row["milliseconds, earlier"]) == (6000, 2000)


@pytest.fixture
def clone(tmp_path):
    (folder := tmp_path / "clone" / "nblib" / "measured").mkdir(parents=True)
    for path in (folder.parent / "__init__.py", folder / "__init__.py"):
        path.touch()
    (folder / "detector.py").write_text(DETECTOR)
    np.save(tmp_path / "spectrum.npy", np.stack([np.arange(1.0, 301), 2 * np.arange(1.0, 301)]))
    return tmp_path / "clone"


def test_the_detector_of_the_clone_is_timed(clone):
    with earlier.timer(clone, clone.parent / "spectrum.npy") as best_of:
        assert 0 <= best_of(2) < 1 and 0 <= best_of(3) < 1


def test_a_detector_that_does_not_run_or_is_of_another_clone_is_refused(clone):
    """Planted bugs: the installed package timed in place of the clone's; a traceback that nobody sees."""
    with (
        pytest.raises(ValueError, match="does not run: .*__init__.py"),
        earlier.timer(clone / "nblib", clone.parent / "spectrum.npy"),
    ):
        pass
    (clone / "nblib" / "measured" / "detector.py").write_text("import gone_since")
    with (
        pytest.raises(ValueError, match="(?s)does not run: Traceback.*gone_since"),
        earlier.timer(clone, clone.parent / "spectrum.npy"),
    ):
        pass


def test_the_detector_of_the_clone_gives_its_scores(clone):
    """Planted bugs: ranks in the place of scores; K that nobody states handed on as NaN; the same K for all bins."""
    (clone / "nblib" / "measured" / "detector.py").write_text(SCORING)
    freqs, psd = np.arange(1.0, 5), np.array([3.0, 1.0, 9.0, 2.0])
    with earlier.scorer(clone) as score:
        found = score(freqs, psd, None)
        assert (found["scores"] == psd).all() and (found["ranks"] == -freqs).all()
        assert found["chance"] == pytest.approx(psd / 3)
        assert score(freqs, psd, 4.0)["ranks"].tolist() == [4.0, 8.0, 12.0, 16.0]
        assert score(freqs, psd, np.array([1.0, 2.0, 3.0, 4.0]))["ranks"].tolist() == [1.0, 4.0, 9.0, 16.0]


def test_a_detector_that_stops_is_named(clone):
    """Planted bug: the scores of the spectrum before, where nothing was answered."""
    with (
        pytest.raises(ValueError, match="(?s)does not run: Traceback.*takes 3 positional arguments"),
        earlier.scorer(clone) as score,
    ):
        score(np.arange(1.0, 5), np.ones(4), None)


def test_a_commit_is_checked_out_and_taken_away(clone, monkeypatch):
    """Planted bug: the worktree left behind where the timing fails."""
    monkeypatch.setattr(earlier, "ROOT", clone)

    def git(*arguments):
        named = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *named, *arguments], cwd=clone, check=True, capture_output=True, text=True).stdout

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (clone / "nblib" / "measured" / "detector.py").write_text("changed")
    with pytest.raises(KeyError), earlier.checkout("HEAD") as path:
        assert (path / "nblib" / "measured" / "detector.py").read_text() == DETECTOR
        raise KeyError
    assert not path.exists() and len(git("worktree", "list").splitlines()) == 1
    with pytest.raises(ValueError, match="807ec2a.*fetch the whole history.*--against ''"), earlier.checkout("807ec2a"):
        pass


def test_the_page_has_the_ratio_where_the_record_has_it():
    """Planted bug: a page that needs the ratio of a record without it."""
    record = read_json(benchmark_record("detector_costs"))
    record.pop("against", None)
    assert "In turn" not in render("detector.detector_costs", detector_page._costs(record))
    row = {"commit": "807ec2a", "rounds": 21, "ratio": 0.91, "low": 0.84, "high": 0.95}
    text = render("detector.detector_costs", detector_page._costs(record | {"against": row}))
    assert "commit 807ec2a, 21 rounds in one run, it takes 0.91 times that one's time (rounds: 0.84 to 0.95;" in text
