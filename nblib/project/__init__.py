"""The ground: paths, records, profiles, the environment and fingerprints. It knows nothing of spectra."""
