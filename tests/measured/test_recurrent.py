"""Lines that recur in the spectra of one set-up: found on their average, and nothing that one spectrum alone has."""

import json

import numpy as np
import pytest

import nblib
from nblib.__main__ import main
from nblib.measured import recurrent
from nblib.measured.common_grid import Bins, averaged_into, common_bins
from nblib.measured.detector import NoiseDetector
from nblib.measured.recurrent import OverBackground, Stack, clipped, recurrent_lines

FREQS = np.arange(1.0, 401.0)
WEAK = (90.0, 211.0, 333.0)
DETECTOR = NoiseDetector()


def over(seed, n_spectra=8, height=0.9, only=None, freqs=FREQS, n_segments=16.0):
    """Spectra over their true backgrounds, with lines in all; only : first bin, bins, excess in the first spectrum."""
    rng, spectra = np.random.default_rng(seed), []
    for number in range(n_spectra):
        excess = height * np.isin(freqs, WEAK)
        if only is not None and number == 0:
            excess[only[0] : only[0] + only[1]] = only[2]
        ratio = (1 + excess) * rng.gamma(n_segments, 1 / n_segments, len(freqs))
        spectra.append(OverBackground(freqs, ratio, np.full(len(freqs), n_segments)))
    return spectra


def ranges(spectra, **options):
    flags = recurrent_lines(spectra, DETECTOR, 0.01, **options).detection.flags
    return [(flag.fmin, flag.fmax) for flag in flags]


def test_lines_too_weak_for_each_spectrum_are_flagged_on_the_average():
    """Planted bugs: K of one spectrum for the average; thresholds of single spectra for sharp lines."""
    spectra = over(3, height=0.8)
    assert not DETECTOR.detect(FREQS, spectra[0].ratio, 16).flags
    recurrent = recurrent_lines(spectra, DETECTOR, 0.01)
    assert [(flag.fmin, flag.fmax) for flag in recurrent.detection.flags] == [(line, line) for line in WEAK]
    assert recurrent.averaged == (8, 8, 8) and recurrent.alone == (0, 0, 0)
    assert all(flag.cause.startswith("recurrent, average of 8 spectra: ") for flag in recurrent.detection.flags)
    assert recurrent.measured.n_segments == pytest.approx(8 * 16, rel=0.02) and recurrent.detection.n_segments > 64


@pytest.mark.parametrize("n_spectra", [2, 3, 8])
@pytest.mark.parametrize("only", [(250, 1, 1e6), (250, 12, 20.0)])
def test_what_one_spectrum_alone_has_is_not_recurrent(n_spectra, only, monkeypatch):
    """Planted bug: the spectrum that contributes most is not left out."""
    spectra = over(2, n_spectra, 0.0, only)
    assert not ranges(spectra) and not ranges(spectra, clip=np.inf)
    monkeypatch.setattr(recurrent, "_still_there", lambda stack, detection, detector: detection)
    assert ranges(spectra, clip=np.inf)


def test_a_strong_line_of_one_spectrum_does_not_hide_what_recurs_beside_it():
    assert ranges(over(3, only=(100, 1, 1e6)))[0] == (90.0, 90.0)


def test_line_free_spectra_have_nothing_in_common():
    """Planted bug: every threshold of the average halved."""
    assert not any(ranges(over(seed, 6, 0.0)) for seed in range(10, 18))


@pytest.mark.parametrize("n_segments", [1.0, 16.0])
@pytest.mark.parametrize("clip", [1.0, 6.0, np.inf])
def test_a_clipped_ratio_has_the_mean_one_and_the_variance_that_is_stated(n_segments, clip):
    """Planted bugs: not divided by its mean; the variance 1/K whatever is cut."""
    ratio = np.random.default_rng(0).gamma(n_segments, 1 / n_segments, 200_000)
    values, variance = clipped(ratio, np.full(len(ratio), n_segments), clip)
    assert values.mean() == pytest.approx(1.0, abs=0.01)
    assert values.var() == pytest.approx(np.broadcast_to(variance, values.shape)[0], rel=0.03)


def test_the_average_is_worth_the_sum_of_averages_and_its_variance_says_so():
    means = []
    for seed in range(20):
        spectra = over(seed, 3, 0.0, n_segments=8.0) + over(100 + seed, 2, 0.0, n_segments=40.0)
        mean, segments = Stack(spectra).average()
        means.append(mean)
    assert np.median(segments) == pytest.approx(3 * 8 + 2 * 40, rel=0.02)
    assert np.var(means) * np.median(segments) == pytest.approx(1.0, rel=0.05)


# ---- several grids ----


def test_powers_are_averaged_into_the_coarsest_bins_there_are():
    """Planted bugs: the first grid taken; K of a mean of two bins left at K; a half-empty end counted."""
    fine, coarse = np.arange(0.5, 300.1, 0.5), np.arange(1.0, 201.0)
    bins = common_bins([fine, coarse])
    assert bins.width[bins.centre < 199] == pytest.approx(1.0) and bins.width[bins.centre > 202] == pytest.approx(0.5)
    assert (np.diff(bins.centre) > 0).all() and (bins.low[1:] - bins.high[:-1] > -1e-9).all()
    mean, segments = averaged_into(bins, fine, fine**2, np.full(len(fine), 5.0))
    inside = (bins.centre > 2) & (bins.centre < 199)
    expected = (0.25 * (bins.centre - 0.5) ** 2 + 0.5 * bins.centre**2 + 0.25 * (bins.centre + 0.5) ** 2)[inside]
    assert mean[inside] == pytest.approx(expected)
    assert segments[inside] == pytest.approx(5 / (0.25**2 + 0.5**2 + 0.25**2))
    mean, segments = averaged_into(bins, coarse, np.ones(200), np.full(200, 5.0))
    assert np.isnan(mean[bins.centre > 201]).all() and not segments[bins.centre > 201].any()


def test_one_grid_is_kept_as_it_is():
    assert (common_bins([FREQS, FREQS * (1 + 1e-9)]).centre == FREQS).all()
    mean, segments = averaged_into(Bins.of(FREQS), FREQS, FREQS, np.full(400, 7.0))
    assert mean == pytest.approx(FREQS) and segments == pytest.approx(7.0)


def test_lines_that_recur_on_several_grids_are_flagged():
    half = np.arange(0.5, 300.1, 0.5)
    spectra = over(4, 4, 1.2) + over(5, 4, 2.4, freqs=half)
    recurrent = recurrent_lines(spectra, DETECTOR, 0.01)
    assert [round(flag.centre) for flag in recurrent.detection.flags] == [90, 211, 333]
    assert recurrent.averaged == (8, 8, 4)  # the finer ones end at 300 Hz
    assert "several grids" in recurrent.measured.warnings[0]


def test_spectra_with_nothing_in_common_are_refused():
    apart = over(6, 1) + over(7, 1, freqs=FREQS + 1000)
    with pytest.raises(ValueError, match="together=True needs 30 bins that two spectra have in common; 0 are"):
        recurrent_lines(apart, DETECTOR, 0.01)


# ---- doors ----


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, one in enumerate(over(8, 5, 1.2, only=(250, 1, 1e3))):
        psd = 2.0**number * 1e-14 / FREQS * one.ratio
        rows = "\n".join(f"{freq:g},{value:.6g}" for freq, value in zip(FREQS, psd, strict=True))
        (tmp_path / f"run{number}.csv").write_text(f"frequency [Hz],psd [V^2/Hz]\n{rows}\n")
    (tmp_path / "lines.csv").write_text("211,pump\n")
    return tmp_path


def test_the_joint_table_and_page_name_what_recurs_and_how_many_spectra_it_rests_on(folder, capsys):
    """Planted bugs: recurrent flags left out of the table; the table of known lines read as a spectrum."""
    options = ["--together", "--known", "lines.csv", "--segments", "16", "--no-figures"]
    assert main(["detect", ".", *options]) == 0
    capsys.readouterr()
    rows = (folder / "nblib-results/all.flags.csv").read_text().splitlines()
    named = [row.split(",")[1] for row in rows if row.startswith("5 spectra together,")]
    assert named == ["90", "211", "333"] and "recurrent, average of 5 spectra: pump (known, 211 Hz)" in rows[2]
    page = (folder / "nblib-results/all.html").read_text()
    assert "Recurrent in the average of all spectra" in page and page.count("recurrent, average of 5 spectra") == 3
    analysis = nblib.analyse(folder, together=True, known=folder / "lines.csv", n_segments=16)
    assert [flag.fmin for flag in analysis.recurrent.detection.flags] == [90.0, 211.0, 333.0]
    assert main(["detect", ".", *options[:-1], "--json"]) == 0
    documents = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in documents][-1] == "5 spectra together" and len(documents[-1]["flags"]) == 3


def test_one_spectrum_is_not_together_with_itself(folder, capsys):
    assert main(["detect", "run1.csv", "--together", "--no-figures"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "refused: --together needs two spectra or more of one set-up; 1 was read"
    )
    assert (folder / "nblib-results/run1.flags.csv").is_file()
    with pytest.raises(ValueError, match="together=True needs two spectra"):
        nblib.analyse("run1.csv", together=True)
