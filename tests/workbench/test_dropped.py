"""What the flags missed: skirts of lines, harmonics of combs that were found, tails of humps."""

import numpy as np
import pytest

from nblib import NoiseDetector
from nblib.measured.flags import Flag
from nblib.workbench.averaging import averaged
from nblib.workbench.dropped import combs_of, kept_bins
from nblib.workbench.estimate import Problem
from nblib.workbench.fit import fit_spectrum, refitted

FREQS = np.arange(1.0, 2001.0)


def _hump(share=0.0, n_segments=30, seed=0):
    """A trap at 100 Hz on 1/f with a floor, a hump of a share of the background at its top, 700 Hz."""
    rng = np.random.default_rng(seed)
    background = 1e-12 / FREQS + 3e-14 / (1 + (FREQS / 100) ** 2) + 1e-16
    hump = share * np.exp(-0.5 * (np.log(FREQS / 700) / 0.12) ** 2)
    return background * (1 + hump) * rng.gamma(n_segments, 1 / n_segments, len(FREQS)), hump


def test_the_tails_of_a_hump_are_trimmed_and_clean_bins_are_not():
    """Planted bugs: windows of 8 bins at most, which see the top alone; windows trimmed wherever they lie high."""
    psd, hump = _hump(0.6)
    fit = fit_spectrum(FREQS, psd, 30)
    assert not fit.kept.used[hump > 0.2].any()
    assert fit.kept.used[np.abs(np.log(FREQS / 700)) > 0.8].mean() > 0.97
    assert fit.kept.corners[0].low < 100 < fit.kept.corners[0].high
    clean = fit_spectrum(FREQS, _hump()[0], 30)
    assert clean.kept.used.mean() > 0.97


def test_the_robust_fit_takes_a_hump_for_no_lorentzian():
    """Planted bug: Student's t below the model as well, so that bins that lie far below a Lorentzian hardly count."""
    z = np.linspace(-8, 8, 4001)
    cells = averaged(np.arange(4001) / 10, np.exp(z / 1e3), np.full(4001, 1e6), (), 0.0, np.zeros(4001))
    roots, slopes = Problem(cells, True, (0.5, 1.6), (0.0, 1.0)).roots(np.zeros(4001))
    pull = -roots * slopes / 1e3
    assert abs(np.trapezoid(pull * np.exp(-(z**2) / 2), z)) < 0.01  # normal scatter pulls the level neither way
    assert pull[-1] < 0.5 * pull.max() and pull[0] == pull.min()
    assert slopes == pytest.approx(np.gradient(roots, -z / 1e3), rel=0.01)


def test_bins_beside_a_flag_are_dropped():
    """Planted bug: a line's skirt kept, which no threshold sees."""
    psd, _ = _hump()
    psd[499] *= 300
    detection = NoiseDetector().detect(FREQS, psd, 30)
    kept = kept_bins(detection)
    assert detection.flagged[499] and not kept[498:501].any()
    assert kept[~detection.flagged].mean() > 0.99


def test_harmonics_of_a_comb_are_dropped_where_they_are_too_weak_to_be_flagged():
    """Planted bugs: the highest flagged harmonic is the last; a line alone taken for a comb."""
    flags = [
        Flag(n * 50.0 - 1, n * 50.0 + 1, n * 50.0, 30.0 / n, kind="line", uncertainty=0.1) for n in (1, 2, 3, 4, 5)
    ]
    ((spacing, highest),) = combs_of(flags, FREQS)
    assert spacing == pytest.approx(50, abs=0.05) and highest == 5
    assert combs_of(flags[:2], FREQS) == []
    rng = np.random.default_rng(0)
    psd = 1e-12 / FREQS + 1e-14
    for number, excess in enumerate((400, 100, 50, 30, 20, 0, 0.17), start=1):
        psd = psd * (1 + excess * np.exp(-0.5 * (FREQS - 50 * number) ** 2))
    detection = NoiseDetector().detect(FREQS, psd * rng.gamma(30, 1 / 30, 2000), 30)
    kept = kept_bins(detection)
    weak = FREQS == 350
    assert not detection.flagged[weak] and not kept[weak]
    assert not kept[detection.flagged].any()
    assert kept[(FREQS > 310) & (FREQS < 345)].all()


def test_a_detection_fits_itself_and_a_flag_can_be_switched_off():
    """Planted bugs: flags not handed on; K of the detection lost; all bins fitted again, or of the first fit's bins."""
    rng = np.random.default_rng(1)
    psd = (1e-12 / FREQS + 3e-14 / (1 + (FREQS / 100) ** 2) + 1e-16) * rng.gamma(30, 1 / 30, 2000)
    psd[299] *= 1000
    detection = NoiseDetector().detect(FREQS, psd, 30)
    fit = detection.fit(unit="A^2/Hz")
    assert not fit.keep[299] and fit.unit == "A^2/Hz"
    assert np.median(fit.n_segments) == 30
    (corner,) = fit.corners
    assert corner.low < 100 < corner.high
    same = fit_spectrum(FREQS, psd, 30, kept_bins(detection))
    assert same.corners[0].value == corner.value
    other = refitted(fit, fit.keep | (FREQS == 300))
    assert other.all_bins is fit.all_bins and other.keep[299]
    again = refitted(fit, fit.keep)
    assert again.corners[0].value == pytest.approx(corner.value, rel=1e-3)
    assert detection.fit(lorentzians=0).corners == []


@pytest.mark.parametrize("per_bin", [False, True])
def test_a_detection_is_fitted_with_the_k_that_was_stated(per_bin):
    """Planted bug: K measured anew where the spectrum scatters more than the stated K says; the command takes it."""
    freqs = np.arange(1.0, 401.0)
    background = 1e-12 / freqs + 3e-14 / (1 + (freqs / 100) ** 2) + 1e-16
    psd = background * np.random.default_rng(5).gamma(20, 1 / 20, len(freqs))
    stated = np.full(len(freqs), 60.0) if per_bin else 60.0
    detection = NoiseDetector().detect(freqs, psd, stated)
    assert detection.estimated and np.all(detection.stated_segments == 60)
    fixed = {"lorentzians": 1}
    own, given = detection.fit(**fixed), fit_spectrum(freqs, psd, stated, kept_bins(detection), **fixed)
    assert own.to_frame().equals(given.to_frame()) and own.warnings == given.warnings
    assert NoiseDetector().detect(freqs, psd).stated_segments is None
