"""`nblib report`: one page of a folder that shows all, and what was refused and why."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from nblib.__main__ import main
from nblib.measured.flags import Flag
from nblib.measured.products import RESULTS, is_result
from nblib.workbench import products, report
from nblib.workbench.constants import BOLTZMANN

FREQS = np.arange(1.0, 1001.0)
FAST = ("--drop", "none", "--lorentzians", "1")
PICTURE = b"\x89PNG\r\n, made by nblib fit"
LINK = re.compile(r"""(?:src|href)\s*=\s*["'](?!data:|#)[^"']+|url\(\s*(?!["']?#)|@import|<script""")


def _folder(folder, kelvins=(280, 300, 320)):
    rng = np.random.default_rng(0)
    for kelvin in kelvins:
        corner = 60 * (kelvin / 300) ** 2 * np.exp(-0.3 / BOLTZMANN * (1 / kelvin - 1 / 300))
        background = 1e-12 / FREQS + 1e-13 / (1 + (FREQS / corner) ** 2) + 1e-16
        rows = zip(FREQS, background * rng.gamma(100, 0.01, len(FREQS)), strict=True)
        text = "".join(f"{freq:g},{value:.8e}\n" for freq, value in rows)
        (folder / f"run_{kelvin}K.csv").write_text(f"# averages: 100\nfrequency [Hz],psd [A^2/Hz]\n{text}")
    return folder


@pytest.fixture(autouse=True)
def one_picture(monkeypatch):
    """Only the first figure of a page is drawn, and stands for the others: they would take most of the time."""
    drawn: list[str] = []

    def picture(figure, draw=report._png):
        if not drawn:
            drawn.append(draw(figure))
        return drawn[0]

    monkeypatch.setattr(report, "_png", picture)


def test_the_page_stands_alone_and_says_what_was_refused(tmp_path, capsys):
    """Planted bugs: a link to all.flags.csv; the reason of a refused file lost; its own page read as a spectrum; no
    energy of any where one spectrum has no temperature.
    """
    folder = _folder(tmp_path)
    (folder / "notes_310K.csv").write_text("nothing,here\nat,all\n")
    (folder / "dark.csv").write_text((folder / "run_300K.csv").read_text())
    assert main(["report", str(folder), *FAST]) == 2
    captured = capsys.readouterr()
    assert "4 spectra, 4 described by the model, 1 file left out" in captured.out
    written = folder / RESULTS / "report.html"
    text = written.read_text(encoding="utf-8")
    assert not LINK.search(text) and is_result(written)
    assert "notes_310K.csv" in text and "not fitted: " in text
    assert "not among the energies: no temperature in its name" in text and "dark.csv, temperature not known" in text
    assert text.count("data:image/png;base64,") == 4 and "<svg" in text
    digest = hashlib.sha256((folder / "run_300K.csv").read_bytes()).hexdigest()
    assert digest in text and "300 K (name)" in text and "lorentzians" in text and "scipy" in text
    energy = re.search(r"<td>kept</td><td>1</td><td>(\d\.\d+) \[(\d\.\d+), (\d\.\d+)\]", text)
    assert energy and float(energy[2]) < 0.3 < float(energy[3])
    assert f"<title>{folder.name}: flags, fits and energies" in text


def test_a_page_of_fits_shows_their_figures(tmp_path, capsys):
    """Planted bugs: fits refused as results; the folder of the results as title; flags a bin apart as two lines."""
    folder = _folder(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_figures", lambda paths, _: paths[0].write_bytes(PICTURE))
        assert main(["fit", str(folder), *FAST]) == 0
    for kelvin, centre in ((280, 50), (300, 51), (320, 50)):
        path = folder / RESULTS / f"run_{kelvin}K.fit.json"
        flag = Flag(centre - 1.0, centre + 1.0, centre, 9.0, cause="50 Hz mains").as_row()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"flags": [flag]}))
    (folder / RESULTS / "run_320K.fit.png").unlink()
    (folder / RESULTS / "broken_330K.fit.json").write_text("{}")
    assert main(["report", str(folder / RESULTS)]) == 2
    assert "3 spectra, 3 described by the model, 1 file left out" in capsys.readouterr().out
    text = (folder / RESULTS / "report.html").read_text(encoding="utf-8")
    assert text.count(base64.b64encode(PICTURE).decode()) == 2 and text.count("No figure lies beside this fit") == 1
    assert "3 of 3" in text and "50 Hz mains" in text
    assert "Read from run_300K.fit.json" in text and "broken_330K.fit.json" in text
    assert re.search(r"<td>kept</td><td>1</td><td>(\d\.\d+)", text) and f"<title>{folder.name}: flags" in text


@pytest.mark.parametrize(
    ("kelvins", "why"), [((300, 310), "2 different temperatures; an energy needs at least 3"), ((), "no temperature")]
)
def test_without_temperatures_the_fits_are_shown_and_the_energy_is_not(tmp_path, capsys, kelvins, why, unrendered):
    """Planted bug: the command refused where two temperatures give no energy."""
    unrendered()
    _folder(tmp_path, kelvins or (300,))
    if not kelvins:
        (tmp_path / "run_300K.csv").rename(tmp_path / "run.csv")
    out = tmp_path / "out"
    assert main(["report", str(tmp_path), "--out", str(out), *FAST]) == 0
    assert why in capsys.readouterr().out
    text = (out / "report.html").read_text(encoding="utf-8")
    assert why in text and "corner 1 [Hz]" in text


def test_a_page_of_the_users_own_is_not_replaced(tmp_path, capsys):
    folder, out = _folder(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("<p>mine</p>")
    assert main(["report", str(folder), "--out", str(out), *FAST]) == 2
    assert "which nblib report did not write" in capsys.readouterr().err
    assert (out / "report.html").read_text() == "<p>mine</p>"
