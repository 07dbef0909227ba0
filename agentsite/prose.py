"""An answer's text as HTML: paragraphs, lists, tables, code and emphasis, and nothing else.

What a model writes is as foreign as an upload. So there are no links and no images: an address stays the text that it is, and
nothing on the page can be followed, fetched or run. Everything is escaped, then a few marks are read again out of the escaped text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

BULLET = re.compile(r"\s{0,6}[-*•]\s+(?P<text>.*)")
NUMBERED = re.compile(r"\s{0,6}(?P<number>\d{1,4})[.)]\s+(?P<text>.*)")
HEADING = re.compile(r"#{1,6}\s+(?P<text>.*)")
FENCE = re.compile(r"\s{0,3}(```|~~~)")
ROW = re.compile(r"\s*\|(?P<cells>.*)\|\s*")
RULE = re.compile(r"[\s|:-]+")
# One pass over escaped text, so that nothing is read inside of code.
MARKS = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*\s](?:[^*]*[^*\s])?)\*\*|(?<![\w*])\*(?P<em>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"
)
CELLS, LINES = 24, 2_000  # that are laid out; the rest of a longer text stays as it is


def prose(text: str) -> SafeString:
    """Return the HTML of a text that anybody may have written."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    html = "".join(_blocks(lines[:LINES]))
    rest = "\n".join(lines[LINES:])
    return mark_safe(html + (f"<p>{escape(rest)}</p>" if rest.strip() else ""))  # noqa: S308 - each piece was escaped


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        for read in (_code, _list, _table, _heading, _paragraph):
            html, after = read(lines, at)
            if after > at:
                yield html
                at = after
                break


def _code(lines: list[str], at: int) -> tuple[str, int]:
    if not FENCE.match(lines[at]):
        return "", at
    end = next((i for i in range(at + 1, len(lines)) if FENCE.match(lines[i])), len(lines))
    return f"<pre><code>{escape('\n'.join(lines[at + 1 : end]))}</code></pre>", end + 1


def _list(lines: list[str], at: int) -> tuple[str, int]:
    first = BULLET.fullmatch(lines[at]) or NUMBERED.fullmatch(lines[at])
    if first is None:
        return "", at
    mark = first.re
    start = f' start="{int(first["number"])}"' if mark is NUMBERED and int(first["number"]) != 1 else ""
    items, after = list[str](), at
    while after < len(lines) and (found := mark.fullmatch(lines[after])):
        items.append(f"<li>{_marked(found['text'])}</li>")
        after += 1
    tag = "ol" if mark is NUMBERED else "ul"
    return f"<{tag}{start}>{''.join(items)}</{tag}>", after


def _table(lines: list[str], at: int) -> tuple[str, int]:
    # The rule first: rows without one would each be read to the last of them.
    if not (ROW.fullmatch(lines[at]) and at + 1 < len(lines) and _is_rule(lines[at + 1])):
        return "", at
    after = at + 2
    while after < len(lines) and ROW.fullmatch(lines[after]):
        after += 1
    head, _rule, *body = (_cells(line) for line in lines[at:after])
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body)
    table = f'<table class="rows"><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="table-scroll" tabindex="0" role="region" aria-label="Table">{table}</div>', after


def _is_rule(line: str) -> bool:
    return ROW.fullmatch(line) is not None and RULE.fullmatch(line) is not None


def _cells(line: str) -> list[str]:
    found = ROW.fullmatch(line)
    cells = found["cells"].split("|")[:CELLS] if found else []
    return [_marked(cell.strip()) for cell in cells]


def _heading(lines: list[str], at: int) -> tuple[str, int]:
    found = HEADING.fullmatch(lines[at])
    return (f"<p><strong>{escape(found['text'])}</strong></p>", at + 1) if found else ("", at)


def _paragraph(lines: list[str], at: int) -> tuple[str, int]:
    after = at + 1
    while after < len(lines) and lines[after].strip() and not _begins(lines[after]):
        after += 1
    return f"<p>{'<br>'.join(_marked(line) for line in lines[at:after])}</p>", after


def _begins(line: str) -> bool:
    return any(mark.match(line) for mark in (FENCE, BULLET, NUMBERED, HEADING, ROW))


def _marked(text: str) -> str:
    return MARKS.sub(_mark, escape(text))


def _mark(found: re.Match[str]) -> str:
    tag = "code" if found["code"] else found.lastgroup
    return f"<{tag}>{found[found.lastgroup or 0]}</{tag}>"
