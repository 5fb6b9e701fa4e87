"""The repository as its guard tests see it: files by room, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT_ROOMS = ("function", "infra", "sandbox", "cli")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file; `name` is its path in the repository."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    def functions(self) -> Iterator[tuple[str, FunctionNode]]:
        for node in ast.walk(self.tree):
            if isinstance(node, FunctionNode):
                yield f"{self.name}:{node.lineno} {node.name}", node

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full module name of every absolute import."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.lineno, node.module or ""

    def strings(self) -> Iterator[tuple[int, str]]:
        """Line and value of every string the code works with; docstrings are for people and left out."""
        documentation = {
            node.body[0].value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | FunctionNode)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
                yield node.lineno, node.value


@cache
def _source(path: Path) -> Source:
    """Return one object for a file, which is parsed once for all tests."""
    return Source(path)


def sources(*rooms: str) -> list[Source]:
    """Every Python file of the rooms, in order; without what is installed or built there."""
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    return [_source(path) for path in found if not {"__pycache__", ".venv", "build"} & set(path.parts)]


def length(node: ast.AST) -> int:
    """In lines, signature included."""
    return (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1


def expect_none(found: Iterable[object]) -> None:
    """Fails with every one of them, a line each."""
    lines = [str(each) for each in found]
    assert not lines, "\n" + "\n".join(lines)
