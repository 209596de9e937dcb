"""Long tables are read by a library's parser, and mean what the careful way makes of them."""

import numpy as np
import pytest

from nblib.measured.files import text as text_files
from nblib.measured.files.formats import Refusal
from nblib.measured.files.text import read_table

N_ROWS = 800
FREQS = 0.5 * np.arange(1, N_ROWS + 1)
PSD = np.random.default_rng(0).gamma(16, 1 / 16, N_ROWS) * 1e-14 / FREQS


def _rows(separator=",", decimal=".", end=""):
    pairs = zip(FREQS, PSD, strict=True)
    return "".join(f"{freq:.10g}{separator}{psd:.8e}{end}\n" for freq, psd in pairs).replace(".", decimal)


REGULAR = {
    "comma": "Frequency (Hz),PSD (V^2/Hz)\n" + _rows(),
    "tab": "# averages: 16\nf\tS\n" + _rows("\t"),
    "blanks": _rows("   "),
    "leading blanks": "  " + _rows("  ").replace("\n", "\n  "),
    "decimal comma": "Frequenz [kHz];PSD\n" + _rows(";", ","),
    "closing delimiter": "X_Value\tPSD\tComment\n" + _rows("\t", end="\t"),
    "Windows": ("f,S\n" + _rows()).replace("\n", "\r\n"),
    "missing": "f,S\n" + _rows().replace(f"\n400,{PSD[799]:.8e}", "\n400,nan"),
    "missing words": "f,S\n"
    + _rows().replace(f"\n400,{PSD[799]:.8e}", "\n400,null").replace(f"\n200,{PSD[399]:.8e}", "\n200,N/A"),
    "byte-order mark": "\ufefff;S\n" + _rows(";"),
    "footer": _rows() + "END\n",
}
CAREFUL = {
    "blank lines": _rows().replace("\n", "\n\n"),
    "Fortran": _rows(" ").replace("e-", "D-"),
    "quotes": '"f","S"\n' + "".join(f'"{freq:g}","{psd:g}"\n' for freq, psd in zip(FREQS, PSD, strict=True)),
    "thousands": "f;S\n" + "".join(f"{10 * freq:,.0f};{psd:g}\n" for freq, psd in zip(FREQS, PSD, strict=True)),
    "remark": "f,S\n" + _rows().replace("\n300,", " # odd\n300,"),
    "last cell empty": _rows() + "401,\n",
}


def _both(monkeypatch, path):
    monkeypatch.setattr(text_files, "LONG", 10**9)
    careful = read_table(path)
    monkeypatch.setattr(text_files, "LONG", 500)
    return careful, read_table(path)


def _asked(monkeypatch):
    """Whether the fast way gave an answer."""
    answers, fast = [], text_files._regular

    def watched(lines):
        answers.append(fast(lines))
        return answers[-1]

    monkeypatch.setattr(text_files, "_regular", watched)
    return answers


@pytest.mark.parametrize("name", [*REGULAR, *CAREFUL])
def test_the_fast_way_reads_what_the_careful_way_reads(tmp_path, monkeypatch, name):
    """Planted bugs: a short last row filled up; 1,000 read as 1; line numbers off by the header; N/A read slowly."""
    path = tmp_path / "long.csv"
    path.write_bytes((REGULAR | CAREFUL)[name].encode())
    answers = _asked(monkeypatch)
    careful, fast = _both(monkeypatch, path)
    np.testing.assert_array_equal(fast.values, careful.values)
    np.testing.assert_array_equal(fast.lines, careful.lines)
    assert (tuple(fast.names), tuple(fast.header), fast.notes) == (
        tuple(careful.names), tuple(careful.header), careful.notes,
    )  # fmt: skip
    assert len(answers) == 1 and (answers[0] is not None) == (name in REGULAR)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("401\n", "line 801 has 1 columns"),
        ("401,1,2\n", "line 801 has 3 columns"),
        ("401,x1\n", "line 801: column 2"),
        ("401,1_0\n", "line 801: column 2"),
        ("401,0x1p3\n", "line 801: column 2"),
    ],
)
def test_a_damaged_row_at_the_end_of_a_long_table_is_refused_by_its_line(tmp_path, monkeypatch, end, message):
    monkeypatch.setattr(text_files, "LONG", 500)
    (tmp_path / "long.csv").write_text(_rows() + end)
    with pytest.raises(Refusal, match=message):
        read_table(tmp_path / "long.csv")


def test_a_long_column_of_samples_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LONG", 500)
    answers = _asked(monkeypatch)
    samples = np.random.default_rng(1).normal(size=1000)
    np.savetxt(tmp_path / "samples.txt", samples, fmt="%.17g")
    np.testing.assert_array_equal(read_table(tmp_path / "samples.txt").values[:, 0], samples)
    assert answers[0] is not None


@pytest.mark.parametrize("name", ["comma", "blanks", "decimal comma", "Windows", "footer", "quotes"])
def test_a_text_larger_than_memory_is_read_in_parts(tmp_path, monkeypatch, name):
    """Planted bugs: read_bytes of the whole text; the first row of each part lost; a footer left out without a note."""
    path = tmp_path / "long.csv"
    path.write_bytes((REGULAR | CAREFUL).get(name, _rows()).encode())
    whole = read_table(path)
    monkeypatch.setattr(text_files, "LARGE", 100)
    monkeypatch.setattr(text_files, "PART", 150)
    if name not in ("footer", "quotes"):  # they ask for the whole text
        monkeypatch.setattr(type(path), "read_bytes", None)
    parts = read_table(path)
    np.testing.assert_array_equal(parts.values, whole.values)
    assert (tuple(parts.names), tuple(parts.header), parts.notes) == (
        tuple(whole.names), tuple(whole.header), whole.notes,
    )  # fmt: skip
