"""Gone; says where its parts are."""

raise ImportError(
    "nblib.analysis is gone since 0.3.0: the detector, its files and `nblib detect` "
    "are in nblib.measured; see CHANGELOG.md"
)
