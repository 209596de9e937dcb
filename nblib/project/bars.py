"""Progress bars; what they look like decides no number."""

from collections.abc import Iterable

from tqdm import tqdm

from nblib.project.environment import is_live
from nblib.project.progress import is_followed


def training_bar(steps: Iterable, total: int, initial: int, description: str, shown: bool | None) -> tqdm:
    """A bar of plain text over the steps of a training: a notebook that stores it can be read without its kernel.

    Parameters
    ----------
    shown : None = where somebody watches (a terminal, JupyterLab), unless a line that covers all runs is shown already
    """
    shown = is_live() and not is_followed() if shown is None else shown
    return tqdm(steps, total=total, initial=initial, desc=description, disable=not shown)
