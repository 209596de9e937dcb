"""`nblib fit FILE...`: corner frequencies of a user's own spectra, with and without what was flagged."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from nblib.measured.advice import as_options
from nblib.measured.outputs import check_targets, free_name, output_names, prepare
from nblib.workbench import products
from nblib.workbench.one_temperature import ConditionalEnergy, conditional_energies
from nblib.workbench.options import add_options, checked, detector_of, fitted, settings


def fit_command(arguments: list[str]) -> int:
    """Fit spectra, print and write what was found.

    Returns
    -------
    0 all fitted, described or not; 2 when any file was refused
    """
    options = _parser().parse_args(arguments)
    checked(options)
    _check_prefactor(options)
    if not options.json:
        prepare(options.out)
    detector, names = detector_of(options), output_names(options.files)
    taken, refused, documents = {name.casefold() for name in names}, 0, []
    for path, name in zip(options.files, names, strict=True):
        try:
            documents += _one_file(path, name, taken, detector, options)
        except (ValueError, OSError) as error:
            text = as_options(str(error))
            print(f"refused: {text if path.name in text else f'{path.name}: {text}'}", file=sys.stderr)
            refused += 1
    if options.json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1, allow_nan=False))
    return 2 if refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib fit",
        description="Corner frequencies of spectra: S = A f^-gamma + Lorentzians + white, from all bins and from those "
        "that are not flagged, side by side, with intervals. Writes NAME.fit.csv, .fit.json, .fit.png, .fit.pdf and "
        "NAME.model.csv. Nothing is sent anywhere and the files read are never changed.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--prefactor", metavar="P", help="1/s, assumed: energies at one temperature; one, or one a corner (P1,P2)"
    )
    parser.add_argument("--temperature", type=float, metavar="K", help="of the spectrum, goes with --prefactor")
    add_options(parser)
    return parser


def _check_prefactor(options) -> None:
    """The assumed prefactors as numbers, in place."""
    if (options.prefactor is None) != (options.temperature is None):
        raise ValueError(
            "--prefactor and --temperature go together; without an assumed prefactor: nblib arrhenius FOLDER"
        )
    if options.prefactor is not None:
        try:
            options.prefactor = [float(text) for text in options.prefactor.split(",")]
        except ValueError:
            raise ValueError(f"--prefactor {options.prefactor} must be numbers in 1/s, a comma between them") from None


def _energies(one, options) -> list[ConditionalEnergy]:
    if options.prefactor is None:
        return []
    return list(conditional_energies(one.fit, options.temperature, options.prefactor))


def _one_file(path, name, taken, detector, options) -> list[dict]:
    """Fit, print and write every spectrum of a file; the results as JSON."""
    found = fitted(path, options, detector)
    names = [name] if len(found) == 1 else [free_name(f"{name}.{one.measured.file_part}", taken) for one in found]
    if not options.json:
        targets = [target for own in names for target in products.product_paths(options.out, own)]
        read = [*options.files, *([options.floor] if options.floor else [])]
        check_targets(targets, read, products.is_product, products.MAKER)
    for own, one in zip(names, found, strict=True):
        if options.json:
            continue
        print(one.measured.describe(), *(f"  note: {text}" for text in one.notes), sep="\n")
        share = one.fit.keep.sum() / max(int((one.fit.psd > 0).sum()), 1)
        print(f"  {share:.1%} of the bins kept, {len(one.flags)} ranges dropped")
        print(products.table(one.fit), products.verdict(one.fit), sep="\n")
        for energy in _energies(one, options):
            value, low, high = (1e3 * number for number in (energy.energy, energy.low, energy.high))
            print(
                f"  {energy.corner:.4g} Hz: {value:.2f} meV [{low:.2f}, {high:.2f}], "
                f"prefactor {energy.prefactor:.4g} / s, {energy.note}"
            )
        written = products.write_products(options.out, own, path, one, settings(options))
        print(f"wrote {', '.join(map(str, written))}\n")
    return [
        products.as_json(path, one, settings(options))
        | {"conditional_energies": [dataclasses.asdict(energy) for energy in _energies(one, options)]}
        for one in found
    ]
