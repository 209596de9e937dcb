"""One front door: a file, several, a pattern, a folder, a time series or arrays in; spectra with their flags out."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from nblib.measured.advice import as_arguments
from nblib.measured.calibrate import detector_of
from nblib.measured.detector import NoiseDetector
from nblib.measured.examine import Found, Outcome, examined, summary
from nblib.measured.inputs import files_of
from nblib.measured.outputs import jobs_of, joint_folder
from nblib.measured.products import lines_of
from nblib.measured.recurrent import Recurrent, over_background, recurrent_lines
from nblib.measured.reports import Order, complete, documented, prepare_folders, result_names, write_together
from nblib.measured.settings import Settings
from nblib.project.registry import refuse_if

Source = str | Path | ArrayLike | Iterable[str | Path]


def analyse(
    source: Source, psd: ArrayLike | None = None, *, detector: NoiseDetector | None = None, **settings: Any
) -> "Analysis":
    """Flag what is contaminated in spectra, with likely sources; the same as `nblib detect` finds.

    Parameters
    ----------
    source : a file, a folder, a pattern such as "run_*.csv", or several of these; frequencies as an array, Hz; or the
        samples of a time series as an array, with series=True and rate=HZ. Results of nblib are never read
    psd : with frequencies: (bin,) or (spectrum, bin), unit^2/Hz, NaN where a bin is missing
    detector : what flags; NoiseDetector(network=network) if None
    settings : n_segments, false_alarm, network, together, known, column, asd, db, unit, span, series, rate, resolution,
        floor, calibrate, reference: see nblib.measured.settings.Settings

    Returns
    -------
    Analysis: (measured, detection) of each spectrum; printed, it shows what `nblib detect` shows

    Raises
    ------
    ValueError where nothing could be read, with the reason. Of several files, one that cannot be read is left out with
    a warning that says why
    """
    checked = Settings(**settings)
    detector = detector_of(checked, detector)
    if psd is not None or _is_array(source):
        outcome = examined(
            Path("arrays"),
            checked,
            detector,
            lambda: checked.spectra_of_arrays(source, psd),  # type: ignore[arg-type]
        )
        return _whole([outcome], "", detector, checked)
    names: Any = [source] if isinstance(source, (str, Path)) else source
    files, left_out = files_of(names)
    files = checked.measured_among(files)
    refuse_if(not files, "no file is named; give a file, a folder or a pattern such as '*.csv'")
    return _whole([examined(path, checked, detector) for path in files], left_out, detector, checked)


def _is_array(source) -> bool:
    """Numbers, not names."""
    if isinstance(source, (str, Path)):
        return False
    return isinstance(source, np.ndarray) or not all(isinstance(entry, (str, Path)) for entry in source)


def _whole(outcomes: list[Outcome], left_out: str, detector: NoiseDetector, settings: Settings) -> "Analysis":
    outcomes = [outcome.worded(as_arguments) for outcome in outcomes]
    for outcome in outcomes:
        if outcome.fault and outcome.error is not None:
            raise outcome.error  # with its traceback, for a report
    problems = [outcome for outcome in outcomes if outcome.problem]
    if len(problems) == len(outcomes):
        raise ValueError("\n".join(outcome.problem for outcome in problems)) from problems[-1].error
    for outcome in problems:
        warnings.warn(outcome.problem, stacklevel=3)
    if not settings.together:
        return Analysis(outcomes, left_out, detector)
    spectra = [over_background(*pair) for outcome in outcomes for pair in outcome.found]
    return Analysis(outcomes, left_out, detector, recurrent_lines(spectra, detector, settings.false_alarm))


class Analysis(Sequence[Found]):
    """Spectra and what was flagged in each, in the order of the files: pairs (measured, detection).

    Attributes
    ----------
    outcomes : one per file: its spectra, or why there are none
    left_out : a line on results of nblib that were not read, ""
    detector : what flagged
    recurrent : what was flagged on the average of all spectra, with together=True
    """

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        left_out: str = "",
        detector: NoiseDetector | None = None,
        recurrent: Recurrent | None = None,
    ):
        self.outcomes, self.left_out, self.detector = list(outcomes), left_out, detector or NoiseDetector()
        self.recurrent = recurrent

    def _found(self) -> list[Found]:
        return [pair for outcome in self.outcomes for pair in outcome.found]

    @overload
    def __getitem__(self, at: int) -> Found: ...
    @overload
    def __getitem__(self, at: slice) -> list[Found]: ...
    def __getitem__(self, at):
        return self._found()[at]

    def __len__(self):
        return len(self._found())

    def __str__(self):
        """What `nblib detect` prints of the files; the reason of a failure is the last line."""
        parts = [self.left_out] * bool(self.left_out)
        parts += [f"{text}\n" for outcome in self.outcomes for text in outcome.lines()]
        if self.recurrent is not None:
            parts.append("\n".join(lines_of(self.recurrent.measured, self.recurrent.detection)) + "\n")
        rows = [row for outcome in self.outcomes for row in outcome.rows()]
        problems = [outcome.last_line() for outcome in self.outcomes if outcome.problem]
        if len(self.outcomes) > 1 or len(rows) > 1:
            parts.append(summary(len(self.outcomes) - len(problems), len(self.outcomes), rows))
        return "\n".join([*parts, *problems]).rstrip("\n")

    def write(
        self, out: str | Path | None = None, *, figures: Sequence[str] = ("png",), keep_format: bool = False
    ) -> list[Path]:
        """Write what `nblib detect` writes: tables and figures of each spectrum, of several files one table and page.

        Parameters
        ----------
        out : folder; None: nblib-results beside each file
        figures : "png", "pdf", both or none
        keep_format : tables with the separator and the decimal sign of the file

        Returns
        -------
        the files, the joint ones last

        Raises
        ------
        ValueError where one cannot be written, or would replace what nblib did not write
        """
        jobs = self._jobs(out)
        folder = joint_folder([job.path for job in jobs], None if out is None else Path(out))
        order = Order(as_arguments, folder, tuple(figures), keep_format)
        prepare_folders(jobs, order)
        reports = []
        for number, (job, outcome) in enumerate(zip(jobs, self.outcomes, strict=True)):
            report = complete(*documented(job, outcome, order, number), order)
            if report.problem and not outcome.problem:
                raise ValueError(report.problem.partition(": ")[2])
            reports.append(report)
        together = write_together(jobs, reports, order, self.recurrent)
        return [path for report in reports for path in report.written] + together

    def destinations(self, out: str | Path | None = None) -> list[tuple[Path, str]]:
        """Folder and NAME of the results of each spectrum, as `write` gives them to NAME.flags.csv and so on."""
        pairs = zip(self._jobs(out), self.outcomes, strict=True)
        return [(job.folder, name) for job, outcome in pairs for name in result_names(job, outcome)]

    def _jobs(self, out):
        return jobs_of([outcome.path for outcome in self.outcomes], None if out is None else Path(out))
