"""The pages of docs/: the records' numbers, words that turn with them; all pages renewed at once."""

import copy
import re

import pytest

from evidence import tables
from evidence.claims import claims, claims_of_longer
from evidence.pages import costs_page, evidence_page, own_page, pages, remedies_page, unknown_page
from evidence.tables import format_interval
from nblib.project.paths import ROOT, benchmark_record
from nblib.project.records import committed_result, read_json

EVIDENCE, SINGLE = (committed_result(name) for name in ("06_benchmark", "03_full_attention_regularizer"))
BENCHMARKS = {name: read_json(benchmark_record(name)) for name in costs_page.BENCHMARKS}
UNKNOWN = {name: read_json(benchmark_record(name)) for name in unknown_page.BENCHMARKS}


def test_evidence_is_the_record():
    """Planted bug: the after-value of the control printed for the restoration."""
    text, metrics = evidence_page.evidence(EVIDENCE, SINGLE), EVIDENCE["metrics"]
    ap, limit = (tables.detection_table(metrics)[name]["ap"] for name in ("label-free, residual", tables.LIMIT))
    row = next(line for line in text.splitlines() if line.startswith("| label-free, residual |"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == [str(ap["n"]), format_interval(ap)]
    assert f"| {ap['iqm'] / limit['iqm']:.3f} |" in row
    judged = [*claims(metrics), *claims_of_longer(metrics)]
    assert text.count("| MISSED") == sum(claim["met"] is False for claim in judged)
    assert text.count("? |") == sum(claim["sure"] is False for claim in judged)
    full = SINGLE["metrics"]["full"]["simulated labels"]
    assert f"{full['in_band']['before']:.3f} before, {full['in_band']['after']:.3f} after" in text
    assert f"{full['no_line']['before']:.3f} to {full['no_line']['after']:.3f}" in text
    assert all(f"commit {record['commit']}" in text for record in (EVIDENCE, SINGLE))


def test_what_exceeds_the_reference_turns_with_the_numbers():
    """Planted bugs: the sentence written once for the numbers of its day; methods compared by unpaired intervals."""

    def said(shift):
        evidence = copy.deepcopy(EVIDENCE)
        limit = evidence["metrics"]["baselines"]["methods"][tables.LIMIT]
        for seed in evidence["metrics"]["trials"]["simulated labels"].values():
            seed["attention"] |= {
                "ap": limit["ap"] + shift,
                "ap_left_out": [value + shift for value in limit["ap_left_out"]],
            }
        return evidence_page.evidence(evidence, SINGLE).splitlines()[2].split("The matched filter")

    name = "`simulated labels, attention`"
    assert [name in part for part in said(-0.5)] == [False, False]
    assert [name in part for part in said(0.0)] == [True, True]
    assert [name in said(shift)[0].split("Not to be told")[1] for shift in (0.0, -1e-4)] == [True, False]


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.5, "and less for `simulated labels`."), (2.0, "and less for no model.")]
)
def test_who_uses_the_noise_turns_with_the_numbers(ratio, words):
    evidence = copy.deepcopy(EVIDENCE)
    for name, trial in evidence["metrics"]["trials"].items():
        for seed in trial.values():
            if "faithfulness" in seed:
                seed["faithfulness"]["erase"] = ratio if name == "simulated labels" else 2.0
    assert words in evidence_page.evidence(evidence, SINGLE)


def test_what_was_tried_on_unknown_noise_is_the_record():
    """Planted bug: one family of five that is enough for "every family"."""
    row = {"single_line": {"ap": 0.9, "family alone": 0.92}, "vibration": {"ap": 0.6, "family alone": 0.8}}
    rows = {"as it is": {name: entry | {"ratio": entry["ap"] / entry["family alone"]} for name, entry in row.items()}}
    record = {"rows": rows, "steps": {"as it is": 2000, "longer": 4000}, "commit": "abc"}
    text = remedies_page.shape_remedies(record)
    assert "| as it is | 0.900 | 0.600 | 2,000 |" in text
    assert "| the family alone | 0.920 | 0.800 |" in text
    assert "reached for every family by none of them. (commit abc)" in text
    rows["longer"] = {name: entry | {"ratio": 0.96} for name, entry in rows["as it is"].items()}
    assert "reached for every family by longer." in remedies_page.shape_remedies(record)
    assert "| longer | 0.900 | 0.600 | 4,000 |" in remedies_page.shape_remedies(record)


def test_energies_that_were_tried_are_the_record():
    """Planted bug: the error of Eb instead of that of Ea."""
    rows = {
        "attention": {"5%": {"0": {"Ea": 1.2, "Eb": 0.5}, "1": {"Ea": 1.4, "Eb": 0.5}}},
        "residual": {"5%": {"0": {"Ea": 1.0, "Eb": 2.0}, "1": {"Ea": 1.1, "Eb": 2.0}}},
    }
    text = remedies_page.energy_remedies({"rows": {"label-free": rows}, "commit": "abc"})
    assert "| attention | 1.300 |" in text and "mean of 2 seeds" in text
    assert "Least: residual at 5%, 1.050." in text


def test_what_was_tried_on_erasing_is_the_record():
    seeds = {"0": {"erase": 0.5, "erase ln": 0.001, "in_band": 0.01, "ap": 0.98, "masked": 0.02}}
    seeds["1"] = seeds["0"] | {"erase": 0.7, "ap": 0.96, "in_band": 0.02}
    rows = {"label-free": {"as it is": seeds}}
    text = remedies_page.erase_remedies({"rows": rows, "fit in-band": 0.005, "commit": "abc"})
    assert "| as it is | 0.60 | 0.0010 | 3.00 | 0.970 | 0.0200 |" in text and "mean of 2 seeds" in text


def test_costs_are_the_records():
    """Planted bug: memory's ratio printed as time's."""
    text = costs_page.costs(BENCHMARKS)
    row = BENCHMARKS["attention"]["summary"]["3000 tokens"]
    time, memory = row["need_weights / CLS rows, time"], row["need_weights / CLS rows, memory above start"]
    assert (
        f"| need_weights=True / CLS rows, 3000 tokens: time, memory | >= 2.5, >= 6 | {time:.1f}, {memory:.1f} |" in text
    )
    ratio = BENCHMARKS["scaling"]["global batch 512"]["two processes / one"]["median"]
    assert re.search(rf"global batch 512 \| >= 1\.8 \| {ratio:.2f}; ", text)
    assert all(record["commit"] in text for record in BENCHMARKS.values())


def test_advice_on_costs_turns_with_the_numbers():
    records = copy.deepcopy(BENCHMARKS)
    for name, row in records["scaling"].items():
        if name.startswith("global batch"):
            row["two processes / one"]["median"] = 1.2
    records["throughput"]["settings"]["two threads"]["step_ms"] = 1.0
    for row in list(records["log_tokens"]["rows"].values())[1:]:
        row["ap"] = 1.0
    before, after = (costs_page.costs(found).split("## What follows")[1] for found in (BENCHMARKS, records))
    assert "Run two trainings side by side" in before
    assert "Run two trainings side by side" not in after
    assert "as one at no batch measured." in after
    assert ("detect better" in before, "detect better" in after) == (False, True)


def test_unknown_backgrounds_are_the_records_and_verdicts_turn_with_them():
    """Planted bug: the second generator's number in the locked test's column."""
    record = copy.deepcopy(UNKNOWN["wide"])
    row = next(line for line in unknown_page.simulated(record).splitlines() if "network as shipped, attention" in line)
    cells = [cell.split()[0] for cell in row.split("|")[2:4]]
    assert cells == [f"{record[test]['network, attention']['ap']:.3f}" for test in ("wide", "second")]
    for found, verdict in ((0.5, "met"), (0.05, "missed")):
        for test in ("wide", "second"):
            record["differences"][test][f"network, attention - {record['best']}"]["difference"] = found
        shipped = unknown_page.simulated(record).split("Attention as shipped")[1]
        assert shipped.count(verdict) == 2 and shipped.count("0.500") == 2 * (found == 0.5)


def test_what_the_network_adds_to_measured_spectra_is_the_record():
    """Planted bug: the network trained on simulation only for the shipped one."""
    record = copy.deepcopy(UNKNOWN["network_injections"])
    for number, (pair, *_) in enumerate(unknown_page.DIFFERENCES):
        record["differences"][pair] = {area: [number / 10, 0.0, 1.0] for area in ("1%", "5%")}
    record["places"] = {"here": {"1": 30, "60": 0}, "there": {"60": 5}}
    text = unknown_page.measured(record, UNKNOWN["injections"])
    lines = [row for row in text.splitlines() if "what the network adds" in row]
    assert lines[0].split("|")[2].strip() == "0.200 [0.000, 1.000]"
    adds = UNKNOWN["injections"]["differences"]["shipped detector - its classical part"]["5%"]["mean"]
    assert lines[1].split("|")[4].split()[0] == f"{adds:.3f}"
    rows = UNKNOWN["injections"]["by stretch"]
    parts = [rows["shipped detector"][name]["5%"] - row["5%"] for name, row in rows["its classical part"].items()]
    assert lines[1].split("|")[5].strip() == ", ".join(f"{part:+.3f}" for part in parts)
    assert "left for lines of 60 bins on here." in text


def test_attention_is_held_against_convolutions_by_its_own_readout():
    """Planted bug: the token head's difference printed as attention's."""
    record = copy.deepcopy(UNKNOWN["wide_cnn"])
    for test in ("wide", "second"):
        row = record[test]["differences"]["attention, seed 0: attention - cnn, seed 0: head"]
        row |= {"difference": -0.5, "low": -0.6, "high": -0.4}
    lines = [line for line in unknown_page.convolutions(record).splitlines() if "-0.500 [-0.600, -0.400]" in line]
    assert len(lines) == 1 and lines[0].startswith("| its attention - head of the convolutions, seed 0 |")
    for low, high, words in ((0.1, 0.3, "is better than"), (-0.3, 0.4, "is as good"), (-0.3, -0.1, "is worse than")):
        head = record["wide"]["differences"]["attention, seed 0: head - cnn, seed 0: head"]
        head |= {"difference": (low + high) / 2, "low": low, "high": high}
        assert f"attention {words}" in unknown_page.convolutions(record)


def test_own_spectra_are_the_record():
    """Planted bugs: shares of classes of different sizes averaged; large spectra counted with the small ones."""
    record = read_json(benchmark_record("own_spectra"))
    classes = (
        ("1/f, 100 bins, K known", 10, 0.5),
        ("flat, 400 bins, K known", 90, 0.0),
        ("flat, 6000 bins, x", 8, 0.25),
    )
    record["false alarms"]["found"] = {
        name: {rate: {"draws": draws, "share": share} for rate in ("0.01", "0.05")} for name, draws, share in classes
    }
    text, same = own_page.tried(record), record["invariance"]["found"]
    assert "background, up to 400 bins, 1 % asked; 5 % asked | 5 of 100; 5 of 100 |" in text
    assert "background, more than 400 bins, 1 % asked; 5 % asked | 2 of 8; 2 of 8 |" in text
    counts = [round(same[f"log grid, {kind}"]["share"] * 200) for kind in ("averaged", "interpolated")]
    assert f"| {counts[0]} of 200; {counts[1]} of 200 |" in text


@pytest.mark.parametrize("name", pages.PAGES)
def test_pages_quote_the_committed_records(name):
    """Planted bug: one digit of a figure in the README changed by hand."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert pages.PAGES[name](text) == text


@pytest.mark.slow
def test_all_pages_are_renewed_and_said(tmp_path):
    for name in pages.PAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert pages.renew_pages(tmp_path) == []
    costs = tmp_path / "docs" / "costs.md"
    costs.write_text(re.sub(r"\d+ ms", "0 ms", costs.read_text(encoding="utf-8")), encoding="utf-8")
    assert pages.renew_pages(tmp_path) == [costs]
    assert costs.read_text(encoding="utf-8") == (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
