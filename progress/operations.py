"""What can be executed: a validated value with an `execute` method, known by its name."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints, overload

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict

from .exceptions import UnknownOperation

if TYPE_CHECKING:
    from .nodes import Progress

registry: dict[str, type[StreamingOperation[Any]]] = {}
TAKEN = frozenset({"operation_name"})  # declared, but without a value that dir() would show
IMPLICIT_STATES = ("queued", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class State:
    """A declared state: where it begins, where it may lead (None: any state declared later), its time limit in seconds."""

    percentage: float
    to: tuple[str, ...] | None = None
    timeout: float | None = None


class StreamingOperation[T](BaseModel, ABC):
    """A long piece of work that reports its progress and returns a `T`.

    Subclasses set `operation_name`, declare their parameters as pydantic fields and write `execute`. The fields are the API's
    parameters: they are validated, described by a JSON Schema, stored with the run and rebuilt from it in a worker. `T` must
    have a JSON form; a mapping becomes the metadata of the `done` event.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation_name: ClassVar[str]
    states: ClassVar[Mapping[str, float | State]] = {}  # in order; none declared: any name may be used
    idempotent: ClassVar[bool] = False  # may be executed again from the start when its worker was lost
    permission: ClassVar[str] = ""  # "app.codename" that a user needs to start it over the API; "" for everybody
    queue_timeout: ClassVar[float | None] = None  # seconds; None takes the setting
    idle_timeout: ClassVar[float | None] = None
    total_timeout: ClassVar[float | None] = None
    extra_grace: ClassVar[float] = 0.0  # seconds beyond CANCEL_GRACE, for what must see others to their ends first

    @abstractmethod
    async def execute(self, progress: Progress) -> T:
        """Do the work. Raise OperationFailed with a message for the user; anything else raised is an internal error."""

    def as_params(self) -> dict[str, Any]:
        """Return the parameters as JSON, from which the operation can be built again."""
        return self.model_dump(mode="json", by_alias=True, round_trip=True)

    def child_operations(self) -> Sequence[tuple[StreamingOperation[Any], float]]:
        """The operations that get runs of their own below this one's, each with its weight: those of a batch."""
        return ()

    def required_permissions(self) -> set[str]:
        """What a user needs to start it over the API, with all that it starts."""
        return {type(each).permission for each in (self, *(child for child, _ in self.child_operations()))} - {""}

    def closing_message(self, result: T) -> str:
        """The message of the `done` event of an operation that returned `result`."""
        return "Completed"

    def shown_percentage(self, percentage: float) -> float:
        """Return what to show where states, steps and counts come to `percentage` (0 to 100); override it for another curve.

        What it returns is kept from falling, and below 100 until the end. It is called at each report.
        """
        return percentage

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "operation_name" in cls.__dict__:
            register(cls)

    @classmethod
    def declared_states(cls) -> dict[str, State]:
        return {name: state if isinstance(state, State) else State(state) for name, state in cls.states.items()}


def register(cls: type[StreamingOperation[Any]]) -> None:
    """Make `cls` known by its name. Raises ImproperlyConfigured where the name is taken, malformed, or a state is wrong."""
    name = cls.operation_name
    if not name.isidentifier() or len(name) > 100:
        raise ImproperlyConfigured(
            f"operation_name {name!r} of {cls.__qualname__} must be an identifier such as 'import_sales'."
        )
    known = registry.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ImproperlyConfigured(
            f"Two operations are named {name!r}: {known.__module__}.{known.__qualname__} and {cls.__module__}.{cls.__qualname__}."
        )
    _check_states(cls)
    registry[name] = cls


def _check_states(cls: type[StreamingOperation[Any]]) -> None:
    states = cls.declared_states()
    for name, state in states.items():
        if name in IMPLICIT_STATES:
            raise ImproperlyConfigured(f"{cls.__qualname__}.states: {name!r} is there by itself; leave it out.")
        if not 0 <= state.percentage < 100:
            raise ImproperlyConfigured(
                f"{cls.__qualname__}.states[{name!r}]: the percentage must be at least 0 and below 100."
            )
        if unknown := set(state.to or ()) - set(states):
            raise ImproperlyConfigured(
                f"{cls.__qualname__}.states[{name!r}] leads to undeclared {', '.join(sorted(unknown))}."
            )


def get_operation(name: str) -> type[StreamingOperation[Any]]:
    """Return the operation registered under `name`. Raises UnknownOperation, which lists those that exist."""
    try:
        return registry[name]
    except KeyError:
        raise UnknownOperation(f"There is no operation {name!r}. There are: {', '.join(sorted(registry))}.") from None


type Body = Callable[..., Any]


@overload
def operation(body: Body, /) -> Callable[..., StreamingOperation[Any]]: ...
@overload
def operation(*, name: str = "", **options: Any) -> Callable[[Body], Callable[..., StreamingOperation[Any]]]: ...
def operation(body: Body | None = None, /, *, name: str = "", **options: Any) -> Any:
    """Make an operation from a function `f(progress, *, param: type, ...)`, sync (runs in a thread) or async.

    `name` is the function's own by default; other options are the class attributes of StreamingOperation, such as `states`.
    Raises ImproperlyConfigured for a parameter without a type or one that is not keyword-only.
    """
    if body is None:
        return lambda function: _from_function(function, name, options)
    return _from_function(body, name, options)


def _from_function(body: Body, name: str, options: dict[str, Any]) -> type[StreamingOperation[Any]]:
    if inspect.iscoroutinefunction(body):

        async def execute(self: StreamingOperation[Any], progress: Progress) -> Any:
            return await body(progress, **_values(self))
    else:

        async def execute(self: StreamingOperation[Any], progress: Progress) -> Any:
            return await progress.in_thread(body, progress, **_values(self))

    if unknown := set(options) - (StreamingOperation.__class_vars__ - {"operation_name"}):
        raise ImproperlyConfigured(f"@operation has no option {', '.join(sorted(unknown))}.")
    annotations, defaults = _fields(body)
    namespace = {
        **defaults,
        **options,
        "__annotations__": annotations,
        "__doc__": body.__doc__,
        "__module__": body.__module__,
        "__qualname__": body.__qualname__,
        "operation_name": name or body.__name__,
        "execute": execute,
    }
    made: type[StreamingOperation[Any]] = new_class(
        body.__name__, (StreamingOperation,), exec_body=lambda inner: inner.update(namespace)
    )
    return made


def _values(value: BaseModel) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).model_fields}


def _fields(body: Body) -> tuple[dict[str, Any], dict[str, Any]]:
    hints = get_type_hints(body, include_extras=True)
    parameters = list(inspect.signature(body).parameters.values())
    if not parameters or parameters.pop(0).kind is inspect.Parameter.KEYWORD_ONLY:
        raise ImproperlyConfigured(f"{body.__qualname__}: the first parameter must be `progress`, before `*`.")
    for parameter in parameters:
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.name not in hints:
            raise ImproperlyConfigured(
                f"{body.__qualname__}: parameter {parameter.name!r} must come after `*` and have a type."
            )
        if parameter.name.startswith("_") or parameter.name in dir(StreamingOperation) or parameter.name in TAKEN:
            raise ImproperlyConfigured(
                f"{body.__qualname__}: parameter {parameter.name!r} needs another name; operations use that one themselves."
            )
    annotations = {parameter.name: hints[parameter.name] for parameter in parameters}
    return annotations, {item.name: item.default for item in parameters if item.default is not item.empty}
