"""The rules of docs/files.md, row by row: each is followed on files made here, in variants."""

import re

import numpy as np
import pytest
import rules_of_series
import rules_of_spectra
from made_files import RATE

from nblib.measured.files.formats import IsSeries
from nblib.measured.files.readers import load_series, load_spectra
from nblib.project.paths import ROOT

RULES = rules_of_spectra.RULES | rules_of_series.RULES


def documented():
    """(what the file holds, read as) of each row of the page."""
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    table = page.split("<!-- rules:")[1].split("<!-- end of rules -->")[0]
    return [
        tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:3])
        for line in table.splitlines()
        if line.startswith("| ")
    ][1:]


def rule_of(row):
    rules = [name for name in RULES if row.startswith(name)]
    return max(rules, key=len)


def test_every_row_of_the_page_is_tested():
    rules = [rule_of(row) for row, _ in documented()]
    assert sorted(rules) == sorted(RULES)


def _spectrum(path, expected, **options):
    spectra = load_spectra(path, **options)
    assert len(spectra.psd) == 1
    kept = np.isin(np.round(expected["x"], 9), np.round(spectra.freqs, 9))
    np.testing.assert_allclose(spectra.freqs, expected["x"][kept], rtol=1e-5)
    assert kept.mean() > 0.9
    valid = spectra.valid[0]
    np.testing.assert_allclose(spectra.psd[0, valid], expected["y"][kept][valid], rtol=3e-5)
    return spectra.warnings


def _series(path, expected, rate=None, column=None):
    series = load_series(path, rate, column)
    assert series.rate == pytest.approx(expected["x"], rel=1e-4)
    np.testing.assert_allclose(series.samples, expected["y"], atol=1e-6, rtol=1e-5)
    return series.warnings


def _answered(path, answer):
    """The argument that a message names leads to the right reading, or to another refusal."""
    if isinstance(answer, dict) and "content" not in answer:
        with pytest.raises(ValueError, match=path.name):
            load_spectra(path, **answer)
    elif isinstance(answer, tuple) and np.ndim(answer[1]["x"]):
        _spectrum(path, answer[1], **answer[0])
    else:
        options, expected = answer if isinstance(answer, tuple) else ({}, answer)
        _series(path, expected, RATE if _asks_rate(path, options) else None, **options)


def _asks_rate(path, options):
    try:
        load_series(path, None, **options)
    except IsSeries as error:
        return "rate=HZ" in str(error)
    return False


@pytest.mark.filterwarnings("ignore::nblib.measured.files.readers.ReadingWarning")
@pytest.mark.parametrize(("row", "reading"), documented())
def test_the_rule_is_followed(tmp_path, row, reading):
    for number, case in enumerate(RULES[rule_of(row)]):
        path = tmp_path / f"device{number}.xyz"
        path.write_bytes(
            case["content"] if isinstance(case, dict) else case if isinstance(case, bytes) else case.encode()
        )
        if reading == "spectrum":
            notes = _spectrum(path, case, **case["options"])
        elif reading == "series":
            with pytest.raises(IsSeries):
                load_spectra(path)
            notes = _series(path, case, **case["options"])
        else:
            with pytest.raises(ValueError, match=path.name):
                load_spectra(path)
            for answer in () if reading == "refused" else [value for key, value in case.items() if key != "content"]:
                _answered(path, answer)
            continue
        assert any(case["note"] in note for note in notes) or not case["note"], notes
