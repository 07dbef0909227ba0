import re
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from progress import runs
from progress.events import encode
from progress.models import ApiToken, OperationEvent, OperationRun

from .case import RunCase
from .cast import Count, Fail, Hold

RUNS = "admin:progress_operationrun_changelist"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\0\ud800"


class AdminCase(RunCase):
    def setUp(self):
        super().setUp()
        self.admin = get_user_model().objects.create_superuser("admin")
        self.client.force_login(self.admin)

    def staff(self, *codenames):
        """Return a client of a member of staff with these permissions."""
        user = get_user_model().objects.create_user(f"staff{get_user_model().objects.count()}", is_staff=True)
        user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        client.user = user
        return client

    def run_of(self, operation, **options):
        return async_to_sync(self.finished)(operation, **options)

    def shown(self, **query):
        """Return the ids that the list shows."""
        response = self.client.get(reverse(RUNS), query)
        assert response.status_code == 200
        return {str(run.pk) for run in response.context["cl"].result_list}

    def act(self, action, *chosen, client=None):
        data = {"action": action, "_selected_action": [str(run.pk) for run in chosen]}
        response = (client or self.client).post(reverse(RUNS), data, follow=True)
        return [str(message) for message in response.context["messages"]] if response.context else response


class ListTests(AdminCase):
    def test_it_shows_where_each_run_stands(self):
        run = self.run_of(Count(to=2), owner=self.admin)
        page = self.client.get(reverse(RUNS)).content.decode()
        for text in ("test_count", str(run.pk)[:8], "Completed", "100", "admin", " s</td>"):
            assert text in page

    def test_filters_and_search(self):
        good, bad = self.run_of(Count(to=2), owner=self.admin), self.run_of(Fail())
        assert self.shown() == {str(good.pk), str(bad.pk)}
        assert self.shown(status__exact="failed") == {str(bad.pk)}
        assert self.shown(operation="test_count") == {str(good.pk)}
        for word in (str(good.pk), "test_count", "admin", '"to": 2', "Completed"):
            assert self.shown(q=word) == {str(good.pk)}, word
        assert self.shown(q="table is empty") == {str(bad.pk)}
        assert self.shown(q="' OR 1=1 --%") == set()

    def test_a_list_costs_no_query_per_run(self):
        def cost():
            with self.assertNumQueries(queries):
                self.client.get(reverse(RUNS))

        def create(number):
            OperationRun.objects.bulk_create(
                OperationRun(operation="test_count", status="completed", user=self.admin) for _ in range(number)
            )

        queries = 8
        for _ in range(2):
            create(10)
            cost()


class ChangePageTests(AdminCase):
    def page(self, run, client=None):
        return (client or self.client).get(reverse("admin:progress_operationrun_change", args=[run.pk]))

    def test_it_has_the_timeline_of_all_that_was_reported(self):
        run = self.run_of(Fail(), owner=self.admin)
        page = self.page(run).content.decode()
        assert len(re.findall(r"<td>(?:progress|error)</td>", page)) == run.last_seq
        for text in ("The table is empty.", "no_data", "queued", "running", "test_fail"):
            assert text in page

    def test_nothing_can_be_edited(self):
        run = self.run_of(Count())
        assert "<input" not in re.sub(r"<input[^>]*hidden[^>]*>|<input[^>]*submit[^>]*>", "", self.form(self.page(run)))
        before = OperationRun.objects.values().get(pk=run.pk)
        url = reverse("admin:progress_operationrun_change", args=[run.pk])
        self.client.post(url, {"status": "failed", "operation": "x", "message": "forged", "lease_token": "mine"})
        assert OperationRun.objects.values().get(pk=run.pk) == before
        assert self.client.get(reverse("admin:progress_operationrun_add")).status_code == 403

    def form(self, response):
        return re.search(r'<form[^>]*id="operationrun_form".*?</form>', response.content.decode(), re.DOTALL)[0]

    def test_hostile_text_is_shown_as_text(self):
        clean = HOSTILE.replace("\0", "").replace("\ud800", "")
        error = {"message": clean, "code": clean}
        run = OperationRun.objects.create(
            operation="x",
            params={clean: clean},
            message=clean,
            result=clean,
            error=error,
            current_state=clean,
            last_seq=2,
        )
        data = {"operation": HOSTILE, "percentage": None, "message": HOSTILE, "currentState": HOSTILE, "metadata": {}}
        for seq, kind in ((1, "progress"), (2, "content")):
            payload = encode({"type": kind, "data": {"content": HOSTILE, "operation": HOSTILE} if seq == 2 else data})
            OperationEvent.objects.create(run=run, seq=seq, at=0, type=kind, payload=payload)
        for response in (self.page(run), self.client.get(reverse(RUNS))):
            page = response.content.decode(errors="surrogatepass")
            assert response.status_code == 200
            assert "<script>alert" not in page
            assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in self.page(run).content.decode()

    def test_a_long_log_is_cut_to_its_end(self):
        run = OperationRun.objects.create(operation="x", last_seq=700)
        payload = encode({"type": "content", "data": {"operation": "x", "content": "c", "timestamp": 1}})
        OperationEvent.objects.bulk_create(
            OperationEvent(run=run, seq=seq, at=0, type="content", payload=payload) for seq in range(1, 701)
        )
        page = self.page(run).content.decode()
        assert "200 earlier events not shown." in page
        assert page.count("<td>content</td>") == 500


class ActionTests(AdminCase):
    def test_cancel(self):
        held = runs.create_run(Hold())
        async_to_sync(self.until)(held, "running")
        waiting = OperationRun.objects.create(operation="test_count")
        done = self.run_of(Count())
        assert self.act("cancel_runs", held, waiting, done) == ["2 runs asked to end.", "1 run had ended already."]
        for run in (held, waiting):
            async_to_sync(self.end_of)(run)
            async_to_sync(self.assert_one_end)(run)
            assert run.status == "cancelled"
        assert self.fresh(done).status == "completed"

    def test_retry(self):
        failed, done = self.run_of(Fail(), owner=self.admin), self.run_of(Count())
        assert self.act("retry_runs", failed, done) == ["1 run started again.", "1 run cannot be tried again."]
        again = OperationRun.objects.get(retry_of=failed)
        assert (again.user, again.params) == (self.admin, failed.params)
        async_to_sync(self.end_of)(again)

    def test_what_the_code_no_longer_knows_cannot_be_tried_again(self):
        gone = OperationRun.objects.create(operation="gone", status="failed")
        changed = OperationRun.objects.create(operation="test_count", status="failed", params={"old": 1})
        assert self.act("retry_runs", gone, changed) == ["2 runs cannot be tried again."]

    def test_actions_are_posts(self):
        run = OperationRun.objects.create(operation="test_count")
        self.client.get(reverse(RUNS), {"action": "cancel_runs", "_selected_action": str(run.pk)})
        assert self.fresh(run).cancel_requested_at is None

    def test_actions_need_a_csrf_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.admin)
        run = OperationRun.objects.create(operation="test_count")
        data = {"action": "cancel_runs", "_selected_action": [str(run.pk)]}
        assert client.post(reverse(RUNS), data).status_code == 403
        assert self.fresh(run).cancel_requested_at is None

    def test_who_may_only_look_may_not_act(self):
        run = OperationRun.objects.create(operation="test_count")
        viewer = self.staff("view_operationrun")
        assert viewer.get(reverse(RUNS)).status_code == 200
        for action in ("cancel_runs", "retry_runs", "delete_selected"):
            self.act(action, run, client=viewer)
        assert self.fresh(run).cancel_requested_at is None
        assert OperationRun.objects.count() == 1


class PermissionTests(AdminCase):
    def test_staff_without_permission_and_strangers_see_nothing(self):
        run = OperationRun.objects.create(operation="test_count")
        urls = [reverse(RUNS), reverse("admin:progress_operationrun_change", args=[run.pk])]
        urls += [reverse(f"admin:progress_operationrun_{name}", args=[run.pk]) for name in ("history", "delete")]
        urls += [reverse(f"admin:progress_apitoken_{name}") for name in ("changelist", "add")]
        nobody, staff = Client(), self.staff()
        for url in urls:
            with self.subTest(url=url):
                assert staff.get(url).status_code == 403
                assert nobody.get(url).status_code == 302


class TokenTests(AdminCase):
    def add(self, client, user, name="deploy"):
        return client.post(reverse("admin:progress_apitoken_add"), {"user": user.pk, "name": name}, follow=True)

    def test_a_token_is_shown_once_and_only_its_digest_is_kept(self):
        page = self.add(self.client, self.admin).content.decode()
        token = re.search(r"The token, shown only now: ([\w-]{43})", page)[1]
        kept = ApiToken.objects.get()
        assert (kept.user, kept.name, kept.digest) == (self.admin, "deploy", ApiToken.digest_of(token))
        assert token not in str(ApiToken.objects.values())
        for name, args in (("changelist", []), ("change", [kept.pk]), ("history", [kept.pk])):
            page = self.client.get(reverse(f"admin:progress_apitoken_{name}", args=args)).content.decode()
            assert token not in page
            assert kept.digest not in page

    def test_a_token_cannot_be_changed(self):
        self.add(self.client, self.admin)
        token = ApiToken.objects.get()
        other = get_user_model().objects.create_user("other")
        url = reverse("admin:progress_apitoken_change", args=[token.pk])
        assert self.client.post(url, {"user": other.pk, "name": "x"}).status_code == 403
        assert ApiToken.objects.get().user == self.admin

    def test_nobody_becomes_somebody_else_by_a_token(self):
        staff = self.staff("add_apitoken", "view_apitoken")
        self.add(staff, self.admin)
        assert not ApiToken.objects.exists()
        self.add(staff, staff.user)
        assert ApiToken.objects.get().user == staff.user

    def test_the_command_prints_it(self):
        out = StringIO()
        call_command("create_token", "admin", "--name", "nightly", stdout=out)
        kept = ApiToken.objects.get()
        assert (kept.name, kept.digest) == ("nightly", ApiToken.digest_of(out.getvalue().strip()))
        call_command("create_token", "admin", stdout=StringIO())
        assert ApiToken.objects.count() == 2

    def test_the_command_says_who_is_missing(self):
        with pytest.raises(CommandError, match="There is no user 'nobody'; make one with"):
            call_command("create_token", "nobody")
