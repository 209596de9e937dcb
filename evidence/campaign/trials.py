"""One damaged file after another through the readers, watched: what is read makes sense, all else is refused."""

import resource
import signal
import sys
import warnings
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from evidence.campaign.files import SERIES, SPECTRA, mutated
from evidence.campaign.hostile import MARK, hostile, sound
from nblib import NoiseDetector
from nblib.measured.files.readers import load_series, load_spectra

SECONDS = 20  # of one file; more is a hang
MOST_MIB = 1500  # above what the process held before
PROCESSES = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile", "subprocess.Popen", "pty.spawn")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.chmod", "shutil.rmtree", "socket.connect")
REACHED = "reached"  # file that holds the number of the damaged file being read
FORMATS = [name for name in (*SPECTRA, *SERIES) if not name.endswith(".tdms") or find_spec("nptdms")]


class Hang(BaseException):
    """A file that takes too long; nothing catches it on its way."""


class Watch:
    """What code that a file brings along would do: start programs, change files, write outside one folder."""

    def __init__(self, folder: Path):
        self.folder, self.seen, self.on = str(folder), list[str](), False
        sys.dont_write_bytecode = True  # of modules that are first imported while a file is read
        sys.addaudithook(self._heard)

    def _heard(self, event, arguments):
        if not self.on:
            return
        if event == "open":
            path, mode = arguments[:2]
            if mode and set(str(mode)) & set("wax+") and not str(path).startswith((self.folder, "/tmp")):
                self.seen.append(f"open {path} {mode}")
        elif event in PROCESSES:
            self.seen.append(f"{event} {arguments[:1]}")
        elif event in CHANGES and not self._is_own(arguments):
            self.seen.append(f"{event} {arguments[:2]}")

    def _is_own(self, arguments):
        """A file below the folder or /tmp; of the removal of a temporary folder names are relative to an open one."""
        relative = len(arguments) > 1 and isinstance(arguments[1], int) and arguments[1] >= 0
        return relative or str(arguments[0]).startswith((self.folder, "/tmp"))


@contextmanager
def _limited(seconds):
    def ring(*_):
        raise Hang(f"more than {seconds} s")

    former = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


ANSWERS: dict[str, dict[str, Any]] = {  # to what an undamaged file asks
    "blocks.dat": {"span": "all"},
    "floats.wav": {"column": 1},
}


def check_spectra(path: Path, detector: NoiseDetector) -> None:
    """Read a file of spectra; AssertionError where something in what is read makes no sense."""
    spectra = load_spectra(path, **ANSWERS.get(path.name, {}))
    assert np.isfinite(spectra.freqs).all() and (spectra.freqs > 0).all(), "frequencies"
    assert (np.diff(spectra.freqs) > 0).all(), "frequencies do not increase"
    assert spectra.psd.shape == spectra.valid.shape == (len(spectra.psd), len(spectra.freqs)), "shapes"
    there = spectra.psd[spectra.valid]
    assert (np.isfinite(there) & (there > 0)).all(), "a value that is not a power"
    assert spectra.valid.any(axis=1).all(), "an empty spectrum"
    assert "bins" in spectra.describe()
    try:
        detection = detector.detect(spectra.freqs, np.where(spectra.valid[0], spectra.psd[0], np.nan), 30)
    except ValueError:
        return
    for flag in detection.flags:
        numbers = [value for value in flag.as_row().values() if isinstance(value, float)]
        assert np.isfinite(numbers).all(), f"{flag}"


def check_series(path: Path, detector: NoiseDetector) -> None:
    """Read a file of a time series; AssertionError where something in what is read makes no sense."""
    series = load_series(path, **ANSWERS.get(path.name, {}))
    assert np.isfinite(series.rate) and series.rate > 0, "rate"
    assert all(np.isfinite(piece).all() for piece in series.stretches()), "a sample that is not a number"


def fault_of(path: Path, load, detector: NoiseDetector, watch: Watch) -> tuple[str, str]:
    """("read", ""), ("refused", "") or the kind of a fault and what it was."""
    before = path.read_bytes()
    watch.seen.clear()
    try:
        with warnings.catch_warnings(), _limited(SECONDS):
            warnings.simplefilter("ignore")
            watch.on = True
            load(path, detector)
        outcome = "read", ""
    except Hang as error:
        outcome = "hang", str(error)
    except AssertionError as error:
        outcome = "makes no sense", str(error)
    except ValueError as error:
        named = str(error).startswith(path.name)
        outcome = ("refused", "") if named else ("does not name the file", str(error)[:200])
    except BaseException as error:
        outcome = "wrong type of error", f"{type(error).__name__}: {error}"[:200]
    finally:
        watch.on = False
    if watch.seen:
        return "executed", "; ".join(watch.seen)[:300]
    return outcome if path.read_bytes() == before else ("changed the file", "")


def damage(name: str, seed: int, first: int, count: int, folder: Path, watch: Watch | None = None) -> dict:
    """Damage one format `count` times; file number n depends on the seed and n alone.

    Returns
    -------
    {"read": how many, "refused": how many, "faults": [{"number", "kind", "what"}], "peak_mib": memory above the start}
    """
    content, load = (SPECTRA[name](), check_spectra) if name in SPECTRA else (SERIES[name](), check_series)
    detector, watch = NoiseDetector(), watch or Watch(folder)
    path = folder / name
    path.write_bytes(content)
    whole, what = fault_of(path, load, detector, watch)  # imports on first use
    faults = [{"number": -1, "kind": whole, "what": f"undamaged: {what}"}] if whole != "read" else []
    start, counts = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Counter[str]()
    for number in range(first, first + count):
        rng = np.random.default_rng([seed, number, *name.encode()])
        path.write_bytes(mutated(name, content, rng))
        (folder / REACHED).write_text(str(number))
        kind, what = fault_of(path, load, detector, watch)
        counts[kind] += 1
        if kind not in ("read", "refused"):
            faults.append({"number": number, "kind": kind, "what": what})
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
    if peak > MOST_MIB:
        faults.append({"number": first, "kind": "memory", "what": f"{peak:.0f} MiB within {count} files"})
    return {"read": counts["read"], "refused": counts["refused"], "faults": faults, "peak_mib": round(peak, 1)}


def hostile_files(folder: Path, watch: Watch | None = None, only: str = "") -> dict:
    """Every hostile file through the readers.

    Parameters
    ----------
    only : beginning of the names of those that are tried

    Returns
    -------
    {"tried": how many, "refused", "read": how many of the sound ones, "sound": how many of them there are, "faults"}
    """
    detector, watch, faults, refused = NoiseDetector(), watch or Watch(folder), list[dict](), 0
    files = hostile(folder, only)
    for what, (ending, content) in files.items():
        path, start = folder / f"hostile{ending}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        path.write_bytes(content)
        kind, fault = fault_of(path, check_series if ending == ".wav" else check_spectra, detector, watch)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
        refused += kind == "refused"
        if kind != "refused" or (folder / MARK).exists() or peak > MOST_MIB:
            (folder / MARK).unlink(missing_ok=True)
            faults.append({"number": what, "kind": kind, "what": f"{fault} ({peak:.0f} MiB)"})
        path.unlink()
    outcomes = {what: fault_of(path, check_spectra, detector, watch) for what, path in sound(folder).items()}
    unread = {what: outcome for what, outcome in outcomes.items() if outcome[0] != "read"}
    faults += [{"number": what, "kind": kind, "what": fault} for what, (kind, fault) in unread.items()]
    n_read = len(outcomes) - len(unread)
    return {"tried": len(files), "refused": refused, "sound": len(outcomes), "read": n_read, "faults": faults}
