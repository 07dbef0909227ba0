import json
import re

import pytest
from django.template import Context, RequestContext, Template
from django.test import RequestFactory
from django.utils import timezone

from progress.models import OperationRun, Status

pytestmark = pytest.mark.django_db


def rendered(run: OperationRun, arguments: str = "run") -> str:
    template = Template("{% load progress %}{% operation_progress " + arguments + " %}")
    return template.render(Context({"run": run}))


def a_run(**fields: object) -> OperationRun:
    return OperationRun.objects.create(operation="demo", **fields)


def test_one_tag_brings_element_script_and_style() -> None:
    run = a_run()
    html = rendered(run)
    assert f'<operation-progress src="/api/runs/{run.pk}/events"' in html
    assert re.search(r'<script type="module" src="[^"]*progress/operation-progress\.js"></script>', html)
    assert re.search(r'<link rel="stylesheet" href="[^"]*progress/operation-progress\.css">', html)


def test_without_javascript_it_says_where_the_run_is() -> None:
    html = rendered(a_run(status=Status.RUNNING, percentage=41.6, message="Loading <rows>"))
    assert "Loading &lt;rows&gt;" in html
    assert "Running, 42 %" in html
    assert 'value="42"' in html
    assert "<noscript>" in html


def test_an_ended_run_has_no_bar() -> None:
    html = rendered(a_run(status=Status.FAILED, percentage=30, message="It broke."))
    assert "It broke." in html
    assert "<progress" not in html
    assert 'data-status="failed"' in html


def test_a_cancel_that_was_asked_for_before_the_page_was_made_is_shown() -> None:
    for status, shown in ((Status.RUNNING, True), (Status.CANCELLED, False)):
        run = a_run(status=status, percentage=30, cancel_requested_at=timezone.now())
        html = rendered(run)
        assert ("Cancelling, 30 %" in html) == shown
        assert (" cancelling " in html) == shown
        assert run.snapshot()["cancel_requested"] is True
    assert "ancelling" not in rendered(a_run())
    assert a_run().snapshot()["cancel_requested"] is False


def test_an_unknown_size_has_no_value() -> None:
    html = rendered(a_run(status=Status.RUNNING, percentage=None))
    assert "value=" not in html.replace("--op-value", "")


def test_label_and_text_are_options() -> None:
    html = rendered(a_run(), 'run label="Import" text=False')
    assert 'label="Import"' in html
    assert 'text="off"' in html
    assert 'text="off"' not in rendered(a_run())


def test_declared_states_are_stages_to_come() -> None:
    states = Template("{% load progress %}{% operation_states %}").render(Context({}))
    declared = json.loads(states.replace("&quot;", '"'))
    assert declared["chart_generation"][:2] == ["planning", "understanding_schema"]
    assert "demo" not in declared  # it declares none


def test_assets_alone() -> None:
    html = Template("{% load progress %}{% progress_assets %}").render(Context({}))
    assert "operation-progress.js" in html
    assert "<operation-progress" not in html


def test_on_a_page_it_carries_the_token_for_cancel_and_retry() -> None:
    template = Template("{% load progress %}{% operation_progress run %}")
    context = RequestContext(RequestFactory().get("/"), {"run": a_run()})
    assert re.search(r' csrf="\w{32,}"', template.render(context))
    assert " csrf=" not in rendered(a_run())


def test_nothing_is_inline() -> None:
    """The content security policy allows neither inline scripts nor style attributes."""
    html = rendered(a_run())
    assert "style=" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)
