"""The notebooks' answers say what their published records say, in words that turn with the numbers."""

import copy

import pytest

from evidence.claims import claims
from evidence.pages import answers, evidence_answers
from evidence.pages.answers import ANSWERS, published_answer
from nblib.project.paths import NOTEBOOKS
from nblib.project.records import committed_result


def _text(notebook, change=lambda metrics: None):
    metrics = copy.deepcopy(committed_result(notebook)["metrics"])
    change(metrics)
    return " ".join(ANSWERS[notebook](metrics))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_answer_names_its_record(name):
    assert (NOTEBOOKS / f"{name}.ipynb").exists()
    text = published_answer(name)
    assert f"commit {committed_result(name)['commit']}" in text
    assert "nan" not in text.lower().split() and "None" not in text


def test_a_notebook_without_an_answer_is_refused():
    with pytest.raises(ValueError, match="no answer is written for '09_more'; known: 00_data"):
        published_answer("09_more")


def test_the_baseline_knows_as_much_as_its_numbers_say():
    """Planted bug: "knows nothing of the noise" as fixed text."""
    name = "01_baseline_mask_prediction"
    poor = _text(name, lambda m: m["cls"]["attention"].update(ap=0.03, prevalence=0.03))
    assert "knows nothing of the noise in the CLS readout: AP 0.030" in poor
    good = _text(name, lambda m: m["cls"]["attention"].update(ap=0.9))
    assert "knows something of the noise in the CLS readout: AP 0.900" in good


def test_the_share_of_smoothing_is_that_of_the_control():
    """Planted bug: "most of that is smoothing" as fixed text."""

    def fall(metrics):
        metrics["cls"]["in_band"].update(before=0.6, after=0.1)
        metrics["cls"]["no_line"].update(before=0.3, after=0.2)

    assert "Of that fall 20% is smoothing" in _text("01_baseline_mask_prediction", fall)


def test_the_simple_penalty_detects_where_its_numbers_say_so():
    name = "02_simple_regularizer"
    assert "makes a detector" in _text(name, lambda m: m["test"]["chosen"]["attention"].update(ap=0.8))
    assert "does not make a detector" in _text(name, lambda m: m["test"]["chosen"]["attention"].update(ap=0.2))
    assert "no lambda restores" in _text(name, lambda m: m.update(chosen=0.0))


def test_penalties_that_detect_are_named():
    """Planted bug: `uniform_clean` typed into the sentence."""

    def other(metrics):
        for point, row in metrics["short"].items():
            row["attention"]["ap"] = 0.9 if point.startswith("mean") else 0.1

    assert "In short runs `mean` makes CLS attention a detector (AP 0.90)" in _text(
        "03_full_attention_regularizer", other
    )


@pytest.mark.parametrize(
    ("auroc", "words"), [(0.2, "looks at the noise"), (0.5, "shows no preference"), (0.9, "looks away from it too")]
)
def test_where_the_first_layer_looks_turns_with_the_numbers(auroc, words):
    change = lambda metrics: metrics["simulated labels layer 0"].update(auroc=auroc)  # noqa: E731
    assert f"the first one {words}" in _text("04_attention_heatmaps", change)


def test_the_full_runs_decide_between_lambdas():
    """Planted bugs: the largest lambda named first, whatever it reached; a penalty that does not detect among those."""

    def full(metrics):
        rows = {"mass 10": 0.31, "uniform_clean 10": 0.97, "mean 1": 0.2, "uniform_clean 100": 0.95}
        metrics["full table"] = {
            name: {"ap": {"iqm": ap, "n": 1}, "masked": {"iqm": 0.02, "n": 1}} for name, ap in rows.items()
        }

    text = _text("05_lambda_sweep", full)
    assert "(one seed, validation spectra): `uniform_clean 10`: AP 0.970, masked 0.0200 ln and `uniform_clean" in text
    assert "`mass 10` and `mean 1` stay at 0.31 or below." in text


def test_an_older_record_is_called_so(monkeypatch):
    """Planted bug: a notebook that asks for more stopped, so that its record could not be renewed."""
    record = committed_result("04_attention_heatmaps") | {"metrics": {}}
    monkeypatch.setattr(answers, "committed_result", lambda *_: record)
    assert "is of an earlier form of this notebook and lacks 'simulated labels" in published_answer(record["notebook"])


def test_missed_aims_are_counted():
    """Planted bug: controls counted as aims."""
    metrics = committed_result("06_benchmark")["metrics"]
    asked = [row for row in claims(metrics) if row["met"] is not None]
    met = sum(row["met"] for row in asked)
    assert f"{met} of {len(asked)} aims are met." in _text("06_benchmark")
    assert evidence_answers.REFIT in metrics["baselines"]["methods"]
