"""Train one run from the command line, alone or under torchrun: `python -m nblib regularizer=mass reg_weight=3`.

Every NAME=VALUE is a parameter of TrainConfig, on top of a profile's. The notebooks find the run by its parameters.
"""

import argparse
import sys

import yaml
from accelerate import PartialState

from nblib.project.profiles import PROFILES, get_profile
from nblib.training.config import TrainConfig
from nblib.training.loop import train


def parse_config(profile: str, assignments: list[str]) -> TrainConfig:
    """A config from a profile and NAME=VALUE texts; raises ValueError for what is neither."""
    malformed = [text for text in assignments if "=" not in text]
    if malformed:
        raise ValueError(f"{malformed[0]!r} is not NAME=VALUE; write e.g. reg_weight=3")
    values = {name: yaml.safe_load(value) for name, value in (text.split("=", 1) for text in assignments)}
    return TrainConfig.from_dict(get_profile(profile).training | values)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 0, 2 for input that is refused."""
    parser = argparse.ArgumentParser(prog="python -m nblib", description=__doc__)
    parser.add_argument("--profile", default="quick", choices=list(PROFILES))
    parser.add_argument("assignments", nargs="*", metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    try:
        result = train(parse_config(options.profile, options.assignments))
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    if PartialState().is_main_process:
        print(result.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
