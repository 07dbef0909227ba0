"""The stages on which faults are done, each shared by the tests of a session."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import miss
from tests.faults.stage import Stage
from tests.services import NotInstalled, postgres_service, redis_service


@pytest.fixture(scope="session")
def sqlite_stage(tmp_path_factory) -> Iterator[Stage]:
    """SQLite, and runs executed in the process that serves."""
    folder = tmp_path_factory.mktemp("sqlite")
    with Stage(folder, f"sqlite:///{folder}/site.sqlite3") as stage:
        stage.open(webs=1)
        yield stage


@pytest.fixture(scope="session")
def machines_stage(tmp_path_factory) -> Iterator[Stage]:
    """PostgreSQL, Redis, two web processes and two workers."""
    with ExitStack() as stack:
        try:
            postgres, redis = stack.enter_context(postgres_service()), stack.enter_context(redis_service())
        except NotInstalled as error:
            miss(error)
        environment = {"REDIS_URL": redis.url, "WORKERS": "on"}
        stage = stack.enter_context(Stage(tmp_path_factory.mktemp("machines"), postgres.url, **environment))
        stage.postgres, stage.redis = postgres, redis
        stage.open(webs=2, workers=2)
        yield stage


@pytest.fixture(autouse=True)
def _errors_of_processes(request) -> Iterator[None]:
    yield
    for name in {"sqlite_stage", "machines_stage"} & set(request.fixturenames):
        request.getfixturevalue(name).show_errors()
