"""JupyterLab on copies of the notebooks, the whole clone at hand. `make lab`"""

import os
import sys

from nblib.project.paths import ROOT, from_root
from nblib.reporting.lab import copy_notebooks


def main() -> None:
    """Copy the notebooks, say what stays, and become JupyterLab."""
    folder, said = copy_notebooks()
    print("\n".join([f"JupyterLab on copies in {from_root(folder)}; notebooks/ stays as it is", *said]), flush=True)
    root = ROOT if folder.is_relative_to(ROOT) else folder
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("running as root, as in a container: allowed here, since the server listens on this machine alone")
        command.append("--allow-root")
    os.execv(sys.executable, [*command, str(folder), *sys.argv[1:]])


if __name__ == "__main__":
    main()
