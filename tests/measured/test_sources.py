import numpy as np
import pytest

from nblib.measured.flags import Flag
from nblib.measured.sources.combs import best_comb
from nblib.measured.sources.harmonics import Lines, folded
from nblib.measured.sources.known import KnownLine, read_known_lines
from nblib.measured.sources.lines import describe_range
from nblib.measured.sources.names import FALSE_RATE, hertz, hertz_range, likely_sources

GRIDS = [(0.1, 300), (0.1, 10_000), (0.5, 1000), (1.0, 300), (1.0, 3000), (2.0, 300), (2.0, 10_000)]  # bin [Hz], bins
MAINS_GRIDS = [(0.1, 3000), (0.5, 300), (0.5, 3000), (1.0, 300), (1.0, 3000), (2.0, 300), (2.0, 10_000)]


def flags_at(centres, resolution, uncertainty=0.15, strengths=None):
    strengths = np.ones(len(centres)) if strengths is None else strengths
    return [
        Flag(centre - resolution, centre + resolution, centre, strength, 1.0, "line", "", uncertainty * resolution)
        for centre, strength in zip(centres, strengths, strict=True)
    ]


def causes_at(centres, resolution=1.0, n_bins=3000, **options):
    return likely_sources(flags_at(centres, resolution), resolution, (resolution, resolution * n_bins), **options)


def spacings(causes):
    """Of the lines that are named as harmonics."""
    return [cause.spacing for cause in causes if cause.spacing is not None]


def visible_harmonics(rng, spacing, resolution, n_bins):
    """Three of the first ten harmonics that fit on the axis, centres off by 0.15 of a bin."""
    order = rng.choice(np.arange(1, min(10, int(resolution * n_bins / spacing)) + 1), 3, replace=False)
    return order * spacing + rng.normal(0, 0.15 * resolution, 3)


# ---- names ----


def test_odd_harmonics_of_mains_are_one_comb():
    causes = causes_at([50.03, 150.05, 249.9, 350.1])
    assert [cause.name for cause in causes] == [f"50 Hz mains, harmonic {number}" for number in (1, 3, 5, 7)]
    assert [cause.harmonic for cause in causes] == [1, 3, 5, 7]
    assert causes[0].chance < 0.001 and causes[0].spacing == pytest.approx(50.0, abs=0.05)


def test_a_comb_of_100_hz_is_mains_however_many_harmonics():
    for n_harmonics in (3, 25):
        causes = causes_at(100.0 * np.arange(1, n_harmonics + 1))
        assert {cause.source for cause in causes} == {"mains"}
        assert causes[-1].harmonic == 2 * n_harmonics


def test_mains_and_a_clock_are_both_found_beside_an_unrelated_line():
    clock, mains = 79.8 * np.arange(1, 5), [60.02, 180.05, 300.1]
    causes = causes_at([*clock, *mains, 1234.4])
    assert [cause.name for cause in causes[:4]] == [f"unknown clock, 79.80 Hz, harmonic {n}" for n in (1, 2, 3, 4)]
    assert [cause.name for cause in causes[4:7]] == [f"60 Hz mains, harmonic {number}" for number in (1, 3, 5)]
    assert causes[7].source == "line" and causes[7].name == "line at 1234.4 Hz"


def test_humps_and_steps_keep_their_names_and_their_place():
    flags = [
        Flag(1700, 2300, 2000, kind="hump"),
        *flags_at([50.0, 150.0, 250.0], 1.0),
        Flag(805, 830, 812, kind="step"),
    ]
    causes = likely_sources(flags, 1.0, (1, 3000))
    assert [cause.name for cause in causes][::4] == ["hump, 1.7..2.3 kHz", "step at 812 Hz"]
    assert [cause.source for cause in causes] == ["hump", "mains", "mains", "mains", "step"]


def test_a_line_alone_at_mains_is_named_where_chance_does_not_explain_it():
    assert causes_at([50.05])[0].name == "50 Hz mains, harmonic 1"
    assert causes_at([99.9])[0].name == "50 Hz mains, harmonic 2"
    assert causes_at([60.1, 333.3, 487.4, 1007.3])[0].name == "60 Hz mains, harmonic 1"
    many = causes_at([60.1, *np.linspace(7.3, 290.4, 12)], n_bins=300)  # 12 stronger or equal lines on 300 Hz
    assert many[-1].source == "line" and causes_at([333.3])[0].source == "line"


def test_a_weak_claim_is_only_a_hint():
    flags = flags_at([60.3, 22.7, 87.2, 211.4], 2.0, strengths=[1, 9, 8, 7])
    cause = likely_sources(flags, 2.0, (2, 600))[0]
    assert cause.source == "line" and "60 Hz mains" in cause.hint and cause.chance == 1.0


def test_frequencies_are_written_with_the_digits_that_are_known():
    assert (
        hertz(79.8123, 0.1) == "79.8 Hz" and hertz(79.8123, 0.005) == "79.812 Hz" and hertz(0.0123, 1e-4) == "12.3 mHz"
    )
    assert hertz_range(1700, 2300) == "1.7..2.3 kHz" and hertz_range(49, 52) == "49..52 Hz"
    assert hertz_range(2.1e6, 2.2e6) == "2.10..2.20 MHz"


# ---- aliases ----


def magnetometer(centres, sampling_rate=32.0):
    flags = flags_at(centres, 1 / 32)
    return likely_sources(flags, 1 / 32, (1 / 32, 16.0), sampling_rate=sampling_rate)


@pytest.mark.parametrize("mains", [59.95, 60.0, 60.05])
def test_an_alias_of_mains_is_named_where_the_sampling_rate_puts_it(mains):
    cause = magnetometer([64.0 - mains])[0]
    assert cause.name == "alias of 60 Hz mains (harmonic 1) at a sampling rate of 32 Hz"
    both = magnetometer([64.0 - mains, 7.31, 128.0 - 2 * mains])
    assert both[2].name == "alias of 60 Hz mains (harmonic 2) at a sampling rate of 32 Hz"
    assert both[1].source == "line"


def test_no_alias_without_a_rate_or_elsewhere_or_where_mains_is_on_the_axis():
    assert magnetometer([4.0], sampling_rate=None)[0].source == "line"
    for freq in (4.5, 7.83, 10.4, 13.1):
        assert magnetometer([freq])[0].source == "line"
    assert magnetometer([4.0], sampling_rate=33.0)[0].source == "line"  # there 60 Hz is at 6 Hz
    causes = causes_at([60.0, 120.1, 300.1], n_bins=1000, sampling_rate=2000.0)
    assert {cause.source for cause in causes} == {"mains"}


@pytest.mark.slow
def test_unrelated_lines_are_seldom_an_alias():
    rng = np.random.default_rng(5)
    named = [
        any(c.source != "line" for c in magnetometer(rng.uniform(0.1, 16, rng.integers(1, 7)))) for _ in range(200)
    ]
    assert np.mean(named) <= 0.07  # ALIAS_CHANCE 0.05 and 1.3 standard errors


def test_harmonics_above_half_the_rate_fold_back():
    for rate in (32.0, 250.0, 44.1):
        offset, slope = folded(60.0, rate, 10)
        order = np.arange(1, 11)
        for wander in (-0.04, 0.04):
            truth = np.abs((order * (60 + wander) + rate / 2) % rate - rate / 2)
            inside = (truth > 0.5) & (truth < rate / 2 - 0.5)  # near the ends the wander turns around
            np.testing.assert_allclose((offset + slope * (60 + wander))[inside], truth[inside], atol=1e-9)
            assert inside.sum() >= 6


# ---- against chance, and power ----


def unrelated(rng, how, n_lines, resolution, n_bins):
    if how == "uniform":
        return rng.uniform(resolution, resolution * n_bins, n_lines)
    if how == "on bins":
        return resolution * rng.choice(np.arange(1, n_bins + 1), n_lines, replace=False)
    return resolution * np.exp(rng.uniform(np.log(5), np.log(n_bins), n_lines))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["uniform", "on bins", "logarithmic"])
def test_unrelated_lines_are_seldom_called_a_comb(how):
    """3 to 6 lines on 7 grids: combs <= 2 %; with lines alone at mains <= 4 % (6 % where low ones abound)."""
    rng = np.random.default_rng({"uniform": 1, "on bins": 2, "logarithmic": 3}[how])
    combs, named = [], []
    for resolution, n_bins in GRIDS:
        for draw in range(24):
            n_lines = 3 + draw % 4
            high = resolution * n_bins
            centres = unrelated(rng, how, n_lines, resolution, n_bins)
            flags = flags_at(centres, resolution, strengths=rng.uniform(size=n_lines))
            causes = likely_sources(flags, resolution, (resolution, high))
            combs.append(max(map(spacings(causes).count, spacings(causes)), default=0) > 1)
            named.append(any(cause.source != "line" for cause in causes))
    assert np.mean(combs) <= 0.02
    assert np.mean(named) <= (0.06 if how == "logarithmic" else 0.04)


def rate(by_grid):
    """Share of right answers over all grids; none has less than three quarters."""
    assert min(map(np.mean, by_grid.values())) >= 0.75, {grid: np.mean(right) for grid, right in by_grid.items()}
    return np.mean([np.mean(right) for right in by_grid.values()])


@pytest.mark.slow
@pytest.mark.parametrize("n_extra", [0, 3])
def test_three_of_the_first_ten_harmonics_of_mains_are_named(n_extra):
    """15 spectra on each of 7 grids. Planted bug: the least evident hypothesis kept."""
    by_grid = {}
    for resolution, n_bins in MAINS_GRIDS:
        rng, right = np.random.default_rng([n_bins, n_extra]), []
        for _ in range(15):
            spacing = 50 + np.clip(rng.normal(0, 0.02), -0.04, 0.04)
            if 3 * spacing > resolution * n_bins:
                spacing = 49.98
            comb = visible_harmonics(rng, spacing, resolution, n_bins)
            causes = causes_at([*comb, *rng.uniform(resolution, resolution * n_bins, n_extra)], resolution, n_bins)[:3]
            named = all(cause.name.startswith("50 Hz mains") for cause in causes)
            right.append(named and abs(causes[0].spacing - spacing) < 0.1)
        by_grid[resolution, n_bins] = right
    assert rate(by_grid) >= 0.96


def clocks_found(resolution, n_bins, n_extra, n_draws):
    rng, right = np.random.default_rng([n_bins, 7]), []
    for _ in range(n_draws):
        spacing = np.exp(rng.uniform(np.log(20 * resolution), np.log(resolution * n_bins / 3.2)))
        comb = visible_harmonics(rng, spacing, resolution, n_bins)
        causes = causes_at([*comb, *rng.uniform(resolution, resolution * n_bins, n_extra)], resolution, n_bins)[:3]
        right.append(len(set(spacings(causes))) == 1 and len(spacings(causes)) == 3)
    return right


@pytest.mark.slow
def test_three_of_the_first_ten_harmonics_of_a_clock_are_named():
    """15 spectra on each of 7 grids. Planted bug: candidates up to the second harmonic alone."""
    assert rate({grid: clocks_found(*grid, 0, 15) for grid in GRIDS}) >= 0.98


@pytest.mark.parametrize("resolution,n_bins", [(0.1, 10_000), (0.5, 3000)])
def test_three_harmonics_of_a_clock_are_named_beside_two_unrelated_lines(resolution, n_bins):
    assert np.mean(clocks_found(resolution, n_bins, 2, 40)) >= 0.9


@pytest.mark.slow
def test_the_evidence_is_calibrated():
    """P(E >= t) <= FALSE_RATE / t for unrelated lines, and the mean of E is at most one (Markov's bound)."""
    rng = np.random.default_rng(0)
    evidence = []
    for _ in range(200):
        freqs = np.sort(rng.uniform(1, 1000, 5))
        lines = Lines(freqs, np.full(5, 0.3), np.ones(5), 1.0, 1000.0, 1.0)
        evidence.append(np.exp(best_comb(lines).log_evidence))
    assert np.mean(np.minimum(evidence, 100)) <= 1
    for threshold in (0.3, 1.0, 3.0):
        expected = FALSE_RATE / threshold
        assert np.mean(np.array(evidence) >= threshold) <= expected + 2 * np.sqrt(expected / 200)


def test_strong_lines_of_mains_are_found_among_a_hundred_weak_ones():
    rng = np.random.default_rng(3)
    centres = np.concatenate([60.0 * np.array([1, 2, 3, 5]), rng.uniform(10, 1700, 100)])
    flags = flags_at(centres, 1.0, strengths=np.concatenate([np.full(4, 50.0), np.ones(100)]))
    causes = likely_sources(flags, 1.0, (10, 1700))
    assert all(cause.name.startswith("60 Hz mains") for cause in causes[:4])


# ---- what a range looks like ----


def spectrum(rng, level, n_segments=60):
    return level * rng.gamma(n_segments, 1 / n_segments, len(level))


def test_the_centre_of_a_line_is_known_below_a_bin():
    rng = np.random.default_rng(0)
    freqs, errors = np.arange(1.0, 1001.0), []
    background = 1e-20 / freqs
    for _ in range(60):
        centre = rng.uniform(100, 900)
        psd = spectrum(rng, background * (1 + 5 * np.exp(-0.5 * (freqs - centre) ** 2)))
        flag = describe_range(freqs, psd, background, centre - 4, centre + 4, 60)
        assert flag.kind == "line" and flag.uncertainty < 0.3
        errors.append((flag.centre - centre) / flag.uncertainty)
    assert np.sqrt(np.mean(np.square(errors))) < 1.3
    assert np.sqrt(np.mean(np.square(errors))) > 0.3  # and the uncertainty is not padded


def test_lines_humps_and_steps_are_told_apart():
    rng = np.random.default_rng(1)
    freqs = np.arange(1.0, 3001.0)
    smooth = 1e-20 / freqs
    right = {"line": 0, "hump": 0, "step": 0}
    for _ in range(20):
        line = spectrum(rng, smooth * (1 + 8 * np.exp(-0.5 * (freqs - 812) ** 2)))
        hump = spectrum(rng, smooth * (1 + 2 * np.exp(-0.5 * ((freqs - 2000) / 100) ** 2)))
        step = spectrum(rng, smooth * np.where(freqs > 812, 3.0, 1.0))
        right["line"] += describe_range(freqs, line, smooth, 808, 816, 60).kind == "line"
        right["hump"] += describe_range(freqs, hump, smooth, 1750, 2250, 60).kind == "hump"
        flag = describe_range(freqs, step, smooth, 800, 850, 60)
        right["step"] += flag.kind == "step" and abs(flag.centre - 812.5) <= 2
    assert min(right.values()) >= 19, right


def test_missing_bins_inside_a_flag_are_passed_over():
    freqs = np.arange(1.0, 101.0)
    psd, background = np.ones(100), np.ones(100)
    psd[48:51], psd[49] = 30.0, np.nan
    assert describe_range(freqs, psd, background, 45, 55).centre == pytest.approx(50.0)
    with pytest.raises(ValueError, match="holds no bin"):
        describe_range(freqs, np.full(100, np.nan), background, 45, 55)


# ---- bad input ----


@pytest.mark.parametrize(
    "change,message",
    [
        ({"resolution": 0.0}, "resolution=0.0"),
        ({"axis": (10.0, 1.0)}, "axis="),
        ({"sampling_rate": -1.0}, "sampling_rate=-1.0"),
        ({"mains": (0.0,)}, "mains="),
        ({"flags": [Flag(2.0, 1.0, 1.5, kind="line")]}, "fmin <= fmax"),
        ({"flags": [Flag(1.0, np.nan, 1.0, kind="line")]}, "finite"),
        ({"flags": [Flag(1.0, 2.0, 1.5, kind="bump")]}, "kind='bump'"),
        ({"flags": [Flag(1.0, 2.0, 1.5, kind="line", uncertainty=-1.0)]}, "uncertainty=-1.0"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        likely_sources(
            **{"flags": [Flag(1.0, 2.0, 1.5, kind="line")], "resolution": 1.0, "axis": (1.0, 100.0), **change}
        )


def test_no_flags_no_causes():
    assert likely_sources([], 1.0, (1.0, 100.0)) == []


def test_the_rate_may_be_a_number_of_numpys():
    """Planted bug: lists multiplied by a numpy bool: TypeError."""
    for rate in (32.0, 1e5):
        plain, numpys = (causes_at([4.0], 0.1, 150, sampling_rate=kind(rate)) for kind in (float, np.float64))
        assert plain == numpys


# ---- far from the other harmonics, wide in bins, known ----


def far_lines_named(spacing, n_unrelated, draws):
    """Shares called harmonics of unrelated lines above 1.2 kHz beside harmonics 1, 3, 5, 7, 9, and of these."""
    named, right = 0, 0
    for draw in range(draws):
        rng = np.random.default_rng([draw, n_unrelated])
        order = np.array([1, 3, 5, 7, 9])
        comb = order * (spacing + rng.normal(0, 0.02)) + rng.normal(0, 0.075, 5)
        strengths = [*(10 / order), *rng.uniform(0.3, 3, n_unrelated)]
        flags = flags_at([*comb, *rng.uniform(1200, 8000, n_unrelated)], 0.5, strengths=strengths)
        causes = likely_sources(flags, 0.5, (0.5, 8000))
        named += sum(cause.spacing is not None for cause in causes[5:])
        right += sum(cause.spacing is not None for cause in causes[:5])
    return named / (draws * n_unrelated), right / (draws * 5)


def test_unrelated_lines_far_above_a_comb_are_no_harmonics_of_it():
    """Planted bug: without_strays gives the comb back as it is (3 of 120 are)."""
    named, right = far_lines_named(50.0, 6, 20)
    assert named <= 0.01 and right == 1.0


def test_harmonics_far_above_are_named_where_several_agree():
    """Planted bug: everything beyond a gap left out."""
    order = np.array([1, 3, 5, 7, 9, 41, 43, 45])
    causes = causes_at([*(50.003 * order), 1777.7, 2613.1])
    assert [cause.harmonic for cause in causes] == [*order, None, None]


def test_mains_that_wander_over_many_fine_bins_are_a_line_and_a_hump_stays_one():
    """Planted bugs: the width in bins alone; the width in hertz alone, so that a hump at 0.3 Hz is a line."""
    rng = np.random.default_rng(4)
    freqs = 0.01 * np.arange(1, 8001)
    level = np.ones(len(freqs))
    wide = spectrum(rng, 1 + 20 * np.exp(-0.5 * ((freqs - 50.02) / 0.115) ** 2))
    flag = describe_range(freqs, wide, level, 49.7, 50.3, 60)
    assert flag.kind == "line" and flag.centre == pytest.approx(50.02, abs=0.01) and flag.uncertainty < 0.01
    assert likely_sources([flag], 0.01, (0.01, 80.0))[0].name == "50 Hz mains, harmonic 1"
    slow = spectrum(rng, 1 + 20 * np.exp(-0.5 * ((freqs - 0.5) / 0.115) ** 2))
    assert describe_range(freqs, slow, level, 0.2, 0.8, 60).kind == "hump"


def test_known_lines_are_named_first_and_are_part_of_no_comb(tmp_path):
    """Planted bugs: the known line still one of the comb; the first in the table named, not the nearest."""
    table = tmp_path / "lines.csv"
    table.write_text("# ours\nfrequency,width,name\n150,,coil driver\n151.2,1,fan second floor\n")
    known = read_known_lines(table)
    assert known == (KnownLine(150.0, 0.0, "coil driver"), KnownLine(151.2, 1.0, "fan second floor"))
    centres = [50.0, 100.1, 150.05, 151.4, 200.0, 250.0, 153.0]
    names = [cause.name for cause in causes_at(centres, 0.5, known=known)]
    assert names[2] == "coil driver (known, 150 Hz)" and names[3] == "fan second floor (known, 151.2 Hz)"
    assert names[1] == "50 Hz mains, harmonic 2" and names[6] == "line at 153.0 Hz"


@pytest.mark.parametrize(
    "text,message",
    [
        ("50,mains\nabc,pump\n", "row 2, 'abc,pump': each row is a frequency"),
        ("50,mains\n60,-1,pump\n", "row 2"),
        ("50\n", "row 1"),
        ("", "names no line"),
        ("frequency,name\n", "names no line"),
        ("0,dc\n", "row 1"),
        ("50,0.5,\n", "row 1"),
    ],
)
def test_a_table_of_known_lines_that_is_none_is_refused_in_one_sentence(tmp_path, text, message):
    """Planted bug: a row that cannot be read passed over."""
    (tmp_path / "lines.csv").write_text(text)
    with pytest.raises(ValueError, match=f"^lines.csv.*{message}"):
        read_known_lines(tmp_path / "lines.csv")


def test_known_lines_may_have_decimal_commas(tmp_path):
    (tmp_path / "lines.csv").write_text("Frequenz;Breite;Name\n312,4;0,5;Pumpe\n")
    assert read_known_lines(tmp_path / "lines.csv") == (KnownLine(312.4, 0.5, "Pumpe"),)
