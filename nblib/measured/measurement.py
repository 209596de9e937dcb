"""One measured spectrum as a detector takes it, and one line that says what was read."""

import dataclasses
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Real
from numpy import ndarray

from nblib.measured.files.formats import Marks
from nblib.measured.files.readers import Series, Spectra
from nblib.measured.sources.known import KnownLine
from nblib.measured.welch import WelchSpectrum, welch_spectrum


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A spectrum and what its file says of it.

    Attributes
    ----------
    label : file, and the spectrum's name where the file holds several
    freqs : Hz
    psd : unit^2/Hz, NaN where there is no measurement
    unit : of psd, or None
    n_segments : K as the file states it, or None
    sampling_rate : Hz, of a time series, else None
    warnings : what was converted or looks odd
    how : what a time series was averaged to
    known : lines that the user knows, by their names
    header, marks : lines above the data of a text, and its separator and decimal sign
    path : of the file, "" where there is none
    """

    label: str
    file_part: str
    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    unit: str | None = None
    n_segments: float | None = None
    sampling_rate: float | None = None
    warnings: tuple[str, ...] = ()
    how: str = ""
    known: tuple[KnownLine, ...] = ()
    header: tuple[str, ...] = ()
    marks: Marks = Marks()
    path: str = ""

    @property
    def n_missing(self) -> int:
        """Bins without a measurement."""
        return int(np.isnan(self.psd).sum())

    def describe(self, used: float | None = None) -> str:
        """What was read: bins, from..to Hz, median level and unit, K, missing bins.

        Parameters
        ----------
        used : the K that the detection went by, where that is known
        """
        averages = f"K = {self.n_segments:.4g}" if self.n_segments else "K not stated"
        if used is not None and f"{used:.4g}" != f"{self.n_segments or 0:.4g}":
            averages += f" ({used:.4g}, as measured, used)"
        text = (
            f"{self.label}: {len(self.freqs)} bins, {self.freqs[0]:.6g}..{self.freqs[-1]:.6g} Hz, median "
            f"{np.nanmedian(self.psd):.3g} {self.unit or '(unit not stated)'}, {averages}, "
            f"{self.n_missing or 'no'} bin{'' if self.n_missing == 1 else 's'} missing"
        )
        return f"{text}\n  {self.how}" if self.how else text

    def notes(self, detection) -> list[str]:
        """Warnings of the reading and of the detection, each once."""
        return list(dict.fromkeys([*self.warnings, *detection.warnings]))


def _file_part(name: str) -> str:
    """What a heading, key or channel adds to the name of a file: no separator of folders stays in it."""
    return re.sub(r"[^\w.+-]+", "_", name)[:60]


def from_spectra(path: Path, spectra: Spectra) -> list[Measurement]:
    """Every spectrum of a file."""
    measurements = []
    for row, (psd, valid) in enumerate(zip(spectra.psd, spectra.valid, strict=True)):
        name = spectra.names[row] if row < len(spectra.names) else str(row + 1)
        several = len(spectra.psd) > 1
        measurements.append(
            Measurement(
                label=f"{path.name}, {name}" if several else path.name,
                file_part=_file_part(f"{row + 1}_{name}"),
                freqs=spectra.freqs,
                psd=np.where(valid, psd, np.nan),
                unit=spectra.unit,
                n_segments=spectra.n_segments,
                warnings=spectra.warnings,
                header=spectra.header,
                marks=spectra.marks,
                path=str(path),
            )
        )
    return measurements


def from_series(path: Path, series: Series, resolution: float | None = None) -> Measurement:
    """Welch's spectrum of a time series; resolution : width of a bin, Hz, or None."""
    length = None if resolution is None else round(series.rate / resolution)
    spectrum: WelchSpectrum = welch_spectrum(_with_breaks(series), series.rate, segment_length=length)
    unit = f"({series.unit})^2/Hz" if series.unit and not series.unit.isalnum() else f"{series.unit or 'unit'}^2/Hz"
    return Measurement(
        label=path.name,
        file_part=_file_part(series.name),
        freqs=spectrum.freqs,
        psd=series.scale**2 * spectrum.psd,
        unit=unit,
        n_segments=spectrum.n_segments,
        sampling_rate=series.rate,
        warnings=series.warnings,
        how=f"{series.describe()}: {spectrum.describe()}",
        header=series.header,
        marks=series.marks,
        path=str(path),
    )


def _with_breaks(series: Series) -> Real[ndarray, " sample"]:
    """The samples with one missing before each later sweep, so that no segment reaches over a pause."""
    return np.insert(series.samples, list(series.breaks), np.nan) if series.breaks else series.samples


def subtract_floor(measured: Measurement, floor: Spectra) -> Measurement:
    """The spectrum less a measured floor, interpolated in ln-ln; bins at or below it, or outside its span, are missing.

    Raises
    ------
    ValueError : the floor holds several spectra, another unit, or does not overlap the spectrum
    """
    if len(floor.psd) != 1:
        raise ValueError(f"the floor {floor.source} holds {len(floor.psd)} spectra; give a file with one")
    if floor.unit and measured.unit and floor.unit != measured.unit:
        raise ValueError(
            f"the floor {floor.source} is in {floor.unit} and the spectrum in {measured.unit}; use one unit"
        )
    known = floor.valid[0]
    level = np.exp(
        np.interp(
            np.log(measured.freqs),
            np.log(floor.freqs[known]),
            np.log(floor.psd[0, known]),
            left=np.nan,
            right=np.nan,
        )
    )
    left = measured.psd - level
    kept = left > 0  # False where either is missing
    lost = int((np.isfinite(measured.psd) & ~kept).sum())
    if not kept.any():
        raise ValueError(f"the floor {floor.source} leaves no bin of {measured.label} above it; is it the right file?")
    note = f"the floor {floor.source} is subtracted; {lost} bin{'' if lost == 1 else 's'} at or below it are missing"
    return dataclasses.replace(measured, psd=np.where(kept, left, np.nan), warnings=(*measured.warnings, note))
