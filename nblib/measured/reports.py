"""What is written and told of each file, and of all together."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nblib.measured.drawing import draw
from nblib.measured.examine import Outcome
from nblib.measured.files.formats import PLAIN, Marks
from nblib.measured.joint import MOST_CURVES, Row, joint_csv, recurrent_rows, row_of
from nblib.measured.outputs import Job, check_targets, prepare, spectrum_names
from nblib.measured.page import page
from nblib.measured.products import (
    EDITS,
    RESULTS,
    as_json,
    lines_of,
    path_from,
    product_paths,
    write_products,
    writing,
)
from nblib.measured.recurrent import OverBackground, Recurrent, over_background
from nblib.project.paths import replace_whole


@dataclass(frozen=True)
class Order:
    """What is made of each file.

    Attributes
    ----------
    words : in which texts are told: advice.as_options or as_arguments
    joint : folder of the joint table, from which results are named; None: nothing is written
    figures : "png", "pdf", both or none
    keep_format : tables with the file's own separator and decimal sign
    spared : further files that no result may replace
    together : keep of each spectrum what the average of all needs
    """

    words: Callable[[str], str]
    joint: Path | None
    figures: tuple[str, ...] = ("png",)
    keep_format: bool = False
    spared: tuple[Path, ...] = ()
    together: bool = False


@dataclass
class Report:
    """What there is to say of one file.

    Attributes
    ----------
    job : the file
    texts : printed, one per spectrum
    documents : as --json prints them
    written : files
    rows : of the joint table and page
    lines : of the list at the end
    marks : of the tables: those of the file where they are kept
    problem : the line on its failure, "" where there is none
    fault : of this program, not of the file
    over : its spectra over their backgrounds, where all are judged together
    """

    job: Job
    texts: list[str] = field(default_factory=list)
    documents: list[dict] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    marks: Marks = PLAIN
    problem: str = ""
    fault: bool = False
    over: list[OverBackground] = field(default_factory=list)

    def fail(self, error: Exception | Outcome, words: Callable[[str], str]) -> None:
        """Take down a failure."""
        outcome = error if isinstance(error, Outcome) else Outcome(self.job.path)
        if isinstance(error, Exception):
            outcome.fail(error)
        outcome.problem = words(outcome.problem)
        self.problem, self.fault = outcome.last_line(), outcome.fault
        self.lines.append(f"{self.job.path.name}: {'failed' if self.fault else 'refused'}")
        self.rows.append(Row(self.job.shown, problem=outcome.problem))


Drawing = tuple  # of drawing.draw: files, measured, detection


def documented(job: Job, outcome: Outcome, order: Order, number: int = 0) -> tuple[Report, list[Drawing]]:
    """Write the tables of one file.

    Parameters
    ----------
    number : of the file in the command: the first ones are drawn on the page

    Returns
    -------
    the report, and what is to be drawn
    """
    report, drawings, outcome = Report(job), [], outcome.worded(order.words)
    try:
        names = result_names(job, outcome)
        _check(job, names, order)
        for name, (measured, detection) in zip(names, outcome.found, strict=True):
            measured = measured if job.origin is None else replace(measured, path=str(job.origin))
            report.over += [over_background(measured, detection)] if order.together else []
            text, written, is_edited = "\n".join(lines_of(measured, detection)), "", False
            report.documents.append(as_json(measured, detection))
            report.marks = measured.marks if order.keep_format else PLAIN
            if order.joint is not None:
                paths = write_products(job.folder, name, measured, detection, order.keep_format)
                figures = product_paths(job.folder, name, order.figures)[len(paths) :]
                drawings += [(figures, measured, detection)] if figures else []
                report.written += [*paths, *figures]
                endings = [path.name.removeprefix(name) for path in [*paths, *figures]]
                text += f"\nwrote {job.folder / name}{', '.join(endings)}"
                written, is_edited = (
                    path_from(order.joint, job.folder / name),
                    (job.folder / f"{name}.{EDITS}").exists(),
                )
                text += f"\nkept {name}.{EDITS} and {name}.edited.*, which are changed by hand" * is_edited
            shown = job.shown + measured.label.removeprefix(job.path.name)
            with_curve = bool(order.figures) and number < MOST_CURVES
            row = row_of(shown, written, order.figures, measured, detection, with_curve)
            report.rows.append(replace(row, is_edited=is_edited))
            report.texts.append(text)
        report.lines += outcome.rows()[: len(outcome.found)]
    except Exception as error:
        report.fail(error, order.words)
    if outcome.problem:
        report.fail(outcome, str)
    return report, drawings


def result_names(job: Job, outcome: Outcome) -> list[str]:
    """NAME of the results of each spectrum of a file, in the job's folder."""
    return spectrum_names(job, [measured.file_part for measured, _ in outcome.found])


def _check(job, names, order):
    """Nothing of the user's is replaced."""
    if order.joint is not None:
        targets = [path for name in names for path in product_paths(job.folder, name, order.figures)]
        check_targets(targets, [job.path, *order.spared])


def complete(report: Report, drawings: list[Drawing], order: Order) -> Report:
    """Draw here what is to be drawn."""
    for drawing in drawings:
        try:
            draw(*drawing)
        except Exception as error:
            report.fail(error, order.words)
    return report


def prepare_folders(jobs: Sequence[Job], order: Order) -> None:
    """Make the folders of the results of files that are there; raises ValueError where nothing can be written."""
    if order.joint is not None:
        for folder in {job.folder for job in jobs if job.path.is_file()}:
            prepare(folder)
        if len(jobs) > 1 or order.together:
            check_targets(joint_paths(order.joint), [])


def write_together(
    jobs: Sequence[Job], reports: Sequence[Report], order: Order, recurrent: Recurrent | None = None
) -> list[Path]:
    """Write the table and the page of several files, take folders away that stayed empty; returns the files.

    Parameters
    ----------
    recurrent : what was flagged on the average of all spectra, where that was asked
    """
    written: list[Path] = []
    if order.joint is not None and (len(jobs) > 1 or recurrent is not None):
        rows = [row for report in reports for row in report.rows]
        marks = reports[0].marks if reports else PLAIN
        written = write_joint(order.joint, rows, bool(order.figures), marks, recurrent)
    for folder in {job.folder for job in jobs}:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where no file could be read
    return written


def joint_paths(folder: Path) -> list[Path]:
    """The table of all flags and the page that a person opens first."""
    return [folder / "all.flags.csv", folder / "all.html"]


def write_joint(
    folder: Path,
    rows: Sequence[Row],
    figures: bool = True,
    marks: Marks = PLAIN,
    recurrent: Recurrent | None = None,
) -> list[Path]:
    """Write the joint table and the page into a folder, made if absent; figures : draw the spectra on the page.

    Parameters
    ----------
    recurrent : as of write_together; its flags are the first rows of the table

    Raises
    ------
    ValueError where they cannot be written
    """
    table, html = joint_paths(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace_whole(table, joint_csv([*recurrent_rows(recurrent), *rows], marks))
        replace_whole(html, page(rows, title_of(folder), figures, recurrent=recurrent))
    return [table, html]


def title_of(folder: Path) -> str:
    """What the page is called: the folder of the files."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == RESULTS else folder.name
