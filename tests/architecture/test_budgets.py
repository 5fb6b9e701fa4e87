"""The budgets that keep the code calm: length of functions and modules, parameters, broad excepts."""

from __future__ import annotations

import ast
from statistics import median, quantiles

import pytest

from tests.architecture.source_tree import PRODUCT_ROOMS, FunctionNode, Source, expect_none, length, sources

LONGEST_FUNCTION = 60
# Wires the engine: a list of constructor calls, which reads best in one piece.
WIRING = {"function/sms_connector/engine.py": "__init__"}
LONGEST_MODULE = 400
LONGEST_LINE = 120
MOST_POSITIONAL = 4


def lengths(*rooms: str) -> list[int]:
    return [length(node) for source in sources(*rooms) for _, node in source.functions()]


def positional(node: FunctionNode) -> int:
    own = [argument for argument in (*node.args.posonlyargs, *node.args.args) if argument.arg not in ("self", "cls")]
    return len(own)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Catches everything and keeps it; what only tidies up and raises again is no handling."""
    names = (
        [each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)]
        if handler.type
        else ["BaseException"]
    )
    last = handler.body[-1]
    passed_on = isinstance(last, ast.Raise) and last.exc is None
    return bool({"Exception", "BaseException"} & set(names)) and not passed_on


@pytest.mark.parametrize("room", PRODUCT_ROOMS)
class TestRoom:
    def test_no_function_is_too_long(self, room: str) -> None:
        found = [(where, length(node)) for source in sources(room) for where, node in source.functions()]
        wiring = {where for where, _ in found if WIRING.get(where.partition(":")[0]) == where.rpartition(" ")[2]}
        expect_none([each for each in found if each[1] > LONGEST_FUNCTION and each[0] not in wiring])

    def test_nine_of_ten_functions_are_at_most_thirty_lines(self, room: str) -> None:
        assert quantiles(lengths(room), n=10)[-1] <= 30

    def test_no_module_is_too_long(self, room: str) -> None:
        found = [(source.name, source.text.count("\n")) for source in sources(room)]
        expect_none([each for each in found if each[1] > LONGEST_MODULE])

    def test_few_parameters_by_position(self, room: str) -> None:
        found = [(where, positional(node)) for source in sources(room) for where, node in source.functions()]
        expect_none([each for each in found if each[1] > MOST_POSITIONAL])


def test_no_line_of_the_function_is_too_long() -> None:
    """The formatter leaves comments and texts as they are."""
    expect_none(
        f"{source.name}:{number}"
        for source in sources("function")
        for number, line in enumerate(source.text.splitlines(), 1)
        if len(line) > LONGEST_LINE
    )


def test_every_other_function_is_at_most_eight_lines() -> None:
    assert median(lengths(*PRODUCT_ROOMS)) <= 8


def broad_excepts(source: Source) -> list[str]:
    handlers = [node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler)]
    return [f"{source.name}:{handler.lineno}" for handler in handlers if is_broad(handler)]


def test_one_broad_except_at_the_door() -> None:
    found = [where for source in sources("function") for where in broad_excepts(source)]
    assert [where.partition(":")[0] for where in found] == ["function/sms_connector/api/handler.py"], found
