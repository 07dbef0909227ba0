import asyncio
import threading
from datetime import date
from typing import Annotated

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase
from pydantic import Field, ValidationError

from progress import Progress, State, StreamingOperation, operation, runs, stream_operation
from progress.exceptions import UnknownOperation
from progress.operations import get_operation, registry

from .case import RunCase
from .cast import Count, Stages


def make(name="test_made", states=None, qualname="Made"):
    """Declare an operation class."""

    async def execute(self, progress):
        return None

    namespace = {"operation_name": name, "states": states or {}, "execute": execute, "__module__": __name__}
    return type(StreamingOperation)(qualname, (StreamingOperation,), {**namespace, "__qualname__": qualname})


class RegisteredCase(SimpleTestCase):
    """What a test registers is forgotten at its end."""

    def setUp(self):
        before = dict(registry)
        self.addCleanup(lambda: (registry.clear(), registry.update(before)))


class RegistrationTests(RegisteredCase):
    def test_a_name_leads_to_its_class(self):
        made = make()
        assert get_operation("test_made") is made
        assert get_operation("test_count") is Count

    def test_an_unknown_name_is_answered_with_the_known_ones(self):
        with pytest.raises(UnknownOperation, match=r"There is no operation 'nope'. There are: .*test_count, "):
            get_operation("nope")

    def test_a_name_must_be_an_identifier(self):
        for name in ("", "two words", "a-b", "1st", "a.b", "x" * 101, "a\n"):
            with self.subTest(name=name), pytest.raises(ImproperlyConfigured, match="must be an identifier such as"):
                make(name)
            assert name not in registry

    def test_a_name_is_given_once(self):
        make()
        with pytest.raises(ImproperlyConfigured, match=r"Two operations are named 'test_made': .*\.Made and .*\.Other"):
            make(qualname="Other")

    def test_but_a_module_may_be_loaded_again(self):
        first, second = make(), make()
        assert first is not second
        assert get_operation("test_made") is second

    def test_a_base_class_without_a_name_is_not_registered(self):
        class Base(StreamingOperation[int]):
            folder: str

        class Child(Base):
            operation_name = "test_child"

            async def execute(self, progress):
                return 1

        assert get_operation("test_child") is Child
        assert Base not in registry.values()

    def test_an_operation_needs_an_execute(self):
        class Idle(StreamingOperation[int]):
            operation_name = "test_idle_class"

        with pytest.raises(TypeError, match="execute"):
            Idle()


class StateRuleTests(RegisteredCase):
    def test_what_is_wrong_is_said(self):
        cases = [
            ({"queued": 5}, "'queued' is there by itself; leave it out"),
            ({"completed": 99}, "'completed' is there by itself"),
            ({"load": 100}, r"states\['load'\]: the percentage must be at least 0 and below 100"),
            ({"load": -1}, "must be at least 0 and below 100"),
            ({"load": float("nan")}, "must be at least 0 and below 100"),
            ({"load": State(10, to=("save", "check")), "save": 20}, "leads to undeclared check"),
        ]
        for states, says in cases:
            with self.subTest(states=states), pytest.raises(ImproperlyConfigured, match=says):
                make(states=states)
            assert "test_made" not in registry

    def test_a_number_is_short_for_a_state(self):
        assert Stages.declared_states()["load"] == State(10)
        assert Stages.declared_states()["save"] == State(80, timeout=0.5)


class ValueTests(SimpleTestCase):
    def test_an_operation_is_a_frozen_value(self):
        count = Count(to=4)
        with pytest.raises(ValidationError, match="frozen"):
            count.to = 5
        assert count == Count(to=4) != Count(to=5)

    def test_unknown_fields_are_refused(self):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            Count(two=4)

    def test_strictly_a_number_is_not_text(self):
        assert Count.model_validate_json('{"to": 4}', strict=True) == Count(to=4)
        for text in ('{"to": "4"}', '{"to": 4.5}', '{"to": true}', '{"to": null}'):
            with self.subTest(text=text), pytest.raises(ValidationError):
                Count.model_validate_json(text, strict=True)

    def test_the_schema_describes_the_parameters_alone(self):
        schema = Count.model_json_schema()
        assert schema["description"] == "Report every number up to `to`, resting between them."
        assert schema["properties"]["to"] == {"default": 3, "title": "To", "type": "integer"}
        assert set(schema["properties"]) == {"to", "rest"}
        assert schema["additionalProperties"] is False


class DecoratorTests(RegisteredCase):
    def test_a_function_in_a_thread(self):
        @operation
        def where(progress: Progress, *, folder: str, depth: int = 2) -> str:
            """Say where it runs."""
            progress(1, 2, folder)
            return f"{folder}/{depth} {threading.current_thread().name}"

        result = asyncio.run(stream_operation(where(folder="a")))
        assert result.startswith("a/2 operation_")
        assert get_operation("where") is where
        assert (where.__doc__, where.__module__) == ("Say where it runs.", __name__)

    def test_a_coroutine_function_on_the_loop(self):
        @operation
        async def here(progress):
            await asyncio.sleep(0)
            return threading.current_thread() is threading.main_thread()

        assert asyncio.run(stream_operation(here())) is True

    def test_options_are_the_attributes_of_the_class(self):
        @operation(name="tidy_up", states={"look": 10, "clean": 50}, idempotent=True, permission="a.b", total_timeout=9)
        def clean(progress):
            progress.state("look")

        assert registry["tidy_up"] is clean
        assert "clean" not in registry
        assert list(clean.declared_states()) == ["look", "clean"]
        assert (clean.idempotent, clean.permission, clean.total_timeout) == (True, "a.b", 9)

    def test_constraints_hold(self):
        @operation
        def crop(progress, *, width: Annotated[int, Field(ge=1, le=99, description="in pixels")] = 10):
            return width

        assert crop.model_json_schema()["properties"]["width"]["maximum"] == 99
        assert asyncio.run(stream_operation(crop(width=5))) == 5
        with pytest.raises(ValidationError, match="less than or equal to 99"):
            crop(width=100)
        with pytest.raises(ValidationError):
            crop.model_validate_json('{"width": "5"}', strict=True)

    def test_a_default_list_is_not_shared(self):
        @operation
        def collect(progress, *, into: list[int] = []):  # noqa: B006 - pydantic copies it
            into.append(1)
            return into

        assert [asyncio.run(stream_operation(collect())) for _ in range(2)] == [[1], [1]]

    def test_what_is_wrong_is_said(self):
        def positional(progress, folder: str): ...
        def untyped(progress, *, folder): ...
        def many(progress, *folders: str): ...
        def keywords(progress, **folders: str): ...
        def nothing(): ...
        def late(*, progress: Progress): ...
        def private(progress, *, _secret: str): ...
        def shadow(progress, *, execute: str): ...
        def named(progress, *, operation_name: str): ...

        cases = [
            (positional, r"positional: parameter 'folder' must come after `\*` and have a type"),
            (untyped, "parameter 'folder' must come after"),
            (many, "parameter 'folders' must come after"),
            (keywords, "parameter 'folders' must come after"),
            (nothing, "the first parameter must be `progress`"),
            (late, "the first parameter must be `progress`"),
            (private, "parameter '_secret' needs another name"),
            (shadow, "parameter 'execute' needs another name"),
            (named, "parameter 'operation_name' needs another name"),
        ]
        for function, says in cases:
            with self.subTest(function=function.__name__), pytest.raises(ImproperlyConfigured, match=says):
                operation(function)
            assert function.__name__ not in registry

    def test_an_option_that_does_not_exist(self):
        for options in ({"timeout": 3}, {"operation_name": "x"}, {"model_config": {}}):
            with pytest.raises(ImproperlyConfigured, match=f"@operation has no option {next(iter(options))}"):
                operation(**options)(lambda progress: None)

    def test_what_is_declared_anywhere_holds_for_functions_too(self):
        with pytest.raises(ImproperlyConfigured, match="leave it out"):

            @operation(states={"failed": 3})
            def fails(progress): ...


class Export(StreamingOperation[str]):
    """Has the parameters that do not survive a careless way through the database."""

    operation_name = "test_export"
    source: str = Field(alias="from")
    day: Annotated[date, Field(strict=True)]
    note: str = ""

    async def execute(self, progress):
        return f"{self.source} {self.day:%d.%m.%Y} {self.note!r}"


class StoredParameterTests(RunCase):
    async def test_they_are_the_same_in_the_worker(self):
        operation = Export.model_validate_json('{"from": "shop", "day": "2026-02-01"}', strict=True)
        run = await self.finished(operation)
        assert (run.status, run.result) == ("completed", "shop 01.02.2026 ''")
        assert run.params == {"from": "shop", "day": "2026-02-01", "note": ""}
        assert runs.build(run) == operation

    async def test_text_that_a_database_may_refuse_is_stored_with_a_mark(self):
        operation = Export(**{"from": "a\0b", "day": date(2026, 2, 1), "note": "c\ud800d"})
        run = await self.finished(operation)
        assert run.status == "completed"
        assert run.params["from"] == "a\ufffdb"
        assert run.params["note"] == "c\ufffdd"
