"""docs/unknown.md, the generated parts: simulated and measured unknown backgrounds, from the benchmarks' records."""

from evidence.pages.wording import difference_words, enumerate_words, fill_places, markdown_table
from evidence.unknown.alarm_rates import pooled_rate
from nblib.project.paths import benchmark_record
from nblib.project.records import read_json

BENCHMARKS = ("wide", "network_injections", "injections", "false_alarms", "detector_costs", "wide_cnn", "multitaper")
TESTS = {"wide": "locked test", "second": "second generator"}
SIMULATED = {  # key in the record -> words; {best} is the best classical setting on the tuning spectra
    "simulated: head": "network, token head, trained on simulation only",
    "simulated: attention": "network, attention, trained on simulation only",
    "network, token head": "network as shipped, token head",
    "network, attention": "network as shipped, attention",
    "shipped detector": "what `nblib detect` flags by (filters and network, one order over spectra)",
    "its classical part": "the same without the network",
}
MEASURED = {
    "classical detector + 1 x real stretch: head": "what `nblib detect` orders by (classical detector + network)",
    "classical detector": "classical detector",
    "real stretch: head": "the network's token head alone",
    "real stretch: attention": "the network's attention alone",
    "running median 401, narrow": "running median of 401 bins, narrow filter",
    "best single setting": "best single setting, chosen on the first stretch ({best})",
    "calibrated bank on running medians": "bank of filters of many widths, each with its own tail on quiet cells",
}
AREAS = ("1%", "5%")
BOTH = "classical detector + 1 x real stretch: head"
ONLY_SIMULATED = "classical detector + 1 x simulated: head"
CHOSEN = "classical detector + real stretch: head"  # of the weights tried, the best one on the first stretch
ATTENTION = "real stretch: attention"
DIFFERENCES = (  # pair in the record, words, aim
    (f"{BOTH} - best single setting", "`nblib detect` - best single setting", ">= 0.04, interval above 0"),
    (f"{BOTH} - running median 401, narrow", "`nblib detect` - running median of 401 bins", ""),
    (f"{BOTH} - classical detector", "`nblib detect` - classical detector: what the network adds", ">= 0.01"),
    (f"{CHOSEN} - classical detector", "the same, the network's weight chosen on the first stretch ({weight})", ""),
    (f"{ONLY_SIMULATED} - classical detector", "the same, network trained on simulation only", ""),
    (f"{ATTENTION} - classical detector", "attention alone - classical detector", ""),
    (f"{ATTENTION} - best single setting", "attention alone - best single setting", ">= -0.05"),
    (f"{ATTENTION} - running median 401, narrow", "attention alone - running median of 401 bins", ""),
)
DETECTORS = (
    ("shipped detector - best single setting", "`nblib detect` - best single setting", ">= 0.04, interval above 0"),
    ("shipped detector - running median 401, narrow", "`nblib detect` - running median of 401 bins", ""),
    ("shipped detector - its classical part", "`nblib detect` - classical detector: what the network adds", ">= 0.01"),
    (
        "shipped detector, score that flags - its classical part, score that flags",
        "the same, ordered by the score that flags",
        "",
    ),
)
TRIED_BY_USERS = {  # key in the record of evidence/benchmarks/injections.py -> words
    "shipped detector": "what `nblib detect` orders by",
    "its classical part": "classical detector",
    "running median 401, narrow": "running median of 401 bins, narrow filter",
    "best single setting": "best single setting, chosen on the first stretch ({best})",
    "pybaselines fabc": "pybaselines, `fabc` on ln PSD against ln f",
    "pybaselines dietrich": "pybaselines, `dietrich`",
    "pybaselines std_distribution": "pybaselines, `std_distribution`",
    "specparam peaks": "specparam at its defaults, its peaks",
    "specparam aperiodic": "specparam at its defaults, residual of its power law",
    "chance": "chance",
}
AIMED = {"wide": 0.12, "second": 0.08}  # attention's average precision above the best classical setting's
ASKED = {True: "0.77 to 1.3", False: "0.5 to 2"}  # times the false alarms asked, K known and not
MILLISECONDS = 25  # asked for 3,000 bins


def _span(row, digits=3):
    """Difference and interval, of a dict or of (mean, low, high)."""
    if isinstance(row, dict):
        row = (row["difference" if "difference" in row else "mean"], row["low"], row["high"])
    return "{:.{digits}f} [{:.{digits}f}, {:.{digits}f}]".format(*row, digits=digits)


def simulated(record: dict) -> str:
    """Average precision on both simulated worlds, and how far attention lies above the best classical setting."""
    names = {**SIMULATED, record["best"]: f"{record['best']} (the best classical setting on tuning spectra)"}
    names = dict(sorted(names.items(), key=lambda item: -record["wide"][item[0]]["ap"]))
    rows = [
        (words, *(f"{record[test][key]['ap']:.3f} [{low:.3f}, {high:.3f}]" for test, (low, high) in ends.items()))
        for key, words in names.items()
        for ends in ({test: record[test][key]["interval"] for test in TESTS},)
    ]
    chance = " and ".join(f"{record['prevalence'][test]:.3f}" for test in TESTS)
    lines = [f"Average precision per 10-bin cell [95 % over spectra]; chance is {chance}.", ""]
    lines += markdown_table(("method", *TESTS.values()), rows)
    for trained, key in (("trained on simulation only", "simulated: attention"), ("as shipped", "network, attention")):
        found = {test: record["differences"][test][f"{key} - {record['best']}"] for test in TESTS}
        words = [
            f"{_span(found[test])} on the {name} (at least {AIMED[test]} was aimed at:"
            f" {'met' if found[test]['difference'] >= AIMED[test] else 'missed'})"
            for test, name in TESTS.items()
        ]
        lines += ["", f"Attention {trained} is above the best classical setting by {' and '.join(words)}."]
    return "\n".join(lines)


def tried(record: dict) -> str:
    """Networks and readouts that were tried, on tuning spectra."""
    kinds = ("head", "attention", "attention over even attention")
    ordered = sorted(record["tried"].items(), key=lambda item: item[1]["head"])
    rows = [(name, *(f"{row[kind]:.3f}" for kind in kinds)) for name, row in ordered]
    best = f"The best classical setting, {record['best']}, has {record['tuning'][record['best']]:.3f} there."
    return "\n".join([*markdown_table(("trained for", "token head", *kinds[1:]), rows), "", best])


def measured(record: dict, detector: dict) -> str:
    """Lines injected into measured spectra: what is found, by width, and differences beside what was aimed at.

    Parameters
    ----------
    record, detector : of evidence/benchmarks/network_injections.py and of evidence/benchmarks/injections.py
    """
    best, held_out = record["first stretch"]["best single setting"], record["held out"]
    rows = [
        (words.format(best=best), *(f"{held_out[key][area]:.3f}" for area in AREAS))
        for key, words in sorted(MEASURED.items(), key=lambda item: -sum(held_out[item[0]].values()))
    ]
    widths = sorted(record["by width"][BOTH], key=float)
    by_width = [
        (
            MEASURED[key].format(best=best),
            *(" and ".join(f"{v:.3f}" for v in record["by width"][key][w]) for w in widths),
        )
        for key in (BOTH, "classical detector", "running median 401, narrow")
    ]
    without = [
        f"{number} bins on {name}" for name, row in record["places"].items() for number, n in row.items() if not n
    ]
    lines = ["Places that are quiet for every method of this table:", ""]
    lines += [*markdown_table(("method", "1 % flagged", "5 % flagged"), rows), ""]
    weights = record["first stretch"]["weights"]["real stretch: head"]
    lines += [*_difference_table(record, DIFFERENCES, weight=max(weights, key=lambda weight: weights[weight])), ""]
    lines += [f"By spectrum: {', '.join(record['by stretch'][BOTH])}.", ""]
    lines += [*markdown_table(("1 % and 5 % flagged", *(f"width {width} bins" for width in widths)), by_width), ""]
    if without:
        lines += [f"No place that every method calls quiet was left for lines of {enumerate_words(without)}.", ""]
    lines += ["Places that are quiet for the detectors, with and without the network:", ""]
    lines += [*_difference_table(detector, DETECTORS), ""]
    found, best = detector["held out"], detector["best single setting"]
    rows = [
        (words.format(best=best), *(f"{found[key][area]:.3f}" for area in AREAS))
        for key, words in sorted(TRIED_BY_USERS.items(), key=lambda item: -sum(found[item[0]].values()))
    ]
    lines += ["The same places, which pybaselines and specparam did not help to choose:", ""]
    return "\n".join([*lines, *markdown_table(("method", "1 % flagged", "5 % flagged"), rows)])


def _difference_table(record, pairs, **words):
    """Differences with their intervals, and what they are on each spectrum."""
    by_spectrum, rows = record["by stretch"], []
    for pair, what, aim in pairs:
        one, other = pair.split(" - ")
        cells = []
        for area in AREAS:
            parts = [row[area] - by_spectrum[other][name][area] for name, row in by_spectrum[one].items()]
            cells += [_span(record["differences"][pair][area]), ", ".join(f"{part:+.3f}" for part in parts)]
        rows.append((what.format(**words), *cells, aim))
    header = [f"{area[:-1]} % flagged" for area in AREAS]
    columns = [column for words in header for column in (words, f"{words}, by spectrum")]
    return markdown_table(("difference", *columns, "aimed at"), rows)


def alarms(record: dict) -> str:
    """Share of line-free spectra with a flag, over classes, beside what was asked."""
    rows = []
    for known, words in ((True, "K known"), (False, "K estimated")):
        for statistic, what in (("combined", "as shipped"), ("classical", "without the network")):
            cells = [_times(pooled_rate(record["alarms"], known, area, statistic), area) for area in AREAS]
            rows.append((f"{words}, {what}", *cells, ASKED[known]))
    lines = markdown_table(("spectra with any flag", "1 % asked", "5 % asked", "times aimed at"), rows)
    parts = [(name, *(_times(row["combined"][area], area) for area in AREAS)) for name, row in record["alarms"].items()]
    lines += ["", "By estimator and grid, as shipped:", ""]
    return "\n".join([*lines, *markdown_table(("spectra with any flag", "1 % asked", "5 % asked"), parts)])


def _times(share, area):
    """Spectra with a flag, and how many times as many as asked that is."""
    times = [share[key] / (float(area[:-1]) / 100) for key in ("share", "low", "high")]
    return (
        f"{round(share['share'] * share['of'])} of {share['of']}: {times[0]:.2f} times [{times[1]:.2f}, {times[2]:.2f}]"
    )


def costs(record: dict) -> str:
    """Time and memory of the detector's parts."""
    parts = {name: rows["3000"]["milliseconds"] for name, rows in record["costs"].items()}
    total, names = sum(parts.values()), {"classical": "the classical part", "network inputs": "the network's inputs"}
    words = ", ".join(f"{value:.0f} ms for {names.get(name, 'the network')}" for name, value in parts.items())
    memory = ", ".join(f"{row['peak_mib']:.2f}" for row in record["exponents"].values())
    longest = record["costs"]["classical"]["100000"]["milliseconds"]
    return (
        f"One core ({record['hardware']['processor']}), 3,000 bins: {words}, {total:.0f} ms in all; {MILLISECONDS} "
        f"were aimed at. Peak memory grows as bins to the power {memory} (in that order) to 100,000 bins; there the "
        f"classical part takes {longest / 1e3:.1f} s, and the network is not asked."
    )


def convolutions(record: dict) -> str:
    """Attention against convolutions only, of the same size: by the token heads, and attention's own readout."""
    ends = {test: record[test]["scores"]["cnn, seed 0: head"]["ap"] for test in TESTS}
    lines = [
        f"{record['steps']:,} steps; the head of the rival reaches {ends['wide']:.3f} on the locked test and "
        f"{ends['second']:.3f} on the second generator (seed 0). Differences of AP [95 % over spectra]; each seed "
        "draws its own training spectra.",
        "",
    ]
    kinds = {"head": "token head of the network with attention", "attention": "its attention"}
    rows = [
        (
            f"{words} - head of the convolutions, seed {seed}",
            *(_span(record[test]["differences"][pair]) for test in TESTS),
        )
        for kind, words in kinds.items()
        for seed in range(record["seeds"])
        for pair in (f"attention, seed {seed}: {kind} - cnn, seed {seed}: head",)
    ]
    lines += [*markdown_table(("difference", *TESTS.values()), rows), ""]
    heads = {test: record[test]["differences"]["attention, seed 0: head - cnn, seed 0: head"] for test in TESTS}
    words = [f"{difference_words(heads[test])} convolutions on the {name}" for test, name in TESTS.items()]
    return "\n".join([*lines, f"By its token head the network with attention is {enumerate_words(words)} (seed 0)."])


def multitaper(record: dict) -> str:
    """Thomson's F test on the time series beside the detector: share of places found."""
    methods = ("detector", "F test", "detector or F test")
    rows = [
        (name, *(f"{found[area][method]['share']:.3f}" for area in AREAS for method in methods))
        for name, found in record["found"].items()
    ]
    header = ("disturbance", *(f"{method}, {area}" for area in AREAS for method in methods))
    chance = [[row[area][method]["chance"] for row in record["found"].values()] for area in AREAS for method in methods]
    rows.append(("most that chance finds", *(f"{max(values):.3f}" for values in chance)))
    settings = record["settings"]
    return "\n".join(
        [
            f"{settings['series']} series of {settings['samples']:,} samples, {settings['averages']} averages; every "
            "method flags the same share (1 % or 5 %) of the undisturbed series. Heights are over the background.",
            "",
            *markdown_table(header, rows),
        ]
    )


def renewed(text: str) -> str:
    """docs/unknown.md with what the records of the benchmarks say in its places.

    Raises
    ------
    ValueError where a place or a record is missing
    """
    records = {name: read_json(benchmark_record(name)) for name in BENCHMARKS}
    return fill_places(
        text,
        {
            "simulated worlds": simulated(records["wide"]),
            "networks tried": tried(records["wide"]),
            "measured spectra": measured(records["network_injections"], records["injections"]),
            "false alarms": alarms(records["false_alarms"]),
            "detector costs": costs(records["detector_costs"]),
            "convolutions": convolutions(records["wide_cnn"]),
            "multitaper": multitaper(records["multitaper"]),
        },
    )
