"""`nblib fit FILE...`: corner frequencies of a user's own spectra, with and without what was flagged."""

import argparse
import dataclasses
import json
import sys

from nblib.measured.inputs import files_of
from nblib.measured.outputs import check_targets, jobs_of, made_for_results, spectrum_names
from nblib.workbench import products
from nblib.workbench.one_temperature import ConditionalEnergy, conditional_energies
from nblib.workbench.options import (
    add_options,
    as_typed,
    checked,
    detector_of,
    fitted,
    settings,
    told_as_options,
    without_tables,
)


@told_as_options()
def fit_command(arguments: list[str]) -> int:
    """Fit spectra, print and write what was found.

    Returns
    -------
    0 all fitted, described or not; 2 when any file was refused
    """
    options = _parser().parse_args(arguments)
    checked(options)
    _check_prefactor(options)
    paths, left_out = files_of(options.files)
    if left_out and not options.json:
        print(left_out, file=sys.stderr)
    jobs = jobs_of(without_tables(paths, options), options.out)
    folders = [] if options.json else [job.folder for job in jobs if job.path.is_file()]
    detector, refused, documents = detector_of(options), 0, []
    with made_for_results(folders):
        for job in jobs:
            try:
                documents += _one_file(job, detector, options)
            except (ValueError, OSError) as error:
                text, name = as_typed(str(error)), job.path.name
                print(f"refused: {text if name in text else f'{name}: {text}'}", file=sys.stderr)
                refused += 1
    if options.json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1, allow_nan=False))
    return 2 if refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib fit",
        description="Corner frequencies of spectra: S = A f^-gamma + Lorentzians + white, from all bins and from those "
        "that are not flagged, side by side, with intervals. Writes NAME.fit.csv, .fit.json, .fit.png, .fit.pdf and "
        "NAME.model.csv into nblib-results beside the files. Nothing is sent anywhere and the files read are never "
        "changed.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, folders, patterns such as '*.csv'")
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


def _one_file(job, detector, options) -> list[dict]:
    """Fit, print and write every spectrum of a file; the results as JSON."""
    fits = fitted(job.path, options, detector)
    names = spectrum_names(job, [one.measured.file_part for one in fits])
    if not options.json:
        targets = [target for name in names for target in products.product_paths(job.folder, name)]
        read = [job.path, *([options.floor] if options.floor else [])]
        check_targets(targets, read, products.is_product, products.MAKER)
    documents = []
    for name, one in zip(names, fits, strict=True):
        energies = _energies(one, options)
        document = products.as_json(job.path, one, settings(options), None if options.json else job.folder)
        document["temperature"] = options.temperature or document["temperature"]
        rows = [
            {key: products.finite(value) for key, value in dataclasses.asdict(energy).items()} for energy in energies
        ]
        documents.append(document | {"conditional_energies": rows})
        if not options.json:
            print(*_lines(one, energies), sep="\n")
            written = products.write_products(job.folder, name, one, documents[-1])
            endings = [path.name.removeprefix(name) for path in written]
            print(f"wrote {job.folder / name}{', '.join(endings)}\n")
    return documents


def _lines(one, energies) -> list[str]:
    """What is printed of a spectrum."""
    share = one.fit.keep.sum() / max(int((one.fit.psd > 0).sum()), 1)
    lines = [one.measured.describe(), *(f"  note: {text}" for text in one.notes)]
    lines.append(f"  {share:.1%} of the bins kept, {len(one.flags)} ranges dropped")
    lines += [products.table(one.fit), products.verdict(one.fit)]
    for energy in energies:
        value, low, high = (1e3 * number for number in (energy.energy, energy.low, energy.high))
        lines.append(
            f"  {energy.corner:.4g} Hz: {value:.2f} meV [{low:.2f}, {high:.2f}], "
            f"prefactor {energy.prefactor:.4g} / s, {energy.note}"
        )
    return lines
