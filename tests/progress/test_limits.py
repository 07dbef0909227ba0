"""What one owner, one address and all together may start and read at once, and the same work asked for twice."""

import asyncio
import contextlib

from asgiref.sync import async_to_sync
from django.db import connections
from django.test import SimpleTestCase, override_settings

from progress import runs
from progress.exceptions import KeyReused, StartRefused
from progress.limits import OpenStreams
from progress.models import OperationRun
from progress.owners import Owner, address_digest

from .case import RunCase
from .cast import Count, Hold
from .test_api import ApiCase


def progress(**settings):
    return override_settings(PROGRESS={"ALLOW_ANONYMOUS": True, **settings})


class Patient(Hold):
    """Hold however long the machine takes over it."""

    operation_name = "test_patient"
    idle_timeout = 600.0


ALICE, BOB = Owner(visitor="alice"), Owner(visitor="bob")


class RunLimitTests(RunCase):
    def held(self, owner, count, **columns):
        for _ in range(count):
            OperationRun.objects.create(
                operation="test_hold", user_id=owner.user, visitor=owner.visitor, address=owner.address, **columns
            )

    def refused(self, owner, code, **options):
        before = OperationRun.objects.count()
        with self.assertRaises(StartRefused) as caught:
            runs.create_run(Count(), owner=owner, **options)
        assert caught.exception.code == code
        assert OperationRun.objects.count() == before
        return str(caught.exception)

    @progress(OWNER_RUNS=3)
    def test_an_owner_has_so_many_under_way_and_others_are_not_concerned(self):
        self.held(ALICE, 2)
        self.held(ALICE, 1, status="running", lease_token="x")
        self.held(ALICE, 5, status="completed")
        assert "You have 3 runs under way" in self.refused(ALICE, "limit_exceeded")
        async_to_sync(self.end_of)(runs.create_run(Count(), owner=BOB))

    @progress(OWNER_RUNS=3)
    def test_one_that_ends_makes_room(self):
        self.held(ALICE, 3)
        run = OperationRun.objects.first()
        async_to_sync(runs.cancel)(run)
        async_to_sync(self.end_of)(runs.create_run(Count(), owner=ALICE))

    @progress(OWNER_RUNS=2)
    def test_the_children_of_a_batch_do_not_count(self):
        self.held(ALICE, 1)
        self.held(ALICE, 9, parent=OperationRun.objects.get())
        async_to_sync(self.end_of)(runs.create_run(Count(), owner=ALICE))

    @progress(OWNER_RUNS=3, ADDRESS_RUNS=2)
    def test_visitors_are_counted_by_address_too_for_a_session_is_quickly_made(self):
        here, there = address_digest("192.0.2.1"), address_digest("192.0.2.2")
        for name in ("v1", "v2"):
            self.held(Owner(visitor=name, address=here), 1)
        assert "from your network" in self.refused(Owner(visitor="v3", address=here), "limit_exceeded")
        async_to_sync(self.end_of)(runs.create_run(Count(), owner=Owner(visitor="v3", address=there)))

    @progress(QUEUE_RUNS=3)
    def test_the_queue_is_bounded_for_all(self):
        for number in range(3):
            self.held(Owner(visitor=f"v{number}"), 1)
        self.refused(ALICE, "unavailable")
        OperationRun.objects.update(status="running", lease_token="x")
        async_to_sync(self.end_of)(runs.create_run(Count(), owner=ALICE))

    @progress(OWNER_RUNS=1, QUEUE_RUNS=1)
    def test_the_command_line_and_staff_who_try_a_run_again_are_not_limited(self):
        self.held(ALICE, 4)
        async_to_sync(self.end_of)(runs.create_run(Count()))
        failed = OperationRun.objects.create(
            operation="test_count", params={"to": 1}, status="failed", visitor=ALICE.visitor
        )
        async_to_sync(self.end_of)(runs.create_retry(failed))
        failed.refresh_from_db()
        with self.assertRaises(StartRefused):
            runs.create_retry(failed, owner=ALICE)

    @progress(OWNER_RUNS=8)
    async def test_fifty_parallel_starts_pass_the_limit_by_none(self):
        async def start():
            try:
                return await asyncio.to_thread(self.create, Patient(), owner=ALICE)
            except StartRefused:
                return None

        started = await asyncio.gather(*(start() for _ in range(50)))
        assert len(list(filter(None, started))) == 8
        assert await OperationRun.objects.acount() == 8

    @staticmethod
    def create(operation, **options):
        try:
            return runs.create_run(operation, **options)
        finally:
            connections.close_all()


class KeyTests(RunCase):
    async def test_fifty_parallel_starts_with_one_key_give_one_run(self):
        create = RunLimitTests.create
        found = await asyncio.gather(
            *(asyncio.to_thread(create, Count(), owner=ALICE, key="k") for _ in range(50)),
        )
        assert len({run.pk for run in found}) == 1
        assert await OperationRun.objects.acount() == 1
        await self.end_of(found[0])

    def test_other_work_under_the_same_key_is_refused(self):
        run = runs.create_run(Count(to=2), owner=ALICE, key="k")
        for other in ({"operation": Count(to=3)}, {"operation": Hold()}, {"on_disconnect": "cancel"}):
            with self.assertRaises(KeyReused):
                runs.create_run(**{"operation": Count(to=2), "owner": ALICE, "key": "k"} | other)
        async_to_sync(self.end_of)(run)
        assert runs.create_run(Count(to=2), owner=ALICE, key="k").pk == run.pk

    def test_a_key_is_its_owners_own_wherever_they_ask_from(self):
        mine = runs.create_run(Count(), owner=Owner(visitor="alice", address="a"), key="k")
        assert runs.create_run(Count(), owner=Owner(visitor="alice", address="b"), key="k").pk == mine.pk
        others = runs.create_run(Count(), owner=BOB, key="k")
        assert others.pk != mine.pk
        for run in (mine, others):
            async_to_sync(self.end_of)(run)

    @progress(OWNER_RUNS=1)
    def test_a_repeated_start_is_not_over_the_limit(self):
        run = runs.create_run(Hold(), owner=ALICE, key="k")
        assert runs.create_run(Hold(), owner=ALICE, key="k").pk == run.pk

    def test_it_is_kept_as_long_as_the_run(self):
        run = async_to_sync(self.end_of)(runs.create_run(Count(), owner=ALICE, key="k"))
        run.delete()
        again = runs.create_run(Count(), owner=ALICE, key="k")
        async_to_sync(self.end_of)(again)


@progress()
class HttpTests(ApiCase):
    async def test_the_same_key_is_answered_from_the_same_run_in_the_way_asked_for(self):
        client = await self.aclient_of(self.alice)
        body, key = {"operation": "test_count", "params": {"to": 4}}, {"Idempotency-Key": "9b2f-44"}
        first = (await self.post(client, "/api/runs", body, **key)).json()
        again = (await self.post(client, "/api/runs", body, **key)).json()
        assert again == first
        accepted = await self.post(client, "/api/runs", body, Prefer="respond-async", **key)
        assert (accepted.status_code, accepted.json()["id"]) == (202, first["id"])
        stream = await self.post(client, "/api/runs", {**body, "stream": True}, **key)
        assert stream["X-Run-Id"] == first["id"]
        assert [number for number, _ in await self.frames(stream)] == list(range(1, first["last_seq"] + 1))
        self.assertProblem(
            await self.post(client, "/api/runs", {"operation": "test_count"}, **key), 409, "invalid_request"
        )
        assert await OperationRun.objects.acount() == 1

    async def test_retry_and_chat_take_keys_too(self):
        client = await self.aclient_of(self.alice)
        failed = (await self.post(client, "/api/runs", {"operation": "test_fail"})).json()
        key = {"Idempotency-Key": '"quoted"'}
        retried = [(await self.post(client, failed["links"]["retry"], **key)).json()["id"] for _ in range(3)]
        assert len(set(retried)) == 1
        key = {"Idempotency-Key": "chat", "Prefer": "respond-async"}
        asked = [(await self.post(client, "/api/agent/chat", {"message": "Hi"}, **key)).json()["id"] for _ in range(2)]
        assert len(set(asked)) == 1
        await self.end_of(await OperationRun.objects.aget(pk=asked[0]))

    async def test_malformed_keys(self):
        client = await self.aclient_of(self.alice)
        for key in ("", " ", "a b", "x" * 256, "é", "\t"):
            with self.subTest(key=key[:4]):
                response = await self.post(client, "/api/runs", {"operation": "test_count"}, **{"Idempotency-Key": key})
                problem = self.assertProblem(response, 422, "invalid_request", "Idempotency-Key")
                assert problem["errors"][0]["field"] == "Idempotency-Key"
        assert await OperationRun.objects.acount() == 0

    async def test_without_a_session_a_key_knows_nobody(self):
        body, key = {"operation": "test_count"}, {"Idempotency-Key": "k"}
        client = self.client_of()
        first = await self.post(client, "/api/runs", body, **key)
        stranger = await self.post(self.client_of(), "/api/runs", body, **key)
        assert stranger.json()["id"] != first.json()["id"]
        assert (await self.post(client, "/api/runs", body, **key)).json()["id"] == first.json()["id"]

    @progress(OWNER_RUNS=2)
    async def test_over_the_limit_is_429_with_retry_after(self):
        client = await self.aclient_of(self.alice)
        for _ in range(2):
            await self.post(client, "/api/runs", {"operation": "test_patient"}, Prefer="respond-async")
        response = await self.post(client, "/api/runs", {"operation": "test_patient", "stream": True})
        self.assertProblem(response, 429, "limit_exceeded", "You have 2 runs under way")
        assert response["Retry-After"] == "5"
        other = await self.post(await self.aclient_of(self.bob), "/api/runs", {"operation": "test_count"})
        assert other.status_code == 200

    @progress(ADDRESS_RUNS=2)
    async def test_visitors_who_throw_their_cookies_away(self):
        for _ in range(2):
            await self.post(self.client_of(), "/api/runs", {"operation": "test_patient"}, Prefer="respond-async")
        response = await self.post(self.client_of(), "/api/runs", {"operation": "test_patient"})
        self.assertProblem(response, 429, "limit_exceeded", "from your network")
        signed_in = await self.post(await self.aclient_of(self.alice), "/api/runs", {"operation": "test_count"})
        assert signed_in.status_code == 200

    @progress(QUEUE_RUNS=1)
    async def test_a_full_queue_is_503_with_retry_after(self):
        await OperationRun.objects.acreate(operation="test_hold")
        response = await self.post(await self.aclient_of(self.alice), "/api/runs", {"operation": "test_count"})
        self.assertProblem(response, 503, "unavailable")
        assert response["Retry-After"] == "5"

    @progress(OWNER_RUNS=1)
    async def test_the_page_without_javascript_says_so_too(self):
        client = await self.aclient_of(self.alice)
        await OperationRun.objects.acreate(operation="test_hold", user=self.alice)
        response = await client.post("/", {"message": "Show revenue per month"})
        assert (response.status_code, "You have 1 runs under way" in response.content.decode()) == (429, True)


class AddressTests(SimpleTestCase):
    def same(self, *addresses):
        return len({address_digest(*address) for address in addresses}) == 1

    def test_it_does_not_tell_the_address(self):
        assert "192" not in address_digest("192.0.2.1")
        assert len(address_digest("192.0.2.1")) == 64
        with override_settings(SECRET_KEY="other"):
            other = address_digest("192.0.2.1")
        assert other != address_digest("192.0.2.1")

    def test_a_network_of_ipv6_is_one(self):
        assert self.same(("2001:db8::1",), ("2001:db8::ffff:1",))
        assert not self.same(("2001:db8::1",), ("2001:db8:0:1::1",))
        assert self.same(("::ffff:192.0.2.1",), ("192.0.2.1",))

    def test_what_is_no_address_is_one_too(self):
        assert self.same((None,), ("",), ("unix:",), ("1.2.3.4:99",))

    def test_of_the_forwarded_addresses_those_of_the_sites_own_proxies_are_believed(self):
        assert self.same(("192.0.2.1", "203.0.113.9"), ("192.0.2.1", ""))
        with progress(PROXIES=1):
            assert self.same(("192.0.2.1", "203.0.113.9"), ("203.0.113.9",))
            assert self.same(("192.0.2.1", "198.51.100.1, 203.0.113.9"), ("203.0.113.9",))
        with progress(PROXIES=2):
            assert self.same(("192.0.2.1", "198.51.100.1, 203.0.113.9"), ("198.51.100.1",))
            assert self.same(("192.0.2.1", "203.0.113.9"), ("192.0.2.1",))  # it did not come through both


class StreamLimitTests(SimpleTestCase):
    @progress(OWNER_STREAMS=2, ADDRESS_STREAMS=3)
    async def test_one_more_ends_the_oldest_of_the_same_owner(self):
        streams = OpenStreams()
        with contextlib.ExitStack() as stack:

            def opened(*owners):
                return [stack.enter_context(streams.slot(owner)) for owner in owners]

            first, others, second, third = opened(ALICE, BOB, ALICE, ALICE)
            await asyncio.wait_for(first.evicted, 20)
            here = opened(*(Owner(visitor=f"v{number}", address="here") for number in range(4)))
            await asyncio.wait_for(here[0].evicted, 20)
            assert not any(slot.evicted.done() for slot in (others, second, third, *here[1:]))
            assert streams.count == 8
        assert (streams.count, dict(streams._open)) == (0, {})

    @progress(OWNER_STREAMS=1)
    async def test_one_that_ended_makes_room(self):
        streams = OpenStreams()
        with streams.slot(ALICE):
            pass
        with streams.slot(ALICE) as slot, streams.slot(BOB), streams.slot(BOB):
            await asyncio.sleep(0.01)  # when BOB's first one is ended
            assert not slot.evicted.done()


@progress(OWNER_STREAMS=1)
class EvictionTests(ApiCase):
    async def test_an_evicted_stream_ends_cleanly_with_a_longer_pause_and_is_resumed(self):
        run = await runs.start(Patient(), owner=self.alice)
        await self.until(run, "running")
        client = await self.aclient_of(self.alice)
        path = f"/api/runs/{run.pk}/events"
        old = aiter((await client.get(path)).streaming_content)
        chunks = [await anext(old), await anext(old)]
        new = aiter((await client.get(path)).streaming_content)
        fresh = [await anext(new), await anext(new)]
        async with asyncio.timeout(20):
            chunks += [chunk async for chunk in old]
        assert chunks[-1] == b"retry: 15000\n\n"
        assert b'"type":"error"' not in b"".join(chunks)
        await runs.cancel(run)
        async with asyncio.timeout(20):
            fresh += [chunk async for chunk in new]
        assert b'"type":"error"' in b"".join(fresh)
