"""Read XML that strangers may have written: no document type, so no entities of its own, none from elsewhere, and no
expansion; and no depth beyond what Vibes' documents have.

On expat itself, as in Python's library: nothing is built before it is checked.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

DEEPEST = 16


class NotXmlError(ValueError):
    """No XML, or XML with what is refused."""


def parse(body: bytes) -> Element:
    """Return the root element. Raises NotXmlError."""
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(), 0

    def refuse(*_: object) -> None:
        raise NotXmlError("a document type is not allowed")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise NotXmlError("it is nested too deeply")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # an encoding that is unknown, or not what it says
        raise NotXmlError(str(error)) from None
    return builder.close()
