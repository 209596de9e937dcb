"""Networks trained with measured spectra, judged on instruments that they were not trained on: what they add.

Writes runs/benchmarks/left_out.json: for the network of the first part of its training (--simulated) and for the five
of data/measured/networks, what each adds to the classical part at the frozen sites, by factor on its log-odds; what the
classical part finds where the spectrum is scatter alone; the log-odds of the quiet cells that set its limits, and of
the ranges that were labelled by eye.
"""

from pathlib import Path

import numpy as np

from evidence.benchmarks.script import options, write_record
from evidence.unknown.fold_networks import network_without
from evidence.unknown.left_out import SCATTER, gains, limiting_odds, odds_by_label, with_networks, without_texture
from evidence.unknown.measured_spectra import DIGEST, FOLDS, measured_spectra
from evidence.unknown.measured_trials import AREAS, SITES_DIGEST, frozen_sites, recalls
from nblib.measured.statistic.network import load_weights, weights_key
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
    first = ("runs/wide/simulated/last.safetensors", "weights of the first part, by train_wide.py")
    asked = options(__file__, __doc__, simulated=first)
    simulated, sites, spectra = load_weights(Path(asked.simulated)), frozen_sites(), measured_spectra()
    rows = {}
    for number, one in enumerate(spectra):
        networks = {SIMULATED: simulated, UNMET: network_without(one.fold)}
        rows[one.name] = of_spectrum(one, number, sites[one.name], networks)
        print(one.name, flush=True)
    instruments, folds = {one.name: one.instrument for one in spectra}, {one.instrument: one.fold for one in spectra}
    keys = {SIMULATED: weights_key(simulated), UNMET: [weights_key(network_without(fold)) for fold in FOLDS]}
    settings = {"sites": SITES, "spectra digest": DIGEST, "sites digest": SITES_DIGEST}
    settings |= {"statistic": VERSION, "networks": keys}
    record = gains(rows, instruments, folds) | {"settings": settings}
    write_record(__file__, record)
    print(record)


if __name__ == "__main__":
    main()
