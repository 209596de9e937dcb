"""The record of false alarms: both generators in one vocabulary, each measured alone where asked."""

import sys

from evidence.benchmarks import false_alarms
from evidence.pages import detector_page
from evidence.unknown.alarm_rates import share
from evidence.unknown.third_world import GRIDS
from nblib.project.paths import benchmark_result
from nblib.project.records import read_json, write_json


def test_rates_have_a_row_for_each_world_and_k():
    """Planted bug: K given for the rows that say it is estimated."""

    def judge(spectra, known):
        return {"spectra": spectra, "known": known}

    rows = false_alarms.rates({"linear": "abcd", "log": "efgh"}, 2, judge)
    assert rows["linear, K known"] == {"spectra": ["a", "b"], "known": True}
    assert rows["log, K estimated"] == {"spectra": ["e", "f"], "known": False}
    assert len(rows) == 4


def test_one_world_measured_again_leaves_the_other_as_recorded(monkeypatch, tmp_path):
    """Planted bug: --only third began with an empty record."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    before = {"alarms": {"old": 1}, "commit": "then", "third world": {"alarms": {"old": 2}, "commit": "then"}}
    path = write_json(benchmark_result("false_alarms"), before)
    monkeypatch.setattr(false_alarms, "rates", lambda worlds, n_spectra, *_: dict.fromkeys(worlds, n_spectra))
    monkeypatch.setattr(sys, "argv", ["x", "--only", "third", "--third", "7"])
    false_alarms.main()
    record = read_json(path)
    third = record.pop("third world")
    assert record == {"alarms": {"old": 1}, "commit": "then"}
    assert third["alarms"] == dict.fromkeys(GRIDS, 7) and third["settings"]["spectra"] == 7
    assert third["commit"] != "then"
    monkeypatch.setattr(sys, "argv", ["x", "--only", "second"])
    false_alarms.main()
    again = read_json(path)
    assert again["third world"] == third and again["alarms"] == dict.fromkeys(
        ("welch, linear", "welch, log", "welch_hann, linear", "welch_hann, log"), 100
    )


def test_both_worlds_stand_in_the_page_apart(monkeypatch):
    """Planted bug: the second generator's rates under the third world's name."""

    def alarms(hits):
        row = {statistic: {area: share(hits, 200) for area in ("1%", "5%")} for statistic in ("combined", "classical")}
        return {f"{grid}, K {known}": row for grid in GRIDS for known in ("known", "estimated")}

    read = detector_page.read_json

    def changed(path):
        record = read(path)
        return record | {"alarms": alarms(2), "third world": {"alarms": alarms(4)}} if "alarms" in record else record

    monkeypatch.setattr(detector_page, "read_json", changed)
    numbers = detector_page.numbers()
    assert numbers["pooled"][True]["combined"][0].startswith("6 of 600: 1.00 times")
    assert numbers["third"]["pooled"][False]["classical"][0].startswith("12 of 600: 2.00 times")
    assert numbers["third"]["by_grid"]["stitched, K known"][0].startswith("4 of 200: 2.00 times")
