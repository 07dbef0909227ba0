"""The colours and lettering of charts on a light and on a dark page."""

from __future__ import annotations

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Each stands out from its page by 3:1 or more; blue and orange come first, as nearly every eye tells them apart.
LIGHT = ["#2f6db5", "#d9730d", "#2a8f82", "#c23b4b", "#7d5ba6", "#6b8e23", "#b5648f", "#8a6642", "#5b7083", "#a88600"]
DARK = ["#6ea8e5", "#f2a154", "#5cc4b5", "#f0808a", "#b79ade", "#a9cb62", "#e29cc0", "#c9a27c", "#9fb3c4", "#e0c34a"]


def theme(dark: bool) -> dict[str, Any]:
    """Return a Vega-Lite config; a page may put its own in its place, as specs name no colours."""
    ink, faint, page = ("#e8eaed", "#3f444b", "#16181c") if dark else ("#1f2328", "#dfe2e6", "#ffffff")
    soft = "#a4abb3" if dark else "#59636e"
    colours = DARK if dark else LIGHT
    return {
        "background": page,
        "font": FONT,
        "padding": 12,
        "mark": {"color": colours[0]},
        "text": {"color": ink},
        "line": {"strokeWidth": 2},
        "range": {"category": colours},
        "view": {"stroke": None},
        "axis": {
            "labelColor": soft,
            "titleColor": ink,
            "gridColor": faint,
            "domainColor": faint,
            "tickColor": faint,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelPadding": 4,
        },
        "legend": {
            "orient": "bottom",
            "columns": 4,
            "labelColor": soft,
            "titleColor": ink,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": 150,
        },
        "title": {
            "anchor": "start",
            "color": ink,
            "subtitleColor": soft,
            "fontSize": 15,
            "fontWeight": 600,
            "subtitleFontSize": 12,
            "offset": 12,
            "subtitlePadding": 4,
        },
        "header": {"labelColor": soft, "titleColor": ink},
    }


def themed(spec: dict[str, Any], dark: bool) -> dict[str, Any]:
    """Return a copy of `spec` that carries the theme, for pictures and pages that bring no colours of their own."""
    return {**spec, "config": theme(dark)}
