"""What looks like a placeholder and is none: other systems' spellings, and ours with a slip; and texts that must not be suspected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.lookalikes import find_lookalikes
from sms_connector.model.template import MAX_NAME_LENGTH


@pytest.mark.parametrize(
    ("text", "shown", "advice", "why"),
    [
        ("Hi <name >!", "<name >", "would be <name>", "a space before the bracket"),
        ("Hi < name>!", "< name>", "would be <name>", "a space behind the bracket"),
        ("Hi <name\u00a0>!", "<name\\xa0>", "would be <name>", "a no-break space before the bracket"),
        ("Hi <name, good day", "<name", "would be <name>", "never closed"),
        ("Hi <first.name>", "<first.name>", "would be <first name>", "a dot in a name"),
        ("Hi <2nd name>", "<2nd name>", "begins with a letter", "a digit in front"),
        ("Hi <_name>", "<_name>", "would be <name>", "an underscore in front"),
        (f"<{'a' * (MAX_NAME_LENGTH + 1)}>", "<aaa", "at most 40 characters", "too long"),
        ("Hi {name}", "{name}", "would be <name>", "Python, Braze"),
        ("Hi {{name}}", "{{name}}", "would be <name>", "Mustache, Handlebars, Liquid"),
        ("Hi {{ first name }}", "{{ first name }}", "would be <first name>", "the same with spaces"),
        ("Hi {{{name}}}", "{{{name}}}", "would be <name>", "Mustache, unescaped"),
        ("Hi ${name}", "${name}", "would be <name>", "shells, JavaScript"),
        ("Hi #{name}", "#{name}", "would be <name>", "Ruby"),
        ("Hi {0}", "{0}", "begins with a letter", "by position"),
        ("Hi ((name))", "((name))", "would be <name>", "GOV.UK Notify"),
        ("Hi [name]", "[name]", "would be <name>", "mail merges"),
        ("Hi [[name]]", "[[name]]", "would be <name>", "wikis"),
        ("Hi %name%", "%name%", "would be <name>", "batch files"),
        ("Hi %%first name%%", "%%first name%%", "would be <first name>", "Salesforce Marketing Cloud"),
        ("Hi *|FNAME|*", "*|FNAME|*", "would be <FNAME>", "Mailchimp"),
        ("Hi <%= name %>", "<%= name %>", "would be <name>", "ERB"),
        ("Hi #name#", "#name#", "would be <name>", "ColdFusion"),
        ("Hi __name__", "__name__", "would be <name>", "underscores"),
        ("Hi $name", "$name", "would be <name>", "PHP, Perl"),
        ("Hi «Name»", "«Name»", "would be <Name>", "a mail merge of Word"),
        ("Hi ＜name＞", "＜name＞", "would be <name>", "full-width brackets"),
        ("Hi &lt;name&gt;", "&lt;name&gt;", "would be <name>", "escaped for HTML"),
        ("Hi {na\u200bme}", "{name}", "would be <name>", "with an invisible character"),
    ],
)
def test_lookalikes(text: str, shown: str, advice: str, why: str) -> None:
    [problem] = find_lookalikes(text)
    assert problem.kind is ErrorKind.LOOKALIKE
    assert shown in problem.message, why
    assert advice in problem.message, why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Hello <first name>", "a placeholder"),
        ("Hello <first\u00a0name>", "a placeholder too, once folded"),
        ("Write <<name>> here", "escaped: meant as it is"),
        ("a < b, 1 < 2 > 3, <3, <>, a <= b >= c -> d <- e", "comparisons, hearts, arrows"),
        ("50% off, 20% more; 100 % sure; 50%-20% off", "percentages"),
        ("It's 5:30 (pm); call (0800) 123", "parentheses"),
        ("$50, US$ 5, 10 $", "money"),
        ("[1] Nr. #5 #sale today #now", "footnotes and hash tags"),
        ("« Bonjour »", "quotation marks"),
        ("mail a_b@example.com, https://example.com/a_b?x=%20y%20z&b=1#/top", "addresses"),
        (":-) :-{ {-:", "faces"),
    ],
)
def test_ordinary_texts_are_not_suspected(text: str, why: str) -> None:
    assert find_lookalikes(text) == [], why


def test_each_is_named_once_and_at_most_five() -> None:
    text = "".join(f"{{a{number}}} {{a{number}}} " for number in "bcdefgh")
    assert len(find_lookalikes(text)) == 5


@pytest.mark.parametrize("piece", ["{", "{ ", "<a", "<1", "[a ", "%a ", "((", "&lt;", "#a", "__", "$a"])
def test_long_texts_cost_no_more_than_their_length(piece: str) -> None:
    find_lookalikes(piece * 50_000)


@given(st.text(alphabet="<>{}[]()%#_$ ab1\u00a0\u200b", max_size=60))
def test_any_text_is_read(text: str) -> None:
    for problem in find_lookalikes(text):
        assert problem.field == ""
