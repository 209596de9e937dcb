"""The locked tests as files, for detectors from elsewhere, and the scores of such a detector judged as ours are."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy.stats import binomtest

from evidence.test_sets import measured, sizes_of
from nblib.assessment import held_out
from nblib.cells import CELL_WIDTH, N_INTERVALS, NOISY_RATIO, cell_labels
from nblib.dataset import NoiseBERTDataset
from nblib.project.profiles import get_profile
from nblib.project.registry import refuse_if
from nblib.scoring.metrics import bootstrap_interval, detection
from nblib.training.config import TrainConfig

TESTS = ("single_line", "vibration", "power_supply", "interference", "clock_leakage")
LINE_FREE = "line_free"  # validation spectra without noise, to set thresholds with; never scored
N_SPECTRA = sizes_of(get_profile("quick")).n_test  # of each locked test
SPECTRA, TRUTH, README = "spectra", "truth", "README.md"

EXPLANATION = """# Locked tests

Simulated spectra of the preset `published`, {n_spectra} of each kind. `{spectra}/NAME.npz` holds

- `freqs` (bin,): Hz
- `psd` (spectrum, bin): A^2/Hz, each an average of `n_segments` independent segments without taper or overlap

About a fifth of the spectra of a test have no external noise. `{spectra}/{line_free}.npz` has none at all: set
thresholds there.
`{truth}/NAME.npz` holds `noisy` (spectrum, bin): True where external power exceeds {ratio} of the background. Do not
look at it before you score.

Score cells of {cell_width} neighbouring bins, from the lowest frequency up, the last one shorter where they do not
divide the axis: the more likely noise, the higher the score. Store one array (spectrum, cell) a test under the test's
name:

    np.savez("scores.npz", single_line=scores)

and judge them:

    from evidence.exchange import score_file
    score_file("scores.npz", FOLDER)  # FOLDER: this one

It returns the average precision per cell, unadjusted, and top-1: the share of spectra with 1 to 10 noisy intervals,
of {n_intervals}, whose best-scored interval is a noisy one; each with a 95 % interval over test spectra.

Tests: {tests}.
"""


def _test_set(name: str, n_spectra: int) -> NoiseBERTDataset:
    """One of TESTS, or LINE_FREE."""
    config = TrainConfig(**get_profile("quick").training)
    if name == LINE_FREE:
        return held_out(config, "none", n_spectra, "validation")
    return held_out(config, name, n_spectra)


def export_tests(folder: str | Path, tests: Sequence[str] = TESTS, n_spectra: int = N_SPECTRA) -> list[Path]:
    """Write the locked tests: spectra without their truth, the truth apart, and how to score.

    Parameters
    ----------
    folder : new or empty
    tests : names out of TESTS
    n_spectra : of each test; other than N_SPECTRA for trials of the exchange itself

    Returns
    -------
    The files written: README.md, spectra/NAME.npz (also line_free) and truth/NAME.npz.

    Raises
    ------
    ValueError
        Where the folder holds something, or a test is unknown.
    """
    folder = Path(folder)
    unknown = [name for name in tests if name not in TESTS]
    if unknown:
        raise ValueError(f"unknown test {unknown[0]!r}; known: {', '.join(TESTS)}")
    refuse_if(
        folder.exists() and (not folder.is_dir() or any(folder.iterdir())),
        f"{folder} exists and is not an empty folder; name a new one, so that nothing is overwritten",
    )
    for part in (SPECTRA, TRUTH):
        (folder / part).mkdir(parents=True)
    written = []
    for name in (*tests, LINE_FREE):
        data = _test_set(name, n_spectra)
        log_psd, _, noisy = measured(data)
        written.append(folder / SPECTRA / f"{name}.npz")
        psd = np.exp(log_psd.astype(np.float64))
        np.savez_compressed(written[-1], freqs=data.freqs, psd=psd, n_segments=data.n_segments)
        if name != LINE_FREE:
            written.append(folder / TRUTH / f"{name}.npz")
            np.savez_compressed(written[-1], noisy=noisy)
    page = folder / README
    page.write_text(
        EXPLANATION.format(
            **{"n_spectra": n_spectra, "spectra": SPECTRA, "truth": TRUTH, "line_free": LINE_FREE},
            **{"ratio": NOISY_RATIO, "cell_width": CELL_WIDTH, "n_intervals": N_INTERVALS, "tests": ", ".join(tests)},
        ),
        encoding="utf-8",
    )
    return [page, *written]


def score_file(path: str | Path, folder: str | Path | None = None) -> dict[str, dict]:
    """Judge scores of the locked tests.

    Parameters
    ----------
    path : .npz with an array (spectrum, cell) a test under its name; the more likely noise, the higher
    folder : of export_tests; None draws the tests again, which takes seconds

    Returns
    -------
    By test: "ap", "auroc", "top1" (as nblib.scoring.metrics.detection has them, with chance levels), "ap_interval"
    and "top1_interval", 95 % over test spectra: bootstrap and Wilson.

    Raises
    ------
    ValueError
        Where the file is not an .npz, a name is not a test, or scores have another shape or are not finite numbers.
    """
    judged = {}
    for name, scores in _read_arrays(path).items():
        refuse_if(name not in TESTS, f"{path} holds {name!r}, which is not a test; known: {', '.join(TESTS)}")
        noisy = _truth(name, folder)
        truth = cell_labels(noisy)
        _check_scores(scores, truth, f"{path}, {name!r}")
        values = scores.astype(np.float64)
        metrics = detection(values, truth, noisy.shape[1])
        judged[name] = metrics | {
            "ap_interval": bootstrap_interval(values, truth),
            "top1_interval": _wilson(metrics["top1"], int(metrics["n_top1"])),
        }
    refuse_if(not judged, f"{path} holds no scores; store an array under one of {', '.join(TESTS)}")
    return judged


def _read_arrays(path):
    try:
        archive = np.load(path, allow_pickle=False)
        refuse_if(not isinstance(archive, np.lib.npyio.NpzFile), "one array without a name")
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ValueError(f"{path} is not there; give the .npz file with your scores") from None
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as .npz ({error}); write it with np.savez, numbers only") from error


def _truth(name: str, folder: str | Path | None) -> Bool[ndarray, "n bin"]:
    if folder is None:
        return measured(_test_set(name, N_SPECTRA))[2]
    truth = Path(folder) / TRUTH / f"{name}.npz"
    refuse_if(not truth.is_file(), f"no truth of {name!r} at {truth}; give the folder of `export_tests`, or none")
    return _read_arrays(truth)["noisy"]


def _check_scores(scores: ndarray, truth: Bool[ndarray, "n cell"], what: str) -> None:
    refuse_if(
        scores.shape != truth.shape,
        f"{what}: shape {scores.shape} instead of {truth.shape}; one row per spectrum, in the file's order, and one "
        f"column a cell of {CELL_WIDTH} bins",
    )
    refuse_if(scores.dtype.kind not in "fiub", f"{what}: {scores.dtype} is not a real number; store float scores")
    refuse_if(
        not np.isfinite(scores).all(),
        f"{what}: {int((~np.isfinite(scores)).sum())} scores are not finite; give each cell a number",
    )


def _wilson(rate: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a share; NaN where nothing counts."""
    if not n:
        return (np.nan, np.nan)
    low, high = binomtest(round(rate * n), n).proportion_ci(method="wilson")
    return (float(low), float(high))


def format_scores(judged: dict[str, dict]) -> str:
    """A line per test, for people: AP and top-1 with their intervals, and chance."""
    lines = []
    for name, row in judged.items():
        spans = [
            f"{label} {row[key]:.3f} [{row[f'{key}_interval'][0]:.3f}, {row[f'{key}_interval'][1]:.3f}] "
            f"(chance {row[chance]:.3f})"
            for label, key, chance in (("AP", "ap", "prevalence"), ("top-1", "top1", "top1_random"))
        ]
        lines.append(f"{name}: {', '.join(spans)}")
    return "\n".join(lines)
