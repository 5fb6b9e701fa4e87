"""`entities`, `query`: the provider's data, row by row and by SQL."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.client import in_path
from cli.context import Context, context_of
from cli.errors import Misused
from cli.files import read_object, replacing

# Columns of a table, where no --columns names them.
SHOWN_COLUMNS = 8

entities = typer.Typer(help="The provider's data: messages, calls, numbers, logs, …", no_args_is_help=True)

Type = Annotated[str, typer.Argument(metavar="TYPE", help="An entity type, such as Messages.")]
EntityId = Annotated[str, typer.Argument(metavar="ID", help="The key; of several columns joined by ~.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="CONDITIONS", help="As in SQL's WHERE: \"Status='failed' AND DateSent>='2026-07-01'\"."),
]
Columns = Annotated[str | None, typer.Option(metavar="A,B", help="Only these columns.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the rows there, as CSV.")]
File = Annotated[Path | None, typer.Option(metavar="FILE", help="The columns as a JSON object.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID] NAME=VALUE…", help="The entity, without --where, and what becomes of its columns."),
]


@entities.command("types")
def list_types(ctx: typer.Context) -> None:
    """List the entity types and their operations."""
    run = context_of(ctx)
    found = list(run.client.pages(_path(run), "types", limit=10**9))
    rows = ((each["name"], ", ".join(each["operations"])) for each in found)
    run.output.show({"types": found}, render.table(("type", "operations"), rows) if found else "no entity types")


@entities.command("describe")
def describe(ctx: typer.Context, entity_type: Type) -> None:
    """Describe an entity type: its columns, and what can be given for them."""
    run = context_of(ctx)
    found = run.client.get(_path(run, entity_type))
    rows = (
        (each["name"], each["dataType"], "key" if each["key"] else "", each["description"]) for each in found["fields"]
    )
    operations = ("operations", ", ".join(found["operations"]))
    run.output.show(found, render.facts([operations]), render.table(("column", "type", "", "about"), rows))


@entities.command("list")
def list_entities(
    ctx: typer.Context,
    entity_type: Type,
    *,
    where: Where = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Order by it; else the provider's order.")] = None,
    descending: Annotated[bool, typer.Option("--descending", help="Greatest first, with --sort.")] = False,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most: 25, with --csv all.")] = None,
    csv_file: Csv = None,
) -> None:
    """List entities, all or those for which conditions hold."""
    run = context_of(ctx)
    if descending and sort is None:
        raise Misused("--descending needs --sort: say by which column")
    most = limit or (10**9 if csv_file else 25)
    order = {"sortBy": sort, "sortOrder": "DESC" if descending else None}
    found = run.client.pages(_path(run, entity_type, "entities"), "entities", limit=most, conditions=where, **order)
    _show_rows(run, (_with_key_first(each) for each in found), columns, csv_file)


@entities.command("get")
def get(ctx: typer.Context, entity_type: Type, entity_id: EntityId) -> None:
    """Get one entity."""
    run = context_of(ctx)
    answer = run.client.get(_path(run, entity_type, "entities", entity_id))
    run.output.show(answer, _facts(answer["fields"]))


@entities.command("create")
def create(
    ctx: typer.Context,
    entity_type: Type,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE…", help="Its columns; a list by naming one again.")
    ] = None,
    *,
    file: File = None,
) -> None:
    """Create one. It is never asked for twice: where the answer is lost, look before you repeat it."""
    run = context_of(ctx)
    answer = run.client.call(
        "POST", _path(run, entity_type, "entities"), document={"fields": _read_values(values, file)}, repeatable=False
    )
    run.output.show(answer, _facts(answer["fields"]))


@entities.command("update")
def update(
    ctx: typer.Context,
    entity_type: Type,
    words: Words = None,
    *,
    where: Where = None,
    file: File = None,
) -> None:
    """Update one by its id, or all for which conditions hold (at most 100)."""
    run = context_of(ctx)
    entity_id, values = _split(words or [], where)
    document = {"fields": _read_values(values, file)}
    if entity_id is not None:
        path = _path(run, entity_type, "entities", entity_id)
        answer = run.client.call("PATCH", path, document=document, repeatable=False)["fields"]
    else:
        path = f"{_path(run, entity_type)}/entities:updateEntitiesWithConditions"
        query = {"conditions": where}
        answer = run.client.call("POST", path, query=query, document=document, repeatable=False)["response"]
    run.output.show(answer, _facts(answer) if answer else "updated")


@entities.command("delete")
def delete(
    ctx: typer.Context,
    entity_type: Type,
    entity_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The key, without --where.")] = None,
    *,
    where: Where = None,
) -> None:
    """Delete one by its id, or all for which conditions hold (at most 100)."""
    run = context_of(ctx)
    if (entity_id is None) == (where is None):
        raise Misused("name one entity by its id, or several with --where")
    if entity_id is not None:
        run.client.call("DELETE", _path(run, entity_type, "entities", entity_id), repeatable=False)
    else:
        path = f"{_path(run, entity_type)}/entities:deleteEntitiesWithConditions"
        run.client.call("POST", path, query={"conditions": where}, repeatable=False)
    run.output.show({}, "deleted")


def query(
    ctx: typer.Context,
    statement: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT over the entity types.")],
    *,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="VALUE", help="The value of a ? in it. May be repeated.")
    ] = None,
    max_rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 1000,
    timeout: Annotated[int, typer.Option(min=1, max=60, help="Seconds it may take.")] = 30,
    csv_file: Csv = None,
) -> None:
    """Run one SELECT over the provider's data: joins, groups, functions."""
    run = context_of(ctx)
    parameters = [{"value": each} for each in parameter or ()]
    wanted = {"query": statement, "maxRows": max_rows, "timeout": timeout, "queryParameters": parameters}
    answer = run.client.call("POST", f"{_connection(run)}:executeSqlQuery", document={"query": wanted}, repeatable=True)
    _show_rows(run, answer["results"], None, csv_file)


def _connection(run: Context) -> str:
    """Return the connection's path; project and location are anybody's."""
    return f"/v2/projects/-/locations/-/connections/{in_path(run.client.get('/v1/connection')['name'])}"


def _path(run: Context, *parts: str) -> str:
    return "/".join((_connection(run), "entityTypes", *map(in_path, parts)))


def _split(words: Sequence[str], where: str | None) -> tuple[str | None, Sequence[str]]:
    """Return the id, None with --where, and the values. Raises Misused."""
    if where is not None:
        return None, words
    if not words or "=" in words[0]:
        raise Misused("name one entity by its id, or several with --where")
    return words[0], words[1:]


def _read_values(pairs: Sequence[str] | None, file: Path | None) -> Mapping[str, Any]:
    """Raises Misused."""
    if file is not None and pairs:
        raise Misused(f"{file} has the columns: {', '.join(pairs)} stands in it, or nowhere")
    if file is not None:
        return read_object(file)
    values: dict[str, list[str]] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise Misused(f"{pair!r} has to be NAME=VALUE, such as Body=Hello")
        values.setdefault(name, []).append(value)
    return {name: given[0] if len(given) == 1 else given for name, given in values.items()}


def _show_rows(run: Context, found: Iterable[Mapping[str, Any]], columns: str | None, file: Path | None) -> None:
    """Show rows, or write them to a file as they come. Raises Misused for a column that there is not."""
    rows = _choose(found, [each.strip() for each in columns.split(",")] if columns else None)
    if file is None:
        listed = list(rows)
        run.output.show({"rows": listed}, _table(listed, every=columns is not None) if listed else "no rows")
        return
    count = 0
    with replacing(file) as into, io.TextIOWrapper(into, encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        for count, row in enumerate(rows, 1):
            if count == 1:
                writer.writerow(row)
            writer.writerow(map(_text, row.values()))
    run.output.show({"file": str(file), "rows": count}, f"{file}: {count:,} rows")


def _with_key_first(entity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entity's columns; those that its id is made of stand first."""
    key = entity.get("name", "").rpartition("/")[2].split("~")
    return dict(sorted(entity["fields"].items(), key=lambda column: column[1] not in key))


def _choose(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        unknown = [name for name in columns or () if name not in row]
        if unknown:
            raise Misused(f"--columns: no column {unknown[0]!r}; there are {', '.join(row)}")
        yield row if columns is None else {name: row[name] for name in columns}


def _table(rows: Sequence[Mapping[str, Any]], *, every: bool) -> Table:
    """Columns that no row has a value for are left out, and those past the width of a screen."""
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    shown = list(rows[0]) if every else names[:SHOWN_COLUMNS]
    return render.table(shown, ([_text(row[name]) for name in shown] for row in rows))


def _facts(fields: Mapping[str, Any]) -> Table:
    return render.facts((name, _text(value)) for name, value in fields.items())


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
