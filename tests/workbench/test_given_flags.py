"""--drop: what a table that nblib wrote leaves out, and one of a user's own."""

import argparse
from functools import cache

import numpy as np
import pytest

from nblib import NoiseDetector
from nblib.measured.causes import with_causes
from nblib.measured.editing import EditedDetection
from nblib.measured.files.formats import Marks
from nblib.measured.joint import joint_csv, row_of
from nblib.measured.measurement import Measurement
from nblib.measured.products import flags_csv
from nblib.workbench.given_flags import dropped

FREQS = np.arange(1.0, 1201.0)


@cache
def _measured():
    """Mains at ten harmonics whose spacing is not a round number, the last ones weak; a line at 777 Hz."""
    psd = 1e-12 / FREQS + 1e-14
    for number in range(1, 11):
        psd = psd * (1 + 400 / number**2 * np.exp(-0.5 * (FREQS - 50.017 * number) ** 2))
    psd[FREQS == 777] *= 40
    psd *= np.random.default_rng(0).gamma(30, 1 / 30, len(FREQS))
    return Measurement("dev.csv", "1", FREQS, psd, "A^2/Hz", 30.0, path="dev.csv")


def _dropped(drop, false_alarm=0.01):
    options = argparse.Namespace(drop=str(drop), false_alarm=false_alarm)
    return dropped(_measured(), 30.0, options, NoiseDetector())


@cache
def _found():
    return with_causes(NoiseDetector().detect(FREQS, _measured().psd, 30.0))


@pytest.mark.parametrize("kind", ["flags", "semicolons", "all", "edited"])
def test_a_table_that_nblib_wrote_keeps_the_bins_that_auto_keeps(tmp_path, kind):
    """Planted bugs: ends of flags taken exactly; the comb followed by centres of six digits; flags of other files."""
    table, detection = tmp_path / "any.csv", _found()
    text = flags_csv(detection)
    if kind == "semicolons":
        text = flags_csv(detection, Marks(";", ","))
    if kind in ("all", "edited"):
        edited = EditedDetection(_measured())
        edited.add(620, 633)
        edited.remove(770, 780)
        text = flags_csv(edited.detection)
    if kind == "all":
        rows = [("sub/dev.csv", detection), ("other.csv", edited.detection)]
        text = joint_csv([row_of(name, "", (), _measured(), judged) for name, judged in rows])
    table.write_text("# mine\n" + text)
    auto, given = _dropped("auto"), _dropped(table, 1e-4)
    assert (~auto.keep & ~_found().flagged).sum() > 20
    same = (FREQS < 618) | (FREQS > 635) if kind == "edited" else np.ones(len(FREQS), bool)
    beside = (FREQS < 770) | (FREQS > 780) if kind == "edited" else same
    np.testing.assert_array_equal(auto.keep[same & beside], given.keep[same & beside])
    if kind == "edited":
        assert not given.keep[618:634].any() and given.keep[770:780].all()
        assert "by hand" in [flag.cause for flag in given.flags]
    else:
        assert given.flags == auto.flags and given.detection is not None


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_table_of_ones_own_is_taken_exactly(tmp_path, mark):
    """Planted bug: bins beside its ranges dropped as well."""
    table = tmp_path / "mine.csv"
    ends = ["fmin", "fmax", "why"], ["100", "200.5" if mark == "," else "200,5", "pump"], ["777", "777", ""]
    table.write_text("".join(mark.join(row) + "\n" for row in ends))
    left = _dropped(table)
    np.testing.assert_array_equal(left.keep, ~(((FREQS >= 100) & (FREQS <= 200)) | (FREQS == 777)))
    assert left.detection is None and len(left.flags) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from,to\n1,2\n", "has the columns from, to; fmin and fmax are needed"),
        ("fmin,fmax\n300,200\n", "300 to 200 is not a range"),
        ("fmin,fmax\nten,20\n", "ten to 20 is not a range"),
        ("fmin,fmax\n10\n", "10 to None is not a range"),
        ("", "fmin and fmax are needed"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        _dropped(tmp_path / "mine.csv")
