"""P14: however many starts carry one key, at however many processes, there is one run."""

import asyncio

from tests.faults.stage import LIMIT, item, start_operation

STARTS = 50


def test_p14_fifty_starts_with_one_key_at_two_processes(machines_stage):
    stage = machines_stage
    key = {"Idempotency-Key": "fifty-at-once"}

    async def story():
        async with asyncio.timeout(LIMIT), stage.client() as client:
            before = {row.run for row in stage.table().rows}
            addresses = stage.addresses * (STARTS // len(stage.addresses))
            answers = [start_operation(client, address, item(pieces=5), **key) for address in addresses]
            runs = set(await asyncio.gather(*answers))
            assert len(runs) == 1
            assert {row.run for row in stage.table().rows} - before == runs
            body = item(pieces=6)
            other = await client.post(f"{stage.addresses[0]}/api/runs", json=body, headers=key)
            assert (other.status_code, other.json()["status"]) == (409, 409)
            await stage.reader(*runs).follow()
            return runs

    assert stage.violations(asyncio.run(story())) == []
