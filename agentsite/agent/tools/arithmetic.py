"""Arithmetic in exact numbers, read from a syntax tree; nothing is evaluated as Python."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from decimal import Context, Decimal, Overflow, localcontext
from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field

from progress import OperationFailed

from .definition import ToolContext, tool

LENGTH = 500  # characters of an expression
NODES = 600
BITS = 4_096  # of a numerator or denominator on the way: some 1,200 digits
DIGITS = 28  # of a result that is not exact
EXPONENT = 10_000  # of decimals on the way
READ_AS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})  # noqa: RUF001 - as people write them
WRITTEN = re.compile(r"[0-9a-zA-Z_.,+\-*/%() \t\n]*")
RUN_TOGETHER = re.compile(
    r"\d[a-df-zA-DF-Z]|\d[eE](?![+-]?\d)|\d_(?!\d)|__"
)  # Python would warn of it, or read another number


@tool(timeout=5.0)
def calculate(
    context: ToolContext,
    *,
    expression: Annotated[
        str, Field(min_length=1, max_length=LENGTH, description="such as (1250.40 - 980) / 980 * 100")
    ],
) -> dict[str, Any]:
    """Work out an arithmetic expression in exact decimal numbers.

    Knows + - * / // % ** and parentheses, and abs, ceil, floor, max, mean, min, round, sqrt, sum. `%` is the remainder.
    The value is text, so that no digit is lost; `exact` is false where it was rounded to 28 digits.
    """
    text, exact = evaluate(expression)
    return {"expression": expression, "value": text, "exact": exact}


def evaluate(expression: str) -> tuple[str, bool]:
    """Return the value of an expression as decimal text, and whether that is all of it.

    Raises OperationFailed for what is no arithmetic, impossible, or too large.
    """
    plain = expression.strip().translate(READ_AS)
    if not WRITTEN.fullmatch(plain) or RUN_TOGETHER.search(plain):
        raise _refused("write numbers without separators or units, and + - * / // % ** ( )")
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _refused("it is not complete") from None
    if sum(1 for _ in ast.walk(tree)) > NODES:
        raise _refused("it is too long")
    reading = _Reading(plain)
    try:
        value = reading.value(tree.body)
    except ZeroDivisionError:
        raise _refused("it divides by zero") from None
    except Overflow:
        raise _too_large() from None
    return _written(value, reading.exact)


class _Reading:
    """One walk over a syntax tree. `exact` turns false at the first root that has no end."""

    def __init__(self, text: str) -> None:
        self.text, self.exact = text, True

    def value(self, node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _bounded(Fraction(_number(self._source(node))))
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                value = self.value(node.operand)
                return -value if isinstance(node.op, ast.USub) else value
            case ast.BinOp(op=ast.Pow()):
                return _bounded(self._power(self.value(node.left), self.value(node.right)))
            case ast.BinOp() if type(node.op) in OPERATORS:
                return _bounded(OPERATORS[type(node.op)](self.value(node.left), self.value(node.right)))
            case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
                return self._power(self.value(argument), Fraction(1, 2))
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
                return _bounded(_called(name, [self.value(argument) for argument in node.args]))
        raise _refused(f"{self._source(node)[:40]!r} is no number or operation that it knows")

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or self.text

    def _power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator == 1:
            return _whole_power(base, int(exponent))
        if exponent == Fraction(1, 2) and base >= 0:
            root = Fraction(math.isqrt(base.numerator), math.isqrt(base.denominator))
            if root * root == base:
                return root
        if base <= 0:
            return _power_of_none(base, exponent)
        self.exact = False
        with localcontext(prec=DIGITS + 10, Emax=EXPONENT, Emin=-EXPONENT) as context:
            return Fraction(context.power(_decimal(base, context), _decimal(exponent, context)))


def _number(written: str) -> str:
    # By its digits that count: zeros in front of them would hide how large it is.
    exponent = written.lower().partition("e")[2].replace("_", "").lstrip("+-0")
    if len(exponent) > len(str(BITS)) or int(exponent or 0) > BITS:
        raise _too_large()
    return written


def _called(name: str, values: list[Fraction]) -> Fraction:
    least, most = ARITIES.get(name, (1, NODES))
    if not least <= len(values) <= most:
        raise _refused(f"{name} takes {least if least == most else f'{least} to {most}'} numbers")
    return FUNCTIONS[name](*values)


def _bounded(value: Fraction) -> Fraction:
    if _bits(value) > BITS:
        raise _too_large()
    return value


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _whole_power(base: Fraction, exponent: int) -> Fraction:
    # How large it gets is known before the work is done; a power of 1 or of 0 does not grow.
    if _bits(base) > 1 and abs(exponent) * (_bits(base) - 1) > BITS:
        raise _too_large()
    if not base and exponent < 0:
        raise ZeroDivisionError
    return base**exponent if _bits(base) > 1 or abs(exponent) < BITS else base ** (2 + exponent % 2)


def _power_of_none(base: Fraction, exponent: Fraction) -> Fraction:
    if base < 0:
        raise _refused("a root of a negative number is no real number")
    if exponent < 0:
        raise ZeroDivisionError
    return Fraction(0)


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    if digits.denominator != 1 or abs(digits) > DIGITS:
        raise _refused(f"round takes -{DIGITS} to {DIGITS} digits")
    factor = Fraction(10) ** int(digits)
    scaled = abs(value) * factor + Fraction(1, 2)  # halves go away from zero, as people round
    return Fraction(math.floor(scaled), 1) / factor * (-1 if value < 0 else 1)


def _decimal(value: Fraction, context: Context) -> Decimal:
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: Fraction(left // right),
    ast.Mod: lambda left, right: left % right,
}
FUNCTIONS: dict[str, Callable[..., Fraction]] = {
    "abs": abs,
    "ceil": lambda value: Fraction(math.ceil(value)),
    "floor": lambda value: Fraction(math.floor(value)),
    "max": lambda *values: max(values),
    "mean": lambda *values: sum(values, Fraction(0)) / len(values),
    "min": lambda *values: min(values),
    "round": _round,
    "sum": lambda *values: sum(values, Fraction(0)),
}
ARITIES = {"abs": (1, 1), "ceil": (1, 1), "floor": (1, 1), "round": (1, 2)}


def _written(value: Fraction, exact: bool) -> tuple[str, bool]:
    with localcontext(prec=BITS, Emax=EXPONENT, Emin=-EXPONENT) as context:
        if exact and _is_decimal(value.denominator):
            whole = _decimal(value, context).normalize()
            if len(whole.as_tuple().digits) <= 2 * DIGITS:
                return _plain(whole), True
        context.prec = DIGITS
        return _plain(_decimal(value, context).normalize()), False


def _plain(number: Decimal) -> str:
    return f"{number:f}" if abs(number.adjusted()) <= 2 * DIGITS else str(number)


def _is_decimal(denominator: int) -> bool:
    """Tell whether a fraction ends after some decimal places: only 2 and 5 divide its denominator."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _refused(why: str) -> OperationFailed:
    return OperationFailed(f"This cannot be calculated: {why}.", code="invalid_request")


def _too_large() -> OperationFailed:
    return OperationFailed("This cannot be calculated: a number on the way is too large.", code="limit_exceeded")
