"""`nblib train`: one run from the command line, alone or under torchrun."""

import argparse
from collections.abc import Mapping
from dataclasses import fields

from nblib.project.profiles import PROFILES, get_profile
from nblib.project.values import add_parameters, given_parameters, read_value
from nblib.training.config import TrainConfig


def read_config(profile: str, texts: Mapping[str, str]) -> TrainConfig:
    """A config from a profile and values as typed, each read as its field's type; raises ValueError for bad ones."""
    kinds = {field.name: field.type for field in fields(TrainConfig)}
    values = {name: read_value(name, text, kinds[name]) if name in kinds else text for name, text in texts.items()}
    return TrainConfig.from_dict(get_profile(profile).training | values)


def train_command(arguments: list[str]) -> int:
    """Train one run and print its folder; raises ValueError for what is refused."""
    parser = argparse.ArgumentParser(
        prog="nblib train",
        description="Train one run, on top of a profile's parameters: nblib train regularizer=mass reg_weight=3. "
        "Parameters are the fields of TrainConfig. Notebooks find the run by its parameters.",
    )
    parser.add_argument("--profile", default="quick", choices=list(PROFILES))
    add_parameters(parser)
    options = parser.parse_intermixed_args(arguments)
    config = read_config(options.profile, given_parameters(options))
    from accelerate import PartialState

    from nblib.training.loop import train

    result = train(config)
    if PartialState().is_main_process:
        print(result.folder)
    return 0
