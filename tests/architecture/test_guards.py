"""What is easily forgotten: tests nobody runs, needs nobody pinned, exceptions from the rules nobody explained."""

from __future__ import annotations

import re
from collections import Counter
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

import providers
from sms_connector import registry
from tests.architecture.source_tree import PRODUCT_ROOMS, ROOT, Source, expect_none, sources

REQUIREMENTS = ("requirements.txt", "requirements-run.txt", "function/requirements.in", "infra/requirements.txt")
LOCK = ROOT / "function" / "requirements.txt"
TESTS = [source for source in sources("tests") if re.search(r"^\s*(?:async )?def test_", source.text, re.MULTILINE)]
EVERYTHING = sources(*PRODUCT_ROOMS, "tests")

# Where a provider's name may stand in code that is not its own, and why.
NAMES_ALLOWED = {
    "function/sms_connector/registry.py": "the list of providers",
    "function/sms_connector/transport/redaction.py": "a header that may be logged, by its name on the wire",
}


@pytest.mark.parametrize("source", TESTS, ids=[source.name for source in TESTS])
def test_every_file_with_tests_is_collected(source: Source) -> None:
    assert re.fullmatch(r"tests/.*/test_\w+\.py", source.name)


def test_names_of_test_files_are_unique() -> None:
    counts = Counter(source.path.name for source in TESTS)
    expect_none([name for name, count in counts.items() if count > 1])


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_need_is_pinned(file: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    loose = [
        line
        for line in lines
        if line and not line.startswith("-r ") and not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line)
    ]
    expect_none(loose)


def locked() -> dict[str, str]:
    """Return the deployed packages that apply to this Python, with their versions."""
    lines = re.sub(r"\s*\\\n\s*", " ", LOCK.read_text()).splitlines()
    found = [Requirement(line.partition(" --hash")[0]) for line in lines if line and not line.startswith("#")]
    here = [each for each in found if each.marker is None or each.marker.evaluate()]
    return {each.name: str(each.specifier).removeprefix("==") for each in here}


def test_the_deployed_packages_are_locked_with_hashes() -> None:
    entries = re.findall(r"^[a-z0-9._-]+==.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+", LOCK.read_text(), re.MULTILINE)
    assert len(entries) == LOCK.read_text().count("==")
    direct = (ROOT / "function" / "requirements.in").read_text().splitlines()
    wanted = [Requirement(line.partition("#")[0]) for line in direct if line.partition("#")[0].strip()]
    expect_none(f"{each}: run `make lock`" for each in wanted if not each.specifier.contains(locked()[each.name]))


def test_the_tests_run_on_the_packages_that_are_deployed() -> None:
    expect_none(
        f"{name} {version(name)}, locked {wanted}" for name, wanted in locked().items() if version(name) != wanted
    )


def test_every_exception_from_type_checking_says_why() -> None:
    bare = re.compile(r"# type: ignore(?!\[[\w, -]+\]\s+#\s*\S)")
    expect_none(hit for hit in find(bare) if not hit.startswith("tests/"))


def test_every_exception_from_linting_names_its_rule() -> None:
    expect_none(find(re.compile(r"# noqa(?!: [A-Z]+\d+)")))


def test_nothing_is_left_for_later() -> None:
    expect_none(find(re.compile(r"#.*\b(?:TODO|FIXME|XXX|HACK)\b")))
    expect_none([hit for hit in find(re.compile(r"NotImplementedError")) if not hit.startswith("tests/")])


def test_providers_are_named_in_their_own_rooms_only() -> None:
    """Whoever needs to know what a provider can do asks its capabilities."""
    names = re.compile("|".join(sorted({*registry.PROVIDERS, *providers.PROVIDERS} - {"custom"})), re.IGNORECASE)
    leaks = [
        f"{source.name}:{line} {text!r}"
        for source in sources("function")
        if source.name not in NAMES_ALLOWED and "/providers/" not in source.name
        for line, text in source.strings()
        if names.search(text)
    ]
    expect_none(leaks)


def test_plain_data_becomes_typed_in_one_place() -> None:
    """Elsewhere the first use of a type by two threads would crash the process (`model/typed.py`)."""
    pattern = re.compile(r"msgspec\.convert\(|json\.decode\([^)]*type=(?!dict)")
    expect_none([hit for hit in find(pattern) if hit.startswith("function/") and "/model/typed.py" not in hit])


def find(pattern: re.Pattern[str]) -> list[str]:
    """Where the pattern stands in our code; this file, which is full of such patterns, is left out."""
    return [
        f"{source.name}:{number} {line.strip()}"
        for source in EVERYTHING
        if source.path.name != "test_guards.py"
        for number, line in enumerate(source.text.splitlines(), start=1)
        if pattern.search(line)
    ]
