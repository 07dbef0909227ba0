"""`{% load drawing %}{% chart_drawing %}`: what a page's charts are drawn with."""

from __future__ import annotations

from typing import Any

from django import template

from charts.spec.theme import theme

register = template.Library()


@register.inclusion_tag("charts/_drawing.html")
def chart_drawing() -> dict[str, Any]:
    """Name the Vega module, and the colours on a light and on a dark page, for `drawing.js`."""
    return {"themes": {"light": theme(dark=False), "dark": theme(dark=True)}}
