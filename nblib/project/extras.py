"""What comes with an extra of nblib, and the one line that says so where it is not installed."""

EXTRAS = {  # extra -> packages by the name they are imported by; pyproject.toml lists the same
    "train": ("torch", "sklearn", "accelerate", "filelock", "tqdm", "yaml"),
    "notebooks": ("papermill", "ipykernel", "nbconvert", "nbformat", "seaborn", "psutil"),
    "lab": ("jupyterlab", "ipywidgets", "ipympl", "IPython"),
    "instruments": ("nptdms", "pyabf"),
}


def what_to_install(asked: str, error: ModuleNotFoundError) -> str:
    """One line for a package that is missing, "" where it comes with no extra; asked : what needs it."""
    package = (error.name or "").partition(".")[0]
    extras = [extra for extra, packages in EXTRAS.items() if package in packages]
    return f"{asked} needs {package}: pip install 'nblib[{extras[0]}]'" if extras else ""
