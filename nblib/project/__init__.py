"""The ground: paths, records, profiles, the environment and fingerprints. Nothing in it depends on spectra."""
