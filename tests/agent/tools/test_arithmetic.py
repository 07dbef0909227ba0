"""Arithmetic, and everything that is none."""

import pytest

from agentsite.agent.tools.arithmetic import calculate, evaluate
from progress import OperationFailed

from .case import call_one

EXACT = {
    "0.1 + 0.2": "0.3",
    "2 ** -3": "0.125",
    "2^10": "1024",
    "3 × 4 ÷ 2 − 1": "5",  # noqa: RUF001
    "-7 // 2": "-4",
    "7 % 3": "1",
    "1e5 + .5": "100000.5",
    "1_000 * 2": "2000",
    "sqrt(0.25)": "0.5",
    "round(2.5)": "3",
    "round(-1234.567, 2)": "-1234.57",
    "round(1234, -2)": "1200",
    "mean(1, 2, 4, 5)": "3",
    "sum(1, 2, 3) - max(1, 2) + min(4, 5) + abs(-2) + floor(1.9) + ceil(1.1)": "13",
    "((((1))))": "1",
    "0 ** 0.5": "0",
    "(-1) ** 99999999999": "-1",
    "123456789012345678901234567890 + 1": "123456789012345678901234567891",
    "10 ** 100": "1E+100",
}
ROUNDED = {
    "1 / 3": "0.3333333333333333333333333333",
    "sqrt(2)": "1.414213562373095048801688724",
    "sqrt(2) ** 2": "2",
    "2 ** (1/3)": "1.259921049894873164767210607",
    "2 ** 4000": "1.318204093430943100103889794E+1204",
}
BOMBS = [
    "9**9**9",
    "9**9**9**9",
    "2**99999",
    "1e999999999",
    "1e-999999999",
    "1e00000000010000000",
    "1e-00000000010000000",
    "1e100_0000_0",
    "(9**999)**999",
    "10**1000 * 10**1000",
    "10**100000.5",
]
NONE = [
    "",
    " ",
    "1 / 0",
    "0 ** -1",
    "0 ** -99999",
    "5 % 0",
    "(-8) ** (1/3)",
    "sqrt(-1)",
    "1 +",
    "(" * 400,
    "-" * 499 + "1",
    "1,000 + 1",
    "__import__('os').system('true')",
    "().__class__.__bases__",
    "open",
    "a.b",
    "lambda: 1",
    "[1]*9",
    "'a' * 10",
    "1 if 1 else 2",
    "1and 2",
    "0x1f",
    "1j",
    "5e",
    "1 << 9",
    "not 1",
    "min(*a)",
    "min()",
    "round(1, 1000)",
    "round(1, digits=2)",
    "sum(x for x in a)",
    "print(1)",
    "True",
    "1\n+1; 2",
    "\u0661 + \u0661",
    "1\0",
]


@pytest.mark.parametrize("expression", EXACT)
def test_what_has_an_end_is_exact(expression):
    assert evaluate(expression) == (EXACT[expression], True)


@pytest.mark.parametrize("expression", ROUNDED)
def test_what_has_none_is_rounded_and_says_so(expression):
    assert evaluate(expression) == (ROUNDED[expression], False)


@pytest.mark.parametrize("expression", BOMBS)
def test_what_would_grow_too_large_is_not_begun(expression):
    with pytest.raises(OperationFailed, match="too large") as caught:
        evaluate(expression)
    assert caught.value.code == "limit_exceeded"


@pytest.mark.parametrize("expression", NONE)
def test_what_is_no_arithmetic_is_refused(expression):
    with pytest.raises(OperationFailed, match="cannot be calculated") as caught:
        evaluate(expression)
    assert caught.value.code == "invalid_request"


def test_the_longest_and_the_deepest_expressions_are_quick_or_refused():
    for expression in ("+".join(["9" * 4] * 90), "(" * 90 + "1" + ")" * 90, "sqrt(" * 60 + "2" + ")" * 60):
        text, _ = evaluate(expression)
        assert text
    with pytest.raises(OperationFailed):
        evaluate("*".join(["9" * 90] * 200))


def test_as_a_tool():
    outcome, _ = call_one(calculate, expression="(1250.40 - 980) / 980 * 100")
    assert outcome.result["value"].startswith("27.59183673")
    assert outcome.result["exact"] is False
    outcome, _ = call_one(calculate, expression="1" * 501)
    assert outcome.error["code"] == "invalid_request"
