"""The error trees drawn at the top of their modules are the trees there are."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from sms_connector import errors
from sms_connector.model import field_mapping, invalid_value, page, phone_number, template

NODE = re.compile(r"^ {4}([│├└─ ]*)([A-Z]\w+)(?: {2,}| \(|$)(\d{3})?", re.MULTILINE)
ROOM = [invalid_value, phone_number, template, field_mapping, page]


def read_drawing(module: ModuleType) -> dict[str, tuple[str | None, str | None]]:
    """Name: (parent, HTTP status), as drawn: four columns a level."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for branch, name, status in NODE.findall(module.__doc__ or ""):
        depth = len(branch) // 4
        path[depth:] = [name]
        drawn[name] = (path[depth - 1] if depth else None, status or None)
    return drawn


def read_classes(root: type[Exception], modules: list[ModuleType]) -> dict[str, str | None]:
    found = {
        cls for module in modules for _, cls in inspect.getmembers(module, inspect.isclass) if issubclass(cls, root)
    }
    return {cls.__name__: None if cls is root else cls.__bases__[0].__name__ for cls in found}


@pytest.mark.parametrize(
    ("drawing", "root", "modules"),
    [(errors, errors.ConnectorError, [errors]), (invalid_value, invalid_value.InvalidValueError, ROOM)],
    ids=["connector", "model"],
)
def test_the_drawing_is_the_tree(drawing: ModuleType, root: type[Exception], modules: list[ModuleType]) -> None:
    assert {name: parent for name, (parent, _) in read_drawing(drawing).items()} == read_classes(root, modules)


def test_drawn_http_statuses_are_the_classes() -> None:
    drawn = {name: int(status) for name, (_, status) in read_drawing(errors).items() if status}
    assert len(drawn) == 13
    assert drawn == {name: getattr(errors, name).http_status for name in drawn}
