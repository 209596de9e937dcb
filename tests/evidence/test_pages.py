"""The pages with generated parts: the records' numbers, and all pages renewed at once."""

import re

import pytest

from evidence import compared
from evidence.aims import aims
from evidence.pages import costs_page, own_page, pages
from evidence.pages.rendering import fill_parts
from evidence.unknown.measured_rivals import FAMILIES
from nblib.project.paths import ROOT, benchmark_record
from nblib.project.records import committed_result, provenance, read_json

AREAS = ("1%", "5%")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in pages.PAGES}


@pytest.fixture(params=pages.PAGES)
def page(request):
    return request.param


def row_of(name, start):
    """Cells of the first row of a page that starts with these words."""
    row = next(line for line in TEXTS[name].splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def record_of(name):
    return read_json(benchmark_record(name))


def test_pages_quote_the_committed_records(page):
    """Planted bug: one digit of a figure in the README changed by hand."""
    path = ROOT / page
    assert fill_parts(TEXTS[page], path.stem, pages.PAGES[page]()) == TEXTS[page]


def test_evidence_is_the_record():
    """Planted bugs: another score's AP in a row; an aim that is missed counted as met; a row without its training."""
    record = committed_result("06_benchmark")
    text, metrics = TEXTS["docs/evidence.md"], record["metrics"]
    for trial, score in (("label-free", "residual"), ("residual attention", "attention")):
        cells = row_of("docs/evidence.md", f"{trial}, {score}")
        by_seed = {seed: looks["readings"][score]["ap"] for seed, looks in metrics["trials"][trial].items()}
        assert cells[1] == str(len(by_seed))
        limit = metrics["references"]["interleaved"]["baselines"]["methods"][compared.LIMIT]["ap"]
        assert (
            min(by_seed.values()) / limit - 1e-3 <= float(cells[2].split()[0]) <= max(by_seed.values()) / limit + 1e-3
        )
    spline = metrics["references"]["interleaved"]["rivals"]["spline"]
    (row,) = [line for line in text.splitlines() if line.startswith("| spline | a smoothness, K |")]
    assert row.split("|")[6].strip().startswith(f"{spline['in_band']['over the fit']:.2f} [")
    judged = aims(metrics)
    assert text.count("| MISSED") == sum(not row["met"] for row in judged) > 0
    assert text.count("? |") == sum(row["sure"] is False for row in judged)
    assert provenance(record) in text


def test_costs_are_the_records():
    """Planted bug: memory's ratio printed as time's."""
    records = {name: record_of(name) for name in costs_page.BENCHMARKS}
    row = records["attention"]["summary"]["3000 tokens"]
    ratios = [row[f"need_weights / CLS rows, {what}"] for what in ("time", "memory above start")]
    cells = row_of("docs/costs.md", "need_weights=True / CLS rows, 3000 tokens: time, memory")
    assert cells == [">= 2.5, >= 6", ", ".join(f"{ratio:.1f}" for ratio in ratios)]
    ratio = records["scaling"]["global batch 512"]["two processes / one"]["median"]
    measured = row_of("docs/costs.md", "two processes of one core / one, global batch 512")[1]
    assert measured.startswith(f"{ratio:.2f}; ")
    assert all(record["commit"] in TEXTS["docs/costs.md"] for record in records.values())
    sizes = [int(name.split()[2]) for name in records["scaling"] if name.startswith("global batch")]
    assert sorted(sizes) == list(costs_page.BATCHES)


def test_unknown_backgrounds_are_the_records():
    """Planted bugs: the second generator in the locked test's column; 5 % flagged in the place of 1 %; the
    setting that the fewest folds chose."""
    wide, measured = record_of("wide"), record_of("measured")
    cells = [cell.split()[0] for cell in row_of("docs/unknown.md", "network as shipped, attention")]
    assert cells == [f"{wide[test]['network, attention']['ap']:.3f}" for test in ("wide", "second")]
    pair = "detector - classical part"
    rows = [measured[kind]["differences"][area][pair]["mean"] for kind in ("summary", "at fixed SNR") for area in AREAS]
    assert [cell.split()[0] for cell in row_of("docs/unknown.md", pair)] == [f"{number:.3f}" for number in rows[:2]]
    last = [cell.split()[0] for cell in row_of("docs/unknown.md", "fixed signal-to-noise ratio")[-2:]]
    assert last == [f"{number:.3f}" for number in rows[2:]]
    recall, chosen = measured["summary"]["recall"], measured["summary"]["chosen"]
    for family, settings in FAMILIES.items():
        cells = row_of("docs/unknown.md", family)
        assert cells[:2] == [f"{recall[area][family]:.3f}" for area in AREAS]
        for area, cell in zip(AREAS, cells[2:], strict=True):
            by_fold = list(chosen[area][family].values())
            number = max(by_fold.count(setting) for setting in settings)
            assert by_fold.count(f"{family}: {cell.rpartition(' (')[0]}") == number
            assert cell.endswith(f" ({number} of {len(by_fold)})")


def test_networks_left_out_are_the_record():
    """Planted bugs: the network of simulated spectra in the place of the other; scatter alone as the spectrum."""
    record = record_of("left_out")
    page = TEXTS["docs/unknown.md"]
    unmet, other = "other instruments as well", "simulated spectra alone"
    shares = [record["limiting"][area][unmet]["mean"] for area in AREAS]
    assert f"{shares[0]:.0%} and {shares[1]:.0%} have log-odds above 0" in page
    found = [record["classical"]["height"][area] for area in AREAS]
    for name, words in (("as measured", "on the spectra as measured"), ("scatter alone", "on scatter alone")):
        assert re.search(rf"{found[0][name]:.2f} and {found[1][name]:.2f} of the [a-z' ]+ {words}", page)
    for name in (unmet, other):
        cells = row_of("docs/unknown.md", name)
        assert cells[1].split()[0] == f"{record['added']['height']['1%'][f'{name}, 0.5 times']['mean']:.3f}"


def test_rivals_of_the_detector_are_the_records():
    """Planted bug: the token head's difference printed as attention's."""
    cnn, series = record_of("wide_cnn"), record_of("multitaper")
    for kind, words in (("head", "token head of the network with attention"), ("attention", "its attention")):
        pair = f"attention, seed 0: {kind} - cnn, seed 0: head"
        cells = row_of("docs/unknown.md", f"{words} - head of the convolutions, seed 0")
        differences = [cnn[test]["differences"][pair]["difference"] for test in ("wide", "second")]
        assert [cell.split()[0] for cell in cells] == [f"{number:.3f}" for number in differences]
    assert (
        row_of("docs/unknown.md", "steady, 1 x")[1] == f"{series['found']['steady, 1 x']['1%']['F test']['share']:.3f}"
    )


def test_false_alarms_of_classes_are_pooled_by_their_draws():
    """Planted bug: shares of classes of different sizes averaged."""
    classes = (("1/f, 100 bins, K known", 10, 0.5), ("flat, 400 bins, K known", 90, 0.0))
    rows = {name: {rate: {"draws": n, "share": share} for rate in ("0.01", "0.05")} for name, n, share in classes}
    assert own_page.together(rows)["0.05"] == {"draws": 100, "share": 0.05}


def test_own_spectra_are_the_record():
    """Planted bug: large spectra counted with the small ones."""
    record = record_of("own_spectra")
    same, quiet = record["invariance"]["found"], record["false alarms"]["found"]
    counts = [round(same[f"log grid, {kind}"]["share"] * 200) for kind in ("averaged", "interpolated")]
    assert f"| {counts[0]} of 200; {counts[1]} of 200 |" in TEXTS["docs/own_spectra.md"]
    large = [row["0.01"]["draws"] for name, row in quiet.items() if int(re.findall(r"(\d+) bins", name)[0]) > 400]
    row = next(line for line in TEXTS["docs/own_spectra.md"].splitlines() if "more than 400 bins" in line)
    assert re.search(r"of (\d+);", row)[1] == str(sum(large))


@pytest.mark.slow
def test_all_pages_are_renewed_and_said(tmp_path):
    for name in pages.PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXTS[name], encoding="utf-8")
    assert pages.renew_pages(tmp_path) == []
    costs = tmp_path / "docs" / "costs.md"
    costs.write_text(re.sub(r"\d+ ms", "0 ms", costs.read_text(encoding="utf-8")), encoding="utf-8")
    assert pages.renew_pages(tmp_path) == [costs]
    assert costs.read_text(encoding="utf-8") == TEXTS["docs/costs.md"]
