"""Tools: a name, a description, a JSON Schema of arguments, and what to call."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints, overload

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticUserError

from progress import OperationFailed
from progress.threads import in_thread

if TYPE_CHECKING:
    from progress.nodes import Node
    from progress.owners import Owner

NAME_LENGTH = 64  # characters; model providers take no longer ones
DESCRIPTION_LENGTH = 2_000
WRONG_FIELDS = 5  # named in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What one call may know and use: whose rights it has, and a piece of progress to report on."""

    progress: Node  # what is reported here, nested operations included, is marked with the call's id
    owner: Owner | None  # None is the command line, which may everything
    call_id: str
    query: str = ""  # what the tools are run for, in the asker's words; never an instruction
    _left: threading.Event = field(default_factory=threading.Event)

    @property
    def cancelled(self) -> bool:
        """True once nobody waits for the call any more: a blocking loop looks here to end by itself."""
        return self._left.is_set() or self.progress._operation.cancelled


type Call = Callable[[ToolContext, dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. `call` is given arguments that `validated` returned."""

    name: str
    description: str
    parameters: Mapping[str, Any]  # the JSON Schema of its arguments
    call: Call
    validated: Callable[[Mapping[str, Any]], dict[str, Any]]  # raises OperationFailed that names each wrong argument
    permission: str = ""  # "app.codename" that its user needs; "" for everybody
    timeout: float | None = None  # seconds; None takes AGENT["TOOL_TIMEOUT"]

    def __post_init__(self) -> None:
        if not is_tool_name(self.name):
            raise ImproperlyConfigured(
                f"A tool's name must be an identifier of at most {NAME_LENGTH} ASCII characters, not {self.name[:100]!r}."
            )

    @property
    def label(self) -> str:
        """The name as people read it."""
        return self.name.replace("__", ": ").replace("_", " ").capitalize()


def is_tool_name(name: str) -> bool:
    """Tell whether a name may be part of a state, an event and a provider's request."""
    return name.isidentifier() and name.isascii() and len(name) <= NAME_LENGTH


@overload
def tool(body: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str = "", permission: str = "", timeout: float | None = None
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(body: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function `f(context: ToolContext, *, param: type, ...)`, sync (runs in a thread) or async.

    Its docstring describes it, its types are the JSON Schema; what it returns must have a JSON form. It fails by
    OperationFailed, whose message is read by people and models. Raises ImproperlyConfigured for a parameter without a type or
    one that is not keyword-only, and for a function without a docstring.
    """
    if body is None:
        return lambda function: _from_function(function, **options)
    return _from_function(body)


def _from_function(
    body: Callable[..., Any], *, name: str = "", permission: str = "", timeout: float | None = None
) -> Tool:
    description = inspect.getdoc(body)
    if not description:
        raise ImproperlyConfigured(f"{body.__qualname__}: a tool needs a docstring; models choose by it.")
    arguments = _arguments_model(body)
    return Tool(
        name=name or body.__name__,
        description=description[:DESCRIPTION_LENGTH],
        parameters=_schema(body, arguments),
        call=_caller(body),
        validated=_validator(arguments),
        permission=permission,
        timeout=timeout,
    )


def _caller(body: Callable[..., Any]) -> Call:
    if inspect.iscoroutinefunction(body):

        async def call(context: ToolContext, arguments: dict[str, Any]) -> Any:
            return await body(context, **arguments)
    else:

        async def call(context: ToolContext, arguments: dict[str, Any]) -> Any:
            return await in_thread(body, context, **arguments)

    return call


def _validator(model: type[BaseModel]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def validated(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found = model.model_validate_json(json.dumps(arguments), strict=True)
        except ValidationError as error:
            raise wrong_arguments(_wrong(error)) from None
        return {name: getattr(found, name) for name in model.model_fields}

    return validated


def _wrong(error: ValidationError) -> list[tuple[str, str]]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    extra = "there is no such argument"
    return [
        (".".join(map(str, item["loc"])), extra if item["type"] == "extra_forbidden" else item["msg"]) for item in found
    ]


def wrong_arguments(wrong: list[tuple[str, str]]) -> OperationFailed:
    """Say which arguments are wrong: pairs of where and why."""
    told = "; ".join(f"{where[:100] or 'arguments'}: {why[:200]}" for where, why in wrong[:WRONG_FIELDS])
    return OperationFailed(f"The arguments do not fit: {told}.", code="invalid_request")


def _arguments_model(body: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(body, include_extras=True)
    parameters = list(inspect.signature(body).parameters.values())
    if not parameters or parameters.pop(0).kind is inspect.Parameter.KEYWORD_ONLY:
        raise ImproperlyConfigured(f"{body.__qualname__}: the first parameter must be `context`, before `*`.")
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.name not in hints:
            raise ImproperlyConfigured(
                f"{body.__qualname__}: parameter {parameter.name!r} must come after `*` and have a type."
            )
        if parameter.name.startswith("_") or hasattr(BaseModel, parameter.name):
            raise ImproperlyConfigured(f"{body.__qualname__}: parameter {parameter.name!r} needs another name.")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    try:
        return create_model(body.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise ImproperlyConfigured(f"{body.__qualname__}: {error.message}") from error


def _schema(body: Callable[..., Any], arguments: type[BaseModel]) -> dict[str, Any]:
    try:
        return arguments.model_json_schema()
    except PydanticUserError as error:
        raise ImproperlyConfigured(f"{body.__qualname__}: {error.message}") from error
