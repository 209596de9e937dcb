"""Lines injected into the 39 measured spectra of 27 instruments: the detector and its rivals, judged by instruments.

Writes runs/benchmarks/measured.json, a spectrum at a time; spectra that are there with the same settings are kept. The
setting of a family of rivals, and the one rival of all, is chosen on four folds of instruments and reported on the
fifth; intervals draw instruments. What libraries offer is slow, and tried at one site on each of ten instruments. The
detector of an earlier commit is judged at the same sites. --parts names what is measured; the rest of a record stays.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from evidence import earlier
from evidence.benchmarks.script import options
from evidence.unknown.measured_earlier import LINES, beside_the_present, cells_with
from evidence.unknown.measured_rivals import FAMILIES, MEDIAN, MEDIANS, RIVALS, SLOW
from evidence.unknown.measured_spectra import DIGEST, measured_spectra
from evidence.unknown.measured_trials import (
    AREAS,
    BY_HEIGHT,
    BY_SNR,
    CLASSICAL,
    DETECTOR,
    FEWEST_QUIET,
    MEDIAN_ODDS,
    SITES_DIGEST,
    SNRS,
    by_instrument,
    by_width,
    cells_of,
    chosen_on_others,
    difference,
    frozen_sites,
    of_the_chosen,
    recalls,
)
from evidence.unknown.measured_variants import VARIANTS, variant
from nblib.measured.detector import NoiseDetector
from nblib.measured.statistic.thresholds import VERSION
from nblib.project.environment import run_conditions
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json

LIBRARY_SITES, LIBRARY_LINE = 10, "5, 1"  # one site on each of so many instruments; width in bins, height
LIBRARIES, EARLIER = "libraries", "earlier"
PARTS = (EARLIER, *VARIANTS, LIBRARIES)  # in this order: a clone without the earlier commit says so at once
BEST_RIVAL = "rival chosen on the other folds"
# what one is chosen of, on the other folds
CHOICES = {family: tuple(settings) for family, settings in FAMILIES.items()} | {BEST_RIVAL: (*RIVALS, MEDIAN_ODDS)}
PAIRS = (
    (DETECTOR, BEST_RIVAL),
    (DETECTOR, MEDIAN),
    (DETECTOR, CLASSICAL),
    (DETECTOR, MEDIAN_ODDS),
    (MEDIAN_ODDS, MEDIAN),
)


def flags_of(spectrum) -> dict[str, int]:
    """Flags on the spectrum as measured, by false-alarm rate asked."""
    detector = NoiseDetector()
    return {
        f"{rate:.0%}": len(detector.detect(spectrum.freqs, spectrum.psd, spectrum.n_segments, rate).flags)
        for rate in AREAS
    }


def summary(recalls: dict[str, dict], spectra, kind: str) -> dict:
    """Means over instruments and differences, by area.

    Returns
    -------
    "recall" of methods, families and the rival chosen; "settings", recall of every setting of a family; "chosen", by
    each of CHOICES and fold; "differences"
    """
    instruments = {one.name: one.instrument for one in spectra}
    folds = {one.instrument: one.fold for one in spectra}
    rows: dict = {"recall": {}, "settings": {}, "differences": {}, "chosen": {}}
    for area in (f"{value:.0%}" for value in AREAS):
        names = (DETECTOR, CLASSICAL, *RIVALS, MEDIAN_ODDS, "shipped")
        values = {name: by_instrument(recalls, instruments, name, area, kind) for name in names}
        judged = {instrument: folds[instrument] for instrument in values[DETECTOR]}
        rows["chosen"][area] = {}
        for choice, rivals in CHOICES.items():
            chosen = chosen_on_others({name: values[name] for name in rivals}, judged)
            values[choice] = of_the_chosen(values, judged, chosen)
            rows["chosen"][area][choice] = {str(fold): name for fold, name in chosen.items()}
        means = {name: sum(row.values()) / len(row) for name, row in values.items()}
        settings = RIVALS.keys() - MEDIANS.keys()
        rows["settings"][area] = {name: mean for name, mean in means.items() if name in settings}
        rows["recall"][area] = {name: mean for name, mean in means.items() if name not in settings}
        rows["differences"][area] = {f"{one} - {other}": difference(values[one], values[other]) for one, other in PAIRS}
    return rows


def few_instruments(spectra, sites: dict) -> list:
    """The first spectrum of each of the first instruments with quiet cells enough."""
    firsts: dict[str, Any] = {}
    for one in spectra:
        if len(sites[one.name]["quiet"]) >= FEWEST_QUIET:
            firsts.setdefault(one.instrument, one)
    return list(firsts.values())[:LIBRARY_SITES]


def beside_libraries(recalls: dict[str, dict], spectra) -> dict:
    """Means over instruments of the detector and of what libraries offer, at the same sites, by method and area."""
    instruments = {one.name: one.instrument for one in spectra}
    rows: dict[str, dict[str, float]] = {}
    for name in (DETECTOR, CLASSICAL, *SLOW):
        for area in (f"{value:.0%}" for value in AREAS):
            values = by_instrument(recalls, instruments, name, area)
            rows.setdefault(name, {})[area] = sum(values.values()) / len(values)
    return rows


def measure(record: dict, path, name: str, n_sites: int, spectra) -> None:
    """Lines injected into one variant of every spectrum that the record lacks; kept after each spectrum."""
    sites = frozen_sites()
    done = record.setdefault("spectra" if name == VARIANTS[0] else name, {})
    for one in spectra:
        copy = variant(one, sites[one.name], name)
        if one.name in done or copy is None:
            continue
        found = recalls(*copy, n_sites)
        done[one.name] = found if name == VARIANTS[0] else by_width(found)  # a record stays below 2 MiB
        if name == VARIANTS[0]:
            record.setdefault("flags", {})[one.name] = flags_of(one)
        write_json(path, record | run_conditions())
        print(name, one.name, flush=True)


def measure_libraries(record: dict, path, spectra) -> None:
    """What libraries offer, on the few instruments that the record lacks."""
    sites, done = frozen_sites(), record.setdefault(LIBRARIES, {})
    for one in few_instruments(spectra, sites):
        if one.name not in done:
            methods = partial(cells_of, rivals=SLOW)
            done[one.name] = recalls(one, sites[one.name], 1, methods, [LIBRARY_LINE])
            write_json(path, record | run_conditions())
            print(LIBRARIES, one.name, flush=True)


def measure_earlier(
    record: dict,
    path,
    commit: str,
    n_sites: int,
    spectra,
    scorer: Callable[[str], AbstractContextManager[earlier.Scorer]] = earlier.scorer_of,
) -> None:
    """The detector of an earlier commit on the spectra as measured that the record lacks.

    Parameters
    ----------
    scorer : of a commit; it is not asked where nothing is missing

    Raises
    ------
    ValueError where the commit cannot be checked out, or its detector does not run
    """
    if record.get(EARLIER, {}).get("commit") != commit:
        record[EARLIER] = {"commit": commit, "spectra": {}}
    sites, done = frozen_sites(), record[EARLIER]["spectra"]
    missing = [one for one in spectra if one.name not in done]
    if not missing:
        return
    with scorer(commit) as score:
        for one in missing:
            done[one.name] = recalls(one, sites[one.name], n_sites, cells_with(score), LINES)
            write_json(path, record | run_conditions())
            print(EARLIER, one.name, flush=True)


def sum_up(record: dict, spectra) -> None:
    """Summaries of the parts that the record holds, put into it."""
    if LIBRARIES in record:
        record["libraries, summary"] = beside_libraries(record[LIBRARIES], spectra)
    if "spectra" in record:
        record["summary"] = summary(record["spectra"], spectra, BY_HEIGHT)
        record["at fixed SNR"] = summary(record["spectra"], spectra, BY_SNR)
    for name in VARIANTS[1:]:
        if name in record:
            record[f"{name}, summary"] = {
                kind: summary(record[name], [one for one in spectra if one.name in record[name]], kind)
                for kind in (BY_HEIGHT, BY_SNR)
            }
    then, now = record.get(EARLIER, {}), record.get("spectra", {})
    if then and then["spectra"].keys() <= now.keys():
        instruments = {one.name: one.instrument for one in spectra}
        record[EARLIER] = then | beside_the_present(then["spectra"], now, instruments)


def main() -> None:
    """Measure what is missing, spectrum by spectrum, and sum up."""
    every = {"nargs": "+", "default": list(PARTS), "choices": PARTS}
    asked = options(
        __file__,
        __doc__,
        sites=(3, "of each width and spectrum, at most 20"),
        parts=(every, "copies of the spectra that lines are injected into, libraries, the earlier detector"),
        against=(earlier.EARLIER_COMMIT, "commit whose detector is judged at the same sites; '' leaves it out"),
    )
    settings = {"sites": asked.sites, "spectra digest": DIGEST, "sites digest": SITES_DIGEST, "snrs": list(SNRS)}
    settings |= {"statistic": VERSION, "methods": [DETECTOR, CLASSICAL, *RIVALS, MEDIAN_ODDS, *SLOW]}
    path, spectra = benchmark_result("measured"), measured_spectra()
    record = read_json(path) if path.exists() else {}
    if record.get("settings") != settings:
        record = {"settings": settings}
    if EARLIER in asked.parts and asked.against:
        measure_earlier(record, path, asked.against, asked.sites, spectra)
    for name in VARIANTS:
        if name in asked.parts:
            measure(record, path, name, asked.sites, spectra)
    if LIBRARIES in asked.parts:
        measure_libraries(record, path, spectra)
    sum_up(record, spectra)
    write_json(path, record | run_conditions())
    for area, row in record.get("summary", {}).get("recall", {}).items():
        print(area, {name: round(value, 3) for name, value in row.items()})
        print(record["summary"]["chosen"][area][BEST_RIVAL], record["summary"]["differences"][area])
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
