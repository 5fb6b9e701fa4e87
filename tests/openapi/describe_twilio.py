"""Trim Twilio's OpenAPI documents to what its data as entities needs, and write the sandbox's table of resources.

    python -m tests.openapi.describe_twilio FOLDER_OF_DOCUMENTS CATALOGUE.json
    python -m tests.openapi.describe_twilio

With the original documents (tests/openapi/README.md says where they are) and the catalogue of entity types it writes
`twilio_*_entities.json` beside this file; without arguments only the table, which needs nothing but those files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "sandbox" / "twilio" / "resources" / "description.json"
DOCUMENTS = ("twilio_api_v2010_entities.json", "twilio_messaging_v1_entities.json")
SOURCES = {"api_v2010": DOCUMENTS[0], "messaging_v1": DOCUMENTS[1]}
ACCOUNT = "/2010-04-01/Accounts/{AccountSid}"
# Beside what the catalogue offers: creating keys, and buying numbers of one kind.
FURTHER = (
    f"{ACCOUNT}/Keys.json",
    f"{ACCOUNT}/SigningKeys.json",
    f"{ACCOUNT}/AvailablePhoneNumbers/{{CountryCode}}.json",
)
LEFT_OUT = frozenset(
    {"description", "summary", "tags", "examples", "example", "x-twilio", "headers", "title", "servers"}
)
METHODS = ("get", "post", "delete")
FORM = "application/x-www-form-urlencoded"
SID = re.compile(r"\^(\(?[A-Z|]+\)?)\[0-9a-fA-F\]\{32\}\$")
PAGING = ("PageSize", "Page", "PageToken")
# Null in 16 of the document's own examples: a conference that has not ended has no reason.
NULL_IN_EXAMPLES = (("api.v2010.account.conference", "reason_conference_ended"),)
Document = Mapping[str, Any]


def trim(document: Document, paths: set[str]) -> dict[str, Any]:
    """Return the document with these paths alone, the schemas they refer to, and without what is for readers."""
    kept = {
        path: _bare({m: item[m] for m in METHODS if m in item})
        for path, item in document["paths"].items()
        if path in paths
    }
    for item in kept.values():
        for operation in item.values():
            for answer in operation["responses"].values():
                answer.setdefault("description", "")
    schemas: dict[str, Any] = {}
    wanted = set(_references(kept))
    while wanted:
        name = wanted.pop()
        schemas[name] = _bare(document["components"]["schemas"][name])
        for schema, field in NULL_IN_EXAMPLES:
            if schema == name:
                schemas[name]["properties"][field] = {"type": "string", "nullable": True}
        wanted |= set(_references(schemas[name])) - set(schemas)
    return {
        "openapi": document["openapi"],
        "info": {"title": document["info"]["title"], "version": document["info"]["version"]},
        "servers": document["servers"],
        "paths": kept,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": document["components"]["securitySchemes"],
        },
    }


def paths_of(catalogue: Document, source: str) -> set[str]:
    """Return the paths of a document that the catalogue's entity types use."""
    found = set(FURTHER if source == "api_v2010" else ())
    for entity in catalogue["entities"]:
        if entity["spec"] == source:
            for operation in entity["operations"].values():
                found |= set(_chosen(operation["path"], entity["parents"]))
    return found


def table(documents: list[Document]) -> dict[str, Any]:
    """Return the addresses, in a form that is read at once: what each method takes, and which schema it answers."""
    addresses, schemas = [], {}
    for document in documents:
        schemas |= {
            name: _schema(document, each)
            for name, each in document["components"]["schemas"].items()
            if "properties" in each
        }
        addresses += [_address(document, path) for path in document["paths"]]
    return {"addresses": addresses, "schemas": schemas}


def written(value: object) -> str:
    """Return JSON of one line for each address and schema."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return re.sub(r'(?<=[}\]],)(?=\{"path"|"[a-z]+\.v|"schemas")', "\n", text) + "\n"


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        inner = {k: v for k, v in node.items() if k not in LEFT_OUT or (isinstance(v, dict) and "type" in v)}
        return {key: _bare(value) for key, value in inner.items()}
    return [_bare(each) for each in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _chosen(path: str, parents: list[Document]) -> Iterator[str]:
    """Yield the path, or one for each value of the parameter that chooses among paths."""
    for parent in parents:
        if "values" in parent:
            place = f"/{{{parent['parameter']}}}"
            yield from (path.replace(place, f"/{value}" if value else "") for value in parent["values"])
            return
    yield path


def _address(document: Document, path: str) -> dict[str, Any]:
    item = document["paths"][path]
    given = [p for m in METHODS if m in item for p in item[m].get("parameters", []) if p["in"] == "path"]
    kinds: dict[str, set[str]] = {}
    for each in given:
        kinds.setdefault(each["name"], set()).add(_type(document, each["schema"])[0])
    # An update of a recording takes `Twilio.CURRENT` too: a place is an id only where every method says so.
    places = {name: kind for name, (kind, *others) in kinds.items() if kind.startswith("sid:") and not others}
    return {
        "path": path,
        "places": places,
        "methods": {m.upper(): _operation(document, item[m]) for m in METHODS if m in item},
    }


def _operation(document: Document, operation: Document) -> dict[str, Any]:
    # Where two are described (200 and 201) the first is the usual one; the others are what an error is.
    status, answer = next(iter(operation["responses"].items()))
    found: dict[str, Any] = {"status": int(status)}
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    if schema and "$ref" in schema:
        found["schema"] = schema["$ref"].rpartition("/")[2]
    elif schema:
        key = next(name for name, each in schema["properties"].items() if each.get("type") == "array")
        found |= {"list": key, "schema": schema["properties"][key]["items"]["$ref"].rpartition("/")[2]}
        found["paged"] = [name for name in schema["properties"] if name != key]
    filters = {
        p["name"]: _type(document, p["schema"])
        for p in operation.get("parameters", [])
        if p["in"] == "query" and p["name"] not in PAGING
    }
    if filters:
        found["filters"] = filters
    body = operation.get("requestBody", {}).get("content", {}).get(FORM, {}).get("schema")
    if body:
        found["form"] = {name: _type(document, each) for name, each in body["properties"].items()}
        found["required"] = body.get("required", [])
    return found


def _schema(document: Document, schema: Document) -> dict[str, list[Any]]:
    return {name: _type(document, each) for name, each in schema["properties"].items()}


def _type(document: Document, schema: Document) -> list[Any]:
    """Return [kind, may be null, allowed values]: the kind is the format where the document has one."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "array":
        return ["array", bool(schema.get("nullable")), _type(document, schema["items"])[2]]
    kind = schema.get("format") or schema.get("type", "any")
    if match := SID.fullmatch(schema.get("pattern", "")):
        kind = f"sid:{match[1]}"
    return [kind, bool(schema.get("nullable")) or "type" not in schema, schema.get("enum", [])]


def main(arguments: list[str]) -> None:
    if arguments:
        folder, catalogue = Path(arguments[0]), json.loads(Path(arguments[1]).read_bytes())
        for source, name in SOURCES.items():
            document = json.loads((folder / f"twilio_{source}.json").read_bytes())
            (HERE / name).write_text(written(trim(document, paths_of(catalogue, source))))
    TABLE.write_text(written(table([json.loads((HERE / name).read_bytes()) for name in DOCUMENTS])))


if __name__ == "__main__":
    main(sys.argv[1:])
