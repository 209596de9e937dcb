"""Networks trained with measured spectra, judged on instruments that they were not trained on: what they add.

Writes runs/benchmarks/left_out.json: for the network that ships, trained on simulated spectra alone, and for the five
of `train_wide --folds`, what each adds to the classical part at the frozen sites, by factor on its log-odds; what the
classical part finds where the spectrum is scatter alone; the log-odds of the quiet cells that set its limits, of the
ranges that were labelled by eye, and of weak lines on smooth backgrounds.
"""

import numpy as np

from evidence.benchmarks.script import options, write_record
from evidence.benchmarks.train_wide import last_of, without
from evidence.unknown.left_out import (
    SCATTER,
    gains,
    limiting_odds,
    odds_by_label,
    weak_lines,
    with_networks,
    without_texture,
)
from evidence.unknown.measured_spectra import DIGEST, FOLDS, measured_spectra
from evidence.unknown.measured_trials import AREAS, SITES_DIGEST, frozen_sites, recalls
from nblib.measured.statistic.network import WEIGHTS_SHA256, load_weights, weights_key
from nblib.measured.statistic.thresholds import VERSION

SIMULATED, UNMET = "simulated spectra alone", "other instruments as well"  # what a network was trained on
SITES = 3


def of_spectrum(one, number: int, sites: dict, networks: dict) -> dict:
    """All that is measured of one spectrum."""
    quiet = np.array(sites["quiet"])
    alone = with_networks({UNMET: networks[UNMET]}, ())
    return {
        "recall": recalls(one, sites, SITES, with_networks(networks)),
        SCATTER: recalls(without_texture(one, number), sites, SITES, alone),
        "limiting": {f"{area:.0%}": limiting_odds(one, quiet, networks, area) for area in AREAS},
        "labels": odds_by_label(one, networks),
    }


def main() -> None:
    """Measure and write the record."""
    options(__file__, __doc__)
    sites, spectra, rows = frozen_sites(), measured_spectra(), {}
    unmet = {fold: load_weights(last_of(without(fold))) for fold in FOLDS}
    for number, one in enumerate(spectra):
        networks = {SIMULATED: None, UNMET: unmet[one.fold]}
        rows[one.name] = of_spectrum(one, number, sites[one.name], networks)
        print(one.name, flush=True)
    instruments, folds = {one.name: one.instrument for one in spectra}, {one.instrument: one.fold for one in spectra}
    keys = {SIMULATED: WEIGHTS_SHA256, UNMET: [weights_key(unmet[fold]) for fold in FOLDS]}
    settings = {"sites": SITES, "spectra digest": DIGEST, "sites digest": SITES_DIGEST}
    settings |= {"statistic": VERSION, "networks": keys}
    weak = weak_lines({SIMULATED: None, UNMET: unmet[FOLDS[0]]})
    record = gains(rows, instruments, folds) | {"weak lines": weak, "settings": settings}
    write_record(__file__, record)
    print(record)


if __name__ == "__main__":
    main()
