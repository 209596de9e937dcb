"""`nblib arrhenius FOLDER`: a folder of spectra at several temperatures in, activation energies and a figure out."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from nblib.measured.outputs import check_targets, made_for_results
from nblib.project.paths import write_whole
from nblib.style import TALL_PAIR
from nblib.workbench import products
from nblib.workbench.arrhenius import Arrhenius, arrhenius, check_prefactor
from nblib.workbench.folder import (
    ENERGIES,
    Member,
    files_of,
    is_energies,
    members_of,
    results_of,
    shared_settings,
)
from nblib.workbench.options import add_options, checked, told_as_options
from nblib.workbench.result import SIDES
from nblib.workbench.temperatures import temperatures_or_reasons

PRODUCTS = ("traps.csv", "corners.csv", "arrhenius.json", "arrhenius.png", "arrhenius.pdf")
SCHEMA = 1  # of the JSON; it rises when a key changes its name or its meaning
MEANING = (
    "tau = 1 / (2 pi f) is 1 / (1/tau_c + 1/tau_e): the energy is that of emission where emission is much faster than "
    "capture, and that of the faster process in any case"
)


@told_as_options()
def arrhenius_command(arguments: list[str]) -> int:
    """Fit every spectrum of a folder, link its corners over temperature, print and write the energies.

    Returns
    -------
    0 done, whether a trap was found or not; 2 when a file was left out

    Raises
    ------
    ValueError for fewer than three temperatures
    """
    options = _parser().parse_args(arguments)
    checked_of_series(options)
    paths, refused = files_of(options)
    folder = results_of(options)
    targets = [folder / name for name in PRODUCTS]
    with made_for_results([] if options.json else [folder]):
        if not options.json:
            check_targets(targets, paths, is_energies, ENERGIES)
        known = temperatures_or_reasons(paths, options.temperatures)
        all_members, left_out = members_of(paths, known, options)
        members = sorted((one for one in all_members if one.kelvin is not None), key=lambda one: one.kelvin or 0.0)
        left_out = refused | left_out | _without_temperature(all_members)
        result = energies_of(members, options)
        document = as_json(result, members, left_out, options)
        if options.json:
            print(json.dumps(document, indent=1, allow_nan=False))
        else:
            print(*_lines(result, members), sep="\n")
            _write(targets, result, document)
            print(f"wrote {folder}: {', '.join(PRODUCTS)}")
    return 2 if left_out else 0


def _without_temperature(members: list[Member]) -> dict[str, str]:
    """Why, by the names of spectra whose temperature is not known, they are left out, which is printed."""
    left_out = {member.document["file"]: member.source for member in members if member.kelvin is None}
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return left_out


def energies_of(members: list[Member], options) -> Arrhenius:
    """Traps of the members, each of which has a temperature."""
    kelvin = [float(member.kelvin or np.nan) for member in members]
    return arrhenius([member.fit for member in members], kelvin, options.t_power, options.gamma_n)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib arrhenius",
        description="Activation energies from spectra of one device at three or more temperatures, or from the fits "
        "that nblib fit wrote of them: flags, fits, corners linked over temperature, ln(tau T^m) against 1/kT, with "
        "and without the flags. Writes traps.csv, corners.csv, arrhenius.json, .png and .pdf into nblib-results in "
        "the folder. Nothing is sent anywhere and the files read are never changed.",
    )
    add_folder_options(parser)
    return parser


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command on a folder of temperatures."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of spectra, or of fits (NAME.fit.json)")
    parser.add_argument(
        "--temperatures", type=Path, metavar="T.csv", help="columns file and temperature; default: names and headers"
    )
    parser.add_argument(
        "--t-power", type=float, default=2.0, metavar="M", help="of T in the prefactor: 2 (3D), 1.5 (2D), 0 (activated)"
    )
    parser.add_argument(
        "--gamma-n", type=float, metavar="G", help="cm^-2 s^-1 K^-2, for the capture cross-section; 3.256e21 m/m_e"
    )
    add_options(parser)


def checked_of_series(options) -> None:
    """Turn texts of these options into numbers, in place; raises ValueError for what is not a number."""
    checked(options)
    check_prefactor(options.t_power, options.gamma_n)


def _lines(result: Arrhenius, members) -> list[str]:
    """What is printed: the spectra, then each trap from the bins kept and from all bins."""
    lines = []
    for member in members:
        fit = member.fit
        outcome = ", ".join(_corner(corner) for corner in fit.corners) or "no corner"
        if not fit.described:
            outcome = "NOT DESCRIBED by the model, left out of the energies"
        n_dropped = len(member.document["flags"])
        lines.append(
            f"{member.path.name}: {member.kelvin:g} K ({member.source}), {n_dropped} ranges dropped, {outcome}"
        )
    if differ := shared_settings(members)[1]:
        lines.append(f"  note: the spectra were not all fitted with the same {', '.join(differ)}")
    lines.append("")
    for side, traps in zip(SIDES, (result.kept, result.all_bins), strict=True):
        warned = "" if side == "kept" else ", for comparison only"
        if not traps:
            lines.append(f"{side}: no line through corners of three temperatures or more, no energy{warned}")
        for number, trap in enumerate(traps, start=1):
            lines.append(
                f"{side}, trap {number}: {trap.energy:.4f} eV [{trap.low:.4f}, {trap.high:.4f}] with "
                f"T^{result.t_power:g}, {len(trap.points)} corners{warned}"
            )
            if side == "kept":
                moved = ", ".join(f"T^{power:g} {energy:.4f}" for power, energy in sorted(trap.energies.items()))
                lines.append(f"  by the power of T: {moved} eV")
                if trap.cross_section:
                    value, low, high = trap.cross_section
                    lines.append(f"  capture cross-section {value:.3g} cm^2 [{low:.3g}, {high:.3g}]")
    return [*lines, f"  {MEANING}"]


def _corner(term) -> str:
    return f"{term.value:.4g} Hz{' (limit)' if term.note.startswith('limit') else ''}"


def as_json(result: Arrhenius, members: list[Member], left_out: dict[str, str], options) -> dict:
    """The result as `nblib arrhenius --json` prints it; plain numbers only, null where one is not finite."""
    spectra = [
        {
            "file": member.document["file"],
            "sha256": member.document["sha256"],
            "fit": None if member.fitted else member.path.name,
            "temperature": member.kelvin,
            "temperature_from": member.source,
            "described": member.fit.described,
            "corners": [
                {"value": term.value, "low": term.low, "high": products.finite(term.high), "note": term.note}
                for term in member.fit.corners
            ],
            "warnings": member.document["warnings"],
        }
        for member in members
    ]
    frame = result.to_frame()
    traps = [{key: products.finite(value) for key, value in row.items()} for row in frame.to_dict("records")]
    return {
        "schema": SCHEMA,
        "t_power": result.t_power,
        "level": result.level,
        "traps": traps,
        "spectra": spectra,
        "left_out": [f"{name}: {reason}" for name, reason in left_out.items()],
        "meaning": MEANING,
        "options": shared_settings(members)[0] | {"gamma_n": options.gamma_n},
        "versions": products.versions(),
    }


def _write(targets, result, document):
    traps, corners, record, *figures = targets
    try:
        write_whole(traps, result.to_frame().to_csv(index=False, float_format="%.8g"))
        write_whole(corners, result.points_frame().to_csv(index=False, float_format="%.8g"))
        write_whole(record, json.dumps(document, indent=1, allow_nan=False) + "\n")
        products.save_figure(energies_figure(result), figures, ENERGIES, dpi=200)
    except OSError as error:
        raise ValueError(f"cannot write {error.filename}: {error.strerror}") from error


def energies_figure(result: Arrhenius):
    """The figure of `Arrhenius.plot`, without a screen."""
    figure = products.blank_figure(TALL_PAIR)
    result.plot(figure.subplots(1, 2, width_ratios=(3, 2)))
    return figure
