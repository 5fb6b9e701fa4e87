"""`entities` and `query`: the provider's data, by the wire of Google's Integration Connectors (docs/entities.md)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import render
from cli.client import in_path
from cli.commands.options import given
from cli.context import Context, context_of
from cli.errors import Misused
from cli.files import read_object, write_csv, write_value

SHOWN_COLUMNS = 8
ROWS = 25

TypeName = Annotated[str, typer.Argument(metavar="TYPE", help="Such as Messages; `sms entities types` lists them.")]
EntityId = Annotated[str, typer.Argument(metavar="ID", help="The key; several key columns are joined by ~.")]
MaybeId = Annotated[str | None, typer.Argument(metavar="[ID]", help="The key, unless --where selects the rows.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="CONDITIONS", help="An expression: \"Status='failed' AND DateSent>='2026-07-01'\"."),
]
Values = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME=VALUE]...", help="A column's value. A column that comes twice is a list."),
]
File = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The columns as one JSON object, instead of NAME=VALUE.")
]
Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the rows there as they come, as CSV.")]

entities = typer.Typer(help="The provider's data: messages, calls, recordings, numbers, ….", no_args_is_help=True)


@entities.command("types")
def list_types(ctx: typer.Context) -> None:
    """List entity types and the operations that are offered."""
    run = context_of(ctx)
    found = list(run.client.pages(f"{_connection(run)}/entityTypes", "types", limit=sys.maxsize))
    rows = ((each["name"], ", ".join(each["operations"])) for each in found)
    table = render.table(("name", "operations"), rows)
    run.output.show({"types": found}, table if found else "the provider has no entity types")


@entities.command("describe")
def describe_type(ctx: typer.Context, name: TypeName) -> None:
    """Show the columns of a type: which is the key, what create and update take, what the provider narrows by itself."""
    run = context_of(ctx)
    found = run.client.get(_type(run, name), view="ENTITY_TYPE_SCHEMA_VIEW_ENRICHED")
    run.output.show(found, f"operations: {', '.join(found['operations'])}", "", _columns(found["fields"]))


@entities.command("list")
def list_entities(
    ctx: typer.Context,
    name: TypeName,
    *,
    where: Where = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Instead of the provider's own order.")] = None,
    descending: Annotated[bool, typer.Option("--descending", help="The highest of --sort first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help=f"Rows at most: {ROWS}, with --csv all.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Only these columns, in this order.")] = None,
    csv: Csv = None,
) -> None:
    """List entities, in the provider's order: newest first. With --json all columns, without it the first that have values."""
    run = context_of(ctx)
    if descending and sort is None:
        raise Misused("--descending needs --sort: name the column")
    query = {"conditions": where, "sortBy": sort, "sortOrder": "DESC" if descending else None}
    most = limit or (sys.maxsize if csv else ROWS)
    pages = run.client.pages(f"{_type(run, name)}/entities", "entities", limit=most, **query)
    names = [each.strip() for each in columns.split(",")] if columns else None
    _show_rows(run, "entities", _choose(pages, names), names=names, csv=csv)


@entities.command("get")
def get_entity(ctx: typer.Context, name: TypeName, entity_id: EntityId) -> None:
    """Show one entity."""
    run = context_of(ctx)
    _show_entity(run, run.client.get(_entity(run, name, entity_id)))


@entities.command("create")
def create_entity(ctx: typer.Context, name: TypeName, values: Values = None, *, file: File = None) -> None:
    """Create an entity; one of Messages is sent. If the outcome is unknown (exit code 3), nothing is repeated."""
    run = context_of(ctx)
    fields = _read_fields(values, file)
    _show_entity(run, run.client.post(f"{_type(run, name)}/entities", {"fields": fields}))


@entities.command("update")
def update_entity(
    ctx: typer.Context,
    name: TypeName,
    entity_id: MaybeId = None,
    values: Values = None,
    *,
    where: Where = None,
    file: File = None,
) -> None:
    """Update an entity, or with --where each that matches (at most 100; `sms entities list` shows them)."""
    run = context_of(ctx)
    if where is not None:
        fields = _read_fields([*([entity_id] if entity_id is not None else []), *(values or [])], file)
        path, body = f"{_type(run, name)}/entities:updateEntitiesWithConditions", {"fields": fields}
        answer = run.client.call("POST", path, query={"conditions": where}, document=body)
        run.output.show(answer, _facts(answer["response"]))
        return
    if entity_id is None:
        raise Misused("name an entity's ID, or select entities with --where")
    fields = _read_fields(values, file)
    _show_entity(run, run.client.call("PATCH", _entity(run, name, entity_id), document={"fields": fields}))


@entities.command("delete")
def delete_entity(ctx: typer.Context, name: TypeName, entity_id: MaybeId = None, *, where: Where = None) -> None:
    """Delete an entity, or with --where each that matches (at most 100; `sms entities list` shows them)."""
    run = context_of(ctx)
    if (entity_id is None) == (where is None):
        raise Misused("name an entity's ID, or select entities with --where")
    if entity_id is not None:
        answer = run.client.call("DELETE", _entity(run, name, entity_id), repeatable=False)
    else:
        path = f"{_type(run, name)}/entities:deleteEntitiesWithConditions"
        answer = run.client.call("POST", path, query={"conditions": where})
    run.output.show(answer, f"{entity_id} is deleted" if where is None else "all that matched are deleted")


def query(
    ctx: typer.Context,
    statement: Annotated[
        str, typer.Argument(metavar="SELECT", help='"SELECT Status, count(*) FROM Messages GROUP BY 1"')
    ],
    *,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="VALUE", help="The next ?, as a text. May be repeated."),
    ] = None,
    max_rows: Annotated[int | None, typer.Option(min=1, help="Rows at most: 1 000, up to 10 000.")] = None,
    timeout: Annotated[int | None, typer.Option(min=1, help="Seconds: 30, up to 60.")] = None,
    csv: Csv = None,
) -> None:
    """Run one SELECT over all entity types. Nothing is changed."""
    run = context_of(ctx)
    asked = given({"query": statement, "maxRows": max_rows, "timeout": timeout})
    asked["queryParameters"] = [{"value": value} for value in parameters or ()]
    answer = run.client.post(f"{_connection(run)}:executeSqlQuery", {"query": asked})
    rows = answer["results"]
    _show_rows(run, "results", iter(rows), names=list(rows[0]) if rows else None, csv=csv)


def _connection(run: Context) -> str:
    """Return the connection's path; project and location are echoed as they are given."""
    name = run.client.get("/v1/connection")["name"]
    return f"/v2/projects/-/locations/-/connections/{in_path(name)}"


def _type(run: Context, name: str) -> str:
    return f"{_connection(run)}/entityTypes/{in_path(name)}"


def _entity(run: Context, name: str, entity_id: str) -> str:
    return f"{_type(run, name)}/entities/{in_path(entity_id)}"


def _read_fields(pairs: Sequence[str] | None, file: Path | None) -> dict[str, Any]:
    """Return the columns' values. Raises Misused."""
    if file is not None:
        if pairs:
            raise Misused(f"{file} holds all values: {pairs[0]!r} stands in it, or nowhere")
        return read_object(file)
    fields: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise Misused(f"{pair!r} has to be NAME=VALUE, such as Body=Hello")
        fields[name] = value if name not in fields else [*_as_list(fields[name]), value]
    if not fields:
        raise Misused("no value is given: write NAME=VALUE, or name a JSON file with --file")
    return fields


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _choose(entities: Iterable[Mapping[str, Any]], names: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    """Yield the rows, with the columns that are named. `id` is what other commands take as ID. Raises Misused."""
    for each in entities:
        row = ({"id": each["name"].rpartition("/")[2]} if "name" in each else {}) | each["fields"]
        unknown = [name for name in names or () if name not in row]
        if unknown:
            raise Misused(f"--columns: there is no {', '.join(unknown)}; there are {', '.join(row)}")
        yield row if names is None else {name: row[name] for name in names}


def _show_rows(
    run: Context, member: str, rows: Iterator[Mapping[str, Any]], *, names: Sequence[str] | None, csv: Path | None
) -> None:
    """Show rows, or write them to a file. A table without names has the first columns with a value."""
    if csv is not None:
        count = write_csv(csv, rows, names)
        run.output.show({"rows": count, "file": str(csv)}, f"{count:,} rows written to {csv}")
        return
    found = list(rows)
    if names is None:
        filled = (name for name in (found[0] if found else ()) if any(row[name] not in (None, "") for row in found))
        names = list(islice(filled, SHOWN_COLUMNS))
    table = render.table(names, ([write_value(row[name]) for name in names] for row in found))
    run.output.show({member: found}, table if found else "no rows")
    if found and len(names) < len(found[0]):
        run.output.note(f"{len(names)} of {len(found[0])} columns; --columns chooses, --json and --csv have all")


def _show_entity(run: Context, answer: Mapping[str, Any]) -> None:
    run.output.show(answer, _facts(answer["fields"]))


def _facts(fields: Mapping[str, Any]) -> Table:
    return render.facts((name, write_value(value)) for name, value in fields.items())


def _columns(fields: Iterable[Mapping[str, Any]]) -> Table:
    titles = ("name", "type", "key", "create", "update", "narrowed by", "description")
    return render.table(titles, (_column(each, each.get("additionalDetails", {})) for each in fields))


def _column(field: Mapping[str, Any], details: Mapping[str, Any]) -> tuple[str, ...]:
    create = "required" if details.get("requiredOnCreate") else "yes" if details.get("create") else ""
    return (
        field["name"],
        field["dataType"],
        "key" if field["key"] else "",
        create,
        "yes" if details.get("update") else "",
        " ".join(details.get("filters", ())),
        field["description"],
    )
