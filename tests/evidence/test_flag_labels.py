"""Labels of flags on measured spectra: which range of the table a flag is, and what is counted."""

import pytest

from evidence.benchmarks.flag_labels import counted
from evidence.unknown import flag_labels
from evidence.unknown.flag_labels import BEFORE, UNLABELLED, Range, distinct, labelled, labels_of
from evidence.unknown.measured_spectra import table_of_spectra


def test_a_flag_has_the_label_of_the_range_that_it_shares_most_with():
    """Planted bugs: another spectrum's range taken; a range ten times as wide taken for the same; a rounded
    frequency taken for another."""
    known = [
        (Range("a", 10, 20), "line", "x"),
        (Range("a", 19, 40), "structure", "x"),
        (Range("b", 10, 20), "mains", "x"),
    ]
    asked = [Range("a", 11, 20), Range("b", 10, 20), Range("a", 20, 41), Range("a", 10, 100), Range("c", 10, 20)]
    assert labels_of(asked, known) == ["line", "mains", "structure", UNLABELLED, UNLABELLED]
    single = [(Range("a", 7, 7), "line", "x")]
    assert labels_of([Range("a", 7 + 1e-9, 7 + 1e-9), Range("a", 7.5, 7.5)], single) == ["line", UNLABELLED]


def test_ranges_of_two_detectors_stand_once_on_the_sheet():
    """Planted bug: the second detector's range on the sheet again, so that it is labelled twice."""
    ranges = distinct([Range("a", 10, 20), Range("a", 50, 60), Range("a", 11, 20), Range("b", 11, 20)])
    assert ranges == [Range("a", 10, 20), Range("a", 50, 60), Range("b", 11, 20)]


def test_the_share_of_structure_is_of_the_flags_with_a_label():
    """Planted bug: flags without a label in the denominator."""
    counts = counted(["line", "structure", "mains", UNLABELLED])
    assert counts["flags"] == 4 and counts["structure"]["of"] == 3
    assert counts["structure"]["share"] == pytest.approx(1 / 3)


def test_the_table_names_spectra_of_the_project_and_a_foreign_label_is_refused(tmp_path, monkeypatch):
    """Planted bug: a misspelt label counted as one of its own."""
    rows = labelled()
    before = labelled(BEFORE)
    assert 200 < len(before) < len(rows) and all(set(BEFORE) & set(names.split()) for *_, names in before)
    assert {row[0].spectrum for row in rows} <= set(table_of_spectra())
    (tmp_path / flag_labels.LABEL_FILE).write_text("spectrum,fmin,fmax,label,raised_by\na,1,2,structur,x\n")
    monkeypatch.setattr(flag_labels, "measured_data_dir", lambda: tmp_path)
    with pytest.raises(ValueError, match="'structur'.*known: mains"):
        labelled()
