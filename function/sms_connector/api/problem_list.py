"""Collect what is wrong with a request, so that all of it is reported at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import InvalidValueError


def field_path(path: str, name: str) -> str:
    """Return the path of an object's field; the body's own path is empty."""
    return f"{path}.{name}" if path else name


def find_repeated(names: Iterable[str]) -> list[str]:
    """Return the names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


class Problems(list[FieldProblem]):
    """The problems so far."""

    def add(self, field: str, message: str, kind: ErrorKind = ErrorKind.INVALID_REQUEST) -> None:
        self.append(FieldProblem(field, message, kind))

    def add_value(self, error: InvalidValueError, path: str) -> None:
        """Add the problems of a value, with its path in front."""
        self += [replace(problem, field=path + problem.field) for problem in error.problems]

    @contextmanager
    def collect(self, field: str = "") -> Iterator[None]:
        """Keep the problems that the block raises, those of a value as the `field`'s."""
        try:
            yield
        except InvalidRequest as error:
            self += error.problems
        except InvalidValueError as error:
            self.add_value(error, field)

    def refuse(self) -> None:
        """Raise InvalidRequest if there are any."""
        if self:
            raise InvalidRequest(*self)


@contextmanager
def reading(field: str) -> Iterator[None]:
    """Raise InvalidRequest for a value of the `field` that can't be what it should be."""
    problems = Problems()
    with problems.collect(field):
        yield
    problems.refuse()
