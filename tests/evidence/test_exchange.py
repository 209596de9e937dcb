"""The locked tests leave as files and come back as scores: the same figures as inside, and plain refusals."""

import pickle

import numpy as np
import pytest

from evidence import exchange
from evidence.__main__ import main
from evidence.test_sets import measured, noisy_cells
from nblib.assessment import held_out
from nblib.cells import cell_labels, cell_scores
from nblib.project.profiles import get_profile
from nblib.scoring.metrics import bootstrap_interval, detection
from nblib.training.config import TrainConfig

N = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange") / "tests"
    exchange.export_tests(folder, ("single_line",), N)
    return folder


@pytest.fixture(scope="module")
def data():
    return held_out(TrainConfig(**get_profile("quick").training), "single_line", N)


def _save(tmp_path, **scores):
    path = tmp_path / "scores.npz"
    np.savez(path, **scores)
    return path


def test_spectra_leave_without_their_truth(folder, data):
    """Planted bug: the noisy bins stored beside the spectra."""
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        *("README.md", "spectra/line_free.npz", "spectra/single_line.npz", "truth/single_line.npz")
    ]
    with np.load(folder / "spectra" / "single_line.npz") as archive:
        assert set(archive.files) == {"freqs", "psd", "n_segments"}
        np.testing.assert_allclose(np.log(archive["psd"]), measured(data)[0], rtol=1e-6)
        assert archive["psd"].dtype == np.float64
        assert archive["freqs"][[0, -1]].tolist() == [1.0, 3000.0]
    with np.load(folder / "spectra" / "line_free.npz") as archive:
        free = archive["psd"]
    with np.load(folder / "truth" / "single_line.npz") as archive:
        noisy = archive["noisy"]
    np.testing.assert_array_equal(noisy, measured(data)[2])
    assert noisy.any()
    assert free.shape == noisy.shape


def test_scores_come_back_as_they_are_judged_inside(folder, data, tmp_path):
    """Planted bug: the truth of another split."""
    log_psd = measured(data)[0]
    scores = cell_scores(log_psd - np.median(log_psd, axis=1, keepdims=True))
    judged = exchange.score_file(_save(tmp_path, single_line=scores), folder)["single_line"]
    truth = noisy_cells(data)
    assert {key: judged[key] for key in ("ap", "auroc", "top1")} == pytest.approx(
        {key: detection(scores, truth, 3000)[key] for key in ("ap", "auroc", "top1")}
    )
    assert judged["ap_interval"] == bootstrap_interval(scores, truth)
    low, high = judged["top1_interval"]
    assert 0 <= low <= judged["top1"] <= high <= 1
    assert f"AP {judged['ap']:.3f} [" in exchange.format_scores({"single_line": judged})


def test_perfect_scores_are_perfect_and_their_opposite_is_not(folder, tmp_path):
    with np.load(folder / "truth" / "single_line.npz") as archive:
        truth = cell_labels(archive["noisy"])
    perfect = exchange.score_file(_save(tmp_path, single_line=truth), folder)["single_line"]
    assert (perfect["ap"], perfect["top1"]) == (1.0, 1.0)
    assert perfect["top1_interval"][0] < 1  # twelve spectra do not prove a certainty
    assert exchange.score_file(_save(tmp_path, single_line=~truth), folder)["single_line"]["ap"] < 0.1


def test_without_a_folder_the_tests_are_drawn_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "N_SPECTRA", N)
    path = _save(tmp_path, single_line=np.random.default_rng(0).random((N, 150)))
    assert exchange.score_file(path) == exchange.score_file(path, folder)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"thunder": np.zeros((N, 150))}, "'thunder', which is not a test; known: single_line"),
        ({"single_line": np.zeros((N, 3000))}, r"shape \(12, 3000\) instead of \(12, 150\)"),
        ({"single_line": np.full((N, 150), np.nan)}, "1800 scores are not finite"),
        ({"single_line": np.zeros((N, 150), complex)}, "complex128 is not a real number"),
        ({"single_line": np.full((N, 150), "high")}, "is not a real number"),
        ({"single_line": np.full((N, 150), None)}, "cannot be read as .npz"),
        ({"vibration": np.zeros((N, 150))}, "no truth of 'vibration'"),
        ({}, "holds no scores"),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(folder, tmp_path, scores, message):
    with pytest.raises(ValueError, match=message):
        exchange.score_file(_save(tmp_path, **scores), folder)


def test_files_that_are_no_archive_are_refused_and_execute_nothing(folder, tmp_path):
    text, single, pickled = (tmp_path / name for name in ("a.npz", "b.npy", "c.npz"))
    text.write_text("no archive", encoding="utf-8")
    np.save(single, np.zeros(3))
    pickled.write_bytes(pickle.dumps({"single_line": [0.0]}))
    for path in (text, single, pickled, tmp_path):
        with pytest.raises(ValueError, match=r"cannot be read as \.npz"):
            exchange.score_file(path, folder)
    with pytest.raises(ValueError, match="is not there"):
        exchange.score_file(tmp_path / "nothing.npz", folder)


def test_nothing_is_overwritten(folder):
    with pytest.raises(ValueError, match="not an empty folder"):
        exchange.export_tests(folder, ("single_line",), N)
    with pytest.raises(ValueError, match="unknown test 'thunder'"):
        exchange.export_tests(folder / "new", ("thunder",), N)
    assert not (folder / "new").exists()


def test_the_command_line_exports_and_judges(tmp_path, capsys, monkeypatch):
    """Planted bug: --scores without --tests exported the tests once more."""
    export = exchange.export_tests
    monkeypatch.setattr(exchange, "export_tests", lambda folder: export(folder, ("single_line",), 12))
    folder = tmp_path / "tests"
    assert main(["tests", str(folder)]) == 0
    assert "README.md" in capsys.readouterr().out
    with np.load(folder / "truth" / "single_line.npz") as truth:
        cells = cell_labels(truth["noisy"])
    np.savez(tmp_path / "scores.npz", single_line=cells.astype(float))
    assert main(["scores", str(tmp_path / "scores.npz"), "--tests", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("single_line: AP 1.000")
    assert main(["scores", str(tmp_path / "none.npz"), "--tests", str(folder)]) == 2
    assert "is not there" in capsys.readouterr().err
    assert main(["tests", str(folder)]) == 2  # it holds something
