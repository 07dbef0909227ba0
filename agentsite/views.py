"""The pages. All work goes through the operations and the API; a page without JavaScript uses the same."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from pydantic import ValidationError

from charts.models import Chart, Source, ensure_sample_source
from progress import runs
from progress.access import allowed_owner, find_run
from progress.conf import setting
from progress.exceptions import StartRefused
from progress.models import OperationRun
from progress.operations import get_operation
from progress.owners import Owner, request_owner
from progress.problems import Problem, refused

from .agent.conversations import conversation_id_of
from .agent.models import Conversation
from .agent.operations import MESSAGE_LIMIT
from .agent.tool_words import GENERAL, WORDS
from .cards import chart_card, history, names_of_children, outcome_of, question_of, timeline
from .glance import glance
from .turns import ShownConversation, is_over, show_conversation

CHARTS_PER_PAGE = 24


@require_http_methods(["GET", "HEAD", "POST"])
async def home(request: HttpRequest) -> HttpResponse:
    """The question box with the conversation of `?conversation=`; POST asks, for browsers without JavaScript."""
    if request.method == "POST":
        return await _ask(request)
    if "run" in request.GET:
        return await _place_of(request, request.GET["run"])
    owner = await request_owner(request)
    return await sync_to_async(_home_page)(
        request, owner, request.GET.get("conversation"), draft=request.GET.get("q", "")
    )


async def _place_of(request: HttpRequest, given: str) -> HttpResponse:
    """Lead to where a run is shown: a question of the caller's in its conversation, anything else on its own page."""
    run, owner = await _own_run(request, given), await request_owner(request)

    def place() -> str:
        own = OperationRun.objects.for_owner(owner).filter(pk=run.pk).exists()
        if run.operation != "chat" or not own:
            return run.get_absolute_url()
        conversation = conversation_id_of(run)
        if is_over(run) and not Conversation.objects.for_owner(owner).filter(pk=conversation).exists():
            return run.get_absolute_url()
        return f"/?conversation={conversation}" + ("" if run.is_active else f"#turn-{run.pk}")

    return redirect(await sync_to_async(place)())


async def _own_run(request: HttpRequest, given: str) -> OperationRun:
    try:
        return await find_run(request, UUID(given))
    except (ValueError, Problem):
        raise Http404 from None


async def _ask(request: HttpRequest) -> HttpResponse:
    message = request.POST.get("message", "").strip()
    conversation = request.POST.get("conversation") or None
    owner = await request_owner(request)
    try:
        run = await _start(request, message, request.POST.get("source", ""), conversation)
    except Problem as problem:
        return await sync_to_async(_home_page)(
            request, owner, conversation, draft=message, error=problem.detail, status=problem.status
        )
    return redirect(f"/?conversation={conversation or run.pk}")  # a page with a #fragment would not refresh itself


async def _start(request: HttpRequest, message: str, source: str, conversation: str | None) -> OperationRun:
    if not message:
        raise Problem(422, "Write a question first.")
    if len(message) > MESSAGE_LIMIT:
        raise Problem(422, f"A question may have {MESSAGE_LIMIT:,} characters; this one has {len(message):,}.")
    chat = get_operation("chat")
    try:
        operation = chat.model_validate({"message": message, "source": source or None, "conversation": conversation})
    except ValidationError:
        raise Problem(422, "This cannot be asked: choose a source from the list.") from None
    owner = await allowed_owner(request, chat.permission)
    if conversation and not await sync_to_async(Conversation.objects.for_owner(owner).filter(pk=conversation).exists)():
        raise Problem(404, "This conversation is not there any more: ask in a new one.")
    try:
        return await runs.start(operation, owner=owner)
    except StartRefused as error:
        raise refused(error) from None


def _home_page(
    request: HttpRequest,
    owner: Owner,
    wanted: str | None = None,
    *,
    draft: str = "",
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    conversation = _shown(request, owner, wanted) if wanted is not None else None
    if wanted is not None and conversation is None and status == 200:
        raise Http404
    ensure_sample_source()
    sources = list(Source.objects.visible_to(owner))
    named = request.GET.get("source") or (conversation.source if conversation else "")
    source = next((each for each in sources if each.slug == named), sources[0] if sources else None)
    context: dict[str, Any] = {
        "sources": sources,
        "source": source,
        **(glance(source) if source else {}),
        "history": history(owner),
        "conversation": conversation,
        "must_sign_in": not setting("ALLOW_ANONYMOUS") and not request.user.is_authenticated,
        "draft": draft,
        "error": error,
        "limit": MESSAGE_LIMIT,
        "tool_words": {"words": WORDS, "general": GENERAL},
    }
    return render(request, "home.html", context, status=status)


def _shown(request: HttpRequest, owner: Owner, wanted: str) -> ShownConversation | None:
    before = request.GET.get("before", "")
    position = int(before) if before.isdecimal() and len(before) < 10 else None
    try:
        return show_conversation(UUID(wanted), owner, before=position)
    except ValueError:
        return None


@require_POST
async def conversation_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a conversation from a form. Its charts stay."""
    owner = await request_owner(request)
    found = await sync_to_async(Conversation.objects.for_owner(owner).filter(pk=pk).first)()
    if found is None:
        raise Http404
    await sync_to_async(found.delete)()
    return redirect("home")


@require_safe
async def run_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One run: live bar, outcome, and its events."""
    run = await _own_run(request, str(pk))

    def page() -> HttpResponse:
        context = {
            "run": run,
            "question": question_of(run),
            "names": names_of_children(run),
            "outcome": outcome_of(run),
            "events": timeline(run),
        }
        return render(request, "runs/run.html", context)

    return await sync_to_async(page)()


@require_safe
async def run_outcome(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What came of a run, as a part of a page."""
    run = await _own_run(request, str(pk))

    def part() -> HttpResponse:
        return render(request, "runs/_outcome.html", {"outcome": outcome_of(run), "open": True})

    return await sync_to_async(part)()


@require_POST
async def run_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Cancel a run from a form, and show it."""
    try:
        run = await find_run(request, pk, write=True)
    except Problem:
        raise Http404 from None
    await runs.cancel(run)
    return redirect("run-page", pk)


@require_safe
async def chart_list(request: HttpRequest) -> HttpResponse:
    """The visitor's charts, newest first."""
    owner = await request_owner(request)

    def page() -> HttpResponse:
        number = request.GET.get("page", "1")
        first = (int(number) - 1) * CHARTS_PER_PAGE if number.isdecimal() and len(number) < 6 and int(number) else 0
        found = list(
            Chart.objects.for_owner(owner)
            .select_related("source")
            .defer("rows", "spec", "receipt")[first : first + CHARTS_PER_PAGE + 1]
        )
        more = first // CHARTS_PER_PAGE + 2 if len(found) > CHARTS_PER_PAGE else None
        return render(request, "charts/list.html", {"charts": found[:CHARTS_PER_PAGE], "next": more})

    return await sync_to_async(page)()


@require_safe
async def chart_card_part(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The card of a chart, as a part of a page."""
    owner = await request_owner(request)

    def part() -> HttpResponse:
        chart = Chart.objects.select_related("source", "follows").for_owner(owner).filter(pk=pk).first()
        if chart is None:
            raise Http404
        return render(request, "charts/_chart.html", {"chart": chart_card(chart), "open": True})

    return await sync_to_async(part)()


@require_safe
async def chart_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One chart with everything that backs it."""
    owner = await request_owner(request)
    user = await request.auser()

    def page() -> HttpResponse:
        charts = Chart.objects.select_related("source", "follows")
        chart = charts.for_owner(owner).filter(pk=pk).first()
        if chart is None and user.is_staff and user.has_perm("charts.view_chart"):
            chart = charts.filter(pk=pk).first()
        if chart is None:
            raise Http404
        return render(request, "charts/chart.html", {"chart": chart_card(chart)})

    return await sync_to_async(page)()
