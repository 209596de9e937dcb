"""The numbers of docs/fit.md's generated part, from the records of benchmarks/workbench.py and workbench_times.py."""

from collections.abc import Mapping
from typing import Any

from evidence.benchmarks.workbench import LEVELS, share
from evidence.device_series import CONTAMINATION
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

NOTHING = "\N{EN DASH}"  # of a row that the record has no draws of
WAYS = (
    *("ours", "truly clean bins", "all bins", "robust, no flags", "mains deleted by hand, robust"),
    *("mains deleted by hand, least squares", "log-log least squares", "specparam, knee"),
)
BOUND = "least possible (Cramer-Rao, truly clean bins)"
Cells = Mapping[str, Mapping]


def numbers() -> dict[str, Any]:
    """Rows and tables by the names that the page's template asks for.

    Raises
    ------
    ValueError where the record is missing
    """
    record, times = read_json(benchmark_record("workbench")), read_json(benchmark_record("workbench_times"))
    cells = record["cells"]
    return {
        "rows": [*_spectra_rows(cells), *_series_rows(cells), *_gate_rows(cells), *_times(times)],
        "ways": {kind: _ways(cells, kind) for kind in CONTAMINATION},
        "levels": [f"{level:.0%}" for level in LEVELS],
        "coverage": _coverage(cells),
        "series": _series(cells),
        "missing": record["missing draws"],
        "commit": record["commit"],
        "times_commit": times["commit"],
        "first_seeds": record["first_seed"],
    }


def pooled(cells: Cells, names: list[str], way: str, key: str) -> dict | None:
    """Counts of several cells as one share; key : of the summary, two keys with a point between them for one inside."""
    counts = []
    for name in names:
        value: Any = cells.get(name, {}).get(way)
        for part in key.split(" > "):
            value = value.get(part) if value else None
        counts += [value] if value else []
    return share(sum(one["count"] for one in counts), sum(one["of"] for one in counts)) if counts else None


def shown(one: dict | None) -> str:
    """A share with its interval and its number, as text."""
    return f"{one['share']:.3f} [{one['low']:.3f}, {one['high']:.3f}], n = {one['of']}" if one else NOTHING


def _both(kind: str, group: str = "spectra") -> list[str]:
    return ["spectra, Hann, linear"] if kind == "Hann" else [f"{group}, {kind}, {axis}" for axis in ("linear", "log")]


def _row(what: str, asked: str, measured: str) -> dict[str, str]:
    return {"what": what, "asked": asked, "measured": measured}


def _spectra_rows(cells: Cells):
    null = "lorentzian where there is none"
    for kind in ("clean", "Hann", "mains"):
        names = [name for name in cells if name.startswith(("spectra", "nulls")) and f", {kind}," in name]
        measured = shown(pooled(cells, names, "ours", null))
        yield _row(f"a Lorentzian where there is none: {kind}", "<= 0.02, upper end <= 0.04", measured)
    yield _row("right number, clean", ">= 0.88", shown(pooled(cells, _both("clean"), "ours", "right number")))
    for kind in ("mains", "humps"):
        ours, clean = (pooled(cells, _both(kind), way, "right number") for way in ("ours", "truly clean bins"))
        ratio = f"{ours['share'] / clean['share']:.2f} (n = {ours['of']})" if ours and clean else NOTHING
        yield _row(f"right number over that on truly clean bins, {kind}", ">= 0.9", ratio)
    asked = {"clean": "0.92 to 0.98", "Hann": "0.92 to 0.98", "mains": ">= 0.90", "humps": ">= 0.90"}
    for kind, least in asked.items():
        measured = shown(pooled(cells, _both(kind), "ours", "covered > 95%"))
        yield _row(f"95 % intervals of the corner cover, {kind}", least, measured)
    for kind, most in (("mains", "<= 1.5"), ("humps", "<= 2")):
        measured = _ratios(cells, kind, "ours", "error over clean bins")
        yield _row(f"median error of the corner over the fit on truly clean bins, {kind}", most, measured)
    for kind, least in (("mains", ">= 1.1, interval above 1"), ("humps", ">= 2, interval above 1")):
        measured = _ratios(cells, kind, "robust, no flags", "error over ours")
        yield _row(f"error of the robust fit without flags over ours, {kind}", least, measured)
    for way in ("all bins", "mains deleted by hand, robust", "mains deleted by hand, least squares"):
        for kind in ("mains", "humps"):
            measured = _ratios(cells, kind, way, "error over ours")
            yield _row(f"error over ours: {way}, {kind}", "printed", measured)


def _ratios(cells: Cells, kind: str, way: str, key: str) -> str:
    """The ratio on both axes, linear first."""
    ratios = [(cells.get(name, {}).get(way) or {}).get(key) for name in _both(kind)]
    texts = [f"{one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" if one else NOTHING for one in ratios]
    return "; ".join(f"{axis} {text}" for axis, text in zip(("linear", "log"), texts, strict=True))


def _series_rows(cells: Cells):
    for kind in CONTAMINATION:
        one = cells.get(f"series, {kind}", {}).get("ours")
        covered = shown(one["covered"]) if one else NOTHING
        yield _row(f"intervals of Ea cover, ten temperatures, {kind}", "0.90 to 0.98", covered)
    for kind, most in (("mains", "<= 3 meV"), ("humps", "<= 5 meV")):
        one = cells.get(f"series, {kind}", {}).get("ours") or {}
        error = one.get("median abs error [eV]")
        measured = NOTHING if error is None else f"{1e3 * error:.1f} meV (n = {one['series']})"
        yield _row(f"median error of Ea = 300 meV, {kind}", most, measured)


def _gate_rows(cells: Cells):
    asked = (("all bins", "mains", ">= 0.95"), ("ours", "clean", "<= 0.03"), ("ours", "Hann", "<= 0.03"))
    for way, kind, limit in (*asked, ("ours", "mains", "<= 0.35"), ("ours", "humps", "<= 0.35")):
        bins = "mains not dropped" if way == "all bins" else f"{kind}, bins kept"
        yield _row(f"gate fires: {bins}", limit, shown(pooled(cells, _both(kind), way, "gate fires")))
    names = [*_both("mains"), *_both("humps")]
    passed = shown(pooled(cells, names, "ours", "off by more than 2, gate passed"))
    yield _row("a corner off by more than 2 where the gate passes, contaminated", "<= 0.10", passed)


def _times(record: Mapping):
    """Rows of the record of benchmarks/workbench_times.py."""
    seconds, commands = record["fit after detection"], record["commands, one file or ten"]
    energy = record["upper energy of the example [eV]"]
    text = f"{seconds['median']:.2f} s, the longest of {len(seconds['all'])} {seconds['largest']:.2f} s"
    yield _row("one fit after detection", "<= 1 s", text)
    yield _row("a folder of ten with report, start of the command included", "<= 60 s", f"{commands['report']:.0f} s")
    spans = [f"{1e3 * energy[name]:.1f}" for name in ("energy", "low", "high", "true")]
    text = f"{spans[0]} meV [{spans[1]}, {spans[2]}], true {spans[3]}"
    yield _row("upper energy of data/example_device.csv", "within 1.5 meV", text)


def _ways(cells: Cells, kind: str) -> dict[str, dict[str, str]]:
    """Each way that spectra of a kind were fitted: right number, errors, coverage, both axes together."""
    rows = {}
    for way in WAYS:
        right = pooled(cells, _both(kind), way, "right number")
        if right:
            medians = [one["median abs ln error"] for name in _both(kind) if (one := cells.get(name, {}).get(way))]
            rows[way] = {
                "right": shown(right),
                "error": "; ".join(NOTHING if one is None else f"{one:.3f}" for one in medians),
                "off": shown(pooled(cells, _both(kind), way, "off by more than 2")),
                "covered": shown(pooled(cells, _both(kind), way, "covered > 95%")),
            }
    bounds = [cells.get(name, {}).get("bound") for name in _both(kind)]
    least = "; ".join(NOTHING if one is None else f"{one:.3f}" for one in bounds)
    rows[BOUND] = {"right": NOTHING, "error": least, "off": NOTHING, "covered": NOTHING}
    return rows


def _coverage(cells: Cells) -> dict[str, list[str]]:
    """Share of the intervals that cover at each level, by kind, and of the harder set."""
    kinds = {kind: _both(kind) for kind in ("clean", "Hann", "mains", "humps")}
    kinds |= {f"harder set, {kind}": _both(kind, "hard") for kind in CONTAMINATION}
    keys = [f"covered > {level:.0%}" for level in LEVELS] + ["covered, of all true corners > 95%"]
    return {name: [shown(pooled(cells, names, "ours", key)) for key in keys] for name, names in kinds.items()}


def _series(cells: Cells) -> dict[str, dict[str, str]]:
    """Energies by contamination and way."""
    rows = {}
    for kind in CONTAMINATION:
        for way, row in cells.get(f"series, {kind}", {}).items():
            energy, error = row["median energy [eV]"], row["median abs error [eV]"]
            rows[f"{kind}, {way}"] = {
                "energy": NOTHING if energy is None else f"{energy:.3f}",
                "error": NOTHING if error is None else f"{1e3 * error:.1f}",
                "with": f"{row['with an energy']} of {row['series']}",
                "covered": shown(row["covered"]),
                "corners": NOTHING if row["corners"] is None else f"{row['corners']:.1f}",
            }
    return rows
