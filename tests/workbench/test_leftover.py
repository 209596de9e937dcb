"""What the flags missed: harmonics of combs that were found, and bins that are probably contaminated."""

import numpy as np
import pytest

from nblib import NoiseDetector
from nblib.measured.flags import Flag
from nblib.workbench.dropped import combs_of, kept_bins
from nblib.workbench.fit import fit_spectrum, refitted
from nblib.workbench.leftover import clean_probability, information_share

FREQS = np.arange(1.0, 2001.0)


def _scattered(excess=0.0, share=0.0, n_segments=30, seed=0):
    """x/S of bins, a share of them contaminated; which."""
    rng = np.random.default_rng(seed)
    dirty = rng.random(4000) < share
    return rng.gamma(n_segments, 1 / n_segments, 4000) * np.where(dirty, 1 + excess, 1.0), dirty


def test_clean_bins_all_count():
    """Planted bug: the share kept at its start of 5 %, whatever the likelihood says."""
    ratio, _ = _scattered()
    assert (clean_probability(ratio, np.full(4000, 30.0), np.ones(4000, bool)) == 1).all()


def test_a_contaminated_share_is_weighed_out_of_the_mean():
    """A tenth of the bins hold 0.8 x. Planted bugs: odds inverted; the prior share of the start used throughout."""
    ratio, dirty = _scattered(0.8, 0.1)
    used, segments = np.ones(4000, bool), np.full(4000, 30.0)
    clean = clean_probability(ratio, segments, used)
    assert ratio.mean() > 1.07
    assert np.average(ratio, weights=clean) == pytest.approx(1.0, abs=4 / np.sqrt(30 * 4000))
    assert clean[dirty].mean() < 0.3 and clean[~dirty].mean() > 0.95
    told = information_share(clean, ratio, segments)
    assert told.mean() < clean.mean()  # not knowing which bins are contaminated costs information


def test_bins_beside_dropped_ones_have_a_share_of_their_own():
    """Planted bug: one share for the spectrum, a tenth of what it is beside the dropped bins."""
    ratio, _ = _scattered()
    used = np.ones(4000, bool)
    used[::20] = False
    beside = np.roll(~used, 1) & used
    ratio[beside] *= 1.6
    clean = clean_probability(ratio, np.full(4000, 30.0), used)
    assert clean[beside].mean() < 0.5
    assert clean[~beside].mean() > 0.9


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
