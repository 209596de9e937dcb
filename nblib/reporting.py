"""Gone; says where its parts are."""

raise ImportError(
    "nblib.reporting is gone since 0.3.0: plots and notebook runs are in nblib.notebook, "
    "pages in the clone's evidence.pages; see CHANGELOG.md"
)
