import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentsite.prose import prose
from tests.agentsite.hostile import PAYLOADS

TAGS = {"p", "br", "ul", "ol", "li", "pre", "code", "strong", "em", "div", "table", "thead", "tbody", "tr", "th", "td"}
TAG = re.compile(r"<(/?)(\w*)([^>]*)>")
ATTRIBUTES = {
    "",
    *(f' start="{number}"' for number in range(10_000)),
    ' class="rows"',
    ' scope="col"',
    ' class="table-scroll" tabindex="0" role="region" aria-label="Table"',
}


def assert_harmless(html):
    """Only our tags, with our attributes, nested well."""
    open_tags = []
    for closing, name, attributes in TAG.findall(html):
        assert name in TAGS
        assert attributes in ATTRIBUTES
        if closing:
            assert open_tags.pop() == name
        elif name != "br":
            open_tags.append(name)
    assert open_tags == []
    assert "<" not in TAG.sub("", html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One.\n\nTwo\nlines.", "<p>One.</p><p>Two<br>lines.</p>"),
        ("- a\n* b\n\n1. c\n2) d", "<ul><li>a</li><li>b</li></ul><ol><li>c</li><li>d</li></ol>"),
        ("3. c", '<ol start="3"><li>c</li></ol>'),
        ("|a|\n|b|\nc", "<p>|a|</p><p>|b|<br>c</p>"),
        ("**bold** and *em* and `co*d*e`", "<p><strong>bold</strong> and <em>em</em> and <code>co*d*e</code></p>"),
        ("2 * 3 * 4 and a_b_c", "<p>2 * 3 * 4 and a_b_c</p>"),
        ("# Head\ntext", "<p><strong>Head</strong></p><p>text</p>"),
        ("```sql\nSELECT <1>\n```\nafter", "<pre><code>SELECT &lt;1&gt;</code></pre><p>after</p>"),
        ("~~~\nnever closed", "<pre><code>never closed</code></pre>"),
        ("| no table", "<p>| no table</p>"),
        ("[words](https://example.org/x)", "<p>[words](https://example.org/x)</p>"),
        ("![](https://example.org/x.png)", "<p>![](https://example.org/x.png)</p>"),
        ("", ""),
    ],
)
def test_what_is_laid_out(text, html):
    assert prose(text) == html


def test_tables():
    assert prose("| a | **b** |\n|---|:-:|\n| 1 | <2> |") == (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table class="rows"><thead><tr>'
        '<th scope="col">a</th><th scope="col"><strong>b</strong></th></tr></thead>'
        "<tbody><tr><td>1</td><td>&lt;2&gt;</td></tr></tbody></table></div>"
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_texts_stay_texts(payload):
    for text in (payload, f"- {payload}", f"**{payload}**", f"`{payload}`", f"| {payload} |\n|---|\n| {payload} |"):
        assert_harmless(prose(text))


@given(st.text("<>&\"'`*|-#1. \n![]()ab", max_size=200))
@example("**`**`**")
@example("|*|\n|-|\n|*|")
def test_any_text_is_harmless_and_nothing_of_it_is_lost(text):
    html = prose(text)
    assert_harmless(html)
    letters = re.findall("[ab]", text)
    assert len(re.findall("[ab]", TAG.sub("", html).replace("&amp;", ""))) == len(letters)


def test_long_texts_are_laid_out_in_time():
    for piece in ("**a ", "*a*", "|", "- a\n", "`", "|a|\n|-|\n", " " * 1000 + "|", "1. a\n"):
        assert_harmless(prose(piece * (100_000 // len(piece))))
