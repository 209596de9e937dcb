"""Gone; says where its parts are."""

raise ImportError(
    "nblib.reporting is gone since 0.3.0: plots, notebook runs and the explorer are in nblib.notebook, style in nblib.style, pages in the clone's evidence.pages; see CHANGELOG.md"
)
