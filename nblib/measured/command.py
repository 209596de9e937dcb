"""`nblib detect FILE...`: flagged ranges of a user's own spectra, printed and written without replacing their files."""

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
from pathlib import Path

from nblib.measured.advice import as_options
from nblib.measured.batch import Progress, run
from nblib.measured.calibrate import detector_of
from nblib.measured.detector import NoiseDetector
from nblib.measured.examine import summary
from nblib.measured.inputs import files_of
from nblib.measured.outputs import Job, jobs_of, joint_folder
from nblib.measured.products import as_json, lines_of
from nblib.measured.recurrent import Recurrent, recurrent_lines
from nblib.measured.reports import Order, Report, prepare_folders, write_together
from nblib.measured.settings import Settings
from nblib.measured.unfinished import begin, left_over, over
from nblib.project.extensions import load_extensions
from nblib.project.registry import refuse_if

STANDARD_INPUT = "-"


@dataclasses.dataclass
class _Done:
    """What became of the files of one command so far."""

    documents: list[dict] = dataclasses.field(default_factory=list)
    reports: list[Report] = dataclasses.field(default_factory=list)

    @property
    def problems(self) -> list[Report]:
        """Of the files that were refused, or failed."""
        return [report for report in self.reports if report.problem]


def detect_command(arguments: list[str]) -> int:
    """Read spectra, flag what is contaminated, print and write it.

    Returns
    -------
    0 all read, 2 when any file was refused, 1 when nblib failed on one, 130 when interrupted
    """
    options = detect_parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _detect(options, *_planned(options, Path(folder)))
    except ValueError as error:
        raise ValueError(as_options(str(error))) from error


def _planned(options, folder: Path) -> tuple[list[Job], Settings, Order]:
    """The jobs of a command, everything checked that can be before the work; folder : for what is piped in."""
    refuse_if(options.jobs < 1, f"--jobs {options.jobs} must be a whole number of at least 1")
    settings = settings_of(options)
    piped = STANDARD_INPUT in options.files
    files, left_out = files_of([name for name in options.files if name != STANDARD_INPUT])
    files = [Path("stdin")] * piped + settings.measured_among(files)
    if left_out and not options.json:
        print(left_out, file=sys.stderr)
    order = order_of(options, None if options.json else joint_folder(files, options.out))
    jobs = jobs_of(files, options.out)
    if piped:
        jobs[0] = dataclasses.replace(jobs[0], path=_standard_input(folder), origin=Path("stdin"))
    prepare_folders(jobs, order)
    return jobs, settings, order


def settings_of(options: argparse.Namespace) -> Settings:
    """How the files of a command are read and judged; its extensions are loaded. Raises ValueError."""
    load_extensions(options.extensions)
    known = {field.name for field in dataclasses.fields(Settings)}
    return Settings(**{name: value for name, value in vars(options).items() if name in known})


def order_of(options: argparse.Namespace, joint: Path | None) -> Order:
    """What a command makes of each file; joint : folder of the joint table, None where nothing is written."""
    figures = () if options.no_figures else ("png", "pdf") if options.pdf else ("png",)
    floor = (Path(options.floor).expanduser(),) if options.floor else ()
    return Order(as_options, joint, figures, options.keep_format, floor, options.together)


def _standard_input(folder: Path) -> Path:
    """What is piped into the command, as a file."""
    path = folder / "stdin"
    with path.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return path


def _detect(options, jobs: list[Job], settings: Settings, order: Order) -> int:
    detector = detector_of(settings, NoiseDetector(_progress if sys.stderr.isatty() else None, settings.network))
    progress, done, several = Progress(len(jobs), sys.stderr), _Done(), len(jobs) > 1

    def report(file_report: Report) -> None:
        progress.clear()
        if not options.json:
            for text in file_report.texts:
                print(text, end="\n\n")
        done.documents += file_report.documents if options.json else []
        done.reports.append(dataclasses.replace(file_report, texts=[], documents=[]))
        progress.count()

    interrupted = False
    if several and order.joint is not None:
        for line in left_over(order.joint):
            print(line, file=sys.stderr)
        begin(order.joint, jobs, order.figures)
    try:
        run(jobs, settings, order, detector, options.jobs, report)
    except KeyboardInterrupt:
        interrupted = True
    progress.clear()
    recurrent, refusal = _recurrent(done, settings, detector) if settings.together and not interrupted else (None, [])
    unwritten = refusal + _close(options, jobs, order, done, recurrent)
    for line in (*(failed.problem for failed in done.problems), *unwritten):
        print(line, file=sys.stderr)
    if interrupted:
        print(f"interrupted: {len(done.reports)} of {len(jobs)} files done, the others not", file=sys.stderr)
        return 130
    return 1 if any(failed.fault for failed in done.problems) else 2 if done.problems or unwritten else 0


def _recurrent(done: _Done, settings: Settings, detector) -> tuple[Recurrent | None, list[str]]:
    """What recurs in all spectra that were read, or a line on why nobody can say."""
    try:
        spectra = [one for report in done.reports for one in report.over]
        return recurrent_lines(spectra, detector, settings.false_alarm), []
    except ValueError as error:
        return None, [f"refused: {as_options(str(error))}"]


def _close(options, jobs, order, done: _Done, recurrent: Recurrent | None) -> list[str]:
    """Print the list at the end, and write what is made of all files; returns why it could not be written."""
    if options.json:
        done.documents += [as_json(recurrent.measured, recurrent.detection)] if recurrent else []
        one = len(jobs) == 1 and len(done.documents) == 1
        if len(jobs) > 1 or done.documents:
            print(json.dumps(done.documents[0] if one else done.documents, indent=1, allow_nan=False))
        return []
    if recurrent is not None:
        print("\n".join(lines_of(recurrent.measured, recurrent.detection)), end="\n\n")
    lines = [line for report in done.reports for line in report.lines]
    if len(lines) > 1 or len(jobs) > 1:
        n_read = len(done.reports) - len(done.problems)
        print(summary(n_read, len(jobs), lines))
    try:
        if written := write_together(jobs, done.reports, order, recurrent):
            ended = {report.job for report in done.reports}
            n_spectra = sum(not row.problem for report in done.reports for row in report.rows)
            print(f"{n_spectra} spectra together: {written[0]}; open first: {written[1]}")
            over(order.joint, [job for job in jobs if job not in ended], order.figures)
    except ValueError as error:  # a full disk: what is done stays, and the list of what was begun
        return [f"refused: {as_options(str(error))}"]
    return []


def detect_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="nblib detect",
        description="Which parts of my spectra are contaminated? Reads spectra (text, .npz, .npy, .mat, .h5, .gz ...) "
        "or time series, flags lines, humps and steps above the background, and writes NAME.flags.csv, .json, .png "
        "and NAME.cleaned.csv into nblib-results beside the files; of several files also all.flags.csv and all.html. "
        "Nothing is sent anywhere and the files read are never changed.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="files, folders, patterns such as '*.csv'; - is standard input"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where results go; default: nblib-results beside each file"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON and write nothing")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="files examined side by side (1)")
    parser.add_argument("--no-figures", action="store_true", help="draw nothing")
    parser.add_argument("--pdf", action="store_true", help="draw each figure as PDF, too")
    parser.add_argument(
        "--keep-format", action="store_true", help="write tables with the separator and decimal sign of the file"
    )
    _add_settings(parser)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """How files are read and judged: the fields of Settings."""
    _add_judging(parser)
    parser.add_argument(
        "--segments", dest="n_segments", type=float, metavar="K", help="averages behind each bin; default: the header's"
    )
    parser.add_argument("--floor", metavar="FILE", help="measured floor of the instrument, subtracted")
    parser.add_argument(
        "--extensions", default="", metavar="NAMES", help="modules or .py files that add formats, a comma between"
    )
    add_reading(parser)


def _add_judging(parser):
    parser.add_argument(
        "--false-alarm",
        type=float,
        default=0.01,
        metavar="P",
        help="chance that a clean spectrum has any flag, up to 0.5 (0.01)",
    )
    parser.add_argument(
        "--network",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add the network's evidence to the classical statistics (default), or do without",
    )
    parser.add_argument(
        "--together",
        action="store_true",
        help="the spectra are of one set-up: flag on their average, too, what recurs in them",
    )
    parser.add_argument(
        "--known", metavar="FILE", help="table of your own known lines: frequency, width (or none), name; named first"
    )
    parser.add_argument(
        "--calibrate",
        metavar="DIR",
        help="folder of 5 or more, better 10, line-free spectra of the same set-up: thresholds are drawn from them, "
        "once, and kept there",
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        help="spectrum measured with the source off: what the source adds to the others is flagged (docs/on_off.md)",
    )


def add_reading(parser: argparse.ArgumentParser, span: str = "span") -> None:
    """How a file is read, in the words in which the readers advise; span : the attribute that takes --span."""
    parser.add_argument(
        "--column",
        metavar="NAME",
        help="which spectrum: heading, key or number (of a text the column, of an array the spectrum, from 1); 'all' "
        "for every one. Of a time series: one channel, or 'rows' = samples along the rows",
    )
    parser.add_argument(
        "--asd", action=argparse.BooleanOptionalAction, default=None, help="values are amplitudes per sqrt(Hz)"
    )
    parser.add_argument("--db", action=argparse.BooleanOptionalAction, default=None, help="values are decibels")
    parser.add_argument("--unit", help="unit of the frequencies, of the level, or both: kHz, V^2/Hz, 'kHz,V^2/Hz'")
    parser.add_argument(
        "--span",
        dest=span,
        metavar="WHICH",
        help="of overlapping spans first, last or cut; of spectra below one another also a number, mean or all; of a "
        "two-sided spectrum fold, positive or negative",
    )
    series = parser.add_argument_group("time series")
    series.add_argument("--series", action="store_true", help="the files hold samples, not spectra")
    series.add_argument("--rate", type=float, metavar="HZ", help="samples a second, where the file does not say")
    series.add_argument(
        "--resolution", type=float, metavar="HZ", help="width of a bin; default: chosen from the length"
    )


def _progress(share: float) -> None:
    end = "\n" if share >= 1 else ""
    print(f"\rthresholds for this kind of spectrum, once: {share:4.0%}", end=end, file=sys.stderr, flush=True)
