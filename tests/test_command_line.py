"""`nblib`: the menu, unknown subcommands, and that nothing heavy is imported before it is needed."""

import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

import nblib
from nblib.__main__ import COMMANDS, main
from nblib.project.paths import ROOT


def test_the_menu_names_every_subcommand(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)
    assert {"detect", "train", "run", "grid-table", "outputs"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_explains_itself(name, capsys):
    module, function, _ = COMMANDS[name]
    assert getattr(import_module(module), function).__doc__
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: nblib {name}" in capsys.readouterr().out


def test_an_unknown_subcommand_is_refused(capsys):
    assert main(["trian"]) == 2
    assert "no subcommand 'trian'; known: detect, fit, arrhenius, report, train, run" in capsys.readouterr().err
    assert main([]) == 2


@pytest.mark.parametrize(("name", "goes_on"), [("train", True), ("detect", False)])
def test_an_interrupted_command_promises_what_is_so(name, goes_on, capsys, monkeypatch):
    """Planted bug: "the same command goes on from here" after `detect`, which keeps nothing."""
    module, function, _ = COMMANDS[name]

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module(module), function, interrupted)
    assert main([name]) == 130
    assert ("the same command goes on from here" in capsys.readouterr().err) is goes_on


def test_the_menu_does_not_wait_for_torch():
    """Planted bug: nblib/__init__.py importing the training loop; the menu took 3 s."""
    program = "import sys; from nblib.__main__ import main; main(['--help']); print('heavy', *sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    imported = set(answer.stdout.split("heavy", 1)[1].split())
    assert not imported & {"torch", "numpy", "papermill", "matplotlib"}


def test_public_names_are_there_when_asked_for():
    assert {"TrainConfig", "train", "NoiseBERT"} <= set(dir(nblib))
    assert nblib.train is import_module("nblib.training.loop").train
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nblib.nothing


def test_the_console_script_is_the_same_program():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, function = settings["project"]["scripts"]["nblib"].split(":")
    assert getattr(import_module(module), function) is main
