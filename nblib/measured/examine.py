"""One file examined: its spectra with their flags, or why there are none. Every door to the detector comes here."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nblib.measured.detector import NoiseDetector
from nblib.measured.measurement import Measurement
from nblib.measured.products import lines_of
from nblib.measured.result import Detection
from nblib.measured.settings import Settings

Found = tuple[Measurement, Detection]


@dataclass
class Outcome:
    """What became of one file, or of the arrays given instead.

    Attributes
    ----------
    path : the file
    found : its spectra and what was flagged in each
    problem : why there are none, or why their results are not written; ""
    fault : was that a fault of this program, not of the file
    error : what was raised
    """

    path: Path
    found: tuple[Found, ...] = ()
    problem: str = ""
    fault: bool = False
    error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """Take down why it failed, the file's name in it."""
        self.error, self.fault = error, not isinstance(error, (ValueError, OSError))
        text = str(error)
        if self.fault:
            text = f"{self.path.name}: {type(error).__name__}: {text}; a fault of nblib: please report it"
        self.problem = text if self.path.name in text else f"{self.path.name}: {text}"

    def worded(self, words: Callable[[str], str]) -> "Outcome":
        """The same with its texts in other words: those of the command, or of Python."""
        pairs = tuple(
            (dataclasses.replace(one, warnings=tuple(map(words, one.warnings))), detection)
            for one, detection in self.found
        )
        return dataclasses.replace(self, found=pairs, problem=words(self.problem))

    def last_line(self) -> str:
        """The reason of a failure, as it is printed last."""
        return f"{'failed' if self.fault else 'refused'}: {self.problem}"

    def lines(self) -> list[str]:
        """What is printed of each spectrum."""
        return ["\n".join(lines_of(*pair)) for pair in self.found]

    def rows(self) -> list[str]:
        """One line per spectrum for the list at the end, or one on the failure."""
        rows = [f"{measured.label}: {count_of(detection)}" for measured, detection in self.found]
        return rows + ([f"{self.path.name}: {'failed' if self.fault else 'refused'}"] if self.problem else [])


def examined(
    path: Path, settings: Settings, detector: NoiseDetector, read: Callable[[], list[Measurement]] | None = None
) -> Outcome:
    """Read one file and flag every spectrum of it; never raises but for an interruption.

    Parameters
    ----------
    read : gives the spectra; settings.spectra_of_file(path) if None
    """
    outcome = Outcome(path)
    try:
        spectra = settings.spectra_of_file(path) if read is None else read()
        outcome.found = tuple((one, detected(one, settings.false_alarm, detector)) for one in spectra)
    except Exception as error:
        outcome.fail(error)
    return outcome


def detected(measured: Measurement, false_alarm: float, detector: NoiseDetector) -> Detection:
    """Flags of one measurement, their likely sources named."""
    given = measured.freqs, measured.psd, measured.n_segments, false_alarm, measured.sampling_rate
    return detector.detect(*given, measured.known)


def count_of(detection: Detection) -> str:
    """How many ranges are flagged, in words."""
    flags = detection.flags
    return f"{len(flags)} flagged range{'' if len(flags) == 1 else 's'}" if flags else "nothing flagged"


def summary(n_read: int, n_files: int, rows: list[str]) -> str:
    """The list at the end of what is printed."""
    return "\n  ".join([f"{n_read} of {n_files} files read", *rows])
