"""`{% load progress %}{% operation_progress run %}`: one run, live on a page, with its style sheet and script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import template

from progress.models import OperationRun
from progress.operations import registry

register = template.Library()


@register.inclusion_tag("progress/operation_progress.html")
def operation_progress(
    run: OperationRun,
    *,
    label: str = "Progress",
    text: bool = True,
    page: str = "",
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Show `run` with bar, stages, time, message, warnings, cancel and retry. Without JavaScript: its status as of now.

    `label` is the bar's accessible name; with `text=False` streamed text is left to the page. Of a batch the children are shown: by
    their operations or, where ids are among them, by `names`; linked as this run is by `page`, its own page by default.
    """
    links = run.links()
    pages = (page or links["page"]).replace(str(run.pk), "{id}")
    named = names or {}
    children = [
        {"run": child, "name": named.get(str(child.pk)), "page": pages.replace("{id}", str(child.pk))}
        for child in (run.with_children().children.all() if run.operation == "batch" else ())
    ]
    return {
        "run": run,
        "label": label,
        "text": text,
        "links": links,
        "states": declared_states(),
        "pages": pages,
        "names": json.dumps(named),
        "children": children,
    }


@register.simple_tag
def operation_states() -> str:
    """Return the value of the element's `states` attribute, for pages that make the element by script."""
    return declared_states()


@register.inclusion_tag("progress/assets.html")
def progress_assets() -> dict[str, Any]:
    """Load the element for pages that make it by script. `operation_progress` does so by itself."""
    return {}


def declared_states() -> str:
    return json.dumps({name: list(operation.states) for name, operation in registry.items() if operation.states})
