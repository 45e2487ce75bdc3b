"""The package as its source tells it: modules, what they import, functions. Read, never run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cvtasks"


@dataclass(frozen=True)
class Import:
    """One module that another one imports."""

    target: str
    line: int
    first: bool  # runs when the importing module is imported
    typing: bool  # stands below `if TYPE_CHECKING`


@cache
def sources() -> dict[str, Path]:
    """Name → file of every module of the package."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def tree(file: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def where(file: Path, line: int) -> str:
    """How an offence is introduced."""
    return f"{file.relative_to(ROOT)}:{line}"


@cache
def imports(file: Path) -> list[Import]:
    """Every import of the file: at its top, in functions, below TYPE_CHECKING, and by
    `import_module("a literal")`.
    """
    found = []

    def add(names: list[str], node: ast.AST, first: bool, typing: bool) -> None:
        found.extend(Import(name, node.lineno, first and not typing, typing) for name in names)

    def walk(node: ast.AST, first: bool, typing: bool) -> None:
        if isinstance(node, ast.Import):
            add([alias.name for alias in node.names], node, first, typing)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            named = [f"{module}.{alias.name}" for alias in node.names]
            add([name if name in sources() else module for name in named], node, first, typing)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            add(
                [a.value for a in node.args[:1] if isinstance(a, ast.Constant)], node, first, typing
            )
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                walk(child, first, True)
            for child in node.orelse:
                walk(child, first, typing)
            return
        for child in ast.iter_child_nodes(node):
            walk(child, first and not inside, typing)

    walk(tree(file), True, False)
    return list(dict.fromkeys(found))


def below(name: str, prefix: str) -> bool:
    """Whether the module `name` is `prefix` or lies in it."""
    return name == prefix or name.startswith(f"{prefix}.")


def functions(
    body: list[ast.stmt], path: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its name, that of a method behind its class."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{path}{node.name}"
            if not isinstance(node, ast.ClassDef):
                yield name, node
            yield from functions(node.body, f"{name}.")
        else:
            for inner in ("body", "orelse", "finalbody"):
                yield from functions(getattr(node, inner, []), path)
