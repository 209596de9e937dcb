"""How files are to be read and judged, and the spectra of one file read so."""

import dataclasses
import math
import warnings
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from nblib.measured.files.formats import IsSeries
from nblib.measured.files.given import series_of, spectra_of
from nblib.measured.files.readers import load_series, load_spectra
from nblib.measured.measurement import Measurement, from_series, from_spectra, subtract_floor
from nblib.measured.sources.known import read_known_lines
from nblib.project.registry import refuse_if

READING = ("column", "asd", "db", "unit", "span")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user may say beside the file; checked when it is made.

    Attributes
    ----------
    n_segments : K, at least 1; None: as the file states, else measured on the spectrum
    false_alarm : chance that a line-free spectrum has any flag, in (0, 0.5]
    network : add the network's evidence to the classical statistics
    together : flag on the average of all spectra, too, what recurs in them: they are of one set-up
    known : file with the user's own known lines (sources.known.read_known_lines), named before any other source
    column : which spectrum, by heading, key or number; "all" for every one; of a time series one channel, or "rows"
    asd, db : the values are amplitude densities, or decibels; None: as the file states
    unit : of the frequencies, of the level, or both
    span : of overlapping spans, of spectra below one another, or of a two-sided spectrum
    series : the source holds samples, not spectra
    rate : samples a second, Hz, where the source does not say
    resolution : width of a bin of a time series' spectrum, Hz; None: chosen from the length
    floor : file with the measured floor of the instrument, which is subtracted
    calibrate : folder of line-free spectra of the same set-up, which the thresholds are drawn from
    reference : file with the spectrum that was measured with the source off; what the source adds is flagged

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    n_segments: float | None = None
    false_alarm: float = 0.01
    network: bool = True
    together: bool = False
    known: str | Path | None = None
    column: str | int | None = None
    asd: bool | None = None
    db: bool | None = None
    unit: str | None = None
    span: str | int | None = None
    series: bool = False
    rate: float | None = None
    resolution: float | None = None
    floor: str | Path | None = None
    calibrate: str | Path | None = None
    reference: str | Path | None = None

    def __post_init__(self):
        refuse_if(
            not 0 < self.false_alarm <= 0.5,
            f"false_alarm={self.false_alarm:g} must lie above 0 and up to 0.5, e.g. 0.01",
        )
        refuse_if(
            self.n_segments is not None and not 1 <= self.n_segments < math.inf,
            f"n_segments={self.n_segments} must be a number of averages, at least 1",
        )
        for name in ("rate", "resolution"):
            value = getattr(self, name)
            refuse_if(
                value is not None and not self.series,
                f"{name}={value} goes with series=True: a spectrum brings its own frequencies",
            )
        refuse_if(
            self.resolution is not None and not 0 < self.resolution < math.inf,
            f"resolution={self.resolution} must be a positive number of Hz",
        )
        for path in (self.floor, self.reference, self.known):
            if path is not None:
                check_there(Path(path).expanduser())
        if self.known is not None:
            read_known_lines(Path(self.known).expanduser())
        refuse_if(
            self.calibrate is not None and self.reference is not None,
            "calibrate and reference were both given: a pair has thresholds of its own; give one of them",
        )
        refuse_if(
            self.together and self.reference is not None,
            "together=True and a reference were both given: what is over a reference is not averaged; give one of them",
        )
        refuse_if(
            self.calibrate is not None and not Path(self.calibrate).expanduser().is_dir(),
            f"calibrate={self.calibrate} is not a folder; name the folder of line-free spectra",
        )

    def measured_among(self, files: list[Path]) -> list[Path]:
        """The files without the table of known lines, which may lie beside them."""
        own = None if self.known is None else Path(self.known).expanduser().resolve()
        return [path for path in files if path.resolve() != own]

    def spectra_of_file(self, path: Path) -> list[Measurement]:
        """Every spectrum of a file; raises ValueError for what cannot be read."""
        check_there(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what was converted or looks odd is told by the measurement
            if self.series:
                measurements = [from_series(path, load_series(path, self.rate, self.column), self.resolution)]
            else:
                measurements = self._spectra_or_series(path)
            return self._judged(measurements)

    def spectra_of_arrays(self, freqs: ArrayLike, psd: ArrayLike | None) -> list[Measurement]:
        """Spectra on frequencies, or that of samples where psd is None; raises ValueError for what makes no sense."""
        name = Path("arrays")
        if psd is None:
            refuse_if(
                not self.series,
                "an array alone holds samples: give series=True and rate=HZ; of a spectrum, freqs and psd",
            )
            return self._judged([from_series(name, series_of(freqs, self.rate), self.resolution)])
        reading = {key: getattr(self, key) for key in READING if key != "column"}
        return self._judged(from_spectra(name, spectra_of(freqs, psd, **reading)))

    def _judged(self, measurements: list[Measurement]) -> list[Measurement]:
        """The spectra with the averages and the known lines that were given, less the floor."""
        if self.known is not None:
            known = read_known_lines(Path(self.known).expanduser())
            measurements = [dataclasses.replace(measured, known=known) for measured in measurements]
        if self.n_segments is not None:
            measurements = [dataclasses.replace(measured, n_segments=self.n_segments) for measured in measurements]
        if self.floor is None:
            return measurements
        reading: dict[str, Any] = {key: getattr(self, key) for key in READING if key != "column"}
        floor = load_spectra(Path(self.floor).expanduser(), **reading)
        return [subtract_floor(measured, floor) for measured in measurements]

    def _spectra_or_series(self, path):
        """A file that the reader knows to be a time series, and that states its rate, is averaged unasked."""
        try:
            return from_spectra(path, load_spectra(path, **{key: getattr(self, key) for key in READING}))
        except IsSeries as refusal:
            if self.asd or self.db or self.unit or self.span:
                raise
            try:
                series = load_series(path, None, self.column)
            except ValueError as error:
                why = str(error).removeprefix(f"{path.name}: ")
                raise ValueError(f"{refusal}. As a time series: {why}") from None
        measured = from_series(path, series)
        note = "read as a time series, as with series=True; its spectrum is Welch's"
        return [dataclasses.replace(measured, warnings=(note, *measured.warnings))]


def check_there(path: Path) -> None:
    """Files are looked for where the user asks for them and nowhere else."""
    refuse_if(not path.is_file(), f"{path} {'is a folder; name its files' if path.is_dir() else 'is not there'}")
