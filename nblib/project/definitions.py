"""The definitions of a source file, and the names that each uses: what fingerprints are made of."""

import ast
import importlib.util
import symtable
import sys
import types
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from nblib.project.extensions import is_extension
from nblib.project.registry import functions_of

COUNTED = ("nblib", "evidence")  # packages whose code a run is made of, beside loaded extensions
NEVER_COUNT = ("nblib.project", "nblib.notebook", "evidence.pages")  # paths, bars, plots and prose decide no number
LOOSE = "<statements>"  # of a module, beside its definitions
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SIMPLE = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.ClassDef, *FUNCTIONS)

Place = tuple[str, str]  # module, name; "" = the whole module
Use = tuple[tuple[str, ...], str | None]  # a dotted name, and the key in TABLE["key"]


class Module:
    """The top of a source file: which statements bind which names, and what each uses."""

    def __init__(self, name: str, source: str, is_package: bool):
        self.name = name
        self.package = name if is_package else name.rpartition(".")[0]
        self.statements: dict[str, list[ast.stmt]] = {LOOSE: []}
        self.imports: dict[str, tuple[str, str]] = {}  # bound name -> (module, name in it, "" for the module)
        self.stars: list[str] = []
        self._known: dict[str, tuple[str, list[tuple[Place, str | None]]]] = {}
        children = symtable.symtable(source, name, "exec").get_children()
        self.scopes = {(child.get_name(), child.get_lineno()): child for child in children}
        for statement in ast.parse(source).body:
            self._add(statement)

    def _add(self, statement):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._add_import(statement)
            return
        if isinstance(statement, ast.If) and ast.unparse(statement.test) in ("__name__ == '__main__'", "TYPE_CHECKING"):
            return
        names = [statement.name] if isinstance(statement, (ast.ClassDef, *FUNCTIONS)) else _bound(statement)
        if isinstance(statement, SIMPLE) and names:
            for name in names:
                self.statements.setdefault(name, []).append(statement)
        elif not _is_text(statement):
            self.statements[LOOSE].append(statement)
            for name in names:  # bound inside an if, a try, a loop
                self.statements.setdefault(name, []).append(statement)
            for node in ast.walk(statement):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    self._add_import(node)

    def _add_import(self, node):
        for bound, module, name in _imported(node, self.package):
            if bound == "*":
                self.stars.append(module)
            else:
                self.imports[bound] = (module, name)

    def definition(self, name: str) -> tuple[str, list[tuple[Place, str | None]]]:
        """Code of a definition, and the definitions it uses."""
        if name not in self._known:
            texts, uses = [], []
            for statement in self.statements[name]:
                scope = self.scopes.get((getattr(statement, "name", ""), statement.lineno))
                statement = _Bare().visit(statement)
                texts.append(ast.dump(statement))
                nodes = list(ast.walk(statement))
                uses += self.resolved(uses_of(statement, nodes, scope))
                for node in nodes:
                    if isinstance(node, (ast.Import, ast.ImportFrom)):  # inside a function
                        uses += [
                            (place, None)
                            for _, module, inner in _imported(node, self.package)
                            if (place := _inside(module, (inner,) if inner and inner != "*" else ()))
                        ]
            self._known[name] = "\n".join(texts), uses
        return self._known[name]

    def resolved(self, uses: Iterable[Use]) -> list[tuple[Place, str | None]]:
        """The definitions that dotted names of this module mean; those outside the code that counts are left out."""
        return [(place, key) for chain, key in uses if (place := _place(self.name, chain)) is not None]


@cache
def module_of(name: str) -> Module:
    """A module's definitions, read once per process; raises ValueError where it has no source file."""
    path = source_of(name)
    if path is None:
        raise ValueError(
            f"module {name!r} has no source file, so that a change of it would go unseen; put functions of a notebook "
            "or of an interactive session into a .py file and name that in `extensions`"
        )
    return Module(name, path.read_text(encoding="utf-8"), path.name == "__init__.py")


def source_of(name: str) -> Path | None:
    """The file of a module, None where there is none (`__main__` of a notebook, compiled modules)."""
    module = sys.modules.get(name)
    try:
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


def _counts(module: str) -> bool:
    if any(module == name or module.startswith(f"{name}.") for name in NEVER_COUNT):
        return False
    return module.split(".")[0] in COUNTED or is_extension(module)


# ---- what names mean ----


def named(text: str) -> Place:
    """The place of "module:name", found through re-exports."""
    module, _, name = text.partition(":")
    place = _place(module, (name,)) if name and source_of(module) else None
    if place is None:
        raise ValueError(f"{text!r} is not a definition; write module:name, e.g. nblib.losses:REGULARIZERS")
    return place


def _place(module: str, chain: tuple[str, ...]) -> Place | None:
    """The definition that a dotted name in a module means; None = a builtin, or outside the code that counts."""
    here, (name, *rest) = module_of(module), chain
    if name in here.statements:
        return module, name
    if name in here.imports:
        target, inner = here.imports[name]
        return _inside(target, (inner, *rest) if inner else tuple(rest))
    for star in here.stars:
        if (place := _inside(star, chain)) is not None:
            return place
    return None


def _inside(module: str, chain: tuple[str, ...]) -> Place | None:
    if not _counts(module):
        return None
    if not chain:
        return module, ""
    if (place := _place(module, chain)) is not None:
        return place
    submodule = f"{module}.{chain[0]}"
    if module_of(module).package == module and source_of(submodule) is not None:
        return _inside(submodule, chain[1:])
    value = getattr(sys.modules.get(module), chain[0], None)  # from a module's own __getattr__
    if isinstance(value, (types.FunctionType, type)) and value.__module__ != module:
        return _inside(value.__module__, (value.__qualname__,))
    return None


def definitions_of(entry: Callable) -> list[Place]:
    """Where what is registered is defined; raises ValueError where that is not at the top of a source file."""
    defined = []
    for function in functions_of(entry):
        module, name = function.__module__, function.__qualname__.split(".")[0]
        if name not in module_of(module).statements:
            raise ValueError(f"{name} is not found in {source_of(module)}; define it at the top of its file")
        defined.append((module, name))
    return defined


# ---- syntax ----


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> list[tuple[str, str, str]]:
    """(bound name, module, name in it) of an import statement."""
    if isinstance(node, ast.Import):
        parts = [(alias.asname, alias.name) for alias in node.names]
        return [(bound or name.split(".")[0], name if bound else name.split(".")[0], "") for bound, name in parts]
    module = node.module or ""
    if node.level:
        module = importlib.util.resolve_name("." * node.level + module, package)
    return [(alias.asname or alias.name, module, alias.name) for alias in node.names]


def _bound(statement: ast.stmt) -> list[str]:
    """Names that a statement binds at the top of its module."""
    names = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    inner = [node.name for node in ast.walk(statement) if isinstance(node, (ast.ClassDef, *FUNCTIONS))]
    return names + inner


def uses_of(statement: ast.stmt, nodes: list[ast.AST], scope: symtable.SymbolTable | None = None) -> list[Use]:
    """Dotted names that a statement takes from its module, with the key where it is TABLE["key"].

    Parameters
    ----------
    nodes : of ast.walk
    scope : of a function or class, whose own variables are not the module's
    """
    outside: list[ast.AST | None] = []  # of the scope: these names are always the module's
    if isinstance(statement, FUNCTIONS):
        outside = [*statement.decorator_list, *statement.args.defaults, *statement.args.kw_defaults]
    elif isinstance(statement, ast.ClassDef):
        outside = [*statement.decorator_list, *statement.bases, *statement.keywords]
        outside += [node for node in statement.body if not isinstance(node, FUNCTIONS)]
    kept = None if scope is None else _globals(scope)
    if kept is not None:
        parts = [node for part in outside if part is not None for node in ast.walk(part)]
        kept |= {node.id for node in parts if isinstance(node, ast.Name)}
    uses: list[Use] = []
    inner: set[ast.AST] = set()  # nodes that are part of a longer name
    for node in nodes:  # outer ones come first
        key = None
        chain = _chain(node)
        if isinstance(node, ast.Attribute):
            inner.add(node.value)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key = node.slice.value if isinstance(node.slice.value, str) else None
            if key is not None:
                chain = _chain(node.value)
                inner.add(node.value)
        if chain and (key is not None or node not in inner) and (kept is None or chain[0] in kept):
            uses.append((chain, key))
    return list(dict.fromkeys(uses))


def _chain(node: ast.AST) -> tuple[str, ...]:
    """("a", "b", "c") of the expression a.b.c; () of any other."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _chain(node.value)):
        return (*before, node.attr)
    return ()


def _globals(scope: symtable.SymbolTable) -> set[str]:
    names = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    return names.union(*(_globals(child) for child in scope.get_children()))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Bare(ast.NodeTransformer):
    """Takes out docstrings and the hints of functions and constants; fields of a class keep theirs."""

    def visit_FunctionDef(self, node):
        node.body = [inner for inner in node.body if not _is_text(inner)] or [ast.Pass()]
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        body = [inner for inner in node.body if not _is_text(inner)] or [ast.Pass()]
        node.body = [inner if isinstance(inner, ast.AnnAssign) else self.visit(inner) for inner in body]
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return ast.Pass() if node.value is None else ast.Assign([node.target], self.visit(node.value))
