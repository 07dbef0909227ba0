import io
import logging
import re
import uuid

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from agentsite.agent.models import Conversation
from agentsite.glance import SAMPLE_QUESTIONS
from charts.models import Chart
from progress.models import OperationRun, Status
from progress.owners import VISITOR_KEY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visitor() -> Client:
    """A browser whose session owns what belongs to "somebody"."""
    client = Client()
    session = client.session
    session[VISITOR_KEY] = "somebody"
    session.save()
    client.cookies["sessionid"] = session.session_key
    return client


def a_run(**fields: object) -> OperationRun:
    given = {
        "operation": "chat",
        "visitor": "somebody",
        "params": {"message": "Revenue <per> month"},
        "message": "Reading",
    }
    return OperationRun.objects.create(**(given | fields))


def a_chart(**fields: object) -> Chart:
    column = {"name": "c0", "label": "Orders", "part": "measure", "kind": "quantitative"}
    given = {
        "visitor": "somebody",
        "question": "How many orders?",
        "title": "Number of orders",
        "answer": "There are 7.",
        "sql": "SELECT 7",
    }
    data = {"dialect": "sqlite", "chart_type": "number", "spec": {"mark": "text"}, "columns": [column], "rows": [[7]]}
    return Chart.objects.create(**(given | data | fields))


def test_the_first_page_offers_questions_and_tables() -> None:
    html = Client().get("/").content.decode()
    assert all(question in html for question in SAMPLE_QUESTIONS)
    assert re.search(r"orders</span> <span class=\"figure\">[\d,]+ rows", html)
    assert "Nothing asked yet" in html
    assert re.search(r'<meta name="csrf-token" content="\w+">', html)


@pytest.mark.parametrize("path", ["/", "/charts/"])
def test_pages_hold_nothing_that_the_policy_forbids(path: str) -> None:
    response = Client().get(path)
    html = response.content.decode()
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert not re.search(r'\sstyle="|\son\w+="|javascript:', html)
    assert not re.search(r"<script(?![^>]*src=)(?![^>]*application/json)", html)
    assert not re.search(r'(src|href)="(https?:)?//', html)


def test_a_link_can_fill_the_box_and_never_asks() -> None:
    html = Client().get("/", {"q": "<script>"}).content.decode()
    assert "&lt;script&gt;</textarea>" in html
    assert not OperationRun.objects.exists()


def test_the_first_page_shows_a_conversation_whose_first_run_has_not_begun(visitor: Client) -> None:
    run = a_run()
    html = visitor.get("/", {"conversation": str(run.pk)}).content.decode()
    assert "Revenue &lt;per&gt; month" in html
    assert f'src="/api/runs/{run.pk}/events"' in html
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in html


def test_a_run_leads_to_where_it_is_shown(visitor: Client) -> None:
    first, chart = a_run(status=Status.COMPLETED), a_run(operation="chart_generation", params={"question": "Q"})
    again, batch = a_run(retry_of=first), a_run(operation="batch", params={"items": []})
    other = a_run(params={"message": "?", "conversation": str(uuid.uuid4())})
    places = {
        first: f"/?conversation={first.pk}#turn-{first.pk}",
        again: f"/?conversation={first.pk}",
        other: f"/?conversation={other.params['conversation']}",
        chart: f"/runs/{chart.pk}/",
        batch: f"/runs/{batch.pk}/",
    }
    for run, place in places.items():
        assert visitor.get("/", {"run": str(run.pk)})["Location"] == place


@pytest.mark.parametrize("given", ["", "x", str(uuid.uuid4())])
def test_a_conversation_that_is_not_there(given: str) -> None:
    assert Client().get("/", {"conversation": given}).status_code == 404


@pytest.mark.parametrize("given", ["", "x", str(uuid.uuid4())])
def test_a_run_that_is_not_there(given: str) -> None:
    assert Client().get("/", {"run": given}).status_code == 404


def test_pages_of_others_are_not_there(visitor: Client) -> None:
    run, chart = a_run(status=Status.COMPLETED), a_chart()
    talk = Conversation.objects.create(visitor="somebody")
    paths = [
        *(f"/runs/{run.pk}/", f"/runs/{run.pk}/outcome/", f"/charts/{chart.pk}/", f"/charts/{chart.pk}/card/"),
        *(f"/?conversation={run.pk}", f"/?conversation={talk.pk}", f"/?run={run.pk}"),
    ]
    assert [visitor.get(path).status_code for path in paths] == [200] * 6 + [302]
    assert [Client().get(path).status_code for path in paths] == [404] * 7
    for path in (f"/runs/{run.pk}/cancel/", f"/conversations/{talk.pk}/delete/"):
        assert Client().post(path).status_code == 404
    assert Conversation.objects.exists()


def test_a_conversation_is_deleted_by_a_form_and_its_charts_stay(visitor: Client) -> None:
    chart = a_chart()
    talk = Conversation.objects.create(visitor="somebody", title="Mine")
    assert "Delete this conversation" in visitor.get("/", {"conversation": str(talk.pk)}).content.decode()
    assert visitor.get(f"/conversations/{talk.pk}/delete/").status_code == 405
    assert visitor.post(f"/conversations/{talk.pk}/delete/")["Location"] == "/"
    assert not Conversation.objects.exists()
    assert visitor.get(f"/charts/{chart.pk}/").status_code == 200


def test_a_conversation_that_was_deleted_is_not_shown_by_its_first_run(visitor: Client) -> None:
    run = a_run(status=Status.COMPLETED, started_at=timezone.now())
    later = a_run(status=Status.FAILED, started_at=timezone.now(), params={"message": "?", "conversation": str(run.pk)})
    assert visitor.get("/", {"conversation": str(run.pk)}).status_code == 404
    for each in (run, later):
        assert visitor.get("/", {"run": str(each.pk)})["Location"] == f"/runs/{each.pk}/"


def test_staff_with_the_permission_may_look() -> None:
    run, chart = a_run(status=Status.COMPLETED), a_chart()
    user = get_user_model().objects.create_user("staff", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(f"/charts/{chart.pk}/").status_code == 404
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_chart", "view_operationrun"]))
    assert client.get(f"/charts/{chart.pk}/").status_code == 200
    assert client.get(f"/runs/{run.pk}/").status_code == 200
    assert client.post(f"/runs/{run.pk}/cancel/").status_code == 404


def test_an_active_run_refreshes_itself_without_javascript(visitor: Client) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    assert refresh in visitor.get(f"/runs/{a_run(status=Status.RUNNING).pk}/").content.decode()
    assert refresh not in visitor.get(f"/runs/{a_run(status=Status.COMPLETED).pk}/").content.decode()


def test_a_form_cancels_a_run(visitor: Client) -> None:
    run = a_run()
    response = visitor.post(f"/runs/{run.pk}/cancel/")
    assert (response.status_code, response["Location"]) == (302, f"/runs/{run.pk}/")
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert visitor.get(f"/runs/{run.pk}/cancel/").status_code == 405


def test_the_outcome_is_a_part_of_a_page(visitor: Client) -> None:
    chart = a_chart(title="<b>Orders</b>")
    run = a_run(status=Status.COMPLETED, result={"message": "There are 7.", "charts": [{"id": str(chart.pk)}]})
    html = visitor.get(f"/runs/{run.pk}/outcome/").content.decode()
    assert "<html" not in html
    assert "&lt;b&gt;Orders&lt;/b&gt;" in html
    assert "<b>Orders" not in html


def test_a_refusal_leads_on(visitor: Client) -> None:
    error = {
        "message": "Not understood.",
        "code": "invalid_request",
        "suggestions": ["How many orders?"],
    }
    html = visitor.get(f"/runs/{a_run(status=Status.FAILED, error=error).pk}/outcome/").content.decode()
    assert 'href="/?q=How%20many%20orders%3F" data-ask="How many orders?"' in html


def test_a_chart_has_a_page_with_everything(visitor: Client) -> None:
    chart = a_chart(
        warnings=["Few rows."],
        receipt={"links": [{"phrase": "orders", "meaning": "rows of orders"}], "assumptions": ["All of them."]},
    )
    html = visitor.get(f"/charts/{chart.pk}/").content.decode()
    for text in (
        "How many orders?",
        "There are 7.",
        "Few rows.",
        "rows of orders",
        "All of them.",
        "SELECT 7",
        "Number of orders",
    ):
        assert text in html
    for suffix in ("png", "svg", "csv", "json"):
        assert f"/api/charts/{chart.pk}.{suffix}" in html


def test_a_chart_links_to_the_one_that_it_follows(visitor: Client) -> None:
    before = a_chart(question="Orders per month")
    receipt = {"links": [], "kept": ["Orders"], "changed": ["Added: <b>Germany</b>"], "undone": False}
    html = visitor.get(f"/charts/{a_chart(follows=before, receipt=receipt).pk}/").content.decode()
    assert f'Follows: <a href="/charts/{before.pk}/">Orders per month</a>' in html
    assert "Added: &lt;b&gt;Germany&lt;/b&gt;" in html
    assert "Follows:" not in visitor.get(f"/charts/{before.pk}/").content.decode()


def test_charts_are_listed_in_pages(visitor: Client) -> None:
    for number in range(25):
        a_chart(title=f"Chart {number:02}")
    a_chart(title="Not mine", visitor="somebody else")
    first = visitor.get("/charts/").content.decode()
    assert "Chart 24" in first
    assert "Chart 00" not in first
    assert "Not mine" not in first
    assert "?page=2" in first
    second = visitor.get("/charts/", {"page": "2"}).content.decode()
    assert "Chart 00" in second
    assert "?page=" not in second


@pytest.mark.parametrize("page", ["0", "-1", "x", "999999999999", "²"])
def test_an_odd_page_number_is_no_error(visitor: Client, page: str) -> None:
    assert visitor.get("/charts/", {"page": page}).status_code == 200


def test_an_empty_list_says_what_to_do() -> None:
    assert "No charts yet" in Client().get("/charts/").content.decode()


class TestAskingByForm:
    """What the question box does without JavaScript."""

    @pytest.fixture(autouse=True)
    def _anonymous_may_ask(self, settings: object) -> None:
        settings.PROGRESS = {**getattr(settings, "PROGRESS", {}), "ALLOW_ANONYMOUS": True}  # type: ignore[attr-defined]

    def test_an_empty_question(self) -> None:
        response = Client().post("/", {"message": "  "})
        assert response.status_code == 422
        assert "Write a question first." in response.content.decode()

    def test_a_long_question_comes_back_with_its_text(self) -> None:
        response = Client().post("/", {"message": "x" * 4001})
        assert response.status_code == 422
        assert "A question may have 4,000 characters; this one has 4,001." in response.content.decode()
        assert "x" * 4001 in response.content.decode()

    def test_a_source_that_cannot_be(self) -> None:
        assert Client().post("/", {"message": "Orders?", "source": "x" * 200}).status_code == 422

    def test_a_conversation_that_cannot_be(self) -> None:
        foreign = Conversation.objects.create(visitor="somebody else")
        for conversation, status in (("x", 422), (str(foreign.pk), 404), (str(uuid.uuid4()), 404)):
            response = Client().post("/", {"message": "Orders?", "conversation": conversation})
            assert response.status_code == status
            assert "Orders?</textarea>" in response.content.decode()
        assert not OperationRun.objects.exists()

    def test_without_a_token_nothing_is_asked(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.get("/")
        response = client.post("/", {"message": "Revenue per month"}, headers={"Accept": "text/html"})
        assert response.status_code == 403
        assert "Please send that again" in response.content.decode()

    def test_where_visitors_may_not_ask(self, settings: object) -> None:
        settings.PROGRESS = {"ALLOW_ANONYMOUS": False}  # type: ignore[attr-defined]
        response = Client().post("/", {"message": "Revenue per month"})
        assert response.status_code == 401
        assert "Sign in" in response.content.decode()
        assert "Questions are for signed-in users here" in Client().get("/").content.decode()


def test_an_unknown_address_is_said_so() -> None:
    response = Client().get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_the_error_page_needs_nothing() -> None:
    from django.template.loader import render_to_string

    assert "Something went wrong on our side" in render_to_string("500.html")


def test_what_a_page_raised_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    (handler,) = (
        each for each in logging.getLogger("django.request").handlers if isinstance(each, logging.StreamHandler)
    )
    monkeypatch.setattr(handler, "stream", log := io.StringIO())
    monkeypatch.setattr("agentsite.views.history", lambda owner: 1 / 0)
    response = Client(raise_request_exception=False).get("/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()
    assert "ZeroDivisionError" in log.getvalue()
    assert Client().get("/nowhere/").status_code == 404
    assert log.getvalue().count("Traceback") == 1
