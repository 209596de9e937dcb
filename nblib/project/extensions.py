"""Extensions: modules outside the package that register families, penalties, scores or formats when they are imported.

They come from packages that declare an entry point of the group "nblib.extensions", and from what a run names: modules,
or paths of .py files. A run's config and its data set carry the names along, so that other processes load them too.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from nblib.project.paths import ROOT

GROUP = "nblib.extensions"
_LOADED: dict[str, ModuleType] = {}  # by name as given: a module, or the absolute path of a file


def as_names(extensions: str | Sequence[str]) -> tuple[str, ...]:
    """Names from one text with commas (a notebook's parameter) or a sequence; files as absolute paths.

    Raises
    ------
    ValueError for a file that does not exist
    """
    parts = extensions.split(",") if isinstance(extensions, str) else extensions
    names = [str(part).strip() for part in parts]
    return tuple(dict.fromkeys(str(_file(name)) if _is_file(name) else name for name in names if name))


def load_extensions(extensions: str | Sequence[str] = ()) -> tuple[str, ...]:
    """Import what is named, and what installed packages declare; what is imported already is left alone.

    Parameters
    ----------
    extensions : modules ("my_package.noise") or .py files ("my_noise.py", relative to the current folder or to the
        project root), as a sequence or as one text with commas

    Returns
    -------
    Their names, files as absolute paths

    Raises
    ------
    ValueError for a module or file that does not exist or cannot be imported, and for a name that is taken
    """
    _load_installed()
    names = as_names(extensions)
    for name in names:
        if name not in _LOADED:
            _LOADED[name] = _imported_file(Path(name)) if _is_file(name) else _imported(name)
    return names


def load_again(path: Path) -> str:
    """Import a .py file anew, as it stands now, and keep it as an extension; its absolute path.

    What it registers takes the place of what it registered before.

    Raises
    ------
    ValueError as load_extensions
    """
    (name,) = as_names([str(path)])
    former = _LOADED.pop(name, None)
    if former is not None:
        sys.modules.pop(former.__name__, None)
    try:
        load_extensions([name])
    except BaseException:
        if former is not None:  # what is registered still lives there
            _LOADED[name] = sys.modules[former.__name__] = former
        raise
    return name


def loaded_extensions() -> tuple[str, ...]:
    """Names of the extensions that this process has loaded on request: what a worker process must load as well."""
    return tuple(_LOADED)


def modules_of(extensions: Sequence[str]) -> tuple[str, ...]:
    """Module names of loaded extensions."""
    return tuple(_LOADED[name].__name__ for name in extensions)


def is_extension(module: str) -> bool:
    """Does a module belong to a loaded extension? Its package, and for a file also the modules in its folder."""
    for name, extension in [*_LOADED.items(), *((installed.__name__, installed) for installed in _load_installed())]:
        if module.split(".")[0] == extension.__name__.split(".")[0]:
            return True
        source = getattr(sys.modules.get(module), "__file__", None)
        if _is_file(name) and source and Path(source).parent == Path(name).parent:
            return True
    return False


@cache
def _load_installed() -> tuple[ModuleType, ...]:
    return tuple(_imported(entry.module) for entry in entry_points(group=GROUP))


def _is_file(name: str) -> bool:
    return name.endswith(".py")


def _file(name: str) -> Path:
    candidates = [Path(name).expanduser(), ROOT / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    tried = ", ".join(map(str, candidates))
    raise ValueError(f"extension {name!r} is not a file (tried {tried}); give the path of a .py file")


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"extension {name!r} cannot be imported ({error}); name an installed module or the path of a .py file"
        ) from error


def _imported_file(path: Path) -> ModuleType:
    """The module of a file, under the file's name; modules beside it can be imported while it runs."""
    name = path.stem
    known = sys.modules.get(name) or (importlib.util.find_spec(name) if name.isidentifier() else None)
    if not name.isidentifier():
        raise ValueError(f"extension {path} must be named like a module: letters, digits and _ only")
    if known is not None and Path(getattr(known, "__file__", None) or getattr(known, "origin", "") or "") != path:
        raise ValueError(f"extension {path} has the name of another module, {name!r}; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # of a .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        # not the loader's exec_module: byte code of another text of equal length and second would be taken
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, ImportError | SyntaxError):
            raise ValueError(f"extension {path} cannot be imported ({error})") from error
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module
