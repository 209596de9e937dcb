"""Gone; says where its parts are."""

raise ImportError(
    "nblib.evaluation is gone since 0.3.0: `assess` is in nblib.assessment, trials and "
    "tables are in the clone's evidence; see CHANGELOG.md"
)
