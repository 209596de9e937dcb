"""A user's spectrum: what is flagged, where, and the background beside it."""

import numpy as np
import pytest

from nblib.measured.detector import NoiseDetector

FREQS = np.arange(1.0, 1001.0)


def _spectrum(seed=0, freqs=FREQS, n_segments=16):
    return np.random.default_rng(seed).gamma(n_segments, 1 / n_segments, len(freqs)) / freqs


def _mains(psd, decibels, at=49):
    leakage = np.zeros(len(psd))
    leakage[at - 1 : at + 2] = np.array([0.25, 1.0, 0.25]) * 10 ** (decibels / 10) / FREQS[at]
    return psd + leakage


@pytest.mark.parametrize("n_segments", [16, None])
@pytest.mark.parametrize("decibels", [20, 40, 60])
def test_mains_is_flagged_alone_and_the_background_beside_it_is_right(decibels, n_segments):
    detection = NoiseDetector().detect(FREQS, _mains(_spectrum(), decibels), n_segments)
    assert [(flag.fmin <= 50 <= flag.fmax, flag.fmax - flag.fmin <= 6, flag.kind) for flag in detection.flags] == [
        (True, True, "line")
    ]
    assert detection.flags[0].excess_db == pytest.approx(decibels, abs=1.5)
    plain = NoiseDetector().detect(FREQS, _spectrum(), n_segments).background
    assert np.abs(detection.background - plain)[39:60].max() < 0.1


@pytest.mark.parametrize("factor", [1e-40, 1e40])
def test_flags_do_not_know_the_unit(factor):
    psd = _mains(_spectrum(1), 25)
    plain, scaled, squared = (
        NoiseDetector().detect(FREQS, values) for values in (psd, psd * factor, np.sqrt(psd) ** 2)
    )
    ranges = [[(flag.fmin, flag.fmax) for flag in detection.flags] for detection in (plain, scaled, squared)]
    assert ranges[0] == ranges[1] == ranges[2] and len(ranges[0]) == 1


def test_a_hump_is_one_flag_of_about_its_width():
    hump = 2.0 * np.exp(-0.5 * ((FREQS - 600) / 20) ** 2)
    (flag,) = NoiseDetector().detect(FREQS, _spectrum(2, n_segments=64) * (1 + hump), 64).flags
    assert flag.kind == "hump"
    assert 540 <= flag.fmin <= 575 and 625 <= flag.fmax <= 660  # r > 0.25 within 41 bins of the centre


def _smooth():
    u = FREQS / 200
    return {
        "knee": 1 / (1 + u**2) + 1e-3,
        "wall": (FREQS / 6) ** -7.0 + 1,
        "roll-off": (1 / FREQS + 0.01) / (1 + (FREQS / 500) ** 8),
    }


@pytest.mark.parametrize("shape", ["knee", "wall", "roll-off"])
@pytest.mark.parametrize("n_segments", [16, None])
def test_smooth_backgrounds_are_not_flagged(shape, n_segments):
    psd = _spectrum(5) * FREQS * _smooth()[shape]
    assert not NoiseDetector().detect(FREQS, psd, n_segments).flags


def test_a_wall_that_the_first_bins_alone_show_is_no_line_and_one_bin_further_in_is():
    freqs = FREQS + 1
    psd = _spectrum(9, n_segments=100) * FREQS * ((freqs / 5) ** -8.0 + 1)
    assert not NoiseDetector().detect(freqs, psd, 100).flags
    psd[9] *= 40
    (flag,) = NoiseDetector().detect(freqs, psd, 100).flags
    assert flag.fmin <= freqs[9] <= flag.fmax


def test_beside_a_notch_of_the_device_nothing_is_flagged():
    notch = np.exp(-3.0 * np.exp(-0.5 * ((FREQS - 500) / 6) ** 2))
    psd = _spectrum(10, n_segments=100) * FREQS * notch
    assert not NoiseDetector().detect(FREQS, psd, 100).flags
    (flag,) = NoiseDetector().detect(FREQS, _mains(psd / FREQS, 30, at=520), 100).flags
    assert 519 <= flag.fmin <= 521 <= flag.fmax <= 523


def test_a_curve_without_noise_written_with_three_digits_is_not_flagged():
    psd = np.array([float(f"{x:.2e}") for x in _smooth()["knee"]])
    assert not NoiseDetector().detect(FREQS, psd).flags


def test_bins_cut_out_of_a_steep_slope_are_missing_not_flagged():
    psd = _spectrum(6) / FREQS**3
    psd[[20, 21, 22, 49, 50, 99, 100]] = np.nan
    detection = NoiseDetector().detect(FREQS, psd, 16)
    assert np.isnan(detection.scores[[20, 21, 22, 49, 50, 99, 100]]).all() and not detection.flags
    assert np.isfinite(detection.background).all()


def test_a_gap_in_every_20_bins_changes_no_flag():
    psd = _mains(_spectrum(7), 20, at=55)
    psd[9::20] = np.nan
    (flag,) = NoiseDetector().detect(FREQS, psd, 16).flags
    assert 55 <= flag.fmin <= 56 <= flag.fmax <= 57


def test_flags_survive_a_logarithmic_grid():
    edges = np.geomspace(1.0, 1000.0, 241)
    psd = _spectrum(8) * (1 + 6 * np.exp(-0.5 * ((FREQS - 300) / 12) ** 2))
    group = np.digitize(FREQS, edges)
    coarse = [(FREQS[group == k].mean(), psd[group == k].mean()) for k in np.unique(group)]
    (flag,) = NoiseDetector().detect(*np.array(coarse).T).flags
    overlap = min(flag.fmax, 330) - max(flag.fmin, 270)
    assert overlap / (max(flag.fmax, 330) - min(flag.fmin, 270)) >= 0.5


def test_a_table_gives_a_list_and_frames_carry_the_flags(tmp_path):
    one, two = NoiseDetector().detect_many(FREQS, np.stack([_mains(_spectrum(), 30), _spectrum(1)]), 16)
    assert one.flags and not two.flags
    frame = one.to_frame()
    assert list(frame.columns[:3]) == ["fmin", "fmax", "cause"] and frame.fmin[0] == one.flags[0].fmin
    assert list(two.to_frame().columns) == list(frame.columns)
    assert one.to_csv(tmp_path / "flags.csv").read_text(encoding="utf-8").startswith("fmin,fmax,cause")
    assert one.flagged.sum() > 0 and one.scores.argmax() == 49
    assert one.plot().get_xlabel() == "Frequency [Hz]"


@pytest.mark.parametrize(
    ("freqs", "psd", "settings", "message"),
    [
        (FREQS[::-1], np.ones(1000), {}, "increasing"),
        (FREQS, -np.ones(1000), {}, "1000 values of psd are negative"),
        (FREQS, np.ones(999), {}, r"psd \(999,\)"),
        (FREQS, np.ones(1000) * 1j, {}, "complex"),
        (FREQS, np.ones(1000), {"n_segments": 0}, "n_segments=0"),
        (FREQS, np.ones(1000), {"false_alarm": 0.7}, "false_alarm=0.7"),
        (FREQS[:12], np.ones(12), {}, "at least 30"),
        (FREQS, np.ones((2, 1000)), {}, "the table to detect_many"),
        (FREQS, np.full(1000, np.nan), {}, "psd has no measured bin: all 1000 values are NaN, infinite or 0"),
        (FREQS, np.ones(1000), {"n_segments": [8, 4]}, r"numbers of shape \(1000,\)"),
    ],
)
def test_bad_input_is_named(freqs, psd, settings, message):
    with pytest.raises(ValueError, match=message):
        NoiseDetector().detect(freqs, psd, **settings)


def test_lists_are_taken_as_arrays_are():
    """Planted bug: `.ndim` asked of what was given."""
    psd = _mains(_spectrum(), 30)
    assert (
        NoiseDetector().detect(FREQS.tolist(), psd.tolist(), 16).flags == NoiseDetector().detect(FREQS, psd, 16).flags
    )


@pytest.mark.parametrize("given", [[16, 8], [[16], [8]], [[16] * 1000, [8] * 1000]])
def test_each_spectrum_of_a_table_has_its_own_number_of_averages(given):
    """Planted bug: the first spectrum's K used for all."""
    table = np.stack([_mains(_spectrum(n_segments=K), 12) for K in (16, 8)])
    detections = NoiseDetector().detect_many(FREQS, table.tolist(), given)
    alone = [NoiseDetector().detect(FREQS, psd, K) for psd, K in zip(table, (16, 8), strict=True)]
    for one, other in zip(detections, alone, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.flags == other.flags and one.n_segments == other.n_segments


def test_numbers_of_averages_one_a_bin_hold_for_every_spectrum_of_a_table():
    """Planted bug: (bin,) refused where it is not (n,)."""
    per_bin = np.where(FREQS < 500, 16.0, 32.0)
    (detection,) = NoiseDetector().detect_many(FREQS, _spectrum()[None], per_bin)
    np.testing.assert_array_equal(detection.scores, NoiseDetector().detect(FREQS, _spectrum(), per_bin).scores)


@pytest.mark.parametrize(
    ("psd", "n_segments", "message"),
    [
        (np.ones(40), None, r"psd_table has shape \(40,\); give \(n, bin\), or one spectrum to detect"),
        (np.ones((40, 40)), np.full(40, 8), "40 of both; give shape"),
        (np.ones((3, 40)), [8, 8], r"numbers of shape \(3,\) or \(40,\) or \(3, 1\) or \(3, 40\)"),
        (np.stack([_spectrum(2)[:40], np.full(40, np.nan)]), None, r"psd_table\[1\] has no measured bin"),
    ],
)
def test_bad_tables_are_named(psd, n_segments, message):
    """Planted bugs: "use a finer frequency resolution" where nothing was measured; a square table's K guessed."""
    with pytest.raises(ValueError, match=message):
        NoiseDetector().detect_many(FREQS[:40], psd, n_segments)


def test_a_masked_bin_is_missing():
    """Planted bug: the mask of a masked array dropped, the hidden values taken for measured."""
    psd = _mains(_spectrum(), 40)
    hidden = np.abs(FREQS - 50) < 4
    detection = NoiseDetector().detect(FREQS, np.ma.masked_array(psd, hidden), 16)
    assert not detection.flags and np.isnan(detection.psd[hidden]).all()


def test_attention_looks_away_from_the_line_and_unknown_grids_do_without_it():
    detection = NoiseDetector().detect(FREQS, _mains(_spectrum(), 30, at=505), 16)
    assert detection.attention.shape == (100,) and np.isfinite(detection.attention).all()
    assert detection.attention[50] < 0.5 * np.median(detection.attention)
    assert not detection.warnings
    (few,) = [NoiseDetector().detect(FREQS[:120], _spectrum()[:120], 16)]
    assert np.isnan(few.attention).all() and few.attention.shape == (12,)
    assert any("without the network" in text and "300 to 10000 bins" in text for text in few.warnings)
    assert not NoiseDetector(network=False).detect(FREQS[:120], _spectrum()[:120], 16).warnings


LONG = np.arange(1.0, 1001.0)


def _background(first=1):
    freqs = first - 1 + LONG
    return freqs, 0.02 * freqs[-1] / freqs + 1


def _gamma(seed, n_segments=100, n_bins=1000):
    return np.random.default_rng(seed).gamma(n_segments, 1 / n_segments, n_bins)


@pytest.mark.parametrize("skirt", [0.0, 0.25])  # of a tone in a Hann spectrum: a quarter in the bins beside it
@pytest.mark.parametrize(("first", "bins"), [(1, (997, 998, 999)), (20, (0, 1, 2, 997, 998, 999))])
def test_a_line_at_an_end_of_the_axis_is_found(first, bins, skirt):
    """Planted bug: a line on the last bin taken for a wall, as its excess goes on to the end."""
    freqs, background = _background(first)
    for bin_ in bins:
        flagged = []
        for seed in range(20):
            psd = background * _gamma([seed, bin_])
            near = np.arange(max(bin_ - 1, 0), min(bin_ + 2, 1000))
            psd[near] += 50 * background[near] * np.where(near == bin_, 1.0, skirt)
            flagged.append(NoiseDetector().detect(freqs, psd, 100).flagged[bin_])
        assert all(flagged), bin_


def test_where_the_axis_starts_at_one_bin_width_the_first_bin_is_noted_as_not_judged():
    """Planted bug: no note of a first bin that is 50 times the background."""
    freqs, background = _background()
    psd = background * _gamma(0)
    psd[0] += 50 * background[0]
    detection = NoiseDetector().detect(freqs, psd, 100)
    assert not detection.flagged[0]
    (note,) = detection.warnings
    assert note.startswith("the first bin, 1 Hz, stands") and "not judged" in note
    assert not NoiseDetector().detect(freqs, background * _gamma(0), 100).warnings


RISES = {
    "6 bins, linear": lambda bins: 1 + 7 * np.clip((bins - 993) / 6, 0, 1),
    "6 bins, in ln": lambda bins: 8 ** np.clip((bins - 993) / 6, 0, 1),
    "30 bins, linear": lambda bins: 1 + 7 * np.clip((bins - 969) / 30, 0, 1),
    "30 bins, in ln": lambda bins: 8 ** np.clip((bins - 969) / 30, 0, 1),
    "a wall": lambda bins: 1 + ((bins + 1) / 3) ** -6.0,
}


@pytest.mark.parametrize("n_segments", [100, None])
@pytest.mark.parametrize("shape", RISES)
def test_rises_at_an_end_and_walls_are_background(shape, n_segments):
    """Planted bug: a broad filter at the foot of a rise that does not see the rise it reaches into (6 of 20)."""
    freqs, background = _background()
    rise = background * RISES[shape](np.arange(1000))
    flagged = [bool(NoiseDetector().detect(freqs, rise * _gamma([seed, 77]), n_segments).flags) for seed in range(20)]
    assert sum(flagged) <= 1


def _hump(sigma, seed, height=2.0):
    """3,000 bins, K = 64: frequencies, PSD, background, external power over it."""
    freqs, rng = np.arange(1.0, 3001.0), np.random.default_rng([seed, sigma])
    background = 150 / freqs + 1
    ratio = height * np.exp(-0.5 * ((freqs - rng.uniform(900, 2300)) / sigma) ** 2)
    return freqs, background * (1 + ratio) * rng.gamma(64, 1 / 64, 3000), background, ratio


@pytest.mark.parametrize(("sigma", "least"), [(30, 10), (60, 10), (90, 7)])  # of 10 draws
def test_a_wide_hump_is_flagged_whole_and_the_background_goes_on_under_it(sigma, least):
    """Planted bug: the soft background under the hump; it climbs by 0.9 ln over one of 90 bins."""
    n_flagged = 0
    for seed in range(10):
        freqs, psd, background, ratio = _hump(sigma, seed)
        detection, noisy = NoiseDetector().detect(freqs, psd, 64, 0.05), ratio > 0.25
        if detection.flagged[noisy].any():
            n_flagged += 1
            assert (detection.flagged & noisy).sum() >= 0.85 * noisy.sum()
            assert np.abs(detection.background - np.log(background))[noisy].max() <= 0.1
            assert all(freqs[noisy][0] > flag.fmax or flag.fmax - flag.fmin > 8 for flag in detection.flags)
    assert n_flagged >= least


def test_a_line_on_a_wide_hump_is_not_widened_to_it():
    """Planted bug: every narrow flag grown over whatever rises under it, here a shallow resonance of the device."""
    freqs, psd, _, ratio = _hump(90, 3, 0.4)
    top = int(np.argmax(ratio))
    psd[top] *= 8
    (flag,) = NoiseDetector().detect(freqs, psd, 64).flags
    assert flag.kind == "line" and flag.fmin <= freqs[top] <= flag.fmax and flag.fmax - flag.fmin < 8


def test_structure_that_is_seen_but_not_flagged_is_noted():
    """Planted bug: a hump that 5 % flags, not mentioned at 1 %."""
    noted = 0
    for seed in range(10):
        freqs, psd, _, _ = _hump(90, seed)
        strict, loose = (NoiseDetector().detect(freqs, psd, 64, rate) for rate in (0.01, 0.05))
        notes = [text for text in strict.warnings if text.startswith("structure at")]
        unflagged = [flag for flag in loose.flags if flag.fmax - flag.fmin > 30 and not strict.flagged.any()]
        assert [
            f"structure at {flag.fmin:.6g}..{flag.fmax:.6g} Hz: flagged at 5%, not at 0.01" for flag in unflagged
        ] == [text for text in notes if "flagged at 5%" in text]
        noted += len(unflagged)
    assert noted >= 4


@pytest.mark.parametrize("n_segments", [50, 200])
def test_a_stated_number_of_averages_finds_no_fewer_lines(n_segments):
    """Planted bug: the thresholds of known K, which the wildest backgrounds set: 27 against 37 of 42 lines."""
    freqs, hits = np.arange(1.0, 3001.0), {n_segments: 0, None: 0}
    background = 150 / freqs + 1
    for seed in range(135):
        rng = np.random.default_rng([seed, n_segments])
        bins = rng.choice(np.arange(30, 2970), 2, replace=False)
        psd = background * rng.gamma(n_segments, 1 / n_segments, 3000)
        psd[bins] += 8 / np.sqrt(n_segments) * background[bins]
        for stated in hits:
            hits[stated] += int(NoiseDetector().detect(freqs, psd, stated).flagged[bins].sum())
    assert hits[n_segments] >= hits[None] - 6 >= 243  # of 270; the measured K is 2 % too large


@pytest.mark.parametrize(
    ("stated", "used", "notes"),
    [
        (10, 10, ["the spectrum scatters less than n_segments=10 says"]),
        (100, 100, []),
        (1000, 100, ["the spectrum scatters more than n_segments=1000 says"]),
    ],
)
def test_the_smaller_of_stated_and_measured_averages_counts_and_a_large_difference_is_noted(stated, used, notes):
    """Planted bugs: a stated K of 10 for 100 taken without a word; one of 1,000 believed."""
    freqs, background = _background()
    detection = NoiseDetector().detect(freqs, background * _gamma(0), stated)
    assert detection.n_segments == pytest.approx(used, rel=0.1)
    assert [text.split(",")[0] for text in detection.warnings] == notes


def test_of_bins_that_depend_on_each_other_the_note_names_the_averages_of_the_blocks():
    """Planted bug: the measured K of single bins, 100 and more, noted as the smaller one of a stated 10."""
    freqs, background = _background()
    smoothed = np.convolve(_gamma(0), np.ones(9) / 9, mode="same")
    notes = NoiseDetector().detect(freqs, background * smoothed, 10).warnings
    assert not [text for text in notes if "the smaller K was used" in text]
    (note,) = [text for text in notes if text.startswith("n_segments=10 is that of one bin")]
    assert float(note.split("K = ")[1].split(",")[0]) > 30
