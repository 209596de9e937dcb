"""Copies of notebooks for JupyterLab: renewed while untouched, kept once edited."""

import pytest

from nblib.reporting import lab


@pytest.fixture
def originals(tmp_path, monkeypatch):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(lab, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    for name in ("a", "b"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(f"{name} 1")
    return tmp_path / "notebooks"


def test_an_edited_copy_stays_and_an_untouched_one_is_renewed(originals):
    """Planted bug: every start of JupyterLab copied over what was tried there."""
    folder, said = lab.copy_notebooks()
    assert sorted(path.name for path in folder.glob("*.ipynb")) == ["a.ipynb", "b.ipynb"]
    assert said == []
    (folder / "a.ipynb").write_text("mine")
    assert lab.copy_notebooks() == (folder, [])  # its original is the same: nothing to say
    for name in ("a", "b"):
        (originals / f"{name}.ipynb").write_text(f"{name} 2")
    _, said = lab.copy_notebooks()
    assert (folder / "a.ipynb").read_text() == "mine"
    assert (folder / "b.ipynb").read_text() == "b 2"
    assert len(said) == 1
    assert "a.ipynb is yours and stays" in said[0]
    assert (originals / "a.ipynb").read_text() == "a 2"
