"""Gone; says where its parts are."""

raise ImportError(
    "nblib.detection is gone since 0.3.0: scores are in nblib.scoring, the detector's "
    "statistic in nblib.measured.statistic; see CHANGELOG.md"
)
