"""A value that depends on the epoch: an expression, a list of steps, or a notebook's callable.

Text is parsed, checked against a short list of what may stand in it, and evaluated by simpleeval. Nothing in a preset is
ever executed by Python itself.
"""

from __future__ import annotations

import ast
import inspect
import math
import operator
import textwrap
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import simpleeval

from pypty_nb.params.errors import ParameterError, describe


def _round(number: Any, digits: int | None = None) -> Any:
    if isinstance(digits, int) and abs(digits) > MAX_DIGITS:
        raise ValueError(f"round takes at most {MAX_DIGITS} digits, got {digits}")
    return round(number, digits)


#: What an expression may call.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": _round,
    "int": int,
    "float": float,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
}
#: Digits that `round` may be asked for; it would count ten to that power out.
MAX_DIGITS = 300
CONSTANTS = {"pi": math.pi, "True": True, "False": False, "None": None}
MAX_LENGTH = 1000
MAX_DEPTH = 30
MAX_POWER = 64
MAX_INTEGER = 2**63
#: Epochs over which a callable is written as steps.
MAX_TABULATED = 100_000
#: Schedules are checked over at most this many epochs when a preset is made, and again, epoch by epoch, in the run.
CHECKED_EPOCHS = 1000
#: How deep lists may nest in the value of a step.
_MAX_NESTING = 3

_ALLOWED = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip


class Schedule:
    """A value for every epoch.

    Make one with `Schedule.parse` (text), `Schedule.steps` (pairs of epoch and value) or `Schedule.of_callable`.
    Two schedules are equal when they are written alike, or, where one is a callable, when they give the same values over
    the first 1000 epochs.
    """

    def __init__(
        self, *, text: str = "", steps: tuple[tuple[int, Any], ...] = (), function: Callable[[int], Any] | None = None
    ):
        self.text = text
        self.pairs = steps
        self.function = function

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read ``lambda x: x >= 20``; an expression without the head takes ``x``, ``e`` or ``epoch`` as its variable.

        Raises
        ------
        ParameterError
            Names what may not stand in a schedule.
        """
        return cls(text=_Expression(text).text)

    @classmethod
    def steps(cls, pairs: Any) -> Schedule:
        """Hold each value from its epoch on: ``[[0, 0], [20, 1e-3]]``; the first epoch's value also stands before it."""
        rows = []
        if not isinstance(pairs, (list, tuple)) or not pairs:
            raise ParameterError(f"steps must be a list of [epoch, value] pairs, got {describe(pairs)}")
        for row in pairs:
            if not (isinstance(row, (list, tuple)) and len(row) == 2):
                raise ParameterError(f"each step must be [epoch, value], got {describe(row)}")
            epoch, value = row
            if isinstance(epoch, bool) or not isinstance(epoch, int) or abs(epoch) > MAX_INTEGER:
                raise ParameterError(f"a step's epoch must be an integer, got {describe(epoch)}")
            value = _plain(value)
            if not _is_plain(value):
                raise ParameterError(
                    f"a step's value must be a number, a list of numbers, a word, true, false or null, got {describe(value)}"
                )
            if isinstance(value, int) and abs(value) > MAX_INTEGER:
                raise ParameterError(f"a step's value must be below 2**63, got {describe(value)}")
            rows.append((epoch, math.inf if value == "inf" else value))
        if any(a[0] >= b[0] for a, b in pairwise(rows)):
            raise ParameterError(f"the epochs of steps must increase, got {describe([epoch for epoch, _ in rows])}")
        return cls(steps=tuple(rows))

    @classmethod
    def of_callable(cls, function: Callable[[int], Any]) -> Schedule:
        """Take a function of the epoch; it becomes an expression where its source gives one with the same values."""
        for text in _lambda_sources(function):
            try:
                schedule = cls.parse(text)
                if all(_same(schedule.value(epoch), function(epoch)) for epoch in range(100)):
                    return schedule
            except Exception:  # noqa: BLE001  the function is not ours: what it raises is told where its values are asked for
                continue
        return cls(function=function)

    def value(self, epoch: int) -> Any:
        """The value at `epoch`.

        Raises
        ------
        ParameterError
            Where the expression cannot be evaluated there; names the epoch.
        """
        if self.pairs:
            return self.pairs[max(bisect_right(self.starts, epoch) - 1, 0)][1]
        evaluate = self.function if self.function is not None else self._expression.evaluate
        try:
            return evaluate(epoch)
        except Exception as error:
            why = str(error) if isinstance(error, (ValueError, ArithmeticError)) else f"{type(error).__name__}: {error}"
            raise ParameterError(f"{self} gives no value at epoch {epoch}: {why}") from error

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The epochs of the steps; empty where there are none."""
        return tuple(epoch for epoch, _ in self.pairs)

    def tabulate(self, first: int, last: int) -> list[list[Any]]:
        """Steps with the same values over the epochs `first` up to `last`, exclusive.

        Raises
        ------
        ParameterError
            Where there are too many epochs to write down, or the schedule has no value at one of them.
        """
        if last - first > MAX_TABULATED:
            raise ParameterError(
                f"{self} cannot be written as steps over {last - first} epochs (at most {MAX_TABULATED}); "
                "give an expression such as 'lambda x: x >= 20'"
            )
        rows: list[list[Any]] = []
        for epoch in range(first, max(last, first + 1)):
            value = _plain(self.value(epoch))
            if not rows or not _same(rows[-1][1], value):
                rows.append([epoch, value])
        return rows

    def to_plain(self, first: int = 0, last: int = 1000) -> dict[str, Any]:
        """``{"schedule": text}``, or ``{"steps": pairs}`` for steps and for a callable over the run's epochs."""
        if self.text:
            return {"schedule": self.text}
        pairs = self.pairs or self.tabulate(first, last)
        return {"steps": [list(pair) for pair in pairs]}

    @cached_property
    def _expression(self) -> _Expression:
        return _Expression(self.text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        if self.function is None and other.function is None:
            return (self.text, self.pairs) == (other.text, other.pairs)
        return self.function is other.function or all(_same(self._found(e), other._found(e)) for e in range(1000))

    def _found(self, epoch: int) -> Any:
        try:
            return _plain(self.value(epoch))
        except ParameterError:
            # nothing there, which may be so in both
            return ParameterError

    def __hash__(self) -> int:
        # callables compare by their values with anything, so nothing finer than this is consistent with ==
        return hash(Schedule)

    def __repr__(self) -> str:
        if self.text:
            return f"Schedule({self.text!r})"
        return f"Schedule(steps={[list(p) for p in self.pairs]!r})" if self.pairs else f"Schedule({self.function!r})"

    def __str__(self) -> str:
        return self.text or (f"steps {describe([list(p) for p in self.pairs])}" if self.pairs else "the given function")

    def __getstate__(self) -> dict[str, Any]:
        # without the evaluator, which other processes make anew
        return {"text": self.text, "pairs": self.pairs, "function": self.function}

    def __deepcopy__(self, memo: dict[int, Any]) -> Schedule:
        return self


class _Expression:
    """A checked expression of one variable."""

    def __init__(self, text: str):
        self.variable, body, self.text = _parse(text)
        _check(body, self.variable)
        self._body = _folded(body)
        self._evaluator = simpleeval.SimpleEval(functions=FUNCTIONS)
        self._evaluator.operators[ast.Pow] = _power
        self._evaluator.operators[ast.Mult] = _bounded(operator.mul)

    def evaluate(self, epoch: int) -> Any:
        self._evaluator.names = {**CONSTANTS, self.variable: epoch}
        # simpleeval warns where no text is given to it; the tree has been checked already
        value = self._evaluator.eval("", previously_parsed=self._body)
        if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"the value is {value}")
        return value


def is_text(value: object) -> bool:
    """Whether `value` is a schedule as the original program writes it."""
    return isinstance(value, str) and value.lstrip().startswith("lambda")


def _parse(text: str) -> tuple[str, ast.expr, str]:
    if not isinstance(text, str):
        raise ParameterError(f"a schedule is text such as 'lambda x: x >= 20', got {describe(text)}")
    source = text.strip().rstrip(";,").strip()
    # the head that `parse` may have put before it is not counted
    if len(source) > MAX_LENGTH + (len("lambda epoch: ") if is_text(source) else 0):
        raise ParameterError(f"a schedule has at most {MAX_LENGTH} characters, got {len(source)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
        raise ParameterError(f"{source!r:.80} is no expression: {reason}") from None
    body = tree.body
    if not isinstance(body, ast.Lambda):
        free = sorted({n.id for n in ast.walk(body) if isinstance(n, ast.Name)} - FUNCTIONS.keys() - CONSTANTS.keys())
        variable = free[0] if len(free) == 1 and free[0] in {"x", "e", "epoch"} else "x"
        return variable, body, f"lambda {variable}: {source}"
    arguments = body.args
    plain = len(arguments.args) == 1 and not (
        arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg or arguments.defaults
    )
    if not plain:
        raise ParameterError(f"a schedule has one variable, the epoch: 'lambda x: …'; got {source!r:.80}")
    name = arguments.args[0].arg
    if name in FUNCTIONS or name in CONSTANTS:
        raise ParameterError(f"{name!r} is a function or constant of schedules and cannot be the variable's name")
    return name, body.body, source


def _check(body: ast.expr, variable: str) -> None:
    for node, depth in _walk(body):
        if depth > MAX_DEPTH:
            raise ParameterError(f"a schedule nests at most {MAX_DEPTH} levels deep")
        if not isinstance(node, _ALLOWED):
            raise ParameterError(
                f"{type(node).__name__} may not stand in a schedule; allowed are numbers, arithmetic, comparisons, and/or/not, "
                f"a if b else c, and {', '.join(FUNCTIONS)}, pi"
            )
        if isinstance(node, ast.Constant) and not isinstance(node.value, (bool, int, float, type(None))):
            raise ParameterError(f"{node.value!r:.60} may not stand in a schedule; only numbers, True, False and None may")
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and abs(node.value) > MAX_INTEGER:
            raise ParameterError(f"the number in a schedule must be below 2**63, got {node.value!r:.40}")
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
                called = f", got {node.func.id!r:.40}" if isinstance(node.func, ast.Name) else ""
                raise ParameterError(f"a schedule may call only {', '.join(FUNCTIONS)}, without keywords{called}")
        elif isinstance(node, ast.Name) and node.id not in {variable, *CONSTANTS} and not _is_callee(node, body):
            known = ", ".join([variable, "pi", *FUNCTIONS])
            raise ParameterError(f"the name {node.id!r:.40} is unknown in a schedule; known are {known}")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
            if (
                isinstance(exponent, ast.Constant)
                and isinstance(exponent.value, (int, float))
                and abs(exponent.value) > MAX_POWER
            ):
                raise ParameterError(f"a power in a schedule is at most {MAX_POWER}, got {exponent.value}")


def _is_callee(name: ast.Name, body: ast.expr) -> bool:
    return any(isinstance(node, ast.Call) and node.func is name for node in ast.walk(body))


def _walk(body: ast.expr) -> Iterator[tuple[ast.AST, int]]:
    stack: list[tuple[ast.AST, int]] = [(body, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if depth <= MAX_DEPTH:
            stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))


def _folded(body: ast.expr) -> ast.expr:
    """Evaluate every part that holds no variable once, so that 9**9**9 is refused even in a branch not taken."""
    evaluator = simpleeval.SimpleEval(functions=FUNCTIONS, names=dict(CONSTANTS))
    evaluator.operators[ast.Pow] = _power
    evaluator.operators[ast.Mult] = _bounded(operator.mul)
    for node in ast.walk(body):
        if not isinstance(node, (ast.BinOp, ast.Call)):
            continue
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if names <= {*FUNCTIONS, *CONSTANTS}:
            try:
                evaluator.eval("", previously_parsed=node)
            except (ArithmeticError, ValueError, TypeError, simpleeval.InvalidExpression) as error:
                raise ParameterError(f"{ast.unparse(node)!r:.60} has no value: {error}") from None
    return body


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > MAX_POWER:
        raise ValueError(f"a power is at most {MAX_POWER}, got {exponent}")
    return _bounded(operator.pow)(base, exponent)


def _bounded(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        # as floats, so that no chain of products makes an integer of a million digits
        exact = isinstance(a, int) and isinstance(b, int) and abs(a) < 2**20 and abs(b) < 2**20 and operation is operator.mul
        result = operation(a, b) if exact else operation(float(a), float(b))
        if (
            isinstance(result, float)
            and result.is_integer()
            and isinstance(a, int)
            and isinstance(b, int)
            and abs(result) < 2**53
        ):
            return int(result)
        return result

    return apply


def _lambda_sources(function: Callable[[int], Any]) -> list[str]:
    """Every lambda that stands in the lines where `function` was written."""
    try:
        lines = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return []
    for source in (
        lines,
        lines.strip().rstrip(","),
        "(" + lines.strip().rstrip(",") + ")",
        "{" + lines.strip().rstrip(",") + "}",
    ):
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return []


def _plain(value: Any, depth: int = _MAX_NESTING) -> Any:
    """`value` as Python's own numbers and lists, as JSON has them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)) and depth > 0:
        return [_plain(item, depth - 1) for item in value]
    return value


def _is_plain(value: Any, depth: int = _MAX_NESTING) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _same(a: Any, b: Any) -> bool:
    return (type(a) is type(b) and a == b) or (
        isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)
    )
