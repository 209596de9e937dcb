"""The third world: keyed, its spectra scatter about what was drawn as K says, its recorder rounds, its spans join."""

import numpy as np
import pytest

from evidence.unknown.third_world import FULL_SCALE, GRIDS, ThirdWorld, recording, rounding_floor
from nblib.measured.welch import welch_spectrum

SMALL = (300, 500)
STEEP = 2e-3  # corner of the steep test background, cycles per sample


@pytest.fixture(scope="module", params=GRIDS)
def rows(request):
    world = ThirdWorld(3, request.param, SMALL)
    return request.param, [world[index] for index in range(16)]


def _ratios(row):
    """Measured over expected power, without the first bins: Hann's window widens what is steep there."""
    return (row.psd / np.exp(row.log_background))[10:]


def test_a_spectrum_depends_on_seed_grid_and_index_alone(rows):
    """Planted bug: the index left out of the key."""
    grid, known = rows
    again, other = ThirdWorld(3, grid, SMALL)[5], ThirdWorld(4, grid, SMALL)[5]
    np.testing.assert_array_equal(again.psd, known[5].psd)
    np.testing.assert_array_equal(again.freqs, known[5].freqs)
    assert not np.array_equal(other.psd[:50], known[5].psd[:50])
    assert not np.array_equal(known[6].psd[:50], known[5].psd[:50])
    with pytest.raises(ValueError, match="unknown grid 'merged'; known: linear, log, stitched"):
        ThirdWorld(3, "merged")


def test_spectra_are_line_free_and_of_the_sizes_asked(rows):
    """Planted bug: the shortest segments as long as if theirs were all bins."""
    grid, known = rows
    for row in known:
        assert 0.95 * SMALL[0] < len(row.freqs) < 1.05 * SMALL[1]
        assert 3.5 < row.n_segments.min() < 205 and (row.psd > 0).all()
        assert not row.noisy.any() and row.valid.all() and row.grid == GRIDS[grid]


def test_the_expected_level_is_the_background_drawn(rows):
    """Planted bug: a two-sided PSD drawn, 0.69 in ln too low."""
    _, known = rows
    sizes = np.array([row.n_segments.mean() * (len(row.freqs) - 10) for row in known])
    away = np.array([_ratios(row).mean() - 1 for row in known]) * np.sqrt(sizes / 2)  # two bins of Hann's are alike
    assert abs(away.mean()) < 4 / np.sqrt(len(known))
    assert np.abs(away).max() < 5


def test_bins_scatter_as_k_says(rows):
    """Planted bugs: K as if half of the segments were lost to the overlap; K of the longest segments for every span.

    A band of m of Hann's bins scatters more than m K says, as its bins correlate by 4/9 and 1/36 (Welch 1967).
    """
    grid, known = rows
    scatter = []
    for row in known:
        merged = row.n_segments / row.n_segments.min() if grid == "log" else np.ones(len(row.freqs))
        alike = 1 + 2 * (4 / 9 * (merged - 1) + np.maximum(merged - 2, 0) / 36) / merged
        scatter.append(np.mean((_ratios(row) - 1) ** 2 * (row.n_segments / alike)[10:]))
    assert np.mean(scatter) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("scale", FULL_SCALE)
def test_rounding_leaves_a_floor(scale, monkeypatch):
    """Planted bugs: the floor of a two-sided PSD; a recorder of 24 bits."""
    monkeypatch.setattr("evidence.unknown.third_world.FULL_SCALE", (scale, scale))

    def steep(freqs):
        return 1 / (1 + (freqs / STEEP) ** 8)

    codes, step = recording(np.random.default_rng(1), steep, 60_000)
    assert codes.dtype == np.int16
    assert codes.std() * scale == pytest.approx(2**15, rel=0.01)
    spectrum = welch_spectrum(codes * step, 1.0, segment_length=1000)
    high = spectrum.freqs > 0.2
    assert steep(0.2) < 1e-3 * rounding_floor(step)
    assert spectrum.psd[high].mean() == pytest.approx(rounding_floor(step), rel=0.03)


def test_some_spectra_show_the_floor_and_others_do_not(monkeypatch):
    """Planted bug: a recorder of 24 bits, whose floor nobody sees."""
    worlds = [ThirdWorld(3, "log", SMALL)[index].log_background for index in range(40)]
    monkeypatch.setattr("evidence.unknown.third_world.rounding_floor", lambda step: 0.0)
    without = [ThirdWorld(3, "log", SMALL)[index].log_background for index in range(40)]
    seen = [(one - other).max() > np.log(2) for one, other in zip(worlds, without, strict=True)]
    assert 0.02 < np.mean(seen) < 0.3


def test_spans_join():
    """Planted bug: a span that begins inside the last bin of the one below it."""
    for index in range(12):
        steps = np.diff(ThirdWorld(3, "stitched", SMALL)[index].freqs)
        steps = np.round(steps / steps[0], 6)
        sizes, counts = np.unique(steps, return_counts=True)
        widths = sizes[counts > 10]
        assert len(widths) in (2, 3) and len(sizes) <= 2 * len(widths) - 1
        for fine, coarse in zip(widths[:-1], widths[1:], strict=True):
            end = np.flatnonzero(steps == fine)[-1]
            assert -1e-3 <= steps[end + 1] - (fine + coarse) / 2 < coarse
            assert steps[end + 2] == coarse
