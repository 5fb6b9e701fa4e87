"""docs/entities.md has the catalogues' tables, and names what is refused."""

from __future__ import annotations

from tests.entities.entity_docs import PAGE, replace_tables

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_catalogues() -> None:
    assert all(f"| `{name}` |" in TEXT for name in ("Messages", "Logs"))
    assert replace_tables(TEXT) == TEXT, "run `python -m tests.entities.entity_docs`"


def test_the_functions_of_conditions_are_listed() -> None:
    from sms_connector.entities.engine import SQL_FUNCTIONS
    from sms_connector.entities.lexer import FUNCTIONS

    assert ", ".join(f"`{name}`" for name in sorted(FUNCTIONS)) in TEXT
    assert ", ".join(f"`{name}`" for name in sorted(SQL_FUNCTIONS - FUNCTIONS)) in TEXT
