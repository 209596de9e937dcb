"""What templates and pages say in comparatives ("better", "fewer", ...) is what the records support.

CLAIMS lists each comparative with the intervals that support it. A claim fails when its record no longer supports it;
a comparative that no claim quotes fails too.
"""

import copy
import re

import intervals as of
import nbformat
import pytest
from definitions import DEFINITIONS
from intervals import RECORDS

from evidence.compared import AP, FOUND, IN_BAND, REFIT
from evidence.pages.pages import PAGES
from evidence.pages.rendering import ENDING, PLACE, TEMPLATES
from evidence.story import TAUGHT
from nblib.project.paths import ROOT


def words_of(notebook):
    """The Markdown cells of a notebook, without its answer."""
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n\n".join(PLACE.sub("", cell.source) for cell in cells if cell.cell_type == "markdown")


WRITTEN = {path.name.removesuffix(ENDING): path.read_text(encoding="utf-8") for path in TEMPLATES.glob(f"*{ENDING}")}
PARTS = {
    name: PLACE.sub("", (ROOT / name).read_text(encoding="utf-8")) for name in PAGES
}  # outside the generated parts
BY_HAND = {f"docs/{path.name}": path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
NOTEBOOKS = {path.stem: words_of(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
TEXTS = NOTEBOOKS | BY_HAND | WRITTEN | PARTS
COMPARATIVES = re.compile(
    r"\b(?:better|worse|more|less|fewer|lower(?:s|ed)?|raise[sd]?|higher|smaller|larger|greater|finer|coarser|faster|"
    r"slower|nearer|closer|stronger|weaker|narrower|wider|exceed(?:s|ed)?|beats?|outperforms?|improve[sd]?|drop(?:s|ped)?|"
    r"gains?|longer|shorter|easier|harder|cheaper|lowest|highest|smallest|largest|nearest|worst|indistinguishable|"
    r"significant(?:ly)?|harmless|as (?:good|well|bad|many) as)\b",
    re.IGNORECASE,
)
NAMES = (  # words that name or define something and compare no results
    "smallest possible error",
    "means that the prediction depends less on the noisy bins than on clean ones",
    "moves by less than 0.1 ln",
    "with a simple background, more than # bins",
    "the setting with the highest AP among those whose masked error is within a tenth of the smallest",
    "a bin is noisy where external power exceeds 0.25 of the background",
    "covers a little more than 95 %",
    "No detector of single lines can do better on average",
    "is a reference and may be exceeded",
    "Trained without the region less trained with it",
    "(fewer: not tried)",
    "(median of the three worst)",
    "Taught attention stands for the one with the highest AP here",
    "tokens with more averages should weigh more",
    "A background with more unknowns than the values have numbers is not",
    "a token of merged bins is better known than one of single bins",
    "1 % is the highest of them",
    "Spectra of fewer than 300 or more than 10,000 bins",
    "It counts less for flags",
    "the largest of 120 is not a 1 % quantile",
    "filters of more than 1.2 bins",
    "to see more of them",
    "they are fitted as well as the energies",
    "above the threshold that 1 % of line-free spectra exceed",
    "Lists of 100,000 files and more",
    "measured on the spectrum where that is smaller by more than chance explains",
    "median of the largest log-odds in each",
    "Why not more?",
    "humps of more than about 200 bins at half height",
    "It counts less: excess that fills half of a window",
    "where the axis starts at 20 bin widths or more",
    "largest background error, median, ln",
    "the largest error under the hump is 0.07 to 0.12 ln",
    "Spectra with fewer than 100 quiet cells count at 5 % only",
    "it raises # and # flags per spectrum",
    "the largest loss in a row of the table is #",
    "one device at three or more temperatures",
    "What the detector flags is dropped (`--drop auto`)",
    "every harmonic is dropped with two bins on either side, up to 1.5 times the highest flagged one",
    "If more than a quarter of the axis (in ln f) stands out",
    "One more must lower $D$ by more than $10",
    "stay unless they save less than",
    "leaving them in makes intervals longer, not wrong",
    "If $D$ is larger than chance explains",
    "what a fit gives when nothing is dropped",
    "has fewer than it has segments",
    "If the bins scatter more than $K$ says, the smaller $K$ is used",
    "S with components and dropped bins",
    "Without temperatures, or with fewer than three",
    "is never shorter than one standard error",
    "only where emission is much faster than capture",
    "The starting study uses 8.6e-5, 0.2 % less",
    "off by more than 2",
    "a factor 6 apart or more; the harder set a factor 3 apart",
)

OURS, FREE, LABELLED = (
    ("residual attention", "residual"),
    ("label-free", "residual"),
    ("simulated labels", "residual"),
)
UNPUSHED = ("no penalty", "residual")
STANDARDISED = tuple(
    (trial, "attention, standardised")
    for trial in ("simulated labels", "no penalty", "label-free", "no penalty, label-free")
)
POOR = ("first_bin", "log_barrier", "log_odds", "mass", "mean", "simple")
STEADY = ("steady, 0.25 x", "steady, 0.5 x")
HUMPS = ("hump, 1 x, 2 bins", "hump, 1 x, 20 bins")
WANDERING = ("wandering, 3 x, 0.03 bins", "wandering, 3 x, 0.3 bins", "wandering, 3 x, 3 bins")
IN_SWEEP = ("uniform_clean 1", "uniform_clean 10", "uniform_clean 100", "ranking", "all layers", "label-free")

# template -> (its words, sign of the intervals that support them (0: they hold 0), the intervals, what they are of)
CLAIMS = {
    "README.answer": [
        (
            "Weights learnt without labels, by queries and a penalty, restore worse",
            *(-1, of.against, IN_BAND, OURS, FREE),
        ),
        ("With simulated labels more is found", 1, of.against, FOUND, LABELLED, UNPUSHED),
    ],
    "README.setbacks": [
        ("do not turn raw attention into a detector at full length", -1, of.full_detects, *POOR),
        ("one pass instead of three, restore worse", 1, of.against, IN_BAND, (TAUGHT, "residual"), OURS),
    ],
    "docs/attention.md": [
        (
            "does not flag restores better where no labels were used",
            1,
            of.own_over_even,
            "label-free",
        ),
        ("with simulated labels the interval of their difference holds 0", 0, of.own_over_even, "simulated labels"),
    ],
    "docs/unknown.md": [
        ("and a fit does as well as any network", 0, of.against, AP, OURS, (REFIT, "")),
        (
            *("On simulated backgrounds the network helps", 1),
            *(of.value, "wide", "differences", "wide", "shipped detector - its classical part"),
        ),
        ("on instruments it adds little", 1, of.on_instruments, "detector - classical part", "summary", "5%"),
        (
            *("the detector finds fewer than the rival chosen there", -1, of.on_instruments),
            *("detector - rival chosen on the other folds", "at fixed SNR"),
        ),
        (
            *("and at 5 % than a running median", -1, of.on_instruments),
            *("detector - running median 101", "at fixed SNR", "5%"),
        ),
        ("calls structure less probable, and weak narrow lines as well", -1, of.odds_of_unmet),
        ("## What made the network better", 1, of.larger_over_longer),
        ("training spectra as large as the tested ones help more", 1, of.larger_over_longer),
    ],
    "evidence.measured": [
        ("With simulated labels the penalty lets more be found", 1, of.against, FOUND, LABELLED, UNPUSHED),
        ("The penalty evens the rest out", 1, of.against, AP, *STANDARDISED[:2]),
        ("The penalty evens the rest out", 1, of.against, AP, *STANDARDISED[2:]),
        (
            "restore better than those that queries and a penalty learn without labels",
            *(-1, of.against, IN_BAND, OURS, FREE),
        ),
    ],
    "costs.costs": [
        ("Run two trainings side by side, one thread each", 1, of.apart_over_threads),
        ("as even ones, and detect worse", -1, of.wide_tokens),
    ],
    "unknown.simulated_worlds": [
        ("Attention exceeds the best classical setting by", 1, of.gain, "network, attention", 0.0, 0.0),
    ],
    "unknown.earlier_version": [
        (
            *("At 1 % flagged `ranks` finds less than the score that it flagged by", 1),
            *(of.on_instruments, "earlier score - earlier ranks", "earlier", "1%"),
        ),
        (
            *("at 5 % the interval of their difference holds 0", 0),
            *(of.on_instruments, "earlier score - earlier ranks", "earlier", "5%"),
        ),
        ("was to find 0.05 and 0.03 beyond that score: both aims are missed", -1, of.over_earlier, 0.05, 0.03),
        ("picked in hindsight, would find", -1, of.hindsight_over_aims, 0.05, 0.03),
    ],
    "unknown.convolutions": [
        ("is better than convolutions on the locked test and on the second generator", 1, of.convolutions),
    ],
    "unknown.multitaper": [
        (
            *("the intervals of the F test's share less the detector's hold 0", 0),
            *(of.multitaper, "F test - detector", "steady, 0.25 x"),
        ),
        (
            *("fewer humps and fewer lines whose frequency wanders by 0.03 to 3 bins", -1),
            *(of.multitaper, "F test - detector", *HUMPS, *WANDERING),
        ),
        (
            *("find more steady lines of 0.25 and 0.5 times the background than the detector alone", 1),
            *(of.multitaper, "detector or F test - detector", *STEADY),
        ),
    ],
    "01_baseline_mask_prediction.answer": [
        ("restored spectrum is closer to the true background than the measurement", -1, of.restored, "cls", "residual"),
    ],
    "02_simple_regularizer.answer": [
        ("no lambda restores the noisy bins better than none", 1, of.simple_restored),
        ("The penalty does not turn attention into a detector", -1, of.simple_detects),
    ],
    "03_full_attention_regularizer.answer": [
        ("makes raw CLS attention a detector", 1, of.short_detects, True),
        ("and no penalty do not", -1, of.short_detects, False),
    ],
    "05_lambda_sweep.answer": [
        ("In short runs attention detects (AP above 0.5)", 1, of.sweep_detects, *IN_SWEEP, "token readout"),
        ("and `random` do not detect", -1, of.full_detects, *POOR, "random"),
    ],
    "06_benchmark.answer": [
        (
            "weights learnt without labels, by a query and a penalty, restore worse",
            *(-1, of.against, IN_BAND, OURS, FREE),
        ),
        ("those learnt with simulated labels differ in that by", 0, of.against, IN_BAND, OURS, LABELLED),
    ],
}
ALL = [(template, *claim) for template, claims in CLAIMS.items() for claim in claims]


def plain(text):
    """A template's words in one line; a placeholder is #."""
    return " ".join(re.sub(r"\{\{.*?\}\}", "#", text, flags=re.DOTALL).split())


def sign(interval):
    low, high = interval
    return 1 if low > 0 else -1 if high < 0 else 0


def unsupported(records, claims=ALL):
    """(template, words) of the claims whose intervals do not all have the sign that is claimed."""
    spans = [
        (template, words, expected, intervals(records, *what)) for template, words, expected, intervals, *what in claims
    ]
    return [(template, words) for template, words, expected, row in spans if {sign(span) for span in row} != {expected}]


def uncovered(name, text, claims=ALL):
    """Comparatives of a template that no claim on it quotes, each with the words around it."""
    text = plain(text)
    for words in [*NAMES, *DEFINITIONS, *(words for template, words, *_ in claims if template == name)]:
        text = text.replace(words, "|" * len(words))
    return [text[max(match.start() - 40, 0) : match.end() + 40] for match in COMPARATIVES.finditer(text)]


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: f"{claim[0]}: {claim[1]}")
def test_a_claim_is_what_its_record_supports(claim):
    _, _, expected, intervals, *what = claim
    assert unsupported(RECORDS, [claim]) == [], f"sign {expected} expected of {intervals(RECORDS, *what)}"


@pytest.mark.parametrize(("name", "words"), sorted({claim[:2] for claim in ALL}))
def test_a_claim_quotes_its_template_once(name, words):
    """Planted bugs: a sentence rewritten, its claim left behind; words so few that they cover other sentences."""
    assert plain(TEXTS[name]).count(words) == 1
    assert len(words.split()) >= 4 or not COMPARATIVES.search(words)


def test_every_definition_is_quoted():
    """Planted bug: a definition rewritten, the words that excused it left behind."""
    assert [words for words in DEFINITIONS if not any(words in plain(text) for text in TEXTS.values())] == []


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_comparative_is_held_by_a_claim(name):
    assert uncovered(name, TEXTS[name]) == []


def test_a_record_that_says_otherwise_is_caught():
    """Planted: weights learnt without labels that restore better by 0.01 on every seed and group of spectra."""
    records = RECORDS | {"06_benchmark": copy.deepcopy(RECORDS["06_benchmark"])}
    trials = records["06_benchmark"]["trials"]
    for seed, row in trials["label-free"].items():
        ours = trials["residual attention"][seed]["readings"]["in_band"]
        moved = {"after": ours["after"] - 0.01, "after_left_out": [value - 0.01 for value in ours["after_left_out"]]}
        row["readings"]["in_band"] = ours | moved
    claims = [claim for claim in ALL if claim[0] in ("README.answer", "06_benchmark.answer")]
    assert unsupported(RECORDS, claims) == []
    assert {words for _, words in unsupported(records, claims)} == {
        "Weights learnt without labels, by queries and a penalty, restore worse",
        "weights learnt without labels, by a query and a penalty, restore worse",
    }


@pytest.mark.parametrize(
    "sentence",
    [
        "Attention is better than the CNN.",
        "Weights learnt without labels, by queries and a penalty, restore worse, and finer lines too.",
        "Label-free training exceeds {{ limit | interval }}.",
    ],
)
def test_a_comparative_without_a_claim_is_caught(sentence):
    assert len(uncovered("README.answer", TEXTS["README.answer"] + sentence)) == 1


def test_a_claim_taken_away_leaves_its_comparative_uncovered():
    for name, words in {claim[:2] for claim in ALL if COMPARATIVES.search(claim[1])}:
        assert uncovered(name, TEXTS[name], [claim for claim in ALL if claim[:2] != (name, words)]), words


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_templates_hold_loops_and_placeholders_alone(name):
    """Planted bug: {% if gain.low > 0 %}better{% else %}worse{% endif %}."""
    assert set(re.findall(r"\{%[-+]? *(\w+)", WRITTEN[name])) <= {"for", "endfor"}
    placeholders = re.findall(r"\{\{(.*?)\}\}", WRITTEN[name], re.DOTALL)
    assert [words for words in placeholders if re.search(r" if | else ", words)] == []
