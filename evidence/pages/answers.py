"""What each notebook of the report answers: a template of sentences, filled from its published record.

What those of 05 and 06 ask for beyond the record is in evidence_answers: a change of how seeds are judged must not run
00 to 04 again.
"""

from collections.abc import Callable
from typing import Any

from jinja2 import UndefinedError

from evidence.pages.rendering import ENDING, TEMPLATES, render
from nblib.notebook.figures import read_index
from nblib.project.paths import published_figures
from nblib.project.records import committed_result, provenance

# notebook -> what its template asks for beside the metrics, from the metrics
NUMBERS: dict[str, Callable[[dict], dict[str, Any]]] = {}


def asks_for(notebook: str) -> Callable:
    """Decorator: numbers that a notebook's template asks for beside its metrics."""

    def register(function):
        NUMBERS[notebook] = function
        return function

    return register


def published_answer(notebook: str, profile: str = "quick") -> str:
    """The answer of a notebook as Markdown: sentences about its published record, and where they come from.

    Raises
    ------
    ValueError for a notebook without an answer or without a record
    """
    known = sorted(
        path.name.removeprefix("answer.").removesuffix(ENDING) for path in TEMPLATES.glob(f"answer.*{ENDING}")
    )
    if notebook not in known:
        raise ValueError(f"no answer is written for {notebook!r}; known: {', '.join(known)}")
    record = committed_result(notebook, profile)
    metrics = record["metrics"]
    try:
        more = NUMBERS[notebook](metrics) if notebook in NUMBERS else {}
        return render(f"answer.{notebook}", {"metrics": metrics, "provenance": provenance(record)} | more)
    except (KeyError, UndefinedError) as lacking:  # the notebook must run before its record can be published
        return f"{EARLIER} ({lacking}); publish this run."


FIGURE, ANSWER = "*Published figure ", "**Answer** "  # how what show_published shows begins
EARLIER = "The published record is of an earlier form of this notebook"


def figure_words(figure: str) -> str:
    """Name and caption of a published figure as Markdown; "" where there is none."""
    entry = read_index(published_figures()).get(figure)
    return f"{FIGURE}{figure}:* {entry['caption']}" if entry else ""


def show_published(notebook: str, figure: str) -> None:
    """Show, in a notebook, the published figure and the answer of the published run, whatever was run above."""
    from IPython.display import Image, Markdown, display

    if words := figure_words(figure):
        display(Markdown(words))
        display(Image(filename=published_figures() / f"{figure}.png", width=760))
    display(Markdown(published_answer(notebook)))


@asks_for("01_baseline_mask_prediction")
def _baseline(metrics):
    masked = {name: metrics[name]["masked"] for name in ("cls", "token", "residual")}
    falls = {name: metrics["cls"][name]["before"] - metrics["cls"][name]["after"] for name in ("in_band", "no_line")}
    return {
        "excess": {name: row["mse"] / row["floor"] - 1 for name, row in masked.items()},
        "smoothing": falls["no_line"] / falls["in_band"],
    }


@asks_for("03_full_attention_regularizer")
def _full(metrics):
    ap = {point: row["ap"] for point, row in metrics["short"].items()}
    steered = [point for point in ap if point.startswith("uniform_clean")]
    return {
        "uniform_clean": max(ap[point] for point in steered),
        "others": max(value for point, value in ap.items() if point not in steered),
    }
