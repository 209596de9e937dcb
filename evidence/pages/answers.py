"""What each notebook of the report answers, in words that follow from its published record.

Those of 05 and 06 are in evidence_answers: a change of how seeds are judged must not run 00 to 04 again.
"""

from collections.abc import Callable, Iterator

from evidence.pages.wording import enumerate_words
from evidence.trials import LIMIT, MEDIAN
from nblib.notebook.figures import read_index
from nblib.project.paths import published_figures
from nblib.project.records import committed_result, provenance

DETECTS = 0.5  # average precision from which a short run counts as a detector

ANSWERS: dict[str, Callable[[dict], Iterator[str]]] = {}


def answers(notebook: str) -> Callable:
    """Decorator: the sentences of a notebook's answer, from its record's metrics."""

    def register(function):
        ANSWERS[notebook] = function
        return function

    return register


def published_answer(notebook: str, profile: str = "quick") -> str:
    """The answer of a notebook as Markdown: sentences from its published record, and where they come from.

    Raises
    ------
    ValueError for a notebook without an answer or without a record
    """
    if notebook not in ANSWERS:
        raise ValueError(f"no answer is written for {notebook!r}; known: {', '.join(ANSWERS)}")
    record = committed_result(notebook, profile)
    try:
        sentences = list(ANSWERS[notebook](record["metrics"]))
    except KeyError as lacking:  # a notebook that asks for more must run before its record can be published
        sentences = [f"The record is of an earlier form of this notebook and lacks {lacking}; publish this run."]
    return f"**Answer** (published run: {provenance(record)}). " + " ".join(sentences)


def show_published(notebook: str, figure: str) -> None:
    """Show, in a notebook, the published figure and the answer of the published run, whatever was run above."""
    from IPython.display import Image, Markdown, display

    entry = read_index(published_figures()).get(figure)
    if entry is not None:
        display(Markdown(f"*Published figure {figure}:* {entry['caption']}"))
        display(Image(filename=published_figures() / f"{figure}.png", width=760))
    display(Markdown(published_answer(notebook)))


def _fall(error):
    return error["before"] - error["after"]


def _change(error):
    return f"{error['before']:.3f} to {error['after']:.3f} ln"


@answers("00_data")
def _data(metrics):
    statistics, factor = metrics["statistics"], metrics["ln factor"]
    known, free = (metrics[f"bound, amplitudes {name}"] for name in ("known", "free"))
    guesses = metrics["best constant guess"]
    easiest, hardest = (choose(guesses, key=lambda name: guesses[name]) for choose in (max, min))
    yield (
        f"The generator has the documented mean and scatter of ln S ({statistics['ln mean']:.3f} and "
        f"{statistics['ln std']:.3f}; documented -3.001 and 0.728)."
    )
    yield (
        f"One spectrum scatters by {factor['variance']:.4f} ln^2 a bin, the floor of every masked error "
        f"({factor['floor']:.4f})."
    )
    yield (
        f"With known amplitudes it can tell Ea to {known['Ea']:.2f} and Eb to {known['Eb']:.2f} meV at best, with free "
        f"ones to {free['Ea']:.1f} and {free['Eb']:.2f} meV."
    )
    yield (
        "Labels use the whole range, except where a family has a preferred place: a constant guess of the interval is "
        f"right in {guesses[easiest]:.0%} of the spectra with {easiest.replace('_', ' ')}, in {guesses[hardest]:.0%} "
        f"of those with {hardest.replace('_', ' ')}; it is printed beside every top-1 figure."
    )


@answers("01_baseline_mask_prediction")
def _baseline(metrics):
    cls, token = metrics["cls"], metrics["token"]
    for name, row in (("CLS", cls), ("token", token)):
        excess = row["masked"]["mse"] / row["masked"]["floor"] - 1
        yield (
            f"The {name} readout predicts masked bins with an error of {row['masked']['mse']:.4f} ln^2, {excess:.1%} "
            f"above the floor, and is {row['masked']['background_rms']:.4f} ln from the noise-free background."
        )
    band, control = cls["in_band"], cls["no_line"]
    yield (
        f"In the noisy bins the CLS readout's restored spectrum is closer to the true background than the measurement: "
        f"{_change(band)}. Of that fall {_fall(control) / _fall(band):.0%} is smoothing: without the lines the same "
        f"bins go from {_change(control)}."
    )
    found = cls["attention"]
    for name, row in (("CLS", cls), ("token", token)):
        ap = row["attention"]["ap"]
        knows = "nothing" if ap < 3 * found["prevalence"] else "something"
        yield f"Attention that nobody steered knows {knows} of the noise in the {name} readout: AP {ap:.3f}."
    yield f"A random score would have {found['prevalence']:.3f}."


@answers("02_simple_regularizer")
def _simple(metrics):
    chosen, plain = metrics["test"]["chosen"], metrics["test"]["lambda 0"]
    here, without = (row["in_band"]["after"] for row in (chosen, plain))
    detects = "makes a detector" if chosen["attention"]["ap"] > DETECTS else "does not make a detector"
    if metrics["chosen"] == 0:
        yield "On validation spectra no lambda restores the noisy bins better than none."
    else:
        yield (
            f"Validation spectra choose lambda {metrics['chosen']:g}: on the locked test the error in the noisy bins "
            f"is {here:.3f} ln, without the penalty {without:.3f} ln."
        )
    attention = max(row["attention"]["ap"] for name, row in metrics.items() if name.startswith("lambda"))
    yield (
        f"The penalty {detects} of attention: AP {chosen['attention']['ap']:.3f} on the test, {attention:.3f} at best "
        f"over all lambdas on validation spectra (prevalence {chosen['attention']['prevalence']:.3f})."
    )
    yield "It pulls predictions on noisy bins towards the data's mean spectrum, which is not what lies under a line."


@answers("03_full_attention_regularizer")
def _full(metrics):
    test, short = metrics["test"], metrics["short"]
    best: dict[str, float] = {}
    for point, row in short.items():
        name = point.split()[0]
        best[name] = max(best.get(name, 0.0), row["attention"]["ap"])
    detecting = [name for name in best if best[name] > DETECTS]
    others = [name for name in best if name not in detecting]
    attention = test["simulated labels, attention"]
    yield (
        f"In short runs {enumerate_words([f'`{name}`' for name in detecting]) or 'no penalty'} makes CLS attention a "
        f"detector (AP {max(best.values()):.2f}); {enumerate_words([f'`{name}`' for name in others])} stay at "
        f"{max((best[name] for name in others), default=0.0):.2f} or below."
    )
    yield (
        f"After the full run attention reaches AP {attention['ap']:.3f} on the locked test, where the running median "
        f"has {test[MEDIAN]['ap']:.3f} and the limit is {test[LIMIT]['ap']:.3f}; the line posterior on the model's own "
        f"residual has {test['simulated labels, residual']['ap']:.3f}."
    )
    yield (f"The masked error is {metrics['masked ratio']:.2f} times that of the same training without the penalty.")


@answers("04_attention_heatmaps")
def _heatmaps(metrics):
    layers = sorted(int(name.split()[-1]) for name in metrics if name.startswith("no penalty layer"))
    for name in ("no penalty", "simulated labels"):
        found = [
            f"AP {row['ap']:.2f}, AUROC {row['auroc']:.2f} in layer {layer}"
            for layer, row in ((layer, metrics[f"{name} layer {layer}"]) for layer in layers)
        ]
        yield f"{name.capitalize()}: {enumerate_words(found)}."
    first = metrics["simulated labels layer 0"]["auroc"]
    looks = "looks at the noise" if first < 0.4 else "looks away from it too" if first > 0.6 else "shows no preference"
    misses = metrics["misses"]
    yield (
        f"Only the last layer is penalised; the first one {looks}. The spectra that are missed have narrow noise: "
        f"{misses['noisy bins, three worst']:.0f} noisy bins against {misses['noisy bins, all']:.0f} at the median."
        if misses["noisy bins, three worst"] < misses["noisy bins, all"]
        else f"Only the last layer is penalised; the first one {looks}."
    )
