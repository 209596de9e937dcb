"""The README's generated parts say what the records say, in words that turn with the numbers."""

import copy
import re

import pytest

from evidence import tables
from evidence.pages import readme
from evidence.tables import format_interval
from nblib.project.paths import NOTEBOOKS, benchmark_record
from nblib.project.records import committed_result, read_json

EVIDENCE, SWEEP = committed_result("06_benchmark"), committed_result("05_lambda_sweep")
UNKNOWN = [read_json(benchmark_record(name)) for name in readme.UNKNOWN]


@pytest.fixture
def evidence():
    return copy.deepcopy(EVIDENCE)


def _set(evidence, trial, *path, value):
    """Every seed of a trial gets this value, so that its interval is a point."""
    for found in evidence["metrics"]["trials"][trial].values():
        for key in path[:-1]:
            found = found[key]
        if f"{path[-1]}_left_out" in found:  # the same step for what is left without a group of spectra
            found[f"{path[-1]}_left_out"] = [value + part - found[path[-1]] for part in found[f"{path[-1]}_left_out"]]
        found[path[-1]] = value


def _sentence(evidence, start):
    return next(line for line in readme.answer(evidence, *UNKNOWN).splitlines() if line.startswith(start))


def test_the_answer_quotes_the_record():
    """Planted bug: the label-free AP printed for the simulated labels."""
    text, table = readme.answer(EVIDENCE, *UNKNOWN), tables.detection_table(EVIDENCE["metrics"])
    assert f"(AP {format_interval(table['simulated labels, attention']['ap'])}, " in text
    worst = min(row["attention"]["ap"] for row in EVIDENCE["metrics"]["trials"]["label-free"].values())
    reached = format_interval(table["label-free, attention"]["ap"])
    assert f"it reaches {reached} (the worst of 10 seeds {worst:.3f})" in text
    row = next(line for line in text.splitlines() if line.startswith("| attention, label-free |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:] == [format_interval(table["label-free, attention"][key]) for key in ("ap", "top1")]
    assert f"commit {EVIDENCE['commit']}" in text


def test_the_answer_is_four_sentences_and_a_table_of_at_most_eight_rows():
    lines = readme.answer(EVIDENCE, *UNKNOWN).splitlines()
    assert [line[:2] for line in lines[:5]] == ["1.", "2.", "3.", "4.", ""]
    assert 1 <= sum(line.startswith("| ") for line in lines) - 1 <= 8


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.2, "better than"), (-0.2, -0.1, "worse than"), (-0.1, 0.1, "as good (within the interval) as")],
)
def test_unknown_backgrounds_turn_with_the_numbers(low, high, words):
    """Planted bug: the interval of the token head for that of attention."""
    wide, injected, detector = copy.deepcopy(UNKNOWN)
    wide["differences"]["wide"][f"network, attention - {wide['best']}"] = {"difference": 0.0, "low": low, "high": high}
    injected["differences"]["classical detector + 1 x real stretch: head - classical detector"]["1%"] = [0.25, low, 0.5]
    injected["differences"]["real stretch: attention - classical detector"]["1%"] = [0.75, low, high]
    detector["differences"]["shipped detector - its classical part"]["1%"] = {"mean": 0.1, "low": 0.05, "high": 0.3}
    lines = readme.answer(EVIDENCE, wide, injected, detector).splitlines()
    sentence = next(row for row in lines if row.startswith("4."))
    assert f"finds simulated noise {words} the best classical setting (AP " in sentence
    assert f"spectra it is {words} our classical detector (" in sentence
    assert f"flagged: +0.750 [{low:+.3f}, {high:+.3f}])" in sentence
    assert f"(+0.100 [+0.050, +0.300] to +0.250 [{low:+.3f}, +0.500], by how" in sentence
    assert ("shows a gain" in sentence, "no sure gain" in sentence) == (low > 0, low < 0)


@pytest.mark.parametrize(("ap", "words"), [(0.999, "better than"), (0.5, "worse than")])
def test_better_and_worse_turn_with_the_numbers(evidence, ap, words):
    """Planted bug: "worse than a supervised CNN" as fixed text."""
    _set(evidence, "simulated labels", "attention", "ap", value=ap)
    sentence = _sentence(evidence, "1.")
    assert f"{words} a tuned running median and {words} a supervised CNN" in sentence


def test_equal_within_the_intervals_is_said(evidence):
    _set(evidence, "simulated labels", "attention", "ap", value=0.75)
    _set(evidence, "supervised CNN", "logit", "ap", value=0.75)
    assert "as good (within the interval) as a supervised CNN" in _sentence(evidence, "1.")


@pytest.mark.parametrize(
    ("factors", "words"),
    [((0.5, 0.5), "lowers"), ((2, 2), "raises"), ((1, 1), "does not change"), ((0.5, 2), "in different ways")],
)
def test_what_flags_do_to_energies_turns_with_the_numbers(evidence, factors, words):
    known = evidence["metrics"]["baselines"]["energies"]
    known |= {"all bins": [2.0, 4.0], "bound, truly clean bins": [1.0, 1.0]}
    values = [factors[0] * 2.0, factors[1] * 4.0]
    _set(evidence, "simulated labels", "energies", "kept bins", value=values)
    assert words in _sentence(evidence, "2.")


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.5, "uses less of the noise"), (1.0, "may still use the noise"), (2.0, "still uses the noise")],
)
def test_the_use_of_noise_turns_with_the_numbers(evidence, ratio, words):
    _set(evidence, "simulated labels", "faithfulness", "erase", value=ratio)
    assert words in _sentence(evidence, "3.")


def _judged(evidence, families, alarms, in_band, ap):
    """Setbacks of a record whose families, false alarms on correlated bins and errors are these, and of its sweep."""
    trials, baselines = evidence["metrics"]["trials"], evidence["metrics"]["baselines"]
    for trial in trials:
        for name in baselines["families"]:
            _set(evidence, trial, "families", name, "ap", value=families if trial == "shapes" else 0.9)
    for trial in ("simulated labels", "label-free"):
        _set(evidence, trial, "attention", "false alarms at 1%, welch_hann", value=alarms)
        _set(evidence, trial, "in_band", "after", value=in_band * baselines["fit in-band"])
        for found in trials[trial].values():
            found["in_band"].pop("after_left_out", None)
    sweep = copy.deepcopy(SWEEP)
    for point, row in sweep["metrics"]["full table"].items():
        row["ap"] |= {"iqm": 0.9, "low": 0.89, "high": 0.91}
        if point.startswith("mean"):
            row["ap"] = {"iqm": ap, "low": ap, "high": ap, "n": 2}
    return readme.setbacks(evidence, sweep)


def test_setbacks_turn_with_the_numbers(evidence):
    """Planted bug: the list of setbacks as fixed text."""
    poor = _judged(evidence, families=0.1, alarms=0.5, in_band=3.0, ap=0.05)
    starts = ("The penalties `mean`", "Trained on shapes", "Noise of a kind", "Thresholds", "In noisy bins")
    assert [
        line.removeprefix("- ") for line in poor.splitlines() if not line.startswith(tuple(f"- {s}" for s in starts))
    ] == []
    assert len(poor.splitlines()) == len(starts)
    assert _judged(evidence, families=0.99, alarms=0.01, in_band=1.0, ap=0.9) == "- Nothing that the records show."


def test_notebooks_are_listed_where_they_exist():
    text = readme.notebook_rows()
    listed = re.findall(r"\((notebooks/[^)]+)\)", text)
    assert listed == [f"notebooks/{path.name}" for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    seconds = committed_result("03_full_attention_regularizer")["wall_seconds"]
    assert f"| {seconds / 60:.1f} min |" in next(line for line in text.splitlines() if "[03_" in line)
    total = sum(committed_result(name)["wall_seconds"] for name in readme.OF_RUN)
    assert f"took {total / 60:.1f} minutes" in text
