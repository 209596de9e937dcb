"""What a fit leaves behind: a printed table, CSV and JSON of its terms, the model at each frequency, the figure."""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nblib.measured.products import path_from
from nblib.project.paths import write_whole
from nblib.workbench.options import Fitted
from nblib.workbench.result import FIT_COLUMNS, BothSides, Fit
from nblib.workbench.stored_fits import SCHEMA, sha256
from nblib.workbench.temperatures import header_of

PRODUCTS = ("fit.csv", "fit.json", "model.csv", "fit.png", "fit.pdf")
MAKER = "nblib fit"  # stands in the figures' metadata
PACKAGES = ("nblib", "numpy", "scipy")
SMALLEST = 1e-9  # probabilities below are written as such


def versions() -> dict[str, str]:
    """Of the packages that a fit depends on."""
    return {name: version(name) for name in PACKAGES}


def table(fit: BothSides) -> str:
    """The terms of both fits side by side, as aligned text."""
    return terms_frame(fit).to_string(index=False)


def terms_frame(fit: BothSides):
    """A pandas table of the terms of both fits side by side, with intervals, and how far the flags moved them."""
    import pandas as pd

    rows = []
    for term in fit.kept.terms:
        unit = (fit.unit or "unit^2/Hz") if term.unit == "psd" else "" if term.unit == "1" else term.unit
        shift = fit.shift(term)
        moved = "" if np.isnan(shift) else f"{round(shift, 1) + 0.0:+.1f} s.e."
        name, other = f"{term.name} [{unit}]" if unit else term.name, fit.nearest(term)
        rows.append((name, _text(term), "none" if other is None else _text(other), moved, term.note))
    names = ("term", f"kept [{fit.level:.0%}]", f"all bins [{fit.level:.0%}]", "all bins - kept", "note")
    return pd.DataFrame(rows, columns=list(names))


def _text(term) -> str:
    return f"{term.value:.4g} [{term.low:.4g}, {term.high:.4g}]"


def verdict(fit: BothSides) -> str:
    """One line: does the model describe the bins kept, and all bins."""

    def in_words(description):
        chance = f"p < {SMALLEST:g}" if description.probability < SMALLEST else f"p = {description.probability:.2g}"
        return f"{'described' if description.described else 'NOT DESCRIBED'} ({chance})"

    text = f"bins kept: {in_words(fit.kept)}; all bins: {in_words(fit.all_bins)}"
    if not fit.described:
        text += "\n  the model does not describe the bins kept: its corners are not a measurement, and no "
        text += "energy follows from them"
    return text


def as_json(path: Path, fitted: Fitted, options: dict, folder: Path | None = None) -> dict:
    """The result as `nblib fit --json` prints it; plain numbers, null where a number is not finite.

    Parameters
    ----------
    path : the file that was read
    folder : of the results, from which the file's path is given; None: the path as it is
    """
    fit, (low, high) = fitted.fit, fitted.fit.span
    return {
        "schema": SCHEMA,
        "file": fitted.measured.label,
        "path": str(path) if folder is None else path_from(folder, path),
        "sha256": sha256(path),
        "summary": fitted.measured.describe(),
        "temperature": header_of(path),
        "unit": fit.unit,
        "fmin": low,
        "fmax": high,
        "bins": len(fit.freqs),
        "bins_kept": int(fit.keep.sum()),
        "bins_trimmed": int((fit.keep & ~fit.kept.used).sum()),
        "segments": {
            "stated": None if fitted.measured.n_segments is None else float(fitted.measured.n_segments),
            "used": float(np.median(fit.n_segments)),
            "correlation": list(fit.correlation),
        },
        "level": fit.level,
        "kept": _side(fit.kept),
        "all_bins": _side(fit.all_bins),
        "shift": {term.name: finite(fit.shift(term)) for term in fit.kept.terms},
        "flags": [flag.as_row() for flag in fitted.flags],
        "warnings": list(fitted.notes),
        "options": options,
        "versions": versions(),
    }


def _side(description) -> dict:
    terms = [
        {
            "name": term.name,
            "unit": term.unit,
            **{key: finite(getattr(term, key)) for key in ("value", "low", "high", "error")},
            "note": term.note,
        }
        for term in description.terms
    ]
    numbers = {key: finite(getattr(description, key)) for key in ("deviance", "dof", "probability", "phi")}
    return {"described": description.described, **numbers, "terms": terms}


def finite(value):
    """A text as it is, a number as JSON can have it: None where it is not finite."""
    if isinstance(value, str):
        return value
    return float(value) if np.isfinite(value) else None


def product_paths(folder: Path, name: str) -> list[Path]:
    """The files that `write_products` writes: NAME.fit.csv, .fit.json, .model.csv, .fit.png, .fit.pdf."""
    return [folder / f"{name}.{ending}" for ending in PRODUCTS]


def is_product(path: Path) -> bool:
    """True for a file that `write_products` wrote."""
    is_model = path.name.endswith(".model.csv")

    def is_table(heading):
        if is_model:
            return heading.startswith("frequency [Hz],psd [") and ",kept,used,model [" in heading
        return heading == ",".join(FIT_COLUMNS)

    return is_own(path, is_table, ("sha256", "kept", "all_bins", "shift"), MAKER)


def is_own(path: Path, is_table: Callable[[str], bool], keys: Sequence[str], maker: str) -> bool:
    """True for a file of this room: a table by its heading, a document by its keys, a figure by its maker's name."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    if path.suffix == ".csv":
        return is_table(content.splitlines()[0].decode(errors="replace") if content else "")
    if path.suffix == ".json":
        return all(f'"{key}": '.encode() in content for key in keys)
    return maker.encode() in content


def write_products(folder: Path, name: str, fitted: Fitted, content: dict) -> list[Path]:
    """Write the files of `product_paths` into a folder, made if absent; content : of the JSON, as of `as_json`.

    Raises
    ------
    ValueError where a file cannot be written
    """
    paths = product_paths(folder, name)
    terms, document, model, *figures = paths
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(terms, fitted.fit.to_frame().to_csv(index=False, float_format="%.8g"))
        write_whole(document, json.dumps(content, indent=1, allow_nan=False) + "\n")
        write_whole(model, model_frame(fitted.fit).to_csv(index=False, float_format="%.9g"))
        _figures(figures, fitted)
    except OSError as error:
        raise ValueError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return paths


def model_frame(fit: Fit):
    """Spectrum, which bins were kept and used, the model and its components: a pandas table, a row per bin."""
    import pandas as pd

    unit = fit.unit or "unit^2/Hz"
    columns = {"frequency [Hz]": fit.freqs, f"psd [{unit}]": fit.psd}
    columns |= {"kept": fit.keep.astype(int), "used": fit.kept.used.astype(int)}
    columns |= {f"model [{unit}]": fit.kept.psd + fit.floor}
    columns |= {f"{name} [{unit}]": part for name, part in fit.kept.parts.items()}
    return pd.DataFrame(columns | {f"all bins [{unit}]": fit.all_bins.psd + fit.floor})


def fit_figure(fitted: Fitted):
    """The figure of `Fit.plot`, without a screen."""
    from nblib.workbench.figure import PANELS, SIZE

    figure = blank_figure(SIZE)
    axes = fitted.fit.plot(figure.subplots(3, 1, height_ratios=PANELS, sharex=True))
    axes[0].set_title(fitted.measured.label, fontsize=9)
    return figure


def blank_figure(size: tuple[float, float]):
    """A figure of some inches that needs no screen; the user's own backend is left alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, paths: Sequence[Path], maker: str, dpi: int) -> None:
    """A figure as files that name their maker; laid out once, for the first."""
    for path in paths:
        figure.savefig(path, dpi=dpi, metadata={"Software" if path.suffix == ".png" else "Creator": maker})
        figure.set_layout_engine("none")


def _figures(paths, fitted):
    save_figure(fit_figure(fitted), paths, MAKER, dpi=150)
