"""Filters of the page that shows the API."""

from __future__ import annotations

import re
from collections.abc import Collection

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def code(text: str) -> SafeString:
    """Set what stands between backticks as code."""
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", piece) if n % 2 else piece,) for n, piece in pieces)
    )


@register.filter
def linked(kind: str, names: Collection[str]) -> SafeString:
    """Link each of the names in a type to where the page explains it."""
    words = re.split(r"(\w+)", kind)
    links = (format_html('<a href="#type-{}">{}</a>', word, word) if word in names else word for word in words)
    return format_html_join("", "{}", ((link,) for link in links))
