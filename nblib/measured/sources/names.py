"""The likely source of every flagged range: mains, an alias of mains, an unknown clock, a line, a hump, a step."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nblib.measured.flags import Flag
from nblib.measured.sources.combs import WINDOW, Comb, best_comb, extend, without_strays
from nblib.measured.sources.harmonics import MAINS_WANDER, Lines, folded
from nblib.measured.sources.known import KnownLine, known_among
from nblib.project.registry import refuse_if

THRESHOLD = 3.0  # evidence (eq. A of combs.py) from which on a comb is named
FALSE_RATE = 0.05  # P(E >= t | unrelated lines) <= FALSE_RATE / t, simulated: tests/measured/test_sources.py
SINGLE_CHANCE = 0.01  # a line alone is named mains where fewer spectra of unrelated lines would have one there
ALIAS_CHANCE = 0.05  # the same for an alias of mains, where mains itself cannot be on the axis
POOLS = (8, 16, 32)  # combs are looked for among the strongest lines too
MAINS_MULTIPLES = (1, 2, 3, 4, 6)  # a clock at one of these multiples of mains is mains: rectifiers, three phases
BIN_TOLERANCE = 0.1  # bins; centres this near to the grid may have been rounded to it
ROUNDED_UNCERTAINTY, REFINED_UNCERTAINTY = 0.3, 0.15  # bins, at least, for rounded and for other centres


@dataclasses.dataclass(frozen=True)
class Cause:
    """What a flagged range probably comes from.

    Attributes
    ----------
    name : for a table, for instance "50 Hz mains, harmonic 3"
    chance : probability that unrelated lines would be named like this, in 0..1; 1 where nothing is claimed
    spacing : of the comb, Hz; None without one
    source : "known", "mains", "alias", "clock", "line" (unexplained), "hump" or "step"
    harmonic : of this flag
    hint : a weaker remark, such as mains within the resolution where chance explains it as well; else empty
    """

    name: str
    source: str
    chance: float = 1.0
    spacing: float | None = None
    harmonic: int | None = None
    hint: str = ""


def likely_sources(
    flags: Sequence[Flag],
    resolution: float,
    axis: tuple[float, float],
    sampling_rate: float | None = None,
    mains: tuple[float, ...] = (50.0, 60.0),
    known: Sequence[KnownLine] = (),
) -> list[Cause]:
    """Name the likely source of each flag: docs/sources.md; the statistics stand in combs.py.

    Parameters
    ----------
    flags : lines (centre and uncertainty, Hz), humps and steps of one spectrum
    resolution : width of a bin, Hz
    axis : lowest and highest frequency of the spectrum, Hz
    sampling_rate : Hz; aliases are only named where it is given
    mains : nominal frequencies that are tried, Hz
    known : lines that the user knows; a flag with its centre there has that name and is part of no comb

    Returns
    -------
    One cause per flag, in their order. Lines are one comb where the evidence that they are multiples of one spacing is
    at least 3; mains is preferred where the spacing is ambiguous. Combs are looked for one after the other, so that
    mains and a clock are both found.

    Raises
    ------
    ValueError : a flag, the axis, the resolution or the sampling rate that is not finite and positive, or out of order
    """
    _check(flags, resolution, axis, sampling_rate, mains)
    causes = [_known(flag, resolution, known) or _without_comb(flag, resolution) for flag in flags]
    index = np.array([number for number, cause in enumerate(causes) if cause.source == "line"], dtype=int)
    if not len(index):
        return causes
    lines = _lines([flags[number] for number in index], resolution, axis)
    for comb in find_combs(lines, mains, sampling_rate):
        for member, cause in _named(comb, sampling_rate):
            causes[index[member]] = cause
    for member, comb in _single_mains(lines, [causes[number] for number in index], mains, sampling_rate):
        causes[index[member]] = _named(comb, sampling_rate)[0][1]
    for number, line in zip(index, lines.freqs, strict=True):
        if causes[number].source == "line":
            causes[number] = dataclasses.replace(causes[number], hint=_hint(line, resolution, mains))
    return causes


def find_combs(lines: Lines, mains: tuple[float, ...] = (50.0, 60.0), sampling_rate: float | None = None) -> list[Comb]:
    """Combs among lines, the most evident first; each line belongs to one at most.

    The strongest 8, 16 and 32 lines are tried apart as well, because combs are often strong; the evidence is divided by
    the number of trials, and a comb found there then takes its weaker harmonics.
    """
    remaining, combs = np.arange(len(lines.freqs)), []
    while len(remaining):
        strongest = remaining[np.argsort(-lines.strengths[remaining], kind="stable")]
        pools = [np.sort(strongest[:size]) for size in POOLS if size < len(strongest)] + [remaining]
        best, best_pool = None, remaining
        for pool in pools:
            comb = best_comb(lines.take(pool), mains, sampling_rate)
            if comb is not None and (best is None or comb.log_evidence > best.log_evidence):
                best, best_pool = comb, pool
        if best is None or best.log_evidence - np.log(len(pools)) < np.log(THRESHOLD):
            break
        best = dataclasses.replace(best, log_evidence=best.log_evidence - np.log(len(pools)))
        best = dataclasses.replace(best, members=tuple(int(best_pool[member]) for member in best.members))
        whole = extend(best, lines, remaining, sampling_rate)
        best = without_strays(whole, lines, remaining)
        if len(best.members) < 2:  # the others are not a comb either
            remaining = np.setdiff1d(remaining, whole.members)
            continue
        combs.append(_as_mains(best, mains))
        remaining = np.setdiff1d(remaining, best.members)
    return combs


def _check(flags, resolution, axis, sampling_rate, mains) -> None:
    refuse_if(
        not (np.isfinite(resolution) and resolution > 0),
        f"resolution={resolution} must be the width of a bin in Hz, positive and finite",
    )
    refuse_if(
        not (np.isfinite(axis).all() and 0 <= axis[0] < axis[1]),
        f"axis={axis} must be the lowest and the highest frequency in Hz, 0 <= low < high",
    )
    if sampling_rate is not None and not (np.isfinite(sampling_rate) and sampling_rate > 0):
        raise ValueError(f"sampling_rate={sampling_rate} must be positive and finite, in Hz, or None if not known")
    refuse_if(
        not all(np.isfinite(nominal) and nominal > 0 for nominal in mains),
        f"mains={mains} must be positive frequencies in Hz",
    )
    for flag in flags:
        refuse_if(
            flag.kind not in ("line", "hump", "step"),
            f"kind={flag.kind!r} of the flag {flag.fmin:g}..{flag.fmax:g} Hz; use line, hump or step",
        )
        refuse_if(
            not (np.isfinite([flag.fmin, flag.fmax]).all() and 0 <= flag.fmin <= flag.fmax),
            f"a flag {flag.fmin}..{flag.fmax} Hz must have finite 0 <= fmin <= fmax",
        )
        refuse_if(
            flag.uncertainty is not None and not (np.isfinite(flag.uncertainty) and flag.uncertainty >= 0),
            f"uncertainty={flag.uncertainty} of the flag at {flag.fmin:g} Hz must be >= 0 Hz",
        )


def _lines(flags: Sequence[Flag], resolution: float, axis: tuple[float, float]) -> Lines:
    """Centres with uncertainties that cannot be too small: rounded centres make multiples more often than others."""
    centre = np.array([flag.centre for flag in flags])
    given = np.array([resolution / 2 if flag.uncertainty is None else flag.uncertainty for flag in flags])
    from_bin = np.abs(centre / resolution - np.round(centre / resolution))
    rounded = len(flags) < 3 or np.median(from_bin) < BIN_TOLERANCE
    smallest = (ROUNDED_UNCERTAINTY if rounded else REFINED_UNCERTAINTY) * resolution
    strength = np.array([flag.excess for flag in flags], dtype=float)
    low, high = min(axis[0], centre.min()), max(axis[1], centre.max())
    return Lines(np.maximum(centre, 1e-12), np.maximum(given, smallest), strength, low, high, resolution)


def _single_mains(lines: Lines, causes: list[Cause], mains, sampling_rate) -> list[tuple[int, Comb]]:
    """Lines that stand alone where mains is expected: harmonic 1, else 2, else 3, direct or (harmonic 1) folded.

    A line of rank R in strength is named where R * (sum of the windows of all positions tried) / (width of the axis) is
    at most SINGLE_CHANCE: then unrelated lines, uniform on the axis, are named in at most that share of spectra.
    A window is +-2 standard deviations of the line's centre and of the wander of mains times the harmonic.
    """
    named: list[tuple[int, Comb]] = []
    width = lines.high - lines.low
    taken = {cause.spacing and round(cause.spacing) for cause in causes if cause.source in ("mains", "alias")}
    ranks = 1 + np.argsort(np.argsort(-lines.strengths, kind="stable"), kind="stable")
    for harmonic in (1, 2, 3):
        for fold in (False, True):
            positions = _positions(mains, sampling_rate, harmonic, fold)
            for member, cause in enumerate(causes):
                spread = WINDOW * np.hypot(lines.uncertainties[member], harmonic * MAINS_WANDER)
                chance = ranks[member] * harmonic * len(positions) * 2 * spread / width
                free = cause.source == "line" and all(member != other for other, _ in named)
                if not free or chance > (ALIAS_CHANCE if fold else SINGLE_CHANCE):
                    continue
                near = [nominal for nominal, at in positions if abs(lines.freqs[member] - at) <= spread]
                if len(near) == 1 and near[0] not in taken:
                    taken.add(near[0])
                    log_evidence = float(np.log(FALSE_RATE / chance))
                    comb = Comb(near[0], near[0], MAINS_WANDER, (member,), (harmonic,), (fold,), log_evidence)
                    named.append((member, comb))
    return named


def _positions(mains, sampling_rate, harmonic: int, fold: bool) -> list[tuple[float, float]]:
    """(nominal, position), Hz, of one harmonic of each mains frequency, those that fold or those that do not."""
    positions = []
    for nominal in mains:
        folds = sampling_rate is not None and harmonic * nominal > sampling_rate / 2
        if fold and folds and harmonic == 1:
            offset, slope = folded(nominal, sampling_rate, 1)
            positions.append((nominal, float(offset[0] + slope[0] * nominal)))
        elif not fold and not folds:
            positions.append((nominal, harmonic * nominal))
    return positions


def _as_mains(comb: Comb, mains: tuple[float, ...]) -> Comb:
    """A clock whose spacing is a small multiple of mains is mains: many harmonics of 100 Hz are the even ones of 50."""
    if comb.nominal is not None:
        return comb
    for nominal in mains:
        for multiple in MAINS_MULTIPLES:
            spacing, uncertainty = comb.spacing / multiple, comb.uncertainty / multiple
            if abs(spacing - nominal) < max(2 * uncertainty, 0.1) and uncertainty < 0.1:
                harmonics = tuple(multiple * number for number in comb.harmonics)
                return dataclasses.replace(
                    comb, nominal=nominal, spacing=spacing, uncertainty=uncertainty, harmonics=harmonics
                )
    return comb


def _named(comb: Comb, sampling_rate: float | None) -> list[tuple[int, Cause]]:
    """The causes of a comb's members: folded and direct harmonics of mains have names of their own."""
    chance = float(min(1.0, FALSE_RATE * np.exp(-comb.log_evidence)))
    named = []
    for number, member, fold in sorted(zip(comb.harmonics, comb.members, comb.aliased, strict=True)):
        if comb.nominal is None:
            source, name = "clock", f"unknown clock, {hertz(comb.spacing, comb.uncertainty)}, harmonic {number}"
        elif fold:
            source, end = "alias", f"at a sampling rate of {sampling_rate:.10g} Hz"
            name = f"alias of {comb.nominal:g} Hz mains (harmonic {number}) {end}"
        else:
            source, name = "mains", f"{comb.nominal:g} Hz mains, harmonic {number}"
        named.append((member, Cause(name, source, chance, comb.spacing, number)))
    return named


def _known(flag: Flag, resolution: float, known: Sequence[KnownLine]) -> Cause | None:
    """The user's own name of a flag, if its centre lies where a known line is."""
    tolerance = max(resolution, WINDOW * (flag.uncertainty or 0.0))
    line = known_among(known, flag.centre, tolerance)
    return None if line is None else Cause(f"{line.name} (known, {line.freq:.10g} Hz)", "known")


def _without_comb(flag: Flag, resolution: float) -> Cause:
    if flag.kind == "hump":
        return Cause(f"hump, {hertz_range(flag.fmin, flag.fmax)}", "hump")
    uncertainty = resolution / 2 if flag.uncertainty is None else flag.uncertainty
    least = resolution if flag.kind == "step" else resolution / 10
    return Cause(f"{flag.kind} at {hertz(flag.centre, max(uncertainty, least))}", flag.kind)


def _hint(freq: float, resolution: float, mains: tuple[float, ...]) -> str:
    """A remark where a line that was not named lies within a bin of one of the first three harmonics of mains."""
    for number in (1, 2, 3):
        for nominal in mains:
            if abs(freq - number * nominal) <= resolution:
                return f"within a bin of {nominal:g} Hz mains, harmonic {number}, but chance explains it as well"
    return ""


def _unit(value: float) -> tuple[float, str]:
    """The factor and the name of the unit that a frequency is best given in."""
    for factor, name in ((1e6, "MHz"), (1e3, "kHz")):
        if value >= factor:
            return factor, name
    return (1.0, "Hz") if value >= 0.1 or value == 0 else (1e-3, "mHz")


def hertz(value: float, uncertainty: float) -> str:
    """A frequency with the digits that its uncertainty allows: "79.8 Hz"."""
    factor, name = _unit(value if value >= 1e5 or value < 0.1 else 1.0)
    digits = int(np.clip(np.ceil(-np.log10(max(uncertainty, 1e-9) / factor) - 0.3), 0, 6))
    return f"{value / factor:.{digits}f} {name}"


def hertz_range(low: float, high: float) -> str:
    """A range to a tenth of its width: "1.7..2.3 kHz"."""
    factor, name = _unit(high)
    width = max(high - low, 1e-9 * high) / factor
    digits = int(np.clip(np.ceil(-np.log10(width / 2)), 0, 6))
    return f"{low / factor:.{digits}f}..{high / factor:.{digits}f} {name}"
