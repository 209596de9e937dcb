"""A run's key follows the code that the run executes: each definition it uses, and no other."""

import ast
import sys
import types
from pathlib import Path

import pytest

import nblib.training.loop  # noqa: F401 - where runs start
from evidence.tasks import Task
from evidence.test_sets import Sizes
from nblib.losses import REGULARIZERS, regularizer
from nblib.prediction import SCORES, score
from nblib.project import definitions
from nblib.project import fingerprint as fingerprint_module
from nblib.project.fingerprint import code_behind, fingerprint
from nblib.simulation.noise import FAMILIES, family
from nblib.training.config import TrainConfig

CLONE = Path(definitions.__file__).parents[2]
SIZES = Sizes(n_test=60, n_tune=40, n_family=30, n_line_free=60, n_correlated=30, n_probe=60, n_energies=20)
PLAIN = TrainConfig(regularizer="mass", families=("vibration",))
LABEL_FREE = TrainConfig(regularizer="mass", families=("vibration",), labels="pseudo", mask_policy="any")


def behind(config):
    return code_behind("nblib.training.loop:train", choices=config.choices(), without=config.without())


MODULES = sorted({name.split(":")[0] for name in behind(LABEL_FREE)})


PARSED = {}  # (module, text) -> its definitions: tests share what none of them edited


class Copy:
    """What of the sources of both packages is edited, written to a folder and read there instead of its own."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.known = folder, {}
        read, own = definitions.module_of.__wrapped__, definitions.source_of

        def source_of(name):
            path = own(name)
            edited = path is not None and path.is_relative_to(CLONE) and folder / path.relative_to(CLONE)
            return edited if edited and edited.exists() else path

        def module_of(name):
            if name not in self.known:
                path = source_of(name)
                text = path.read_text() if path else None
                if (name, text) not in PARSED:
                    PARSED[name, text] = read(name)
                self.known[name] = PARSED[name, text]
            return self.known[name]

        monkeypatch.setattr(definitions, "source_of", source_of)
        for place in (definitions, fingerprint_module):
            monkeypatch.setattr(place, "module_of", module_of)

    def write(self, file, text):
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(text)
        self.known.pop(file.removesuffix(".py").replace("/", "."), None)

    def edit(self, file, old, new):
        text = self.read(file)
        assert old in text, old
        self.write(file, text.replace(old, new))

    def append(self, file, text):
        self.write(file, self.read(file) + text)

    def read(self, file):
        edited = self.folder / file
        return (edited if edited.exists() else CLONE / file).read_text()

    def change(self, name):
        """Change what "module:name" does; returns the file as it was."""
        source = self.read(file_of(name))
        inner, lines = name.split(":")[1], source.splitlines()
        for node in ast.parse(source).body:
            if getattr(node, "name", None) == inner:
                lines.insert(node.end_lineno, " " * node.body[-1].col_offset + "edited = 'edited'")
                break
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and inner in definitions._bound(node):
                lines.insert(node.end_lineno, f"{inner} = 'edited'")
                break
        self.write(file_of(name), "\n".join(lines))
        return source


def file_of(name):
    return name.split(":")[0].replace(".", "/") + ".py"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    return Copy(tmp_path / "copy", monkeypatch)


def key(config=PLAIN):
    """A fresh key, not a cached one."""
    return config.digest("nblib.training.loop:train")


# ---- what counts ----


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_editing_each_module_that_a_run_depends_on_changes_its_key(module, copy):
    """Every definition found is edited in turn. Planted bug: constants left out of what is followed."""
    before = key(LABEL_FREE)
    names = [name for name in behind(LABEL_FREE) if name.startswith(f"{module}:") and name.split(":")[1].isidentifier()]
    assert names
    for name in names:
        source = copy.change(name)
        assert key(LABEL_FREE) != before, name
        copy.write(file_of(name), source)
    assert key(LABEL_FREE) == before


def test_the_package_is_followed_where_training_goes():
    """Rooms that decide a training are all there, so that the test above tests something."""
    expected = {"dataset", "losses", "model", "simulation.noise", "scoring.posterior"}
    expected |= {"training.objective"}
    assert {f"nblib.{name}" for name in expected} <= set(MODULES)
    assert not [
        name for name in MODULES if name.startswith(("nblib.project", "nblib.notebook", "nblib.measured", "evidence"))
    ]


def test_label_free_training_counts_what_makes_its_labels_and_other_training_does_not(copy):
    """Planted bug: what finds lines in a residual missing from the key, as it once was."""
    only = sorted(set(behind(LABEL_FREE)) - set(behind(PLAIN)))
    assert "nblib.training.objective:pseudo_labels" in only
    assert "nblib.scoring.posterior:line_log_odds" in behind(LABEL_FREE)
    before = key(LABEL_FREE), key(PLAIN)
    copy.change("nblib.training.objective:pseudo_labels")
    after = key(LABEL_FREE), key(PLAIN)
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_prose_layout_and_hints_do_not_count(copy):
    """Planted bug: docstrings left in."""
    before = key(LABEL_FREE)
    for file in map(file_of, MODULES):
        tree = ast.parse(copy.read(file))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
                node.body[0].value.value = "Other words."
            if isinstance(node, ast.FunctionDef):
                node.returns = ast.Name("Any")
        copy.write(file, "# a comment\n" + ast.unparse(tree))
    assert key(LABEL_FREE) == before


@pytest.mark.parametrize("room", ["nblib/project", "nblib/notebook", "evidence/pages"])
def test_records_bars_and_plots_do_not_count(room, copy):
    before = key()
    for path in (CLONE / room).glob("*.py"):
        copy.append(f"{room}/{path.name}", "\nraise RuntimeError\n")
    assert key() == before


# ---- what is registered by name ----


def test_a_family_or_penalty_counts_only_where_it_is_used(copy):
    """Planted bug: whole modules counted."""
    before, other = key(), TrainConfig(regularizer="mean", families=("single_line",))
    before_other = key(other)
    copy.edit("nblib/simulation/noise.py", "np.log(5.0)", "np.log(6.0)")  # vibration's
    assert key() != before
    assert key(other) == before_other
    before = key()
    copy.edit(
        "nblib/losses.py", "_mass(cls_attn, noisy) / noisy.sum", "_mass(cls_attn, noisy) / 2 / noisy.sum"
    )  # mean's
    assert key() == before
    assert key(other) != before_other


def test_a_function_that_the_used_penalty_calls_counts_and_a_neighbour_does_not(copy):
    barrier, uniform = (TrainConfig(regularizer=name) for name in ("log_barrier", "uniform_clean"))
    before = key(barrier), key(uniform)
    copy.edit("nblib/losses.py", "-logs.mean(dim=1)", "-2 * logs.mean(dim=1)")  # _uniform_over
    assert key(barrier) == before[0]
    assert key(uniform) != before[1]


def test_adding_a_family_or_a_penalty_changes_no_other_run(copy):
    """In the sources and in the tables. Planted bug: tables counted whole."""
    before = key()
    try:
        _with(family, "comb_of_tests")
        _with(regularizer, "penalty_of_tests")
        copy.append("nblib/simulation/noise.py", "\n\n@family\ndef comb_of_tests(rng, freqs, amplitude):\n    ...\n")
        copy.append("nblib/losses.py", "\n\n@regularizer\ndef penalty_of_tests(cls_attn, noisy):\n    ...\n")
        assert key() == before
    finally:
        FAMILIES.pop("comb_of_tests", None)
        REGULARIZERS.pop("penalty_of_tests", None)


def _with(decorator, name):
    def function(*arguments, **context):
        raise NotImplementedError

    function.__name__ = name
    decorator(function)


def test_an_entry_of_a_literal_table_counts_where_it_is_used(copy):
    whittle, squared = (
        TrainConfig(masked_error="whittle"),
        TrainConfig(masked_error="squared"),
    )
    before = key(whittle), key(squared)
    copy.edit("nblib/losses.py", "return log_ratio.exp() - log_ratio - 1", "return log_ratio.exp() - log_ratio - 2")
    assert key(whittle) != before[0]
    assert key(squared) == before[1]
    copy.edit("nblib/losses.py", '{"squared": squared_error,', '{"huber": squared_error, "squared": squared_error,')
    assert key(squared) == before[1]


def test_a_table_of_which_nothing_is_told_counts_whole():
    """So that a choice that is forgotten costs a training and never a wrong answer."""
    choices = PLAIN.choices()
    del choices["nblib.losses:REGULARIZERS"]
    code = code_behind("nblib.training.loop:train", choices=choices, without=PLAIN.without())
    assert {f"nblib.losses:REGULARIZERS[{name}]" for name in REGULARIZERS} <= set(code)


# ---- judging ----


def test_judging_code_is_part_of_a_tasks_name_and_training_code_of_its_training(copy):
    def paths():
        tasks = [Task("closely", PLAIN, "vibration", SIZES), Task("quick", PLAIN, "vibration", SIZES)]
        tasks.append(Task("readings", TrainConfig(readout="token"), "vibration", SIZES, "cnn"))
        return [task.path.name for task in tasks]

    before = paths()
    copy.edit("evidence/faithfulness.py", "BATCH = 50", "BATCH = 51")
    after = paths()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, True]
    copy.edit("evidence/supervised.py", "channels: int = 32", "channels: int = 33")
    assert [one == other for one, other in zip(after, paths(), strict=True)] == [True, True, False]


def test_the_evidences_code_counts_where_it_judges(copy):
    """Planted bug: only nblib followed, so that a changed assessment left old results valid."""
    task = Task("quick", PLAIN, "vibration", SIZES)
    before = task.path.name
    copy.edit("evidence/assessments.py", '"masked": masked_prediction', '"hidden": masked_prediction')
    assert task.path.name != before
    assert any(
        name.startswith("evidence.assessments:") for name in code_behind("evidence.assessments:quick_assessment")
    )


def test_adding_a_score_leaves_published_tasks_valid(copy):
    """Planted bug: every registered score part of every task's name."""
    task = Task("readings", PLAIN, "vibration", SIZES)
    before = task.path.name
    try:
        _with(score, "score_of_tests")
        SCORES["score_of_tests"].__module__ = "nblib.prediction"
        copy.append("nblib/prediction.py", "\n\n@score\ndef score_of_tests(predictions, widths):\n    ...\n")
        assert task.path.name == before
    finally:
        SCORES.pop("score_of_tests", None)


# ---- names ----


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the package made of a text."""

    def make(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        made = types.ModuleType(f"nblib.{name}")
        made.__file__ = str(path)
        exec(compile(text, str(path), "exec"), made.__dict__)
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return made.__name__

    yield make
    definitions.module_of.cache_clear()


def test_names_are_followed_as_python_finds_them(module):
    """Own variables hide the module's; local imports, aliases, defaults, decorators, bases and branches count."""
    module("one_of_tests", "VALUE = 1\nOTHER = 2\ndef hidden(): ...\ndef found(): return VALUE\n")
    name = module(
        "two_of_tests",
        "import nblib.losses as losses\n"
        "from nblib.one_of_tests import found as renamed, hidden\n"
        "LIMIT = 3\nDEFAULT = 4\n"
        "try:\n    import no_such_module\nexcept ImportError:\n    FALLBACK = LIMIT\n"
        "def decorate(function): return function\n"
        "class Base: ...\n"
        "@decorate\n"
        "def start(value=DEFAULT):\n"
        "    hidden = [LIMIT for LIMIT in range(value)]\n"
        "    from nblib.cells import clean_cells\n"
        "    class Inner(Base): ...\n"
        "    return lambda: (renamed, losses.MARGIN, FALLBACK, clean_cells, hidden)\n",
    )
    used = {place.removeprefix("nblib.") for place in code_behind(f"{name}:start")}
    expected = {"two_of_tests:" + place for place in ("start", "DEFAULT", "decorate", "Base", "FALLBACK")}
    expected |= {"one_of_tests:found", "one_of_tests:VALUE", "losses:MARGIN", "cells:clean_cells"}
    assert expected <= used
    assert not used & {"one_of_tests:hidden", "one_of_tests:OTHER", "losses:mass", "losses:REGULARIZERS"}


@pytest.mark.parametrize("name", ["nblib.losses:no_such", "nblib.losses", "nblib.no_such:train"])
def test_a_name_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match="is not a definition; write module:name"):
        fingerprint(name)
