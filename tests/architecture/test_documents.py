"""What the documents claim: providers, commands, and that their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.main import app
from sms_connector import registry
from sms_connector.provider import Capabilities
from tests.architecture.source_tree import ROOT, expect_none, sources
from tests.contract.providers.conftest import CASES
from tests.contract.providers.doubles import CannedSecrets, CannedTransport

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sandbox" / "README.md"])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class TestProviders:
    HEAD = (
        "provider",
        "recipients a call",
        "status by",
        "callbacks",
        "inbound",
        "cancel",
        "redact",
        "schedule",
        "media",
        "own idempotency",
    )

    def test_the_table_is_the_registry(self) -> None:
        shown = re.search(r"<!-- providers: .*-->\n(.*?)<!-- /providers -->", README, re.DOTALL)
        assert shown
        lines = [self.HEAD, *(self.row(name) for name in registry.PROVIDERS)]
        head, *rows = [f"| {' | '.join(cells)} |\n" for cells in lines]
        wanted = "".join((head, "|", "---|" * len(self.HEAD), "\n", *rows))
        assert shown[1] == wanted

    def row(self, name: str) -> tuple[str, ...]:
        can = CASES[name].build(CannedSecrets({}), CannedTransport()).capabilities
        asks = [f"list of {can.reports_per_page}"] * bool(can.reports_per_page) + ["id"] * bool(can.reports_by_id)
        flags = (can.status_callbacks, can.inbound, can.cancel, can.redact)
        return (
            f"[`{name}`](docs/providers/{name}.md)",
            str(can.recipients_per_call) + ", one text" * can.same_text_per_call,
            ", ".join(asks) or "callbacks alone",
            *("yes" if flag else "no" for flag in flags),
            say_window(can),
            str(can.media_limit) if can.media_limit else "no",
            "yes" if can.idempotent_send else "no",
        )


def say_window(can: Capabilities) -> str:
    if can.schedule_window is None:
        return "no"
    earliest, latest = can.schedule_window
    return f"{earliest // 60} minutes to {latest // 86_400} days"


def test_every_make_target_of_the_documents_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert named <= targets
    assert {"run", "serve", "test", "lint", "bench", "soak"} <= named


def test_every_command_of_the_documents_is_there() -> None:
    commands = {str(command.name) for command in app.registered_commands} | {
        str(group.name) for group in app.registered_groups
    }
    named = set(re.findall(r"\.venv/bin/sms ([a-z-]+)", README))
    assert named
    assert named <= commands


def test_every_section_that_the_code_refers_to_is_there() -> None:
    """`sending.md section 3`: the page and the number."""
    named = {
        (page, number)
        for source in sources("function", "tests")
        for page, number in re.findall(r"\b([a-z-]+)\.md`?,? sections? (\d)", source.text)
        if source.path != Path(__file__)
    }
    assert ("sending", "3") in named
    missing = [
        f"{page}.md section {number}"
        for page, number in named
        if not re.search(rf"^## {number}\. ", read(page), re.MULTILINE)
    ]
    expect_none(missing)


def read(page: str) -> str:
    path = ROOT / "docs" / f"{page}.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    links = [
        link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link and "mailto:" not in link
    ]
    expect_none(link for link in links if not leads_somewhere(page, link))


def test_the_index_has_every_document() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index, ROOT / "docs/decisions/template.md"}
    expect_none(sorted(page.relative_to(ROOT).as_posix() for page in pages - listed))


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> Mapping[str, str]:
    """As they are made of headings: lower case, blanks as hyphens, no punctuation."""
    titles = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): title for title in titles}


def test_the_walks_name_modules_that_exist() -> None:
    """docs/architecture.md: a path in backticks is one below the package or the project."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = {path for path in re.findall(r"`([\w/<>.-]+(?:\.py|/))`", text) if "<" not in path}
    package = ROOT / "function" / "sms_connector"
    places = [ROOT, ROOT / "infra", package, *package.iterdir(), *(package / "providers").iterdir()]
    missing = [path for path in sorted(named) if not any((place / path).exists() for place in places)]
    assert len(named) > 40
    expect_none(missing)
