"""Find what looks like a placeholder and is text: `<name >`, `{name}`, `((name))`, `[name]`, `%name%`, `<name` left
open.

Other systems write their placeholders so. Sent as it is, every recipient would read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import quote
from sms_connector.model.template import MAX_NAME_LENGTH, scan, strip_invisible

# A name as other systems allow it. Every repetition is bounded: a text is up to a body long.
_NAME = r"\s{0,9}[^\W\d][\w .,:/|$#'’-]{0,60}?\s{0,9}"
_PLAIN = r"[^\W\d](?:[\w .'’-]{0,60}[\w'’])?"
_SOURCES = (
    rf"[$#]?\{{{{?{{?[#^/&$%@]?(?:{_NAME}|\s?\d*\s?)}}}}?}}?",  # {name} {{name}} ${{name}} #{{name}} {{0}}
    rf"\(\({_NAME}\)\)",  # ((name))
    rf"\[\[?{_NAME}\]\]?",  # [name] [[name]]
    rf"\*\|{_NAME}\|\*",  # *|NAME|*
    rf"<%=?{_NAME}%>",  # <%= name %>
    rf"%%?{_PLAIN}%%?(?!\w)",  # %name% %%name%%
    rf"##?{_PLAIN}##?(?!\w)",  # #name#
    rf"(?<!\w)__?{_PLAIN}__(?!\w)|(?<!\w)@@{_PLAIN}@@",  # __name__ @@name@@
    rf"(?<!\w)\${_PLAIN}\$(?!\w)",  # $name$
    r"(?<![\w$])\$[a-z]\w+",  # $name
    rf"«{_PLAIN}»|‹{_PLAIN}›|＜{_NAME}＞|｛{_NAME}｝|〈{_NAME}〉",  # «Name» of a mail merge, full-width brackets
    rf"&lt;{_NAME}&gt;",  # escaped for HTML
    r"<\s{0,9}[^\W\d_][^<>\r\n]*>|<_\w*>|<\d{1,9}[^\W\d][^<>\r\n]*>",  # <name > <first.name> <2nd name>
    r"<[^\W\d][\w'’-]*",  # <name, never closed
)
# Every pattern needs one of them.
_MARKS = re.compile(r"[<{(\[*%#_@$«‹＜｛〈]|&lt;")
_SHOWN_AT_MOST = 5


def find_lookalikes(text: str) -> list[FieldProblem]:
    """Return a problem for each different lookalike, at most five; `field` is relative to the text."""
    found = dict.fromkeys(_find(text))
    return [
        FieldProblem(
            "", f"{quote(each)} looks like a placeholder and is sent as it is; {_advise(each)}", ErrorKind.LOOKALIKE
        )
        for each in list(found)[:_SHOWN_AT_MOST]
    ]


def _find(text: str) -> Iterator[str]:
    rest = strip_invisible(_blank(text))
    if not _MARKS.search(rest):
        return
    for pattern in _patterns():
        yield from (match[0] for match in pattern.finditer(rest))
        rest = pattern.sub("\0", rest)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compile them at the first text that needs them: a cold start does not pay for it."""
    return tuple(map(re.compile, _SOURCES))


def _blank(text: str) -> str:
    """Return the text without its placeholders and escaped ones."""
    parts, begin = [], 0
    for start, end, _, _ in scan(text):
        parts.append(text[begin:start])
        begin = end
    return "\0".join([*parts, text[begin:]])


def _advise(found: str) -> str:
    name = " ".join(re.sub(r"[^\w\s'’-]|&[lg]t;", " ", found.replace("&lt;", " ").replace("&gt;", " ")).split())
    name = name.strip("_- ")
    if not name or name[0].isdigit():
        return "a placeholder is a name that begins with a letter, in <angle brackets>"
    if len(name) > MAX_NAME_LENGTH:
        return f"a placeholder has at most {MAX_NAME_LENGTH} characters"
    return f"a placeholder would be <{name}>" + f", the text itself <<{name}>>" * found.startswith("<")
