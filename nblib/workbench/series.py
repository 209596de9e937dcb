"""`nblib arrhenius FOLDER`: a folder of spectra at several temperatures in, activation energies and a figure out."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from nblib.measured.advice import as_options
from nblib.measured.outputs import check_targets, prepare
from nblib.measured.products import is_product as is_detection
from nblib.project.paths import write_whole
from nblib.workbench import products
from nblib.workbench.arrhenius import POINT_COLUMNS, TRAP_COLUMNS, Arrhenius, arrhenius
from nblib.workbench.options import add_options, checked, detector_of, fitted, settings
from nblib.workbench.result import SIDES
from nblib.workbench.temperatures import temperatures_of

PRODUCTS = ("traps.csv", "corners.csv", "arrhenius.json", "arrhenius.png", "arrhenius.pdf")
SCHEMA = 1  # of the JSON; it rises when a key changes its name or its meaning
MAKER = "nblib arrhenius"  # stands in the figures' metadata
MEANING = (
    "tau = 1 / (2 pi f) is 1 / (1/tau_c + 1/tau_e): the energy is that of emission where emission is much faster than "
    "capture, and that of the faster process in any case"
)


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
    checked(options)
    paths = _files(options)
    targets = [options.out / name for name in PRODUCTS]
    if not options.json:
        prepare(options.out)
        check_targets(targets, paths, is_product, MAKER)
    known = temperatures_of(paths, options.temperatures)
    rows, left_out = [], []
    detector = detector_of(options)
    for path, (kelvin, source) in zip(paths, known, strict=True):
        try:
            found = fitted(path, options, detector)
        except (ValueError, OSError) as error:
            left_out.append(f"{path.name}: {as_options(str(error)).removeprefix(f'{path.name}: ')}")
            print(f"left out: {left_out[-1]}", file=sys.stderr)
            continue
        if len(found) > 1:
            raise ValueError(f"{path.name} holds {len(found)} spectra; name one with --column, or give a file each")
        rows.append((path, kelvin, source, found[0]))
    rows.sort(key=lambda row: row[1])
    result = arrhenius([row[3].fit for row in rows], [row[1] for row in rows], options.t_power, options.gamma_n)
    document = as_json(result, rows, left_out, settings(options))
    if options.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(*_lines(result, rows), sep="\n")
        _write(targets, result, document)
        print(f"wrote {', '.join(map(str, targets))}")
    return 2 if left_out else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib arrhenius",
        description="Activation energies from spectra of one device at three or more temperatures: flags, fits, "
        "corners linked over temperature, ln(tau T^m) against 1/kT, with and without the flags. Writes traps.csv, "
        "corners.csv, arrhenius.json, .png and .pdf. Nothing is sent anywhere and the files read are never changed.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
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
    return parser


def _files(options) -> list[Path]:
    """The folder's spectra: every file but results of nblib, the table of temperatures, the floor and hidden files."""
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder; nblib fit takes single files")
    others = {path.resolve() for path in (options.temperatures, options.floor, _flags(options)) if path is not None}
    found = [path for path in sorted(options.folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    found = [path for path in found if path.resolve() not in others and not _is_result(path)]
    if not found:
        raise ValueError(f"{options.folder} holds no file to read")
    return found


def _flags(options) -> Path | None:
    return None if options.drop in ("auto", "none") else Path(options.drop)


def _is_result(path) -> bool:
    """Did nblib write the file: no spectrum of the user's."""
    return is_product(path) or is_detection(path) or products.is_product(path)


def is_product(path: Path) -> bool:
    """True for a file that `nblib arrhenius` wrote."""
    tables = (",".join(TRAP_COLUMNS), ",".join(POINT_COLUMNS))
    return products.is_own(path, tables.__contains__, ("t_power", "traps", "spectra"), MAKER)


def _lines(result: Arrhenius, rows) -> list[str]:
    """What is printed: the spectra, then each trap from the bins kept and from all bins."""
    found = []
    for path, kelvin, source, one in rows:
        said = ", ".join(_corner(corner) for corner in one.fit.corners) or "no corner"
        if not one.fit.described:
            said = "NOT DESCRIBED by the model, left out of the energies"
        found.append(f"{path.name}: {kelvin:g} K ({source}), {len(one.flags)} ranges dropped, {said}")
    found.append("")
    for side, traps in zip(SIDES, (result.kept, result.all_bins), strict=True):
        warned = "" if side == "kept" else ", for comparison only"
        if not traps:
            found.append(f"{side}: no line through corners of three temperatures or more, no energy{warned}")
        for number, trap in enumerate(traps, start=1):
            found.append(
                f"{side}, trap {number}: {trap.energy:.4f} eV [{trap.low:.4f}, {trap.high:.4f}] with "
                f"T^{result.t_power:g}, {len(trap.points)} corners{warned}"
            )
            if side == "kept":
                moved = ", ".join(f"T^{power:g} {energy:.4f}" for power, energy in sorted(trap.energies.items()))
                found.append(f"  by the power of T: {moved} eV")
                if trap.cross_section:
                    value, low, high = trap.cross_section
                    found.append(f"  capture cross-section {value:.3g} cm^2 [{low:.3g}, {high:.3g}]")
    return [*found, f"  {MEANING}"]


def _corner(term) -> str:
    return f"{term.value:.4g} Hz{' (limit)' if term.note.startswith('limit') else ''}"


def as_json(result: Arrhenius, rows, left_out: list[str], options: dict) -> dict:
    """The result as `nblib arrhenius --json` prints it; plain numbers only, null where one is not finite."""
    spectra = [
        {
            "file": path.name,
            "sha256": products.sha256(path),
            "temperature": kelvin,
            "temperature_from": source,
            "described": one.fit.described,
            "corners": [
                {"value": term.value, "low": term.low, "high": _finite(term.high), "note": term.note}
                for term in one.fit.corners
            ],
            "warnings": list(one.notes),
        }
        for path, kelvin, source, one in rows
    ]
    frame = result.to_frame()
    traps = [{key: _finite(value) for key, value in row.items()} for row in frame.to_dict("records")]
    return {
        "schema": SCHEMA,
        "t_power": result.t_power,
        "level": result.level,
        "traps": traps,
        "spectra": spectra,
        "left_out": left_out,
        "meaning": MEANING,
        "options": options,
        "versions": products.versions(),
    }


def _finite(value):
    if isinstance(value, str):
        return value
    return float(value) if np.isfinite(value) else None


def _write(targets, result, document):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from nblib.style import TALL_PAIR

    traps, corners, record, *figures = targets
    try:
        write_whole(traps, result.to_frame().to_csv(index=False, float_format="%.8g"))
        write_whole(corners, result.points_frame().to_csv(index=False, float_format="%.8g"))
        write_whole(record, json.dumps(document, indent=1, allow_nan=False) + "\n")
        figure = Figure(figsize=TALL_PAIR, layout="constrained")
        FigureCanvasAgg(figure)
        result.plot(figure.subplots(1, 2, width_ratios=(3, 2)))
        for path in figures:
            figure.savefig(path, dpi=200, metadata={"Software" if path.suffix == ".png" else "Creator": MAKER})
    except OSError as error:
        raise ValueError(f"cannot write {error.filename}: {error.strerror}") from error
