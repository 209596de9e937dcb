"""Extensions outside the package: found, refused with reasons, carried to other processes, and part of the key."""

import json
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import EntryPoint
from multiprocessing import get_context

import numpy as np
import pytest
from forgetting import forget_the_project

from nblib import NoiseBERTDataset, TrainConfig, train
from nblib.__main__ import main
from nblib.assessment import assess
from nblib.losses import REGULARIZERS
from nblib.measured.files.readers import READERS, load_spectra
from nblib.prediction import SCORES, scores_judged
from nblib.project import definitions, extensions
from nblib.project.extensions import load_extensions
from nblib.project.paths import ROOT
from nblib.simulation.noise import FAMILIES, filter_widths

RECIPES = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
SOURCE = RECIPES.replace("import numpy as np\n", "import numpy as np\n\nfrom helper_of_tests import HEIGHT\n", 1)
SOURCE = SOURCE.replace("rng.uniform(*amplitude)", "HEIGHT * rng.uniform(*amplitude)")
for _name in ("box", "squared_mass", "excess", "read_two"):
    SOURCE = SOURCE.replace(f"def {_name}(", f"def {_name}_of_tests(")
TINY = {"steps": 2, "batch_size": 4, "validate_every": 2, "n_validation": 4, "d_model": 8, "dim_feedforward": 8}
TINY |= {"n_heads": 2, "num_layers": 1}
OWN = {"families": ("box_of_tests",), "regularizer": "squared_mass_of_tests"}


@pytest.fixture
def extension(tmp_path, monkeypatch):
    """A file outside the package, and a module beside it; nothing of it is left afterwards."""
    tables = (FAMILIES, REGULARIZERS, SCORES, READERS)
    before = [dict(table) for table in tables]
    modules = set(sys.modules)
    monkeypatch.setattr(extensions, "_LOADED", {})
    (tmp_path / "helper_of_tests.py").write_text("HEIGHT = 1.0\n")
    path = tmp_path / "box_of_tests.py"
    path.write_text(SOURCE)
    definitions.module_of.cache_clear()
    yield path
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
    for name in set(sys.modules) - modules:
        if name.endswith("_of_tests"):
            del sys.modules[name]
    definitions.module_of.cache_clear()


@pytest.mark.slow
def test_family_penalty_score_and_format_from_outside_go_through_training_and_evaluation(extension, tmp_path):
    """The four recipes of CONTRIBUTING.md, as they stand there.

    Planted bugs: a second table of filter widths, in which a family of one's own is missing; readers that ask only
    the package's own formats.
    """
    config = TrainConfig(extensions=str(extension), **OWN, **TINY)
    result = train(config)
    assert result.record["config"]["regularizer"] == "squared_mass_of_tests"
    _, metrics = assess(result, "box_of_tests", 20)
    assert 0 < metrics["excess_of_tests"]["ap"] <= 1
    assert filter_widths("box_of_tests") == (4, 8)
    file = tmp_path / "device.two"
    np.savetxt(file, np.stack([np.arange(1.0, 61.0), np.ones(60)], axis=1), delimiter="|")
    assert load_spectra(file).psd.shape == (1, 60)
    assert (load_spectra(file).unit, load_spectra(file).psd[0, 0]) == ("V^2/Hz", 1.0)


def test_the_command_reads_a_format_of_ones_own(extension, tmp_path, capsys):
    """Planted bug: the option parsed and forgotten, so that the file was read as text."""
    file = tmp_path / "device.two"
    psd = np.random.default_rng(0).gamma(64, 1 / 64, 200) * np.where(np.arange(200) == 99, 50, 1)
    np.savetxt(file, np.stack([np.arange(1.0, 201.0), psd], axis=1), delimiter="|")
    assert main(["detect", "--json", "--extensions", str(extension), str(file)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["read"]["unit"] == "V^2/Hz"
    assert [round(flag["centre"]) for flag in document["flags"]] == [100]


@pytest.mark.slow
def test_another_process_knows_the_extension(extension):
    """Planted bug: extensions loaded where a config is made, and nowhere else."""
    config = TrainConfig(extensions=(str(extension),), seed=7, **OWN, **TINY)
    data = NoiseBERTDataset(families=OWN["families"], none_share=0.0, n_spectra=3)
    with ProcessPoolExecutor(1, get_context("fork"), forget_the_project) as pool:
        folder = pool.submit(train_folder, config).result()
        noisy = pool.submit(NoiseBERTDataset.batch, data, [0, 1]).result()["noisy"]
    assert folder == config.key
    assert bool(noisy.any(dim=1).all())


def train_folder(config):
    return train(config, progress=False).folder.name


@pytest.mark.slow
def test_the_key_has_what_the_run_uses_of_an_extension_and_not_its_path(extension, tmp_path):
    def key(text=None, file=None, **changes):
        (file or extension).write_text(SOURCE if text is None else text)
        definitions.module_of.cache_clear()
        return TrainConfig(**({"extensions": str(extension)} | OWN | changes)).key

    before, others = key(), key(families=("vibration",), regularizer="mass")
    assert others == TrainConfig(families=("vibration",), regularizer="mass").key
    assert key(SOURCE.replace("start + 40)", "start + 39)")) != before
    assert key(SOURCE.replace("log_psd - predictions", "log_psd + predictions")) == before
    helper = tmp_path / "helper_of_tests.py"
    helper.write_text("HEIGHT = 2.0\n")
    assert key() != before


def test_only_a_run_that_names_an_extension_is_judged_by_its_scores(extension):
    config = TrainConfig(extensions=str(extension))
    assert scores_judged(config.extensions) == ("attention", "residual", "excess_of_tests")
    assert scores_judged() == ("attention", "residual")


def test_modules_and_entry_points_are_extensions_too(extension, tmp_path, monkeypatch):
    """`@cache` remembers what was installed: asked anew here."""
    monkeypatch.syspath_prepend(tmp_path)
    assert load_extensions("box_of_tests, ") == ("box_of_tests",)
    for name in ("box_of_tests",):
        del FAMILIES[name]
        del sys.modules[name]
    entry = EntryPoint("boxes", "box_of_tests", "nblib.extensions")
    monkeypatch.setattr(extensions, "entry_points", lambda group: [entry] if group == entry.group else [])
    extensions._load_installed.cache_clear()
    try:
        config = TrainConfig(**OWN)
        assert "box_of_tests" in FAMILIES
        assert extensions.is_extension("box_of_tests")
        assert config.key != TrainConfig().key
    finally:
        extensions._load_installed.cache_clear()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no_such_extension", None, "'no_such_extension' cannot be imported .* name an installed module or the path"),
        ("no_such.py", None, "'no_such.py' is not a file .tried"),
        ("torch.py", "", "has the name of another module, 'torch'; rename the file"),
        ("two words.py", "", "must be named like a module"),
        ("broken.py", "def :", "broken.py cannot be imported .invalid syntax"),
        ("lacking.py", "import no_such_module", "lacking.py cannot be imported .No module named 'no_such_module'"),
        (
            "again.py",
            "from nblib.simulation.noise import family\n@family\ndef vibration(rng, freqs, amplitude): ...",
            "noise family 'vibration' of again is taken by that of nblib.simulation.noise; give it another name",
        ),
        (
            "untrue.py",
            "from nblib.losses import regularizer\n@regularizer(needs_truth=False)\n"
            "def sly(cls_attn, noisy, **context): return context['noise_interval']",
            "penalty 'sly' reads noise_interval; declare it with needs_truth=True",
        ),
        (
            "narrow.py",
            "from nblib.simulation.noise import family\n@family(widths=(0,))\ndef thin(rng, freqs, amplitude): ...",
            "noise family 'thin': widths=.0,. must be positive",
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_its_reason(name, text, message, extension, tmp_path):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        TrainConfig(extensions=(str(path) if text is not None else name,))


def test_a_file_that_was_mended_is_loaded_and_counts_once(extension):
    """Planted bugs: half a module importable after a refusal; a folder that stays on sys.path; a file counted twice."""
    path, name, folders = str(extension), extension.stem, list(sys.path)
    extension.write_text("HALF = 1\nraise ImportError('not yet')\n")
    with pytest.raises(ValueError, match="cannot be imported .not yet"):
        load_extensions(path)
    assert name not in sys.modules
    extension.write_text(SOURCE)
    assert load_extensions(f"{path}, {path}") == load_extensions(path) == (path,)
    assert name in FAMILIES
    assert sys.path == folders


def test_a_penalty_that_reads_the_truth_is_refused_with_pseudo_labels_before_training(extension):
    """Planted bug: a list kept by hand, which lacks every penalty of a user."""
    extension.write_text(SOURCE.replace("clean, **context", "clean, noise_interval, **context"))
    with pytest.raises(ValueError, match="'squared_mass_of_tests' takes simulated labels"):
        TrainConfig(extensions=str(extension), labels="pseudo", mask_policy="any", **OWN)


def test_an_unknown_name_says_where_ones_own_would_come_from():
    with pytest.raises(ValueError, match="unknown noise family 'box_of_tests'; known: none, .* named in `extensions`"):
        TrainConfig(families=("box_of_tests",)).dataset("train")
