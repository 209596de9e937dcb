"""Energies from corners at several temperatures: linking, intervals, what is left out and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nblib import Arrhenius, arrhenius
from nblib.simulation.physics import CROSS_SECTION_BETA, THERMAL_VELOCITY, TRAP_DENSITY, corner_frequency
from nblib.workbench.arrhenius import POINT_COLUMNS, TRAP_COLUMNS
from nblib.workbench.constants import BOLTZMANN, GAMMA_PER_MASS
from nblib.workbench.description import Description, Term
from nblib.workbench.one_temperature import conditional_energies
from nblib.workbench.result import Fit

TEMPERATURES = np.linspace(200.0, 350.0, 6)
FREQS = np.array([1.0, 1e5])


def _corner(energy, temperature, log_prefactor=-16.0, t_power=2.0):
    """f = T^m exp(-E/kT - ln tau_0) / (2 pi)."""
    return temperature**t_power * np.exp(-energy / (BOLTZMANN * temperature) - log_prefactor) / (2 * np.pi)


def _description(corners, error=0.05, probability=0.5, note="", plateau=1.0):
    terms = []
    for number, corner in enumerate(corners, start=1):
        low, high = corner * np.exp(-1.96 * error), corner * np.exp(1.96 * error)
        terms.append(Term(f"corner {number}", "Hz", corner, low, high, error, note))
        terms.append(Term(f"plateau {number}", "psd", *(plateau * share / corner for share in (1, 0.9, 1.1)), 0.1))
    used, nothing = np.ones(2, bool), np.ones(2)
    return Description(used, tuple(terms), 100.0, 100.0, probability, 1.0, nothing, {})


def _fit(corners, all_corners=(), freqs=FREQS, **given):
    kept, every = _description(corners, **given), _description(all_corners, probability=0.0)
    ones = np.ones(2)
    return Fit(freqs, ones, 0 * ones, np.ones(2, bool), ones, (), kept, every, 0.95, "A^2/Hz", ())


def _series(energy=0.3, t_power=2.0):
    return [_fit([_corner(energy, kelvin, t_power=t_power)]) for kelvin in TEMPERATURES]


@pytest.mark.parametrize("t_power", [2.0, 1.5, 0.0])
def test_an_exact_line_gives_its_energy_and_prefactor(t_power):
    """Planted bugs: ln f for ln tau; log10; the study's k, 0.2 % too low."""
    logs = -16.0 if t_power else -27.0
    fits = [_fit([_corner(0.3, kelvin, logs, t_power)]) for kelvin in TEMPERATURES]
    (trap,) = arrhenius(fits, TEMPERATURES, t_power).kept
    assert trap.energy == pytest.approx(0.3, abs=1e-9) and trap.log_prefactor == pytest.approx(logs, abs=1e-6)
    assert trap.cross_section is None and len(trap.points) == 6


def test_the_cross_section_is_the_prefactor_over_gamma_n():
    (trap,) = arrhenius(_series(), TEMPERATURES, gamma_n=1.07e21).kept
    value, low, high = trap.cross_section
    assert value == pytest.approx(np.exp(16.0) / 1.07e21) and low < value < high


def test_gamma_n_of_the_constants():
    """3.256e21 cm^-2 s^-1 K^-2 times the mass; those in use for silicon are of masses 0.33 and 0.55."""
    assert pytest.approx(3.2565e21, rel=1e-4) == GAMMA_PER_MASS
    assert pytest.approx(0.33, abs=0.005) == 1.07e21 / GAMMA_PER_MASS
    assert pytest.approx(0.55, abs=0.005) == 1.78e21 / GAMMA_PER_MASS


def test_the_energy_moves_with_the_power_of_t_as_m_k_t():
    """E(m) = E(0) - m k T; at 280 K, T^2 against none is 48 meV. Planted bug: the sign of m."""
    fits = [_fit([_corner(0.3, kelvin)]) for kelvin in (270.0, 280.0, 290.0)]
    (trap,) = arrhenius(fits, [270.0, 280.0, 290.0]).kept
    assert trap.energies[0.0] - trap.energies[2.0] == pytest.approx(0.0483, abs=1e-4)
    assert trap.energies[0.0] - trap.energies[1.5] == pytest.approx(1.5 * BOLTZMANN * 280, rel=3e-3)


def test_two_traps_are_told_apart_and_a_stray_corner_belongs_to_none():
    """Planted bugs: corners linked by their order; every corner forced into a trap."""
    rng = np.random.default_rng(0)
    fits = []
    for place, kelvin in enumerate(TEMPERATURES):
        corners = [_corner(0.3, kelvin), _corner(0.12, kelvin, -6.0)]
        if place == 2:
            corners.append(3.0)
        fits.append(_fit(np.array(corners) * np.exp(0.05 * rng.standard_normal(len(corners)))))
    analysis = arrhenius(fits, TEMPERATURES)
    energies = sorted(trap.energy for trap in analysis.kept)
    assert energies == pytest.approx([0.12, 0.3], abs=0.01)
    assert [point.temperature for point in analysis.loose[0]] == [TEMPERATURES[2]]


def test_what_is_not_described_or_a_limit_is_left_out_of_the_energies_and_all_bins_are_compared():
    """Planted bug: the gate ignored."""
    fits = _series()
    fits[0] = _fit([1e4], probability=1e-9)
    fits[1] = _fit([1e4], note="limit: within a factor of 2 of the lowest frequency")
    fits = [
        _fit([c.value for c in fit.corners], [150.0]) if fit.described and fit.corners[0].note == "" else fit
        for fit in fits
    ]
    analysis = arrhenius(fits, TEMPERATURES)
    (trap,) = analysis.kept
    assert len(trap.points) == 4 and trap.energy == pytest.approx(0.3, abs=1e-9)
    assert analysis.described == (False, True, True, True, True, True)
    (raw,) = analysis.all_bins
    assert -0.07 < raw.energy < -0.03  # a fixed frequency: -m k T


def test_no_trap_where_corners_lie_on_no_line():
    """20 series of random corners. Planted bug: three corners near a line were a trap, wherever the others lay."""
    rng, traps = np.random.default_rng(1), 0
    for corners in 10 ** rng.uniform(1, 4, (20, 6)):
        traps += len(arrhenius([_fit([corner]) for corner in corners], TEMPERATURES).kept)
    assert traps <= 1


@pytest.mark.parametrize("n_temperatures", [3, 4, 8])
def test_intervals_of_the_energy_cover(n_temperatures):
    """200 series. Planted bugs: the normal quantile at three corners; sqrt(chi^2/dof) left out."""
    rng, kelvin = np.random.default_rng(0), np.linspace(280, 350, n_temperatures)
    truth = np.array([_corner(0.3, one) for one in kelvin])
    covered = 0
    for _ in range(200):
        drawn = truth * np.exp(0.03 * rng.standard_normal(n_temperatures))
        (trap,) = arrhenius([_fit([corner]) for corner in drawn], kelvin).kept
        covered += trap.low <= 0.3 <= trap.high
    assert 0.91 <= covered / 200 <= 0.995


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperatures": [300.0, 310.0]}, "2 temperatures for 6 fits"),
        ({"temperatures": [300.0, 310.0] * 3}, "2 different temperatures; an energy needs at least 3"),
        ({"temperatures": [-5.0, 1, 2, 3, 4, 5]}, "positive, in K"),
        ({"t_power": np.nan}, "such as 2, 1.5 or 0"),
        ({"gamma_n": 1e21, "t_power": 0.0}, "goes with t_power=2"),
    ],
)
def test_bad_input_is_refused(given, words):
    """Planted bug: a line through two points."""
    with pytest.raises(ValueError, match=words):
        arrhenius(**({"fits": _series(), "temperatures": TEMPERATURES} | given))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    order=st.permutations(range(len(TEMPERATURES))),
    unit=st.floats(1e-30, 1e20),
    axis=st.floats(1e-3, 1e3),
    t_power=st.sampled_from([0.0, 1.5, 2.0]),
)
def test_energies_know_no_order_unit_or_scale_of_the_axis(order, unit, axis, t_power):
    """A factor on the axis is one on 1/tau: it moves the intercept. Planted bugs: files by name; spans not scaled."""
    rng = np.random.default_rng(0)
    corners = [_corner(0.3, kelvin) * np.exp(0.05 * rng.standard_normal()) for kelvin in TEMPERATURES]
    (one,) = arrhenius([_fit([corner]) for corner in corners], TEMPERATURES, t_power).kept
    scaled = [_fit([axis * corners[place]], plateau=unit, freqs=axis * FREQS) for place in order]
    (other,) = arrhenius(scaled, TEMPERATURES[list(order)], t_power).kept
    energies = [[trap.energy, trap.low, trap.high, trap.dispersion] for trap in (one, other)]
    assert energies[1] == pytest.approx(energies[0], rel=1e-6)
    assert other.log_prefactor == pytest.approx(one.log_prefactor - np.log(axis), abs=1e-6)
    assert [point.temperature for point in other.points] == list(TEMPERATURES)
    assert other.points[0].plateau[0] == pytest.approx(unit / other.points[0].corner)


def test_tables_and_figure():
    analysis = arrhenius(_series(), TEMPERATURES)
    assert isinstance(analysis, Arrhenius)
    frame, points = analysis.to_frame(), analysis.points_frame()
    assert list(frame.columns) == list(TRAP_COLUMNS) and len(frame) == 1
    assert list(points.columns) == list(POINT_COLUMNS) and list(points.trap) == [1] * 6
    left, right = analysis.plot()
    assert left.get_xlabel() == "1 / kT [1/eV]" and right.get_ylabel() == "Plateau [A²/Hz]"
    assert any("0.300 eV" in text.get_text() for text in left.get_legend().get_texts())


# ---- one temperature ----


def test_the_studys_energy_follows_from_its_prefactor_and_a_factor_e_in_it_is_kt():
    """Planted bug: the interval's ends in the corner's order; the energy falls as the corner rises."""
    corner = float(corner_frequency(np.array([21.0]), CROSS_SECTION_BETA)[0])
    rate = CROSS_SECTION_BETA * TRAP_DENSITY * THERMAL_VELOCITY
    (conditional,) = conditional_energies(_fit([corner]), 300.0, [rate])
    assert conditional.energy == pytest.approx(0.021, rel=0.003)  # the study's k is 0.2 % low
    assert (
        conditional.low < conditional.energy < conditional.high
        and conditional.note == "conditional on an assumed cross-section"
    )
    (other,) = conditional_energies(_fit([corner]), 300.0, [rate * np.e])
    assert other.energy - conditional.energy == pytest.approx(BOLTZMANN * 300)
    assert conditional_energies(_fit([corner], probability=1e-9), 300.0, [rate]) == ()


def test_an_energy_of_a_limit_is_open_and_says_so():
    """Planted bug: ln 0 as a warning of numpy, and a note without the corner's own."""
    fit = _fit([2.0], note="limit: within a factor of 2 of the lowest frequency")
    terms = tuple(replace(term, low=0.0) if term.name == "corner 1" else term for term in fit.kept.terms)
    (conditional,) = conditional_energies(replace(fit, kept=replace(fit.kept, terms=terms)), 300.0, [1e4])
    assert (
        conditional.high == np.inf
        and np.isfinite(conditional.low)
        and conditional.note.endswith("of the lowest frequency")
    )


@pytest.mark.parametrize(
    ("temperature", "prefactor", "words"),
    [(-1.0, [1e4], "in K"), (300.0, [0.0], "in 1/s"), (300.0, [1e4, 1e4], "2 prefactors for 1 corners")],
)
def test_bad_prefactors_are_refused(temperature, prefactor, words):
    with pytest.raises(ValueError, match=words):
        conditional_energies(_fit([100.0]), temperature, prefactor)
