"""Write the tables of docs/entities.md from the catalogues: `python -m tests.entities.entity_docs`."""

from __future__ import annotations

import re
from pathlib import Path

from sms_connector.entities.service import Entities
from sms_connector.entity import KEY_SEPARATOR, OPERATIONS, EntitySource, EntityType
from sms_connector.registry import PROVIDERS
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.fixtures.providers import make_provider

PAGE = Path(__file__).resolve().parents[2] / "docs" / "entities.md"
BEGIN, END = "<!-- catalogue: python -m tests.entities.entity_docs -->", "<!-- /catalogue -->"


def tables() -> str:
    """Return a section for each provider that has entity types, under the title of its page."""
    sources = {name: make_provider(name, CannedSecrets({}), CannedTransport()).entities() for name in PROVIDERS}
    return "\n".join(f"\n### {title_of(name)}\n{section(source)}" for name, source in sources.items() if source.types)


def title_of(provider: str) -> str:
    page = PAGE.parent / "providers" / f"{provider}.md"
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def section(source: EntitySource) -> str:
    entities = Entities(source, writes=frozenset(), now=lambda: 0.0)
    types = sorted(source.types.values(), key=lambda each: each.name)
    rows = [type_row(each, entities.types[each.name]) for each in types]
    head = "| entity type | operations | id | a list has to give |\n|---|---|---|---|\n"
    columns = "".join(f"| `{each.name}` | {columns_of(each)} |\n" for each in types)
    return f"\n{head}{''.join(rows)}\n| entity type | columns |\n|---|---|\n{columns}"


def type_row(entity: EntityType, offered: EntityType) -> str:
    said = [
        each if each in offered.operations else f"*{each}* ({entity.risk[each]})"
        for each in OPERATIONS
        if each in entity.operations
    ]
    parents = ", ".join(f"`{parent.column}`" for parent in entity.parents if parent.required)
    key = f"`{KEY_SEPARATOR.join(entity.key)}`" if entity.key else "–"
    withdrawn = " (withdrawn by the provider)" if entity.withdrawn else ""
    return f"| `{entity.name}`{withdrawn} | {', '.join(said)} | {key} | {parents or '–'} |\n"


def columns_of(entity: EntityType) -> str:
    """Name the columns: `=` behind one that the provider narrows, `+` given on create, `~` on update."""
    return ", ".join(
        column.name
        + ("" if column.type == "VARCHAR" else f" {column.type}")
        + (" =" if column.filters else "")
        + (" +" if column.create else "")
        + (" ~" if column.update else "")
        for column in entity.columns
    )


def replace_tables(text: str) -> str:
    return re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n{tables()}\n{END}", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(replace_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
