"""`nblib report FOLDER`: flags, fits and energies of a folder as one page for a lab book, no links to the outside."""

import argparse
import base64
import io
import shlex
from datetime import datetime
from pathlib import Path

import numpy as np

from nblib.measured.joint import Row, row_of
from nblib.measured.outputs import check_targets, made_for_results
from nblib.measured.page import page
from nblib.measured.reports import title_of
from nblib.project.paths import write_whole
from nblib.workbench import products
from nblib.workbench.arrhenius import Arrhenius
from nblib.workbench.folder import REPORT, Member, files_of, is_report, members_of, results_of, shared_settings
from nblib.workbench.options import told_as_options
from nblib.workbench.series import MEANING, add_folder_options, checked_of_series, energies_figure, energies_of
from nblib.workbench.temperatures import temperatures_or_reasons
from nblib.workbench.traps import LEAST

PAGE = "report.html"
TEMPLATE = Path(__file__).parent / "report.html.j2"
DOTS = 110  # an inch, of a spectrum's figure


@told_as_options()
def report_command(arguments: list[str]) -> int:
    """Flag and fit every spectrum of a folder, link corners where temperatures are known, write one page.

    Returns
    -------
    0 done, whatever was described; 2 when a file was left out
    """
    options = _parser().parse_args(arguments)
    checked_of_series(options)
    paths, refused = files_of(options)
    target = results_of(options) / PAGE
    with made_for_results([target.parent]):
        check_targets([target], paths, is_report, REPORT)
        members, left_out = members_of(paths, temperatures_or_reasons(paths, options.temperatures), options)
        left_out = refused | left_out
        members.sort(key=lambda member: (member.kelvin or 0.0, member.path.name))
        energies, no_energy = _energies(members, options)
        command = shlex.join(["nblib", "report", *arguments])
        try:
            write_whole(target, report(members, left_out, energies, no_energy, command, options.folder))
        except OSError as error:
            raise ValueError(f"cannot write {error.filename or target}: {error.strerror}") from error
    _tell(members, left_out, energies, no_energy)
    print(f"wrote {target}")
    return 2 if left_out else 0


def _tell(members, left_out, energies, no_energy) -> None:
    described, n_out = sum(member.fit.described for member in members), len(left_out)
    out = f"{n_out} file{'' if n_out == 1 else 's'} left out"
    print(f"{len(members)} spectra, {described} described by the model, {out}")
    for trap in energies.kept if energies else ():
        print(f"energy {trap.energy:.4f} eV [{trap.low:.4f}, {trap.high:.4f}], {len(trap.points)} corners")
    if no_energy:
        print(f"no energy: {no_energy}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nblib report",
        description="One HTML page of a folder of spectra, or of fits that nblib fit wrote, for a lab book: flags, "
        "fits with and without them, energies where temperatures are known, what was refused and why, options, "
        f"versions, hashes. Writes {PAGE} into nblib-results in the folder. Nothing is sent anywhere and the files "
        "read are never changed.",
    )
    add_folder_options(parser)
    return parser


def _energies(members, options) -> tuple[Arrhenius | None, str]:
    """Traps of the members whose temperature is known, or why none are looked for."""
    known = [member for member in members if member.kelvin is not None]
    if members and not known:
        return None, f"{members[0].document['file']}: {members[0].source}"
    try:
        energies = energies_of(known, options)
    except ValueError as error:
        return None, str(error)
    why = "" if energies.kept else f"no line through described corners of {LEAST} temperatures or more"
    return energies, why


def report(
    members: list[Member],
    left_out: dict[str, str],
    energies: Arrhenius | None,
    no_energy: str,
    command: str,
    folder: Path,
) -> str:
    """The page as HTML, one file without links to the outside.

    Parameters
    ----------
    left_out : why, by the names of files that were not fitted
    no_energy : why there is no energy; "" where there is one
    """
    from matplotlib.style import context

    options, _ = shared_settings(members)
    rows = [_row(member) for member in members] + [Row(name, problem=text) for name, text in left_out.items()]
    with context("default"):  # whatever the style of a notebook says
        spectra = [_shown(member, energies is not None) for member in members]
        picture = "" if energies is None else _svg(energies_figure(energies))
    return page(
        rows,
        title_of(folder),
        template=TEMPLATE,
        maker=REPORT,
        spectra=spectra,
        picture=picture,
        traps=_traps(energies),
        power="" if energies is None else f"{energies.t_power:g}",
        meaning=MEANING,
        no_energy=no_energy,
        refused_fits=[one for one in spectra if one["refused"]],
        command=command,
        options={name.replace("_", " "): value for name, value in options.items() if value is not None},
        versions=products.versions(),
        made=datetime.now().astimezone().isoformat(" ", "minutes"),
    )


def _row(member: Member) -> Row:
    fitted, document = member.fitted, member.document
    if fitted is None or fitted.detection is None:
        step = (document["fmax"] - document["fmin"]) / max(document["bins"] - 1, 1)  # the mean width of a bin
        return Row(document["file"], flags=tuple(document["flags"]), step=step)
    return row_of(fitted.measured.label, "", (), fitted.measured, fitted.detection)


def _shown(member: Member, with_energies: bool) -> dict:
    """What the page says of one spectrum; with_energies : other spectra have some."""
    fit, document = member.fit, member.document
    refused = [] if fit.described else ["the model does not describe the bins kept: no corner and no energy from it"]
    if with_energies and member.kelvin is None:
        refused.append(f"not among the energies: {member.source}")
    limits = [term for term in fit.corners if term.note.startswith("limit")]
    refused += [f"{term.name} ({term.value:.4g} Hz) is a {term.note}" for term in limits]
    frame = products.terms_frame(fit)
    counts = tuple(document[name] for name in ("bins_kept", "bins", "bins_trimmed"))
    return {
        "label": document["file"],
        "read": document["summary"],
        "temperature": "temperature not known" if member.kelvin is None else f"{member.kelvin:g} K ({member.source})",
        "verdict": products.verdict(fit).splitlines()[0],
        "described": fit.described,
        "refused": refused,
        "columns": list(frame.columns),
        "terms": frame.values.tolist(),
        "notes": document["warnings"],
        "kept": "{} of {} bins kept, {} trimmed".format(*counts),
        "sha256": document["sha256"],
        "fit": "" if member.fitted else member.path.name,
        "picture": _picture(member),
    }


def _picture(member: Member) -> str:
    """The figure of a fit, of one that was read the one beside it; "" where there is none."""
    if member.fitted is not None:
        return _png(products.fit_figure(member.fitted))
    beside = member.path.with_suffix(".png")
    return base64.b64encode(beside.read_bytes()).decode("ascii") if products.is_product(beside) else ""


def _traps(energies: Arrhenius | None) -> list[list[str]]:
    """Rows of the table of energies, as text."""
    if energies is None:
        return []
    rows = []
    for row in energies.to_frame().to_dict("records"):
        sigma = row["cross-section [cm^2]"]
        moved = ", ".join(f"{row[name]:.4f}" for name in row if name.startswith("energy at T^"))
        rows.append(
            [
                row["bins"],
                f"{row['trap']}",
                f"{row['energy [eV]']:.4f} [{row['low [eV]']:.4f}, {row['high [eV]']:.4f}]",
                f"{row['temperatures']}, {row['from [K]']:g} to {row['to [K]']:g} K",
                f"{row['chi2/dof']:.2g}",
                moved,
                f"{sigma:.3g}" if np.isfinite(sigma) else "",
            ]
        )
    return rows


def _png(figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _svg(figure) -> str:
    """A figure as an SVG element."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()[stream.getvalue().index("<svg") :]
