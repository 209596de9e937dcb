"""Gone; says where its parts are."""

raise ImportError(
    "nblib.spectra is gone since 0.3.0: readers are in nblib.measured.files, the "
    "generator in nblib.simulation, cells in nblib.cells; see CHANGELOG.md"
)
