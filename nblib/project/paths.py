"""Where everything lives. No other module builds a path to a project folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"
REAL_DATA_VARIABLE = "NBLIB_REAL_DATA"  # names a folder with measured spectra; absent for most users


def runs_dir(*parts: str) -> Path:
    """Folder below runs/, made if absent; the variable NBLIB_RUNS moves runs/ elsewhere (a cluster's scratch).

    parts   : path components below runs/, e.g. "quick", "03_full_attention_regularizer"
    returns : existing folder
    """
    folder = Path(os.environ.get("NBLIB_RUNS", ROOT / "runs")).joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def figures_dir(profile: str, run_name: str = "") -> Path:
    """Folder that figures are written to: figures/ for a plain quick or full run, below runs/ for all else.

    profile : "smoke", "quick" or "full"; smoke figures never replace a report's figures
    run_name : a named run (one point of a grid) keeps its figures beside its record
    """
    if profile == "smoke" or run_name:
        return runs_dir(profile, "figures", run_name)
    folder = Path(os.environ.get("NBLIB_FIGURES", ROOT / "figures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def record_path(profile: str, notebook: str) -> Path:
    """Where the committed record of a notebook's plain run lies; findings in prose quote these files."""
    folder = Path(os.environ.get("NBLIB_RECORDS", ROOT / "records")) / profile
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{notebook}.json"


def benchmark_record(name: str) -> Path:
    """Where `make bench` keeps the record of one benchmark."""
    return record_path("benchmarks", name)


def resolve_data_path(path: str | Path) -> Path:
    """A data file as the user wrote it, else below the project root, else below $NBLIB_REAL_DATA.

    path    : absolute, or relative to the current folder, the project root or $NBLIB_REAL_DATA
    returns : the first that exists
    raises  : ValueError that lists every place tried
    """
    places = [Path(path).expanduser(), ROOT / path]
    if os.environ.get(REAL_DATA_VARIABLE):
        places.append(real_data_dir() / path)
    for place in places:
        if place.is_file():
            return place
    tried = ", ".join(str(place) for place in places)
    raise ValueError(f"data_path={str(path)!r} is not a file (tried {tried}); give the path of a spectrum file")


def real_data_dir() -> Path:
    """The folder that $NBLIB_REAL_DATA names, relative paths taken from the project root.

    raises : ValueError when the variable is not set
    """
    value = os.environ.get(REAL_DATA_VARIABLE)
    if not value:
        raise ValueError(f"{REAL_DATA_VARIABLE} is not set; set it to the folder that holds the measured spectra")
    return (ROOT / value).resolve()
