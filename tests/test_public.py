"""What is public and holds between versions: names of nblib, options of its commands, columns and keys of its files."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from forgetting import CAN_FORK, forked

import nblib
from nblib.measured.command import detect_parser
from nblib.measured.flags import FLAG_COLUMNS
from nblib.measured.joint import JOINT_COLUMNS
from nblib.measured.measurement import Measurement
from nblib.measured.products import PRODUCTS, as_json, cleaned_csv, flags_csv
from nblib.project.extras import EXTRAS
from nblib.project.paths import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DETECTOR = [
    *("Arrhenius", "Detection", "Fit", "Flag", "NoiseDetector", "Spectra"),
    *("analyse", "arrhenius", "fit_spectrum"),
]
IDEA = ["AttentionWithWeights", "NoiseBERT", "NoiseBERTDataset", "TrainConfig", "train", "train_many"]
OPTIONS = (
    "asd calibrate column db extensions false-alarm floor help jobs json keep-format known network out pdf rate "
    "reference resolution segments series span together unit"
)
COLUMNS = ["fmin", "fmax", "cause", "kind", "centre", "excess", "excess_db", "probability"]
KEYS = {"schema", "file", "path", "read", "false_alarm", "segments_used", "flags", "warnings"}
READ = {"bins", "fmin", "fmax", "missing", "unit", "segments", "median", "sampling_rate"}
WITHOUT_EXTRAS = f"""
import sys
from importlib.machinery import PathFinder
missing, real = {sum(EXTRAS.values(), ())}, PathFinder.find_spec
PathFinder.find_spec = lambda name, *given: None if name.split(".")[0] in missing else real(name, *given)
"""


def light(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A program where no extra of nblib is installed, in a folder that is not the project's."""
    if not CAN_FORK:
        command = [sys.executable, "-c", WITHOUT_EXTRAS + program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder)

    def without_extras():
        for name in list(sys.modules):
            if name.partition(".")[0] in sum(EXTRAS.values(), ()):
                del sys.modules[name]
        sys.argv[1:] = arguments
        exec(WITHOUT_EXTRAS + program, {"__name__": "__main__"})

    return forked(without_extras, folder, os.environ)


# ---- the list ----


def test_the_names_of_nblib_are_these():
    """Planted bug: a name taken out of `__all__`, or added without a thought."""
    assert nblib.__all__ == sorted(DETECTOR + IDEA) or not find_spec("torch")
    assert set(nblib.__all__) >= set(DETECTOR)
    assert sorted(nblib.HOMES) == sorted(DETECTOR + IDEA)
    assert all(getattr(nblib, name).__module__ == nblib.HOMES[name] for name in nblib.__all__)
    assert {*nblib.__all__} <= {*dir(nblib)}


def test_the_version_is_that_of_the_project(tmp_path):
    """Fails where an older version is installed: `make setup`."""
    assert nblib.__version__ == SETTINGS["version"] == "0.3.0"
    assert f"\nversion: {SETTINGS['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    answer = light("from nblib.__main__ import main; sys.exit(main(['--version']))", tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "nblib 0.3.0\n")


def test_the_options_of_detect_are_these():
    named = {text for action in detect_parser()._actions for text in action.option_strings}
    assert {text.removeprefix("--") for text in named if text.startswith("--") and "--no-" not in text} == set(
        OPTIONS.split()
    )


def test_columns_and_keys_of_files_are_these():
    """Planted bugs: "low" and "high" in the JSON beside fmin and fmax in the CSV; no schema."""
    freqs, rng = np.arange(1.0, 301.0), np.random.default_rng(0)
    psd = rng.gamma(16, 1 / 16, 300) / freqs
    psd[49] *= 100
    detection, measured = nblib.NoiseDetector().detect(freqs, psd, 16), Measurement("a", "1", freqs, psd)
    assert list(FLAG_COLUMNS) == COLUMNS == list(detection.to_frame().columns)
    assert flags_csv(detection).splitlines()[0].split(",") == COLUMNS
    heading = "frequency [Hz],psd [unit^2/Hz],background [unit^2/Hz],flagged,filled [unit^2/Hz]\n"
    assert cleaned_csv(measured, detection).startswith(heading)
    assert ("file", *COLUMNS) == JOINT_COLUMNS
    document = as_json(measured, detection)
    assert document["schema"] == 1 and set(document) == KEYS and set(document["read"]) == READ
    assert list(document["flags"][0]) == COLUMNS
    assert (document["flags"][0]["fmin"], document["read"]["fmax"]) == (detection.flags[0].fmin, 300.0)
    assert PRODUCTS == ("flags.csv", "flags.json", "cleaned.csv", "flags.png", "flags.pdf")


# ---- without extras ----


@pytest.mark.parametrize(
    "program",
    [
        "import nblib; print(dir(nblib))",
        "import pydoc, nblib; print(pydoc.render_doc(nblib))",
        "from nblib import *; print(NoiseDetector)",
        "from nblib import NoiseDetector, Detection, Flag, Spectra; print(NoiseDetector)",
    ],
)
def test_nblib_is_imported_listed_and_explained_without_an_extra(program, tmp_path):
    """Planted bug: `from nblib import *` ended in torch's ModuleNotFoundError."""
    answer = light(program, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "NoiseDetector" in answer.stdout and "TrainConfig" not in answer.stdout


@pytest.mark.parametrize("program", ["from nblib import train", "import nblib; nblib.train"])
def test_a_name_whose_extra_is_missing_says_what_to_install(program, tmp_path):
    answer = light(program, tmp_path)
    assert answer.stderr.splitlines()[-1] == "ImportError: nblib.train needs torch: pip install 'nblib[train]'"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--help"], 0, ""),
        (["detect", "--help"], 0, ""),
        (["fit", "--help"], 0, ""),
        (["arrhenius", "--help"], 0, ""),
        (["train"], 2, "nblib train needs torch: pip install 'nblib[train]'\n"),
        (["run", "book.ipynb"], 2, "nblib run needs papermill: pip install 'nblib[notebooks]'\n"),
        (["outputs"], 0, ""),
        (["grid-table", "grid.csv", "result.json"], 2, "refused: "),
    ],
)
def test_every_subcommand_works_without_extras_or_says_in_one_line_what_to_install(
    arguments, status, message, tmp_path
):
    """Planted bug: a traceback."""
    (tmp_path / "book.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": "n = 1  # number", "metadata": {"tags": ["parameters"]}}]}'
    )
    answer = light("from nblib.__main__ import main; sys.exit(main(sys.argv[1:]))", tmp_path, *arguments)
    assert answer.returncode == status, answer.stderr
    assert answer.stderr.startswith(message) and answer.stderr.count("\n") <= 1


def test_a_file_of_torch_names_the_extra_that_reads_it(tmp_path):
    """Planted bug: "a fault of nblib"."""
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04 a file of torch.save")
    program = "from nblib.__main__ import main; sys.exit(main(['detect', '--json', 'a.pt']))"
    answer = light(program, tmp_path)
    assert answer.returncode == 2
    assert answer.stderr == "refused: a.pt: this format needs torch: pip install 'nblib[train]'\n"


def _distributions(requirements):
    return {re.split(r"[\[<>=~! ]", text)[0].lower().replace("_", "-") for text in requirements}


def test_what_is_imported_is_required_and_what_an_extra_brings_is_listed():
    """Planted bugs: a package that only an extra brings imported without saying so; an extra's table left behind."""
    names = {
        "sklearn": "scikit-learn",
        "nptdms": "nptdms",
        "PIL": "matplotlib",
        "IPython": "ipywidgets",
        "yaml": "pyyaml",
    }
    base = _distributions(SETTINGS["dependencies"])
    assert base == {"numpy", "scipy", "matplotlib", "pandas", "jaxtyping", "safetensors", "h5py", "jinja2"}
    extras = SETTINGS["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        assert {names.get(package, package).lower() for package in packages} <= _distributions(extras[extra])
    imported = set()
    for path in (ROOT / "nblib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            imported |= {module.split(".")[0] for module in modules}
    known = {*sys.stdlib_module_names, "nblib", "cycler", "PIL", *base, *sum(EXTRAS.values(), ())}
    assert imported <= known


# ---- what is gone ----


@pytest.mark.parametrize("room", nblib.GONE)
@pytest.mark.parametrize("how", ["import {}", "from nblib import {0}", "from {} import x", "import nblib; {}"])
def test_a_room_that_is_gone_names_the_new_places(how, room):
    """Planted bug: Python's own "No module named"."""
    with pytest.raises(ImportError, match=rf"^nblib\.{room} is gone since 0\.3\.0: .*nblib\.\w+.*; see CHANGELOG\.md$"):
        exec(how.format(f"nblib.{room}") if "{}" in how else how.format(room))


@pytest.mark.parametrize("room", nblib.GONE)
def test_the_new_places_are_there(room):
    """Planted bug: a room named that was itself moved."""
    text = (ROOT / "nblib" / f"{room}.py").read_text(encoding="utf-8").replace('"\n    "', "").split("gone since")[1]
    modules = re.findall(r"\b((?:nblib|evidence)(?:\.\w+)*)\b", text.split("; see")[0])
    assert modules and all((ROOT / module.replace(".", "/")).is_dir() or find_spec(module) for module in modules)
