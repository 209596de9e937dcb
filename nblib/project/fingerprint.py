"""Digests of the code behind a result."""

import ast
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
# rooms and files whose code decides a training's result
RESULT_CODE = ("spectra", "dataset.py", "model.py", "losses.py", "training")
JUDGING_CODE = ("detection", "prediction.py", "evaluation")


def code_digest(places: tuple[str, ...] = RESULT_CODE) -> str:
    """Digest of the rooms and files that decide a result; comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for place in places:
        path = PACKAGE / place
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                    node.body.pop(0)
            digest.update(ast.dump(tree).encode())
    return digest.hexdigest()
