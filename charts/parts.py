"""The charts in a result, for clients of other formats to draw: `PROGRESS["PARTS"]` names `charts_in`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse

from progress.dialects.moments import Part

REFERENCE = ("id", "title", "url", "spec_url", "png_url")


def charts_in(found: Mapping[str, Any]) -> Iterator[Part]:
    """Find the charts in what a run or a tool brought: one that was generated, one by reference, or a list of such."""
    if "chartId" in found:
        yield _generated(found)
    listed = found.get("charts")
    for each in [found, *(listed if isinstance(listed, list) else ())]:
        if isinstance(each, Mapping) and all(isinstance(each.get(key), str) for key in REFERENCE):
            yield Part("chart", each["id"], {key: each[key] for key in REFERENCE})


def _generated(found: Mapping[str, Any]) -> Part:
    pk = found["chartId"]
    value = {
        "id": pk,
        "title": found.get("title", ""),
        "url": found.get("chartUrl", ""),
        "spec_url": reverse("charts:chart-json", args=[pk]),
        "png_url": reverse("charts:chart-png", args=[pk]),
    }
    # With the specification where it came with its data; without them the client reads it at `spec_url`.
    spec = found.get("spec")
    return Part("chart", pk, {**value, **({"spec": spec} if isinstance(spec, Mapping) and "data" in spec else {})})
