"""Schedules: what is read, what it is worth, what is refused, and that nothing is ever executed."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypty_nb.params import ParameterError, Preset, Schedule

EPOCHS = (0, 1, 2, 7, 19, 20, 21, 100, 999)
SAFE = {"min": min, "max": max, "abs": abs, "round": round, "int": int, "float": float, "pi": math.pi}
SAFE |= {name: getattr(math, name) for name in ("sqrt", "exp", "log", "sin", "cos")}


# ---- what is read
@pytest.mark.parametrize(
    "text",
    [
        "lambda x: x >= 20",
        "lambda e: 1e-3 if e < 20 else 0",
        "lambda epoch: epoch % 10 == 0 and epoch > 5 or not epoch",
        "lambda n: max(0.1, min(1, n / 50))",
        "lambda x: 0.5 * (1 + cos(pi * min(x, 100) / 100))",
        "lambda x: exp(-x / 30) + sqrt(x) - log(x + 1) + sin(x)",
        "lambda x: round(x / 3, 2) + int(2.7) + float(1) + abs(-x)",
        "lambda x: -x ** 2 + +x // 3",
        "lambda x: 1 < x <= 20 != 3",
        "lambda x: None if x < 10 else True",
        "lambda x: 2 ** 10 * x",
    ],
)
def test_an_expression_gives_what_python_gives(text: str) -> None:
    expected = eval(text, {"__builtins__": {}, **SAFE})
    schedule = Schedule.parse(text)
    for epoch in EPOCHS:
        found = schedule.value(epoch)
        assert type(found) is type(expected(epoch))
        assert found == expected(epoch)


def expressions() -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["x", "1", "2", "0.5", "7", "pi", "20"])

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(pair, st.sampled_from(["+", "-", "*", "<", ">=", "==", "and", "or"])).map(
                lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
            ),
            st.tuples(inner, st.sampled_from(["/ 3", "// 4", "% 5", "** 2", "< 2 <= 3"])).map(" ".join).map("({})".format),
            inner.map(lambda a: f"(-{a})"),
            inner.map(lambda a: f"(not {a})"),
            pair.map(lambda p: f"max({p[0]}, {p[1]})"),
            inner.map(lambda a: f"abs({a})"),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        )

    return st.recursive(leaf, larger, max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(expressions(), st.integers(0, 300))
def test_generated_expressions_give_what_python_gives(body: str, epoch: int) -> None:
    found = Schedule.parse(f"lambda x: {body}").value(epoch)
    assert found == pytest.approx(eval(body, {"__builtins__": {}, **SAFE, "x": epoch}), rel=1e-13)


@pytest.mark.parametrize(("text", "variable"), [("x >= 20", "x"), ("e < 3", "e"), ("epoch * 2", "epoch"), ("0.5", "x")])
def test_an_expression_without_its_head(text: str, variable: str) -> None:
    schedule = Schedule.parse(text)
    assert schedule.text == f"lambda {variable}: {text}"
    assert schedule == Schedule.parse(schedule.text)
    assert schedule.value(20) == eval(text, {variable: 20})


@pytest.mark.parametrize("length", [985, 995, 1000])
def test_a_text_that_is_read_can_be_read_again(length: int) -> None:
    text = "max(" + "x," * ((length - 6) // 2) + "1" * (1 + length % 2) + ")"
    assert len(text) == length
    schedule = Schedule.parse(text)
    assert Schedule.parse(schedule.text).value(4) == schedule.value(4)


def test_a_trailing_comma_of_a_notebook_is_no_matter() -> None:
    assert Schedule.parse(" lambda x: x > 1, ") == Schedule.parse("lambda x: x > 1")


# ---- steps
def test_steps_hold_from_their_epoch_on() -> None:
    schedule = Schedule.steps([[5, 0], [20, 1e-3], [30, None]])
    assert [schedule.value(epoch) for epoch in (0, 4, 5, 19, 20, 29, 30, 10**9)] == [0, 0, 0, 0, 1e-3, 1e-3, None, None]
    assert schedule.to_plain() == {"steps": [[5, 0], [20, 1e-3], [30, None]]}
    assert Schedule.steps(schedule.to_plain()["steps"]) == schedule


@pytest.mark.parametrize(
    "pairs",
    [
        [], {}, "ab", None, 3, [[0]], [[0, 1, 2]], [0, 1], [["0", 1]], [[0.5, 1]], [[True, 1]], [[5, 0], [5, 1]],
        [[5, 0], [2, 1]],
        [[0, {}]], [[0, b"x"]], [[0, object()]], [[0, [[[[1]]]]]], [[10**5000, 1], [0, 1]], [[0, 1j]],
    ],
)  # fmt: skip
def test_steps_that_are_none(pairs: Any) -> None:
    with pytest.raises(ParameterError, match=r"step"):
        Schedule.steps(pairs)


def test_a_step_after_the_last_epoch_is_checked_too() -> None:
    with pytest.raises(ParameterError, match=r"atv_weight.*-1.*at epoch 5000"):
        Preset(atv_weight={"steps": [[0, 1], [5000, -1]]})
    with pytest.raises(ParameterError, match=r"atv_weight"):
        Preset(atv_weight={"steps": [[0, 1], [5000, math.nan]]})


def test_thousands_of_steps_are_found_quickly() -> None:
    began = time.process_time()
    schedule = Schedule.steps([[epoch, float(epoch)] for epoch in range(20000)])
    assert all(schedule.value(epoch) == epoch for epoch in range(0, 20000, 2))
    assert time.process_time() - began < 2


# ---- callables
def test_a_lambda_becomes_its_expression() -> None:
    schedule = Schedule.of_callable(lambda x: x >= 20)
    assert schedule.text == "lambda x: x >= 20"
    assert schedule.function is None
    assert schedule == Schedule.parse("lambda x: x >= 20")


def test_the_right_one_of_two_lambdas_in_a_line() -> None:
    both = [lambda x: x + 1, lambda x: x + 2]
    assert [Schedule.of_callable(f).text for f in both] == ["lambda x: x + 1", "lambda x: x + 2"]


def test_a_lambda_among_keyword_arguments() -> None:
    preset = Preset(
        atv_weight=lambda e: 1e-3 if e > 5 else 0,
        update_probe=lambda e: e > 10,
    )
    assert preset.to_dict()["atv_weight"] == {"schedule": "lambda e: 0.001 if e > 5 else 0"}
    assert preset.to_dict()["update_probe"] == {"schedule": "lambda e: e > 10"}


def test_what_is_no_expression_becomes_steps() -> None:
    begin = 20
    schedule = Schedule.of_callable(lambda x: x >= begin)
    assert schedule.text == ""
    assert schedule.to_plain(0, 100) == {"steps": [[0, False], [20, True]]}
    read = Schedule.steps(schedule.to_plain(0, 1000)["steps"])
    assert read == schedule
    assert read != Schedule.parse("lambda x: x >= 21")


def test_a_lambda_whose_names_mean_something_else_is_not_taken_for_an_expression() -> None:
    def max(a: float, b: float) -> float:
        return a - b

    schedule = Schedule.of_callable(lambda x: max(x, 3))
    assert schedule.text == ""
    assert schedule.value(10) == 7


def test_numpys_numbers_and_arrays_become_plain_ones() -> None:
    table = np.linspace(0, 1, 4)
    steps = Schedule.of_callable(lambda e: table[e]).to_plain(0, 4)["steps"]
    assert [type(value) for _, value in steps] == [float] * 4
    preset = Preset(sequence=lambda e: np.arange(3) + e % 2, epoch_max=4)
    plain = preset.to_dict()["sequence"]
    assert plain == {"steps": [[0, [0, 1, 2]], [1, [1, 2, 3]], [2, [0, 1, 2]], [3, [1, 2, 3]]]}
    again = Preset.from_dict({"sequence": plain, "epoch_max": 4})
    assert [again.value_at("sequence", e).tolist() for e in range(2)] == [[0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize("error", [KeyError, IndexError, AttributeError, RuntimeError, ZeroDivisionError, StopIteration])
def test_what_a_callable_raises_is_said_with_its_epoch(error: type[Exception]) -> None:
    def function(epoch: int) -> float:
        if epoch == 150:
            raise error("no more")
        return 0.5

    with pytest.raises(ParameterError, match=r"atv_weight: .*epoch 150.*no more"):
        Preset(atv_weight=function)


def test_callables_that_end_somewhere_can_be_compared() -> None:
    table = [0.0, 1.0, 2.0]
    first, second = Schedule.of_callable(lambda e: table[e]), Schedule.of_callable(lambda e: table[e] * 1.0)
    assert first == second
    assert first != Schedule.of_callable(lambda e: table[e] + 1)
    assert first != Schedule.parse("lambda e: e")


def test_no_callable_is_written_down_over_a_million_epochs() -> None:
    begin = 3
    schedule = Schedule.of_callable(lambda x: x >= begin)
    with pytest.raises(ParameterError, match=r"steps over 1000000 epochs.*expression"):
        schedule.to_plain(0, 10**6)


# ---- what is refused
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lambda x: y", "'y' is unknown"),
        ("lambda x: 1 if x < 10**9 else y", "'y' is unknown"),
        ("lambda x: x or __import__", "'__import__' is unknown"),
        ("lambda x: max", "'max'|has no value|function"),
        ("lambda x, y: x", "one variable"),
        ("lambda: 1", "one variable"),
        ("lambda *x: 1", "one variable"),
        ("lambda x=1: x", "one variable"),
        ("lambda x, /: x", "one variable"),
        ("lambda **x: 1", "one variable"),
        ("lambda max: max", "cannot be the variable"),
        ("lambda x: lambda y: y", "Lambda"),
        ("lambda x: (lambda: 1)()", "may call only|Lambda"),
        ("lambda x: x.real", "Attribute"),
        ("lambda x: (1).__class__", "Attribute"),
        ("lambda x: open(x)", "may call only.*'open'"),
        ("lambda x: eval(x)", "may call only.*'eval'"),
        ("lambda x: __import__('os')", "may call only"),
        ("lambda x: max(x, 1)(2)", "may call only"),
        ("lambda x: round(x, ndigits=2)", "without keywords"),
        ("lambda x: max(*x)", "Starred"),
        ("lambda x: max(**x)", "without keywords"),
        ("lambda x: [x for x in x]", "ListComp"),
        ("lambda x: {x for x in x}", "SetComp"),
        ("lambda x: max(i for i in x)", "GeneratorExp"),
        ("lambda x: [x]", "List"),
        ("lambda x: (x, x)", "Tuple"),
        ("lambda x: {x: x}", "Dict"),
        ("lambda x: x[0]", "Subscript"),
        ("lambda x: 'a'", "'a' may not stand"),
        ("lambda x: b'a'", "may not stand"),
        ("lambda x: f'{x}'", "JoinedStr"),
        ("lambda x: 'a' * 10**9", "may not stand"),
        ("lambda x: 1j", "1j may not stand"),
        ("lambda x: ...", "may not stand"),
        ("lambda x: (y := x)", "NamedExpr"),
        ("lambda x: (yield x)", "Yield"),
        ("lambda x: await x", "no expression|Await"),
        ("lambda x: x if x else await_", "'await_' is unknown"),
        ("lambda x: x << 1000000000", "LShift"),
        ("lambda x: x | 1", "BitOr"),
        ("lambda x: ~x", "Invert"),
        ("lambda x: x @ x", "MatMult"),
        ("lambda x: x is None", "Is"),
        ("lambda x: x in x", "In"),
        ("lambda x: 9**9**9", "has no value|power"),
        ("lambda x: 1 if x >= 0 else 9**9**9", "has no value|power"),
        ("lambda x: (9**9)**(9**9)", "has no value|power"),
        ("lambda x: x**100", "power"),
        ("lambda x: x**-100", "power"),
        ("lambda x: 2.0**1e300", "power"),
        ("lambda x: 0.0**-1", "has no value"),
        ("lambda x: x / (1 - 1) if x < 0 else 1", None),
        ("lambda x: round(1, -10**7)", "digits"),
        ("lambda x: 1e999", "below 2\\*\\*63"),
        ("lambda x: 99999999999999999999", "below 2\\*\\*63"),
        ("lambda x: 0x" + "f" * 900, "below 2\\*\\*63"),
        ("x = 3", "no expression"),
        ("import os", "no expression"),
        ("lambda x: x; import os", "no expression"),
        ("lambda x: x\nimport os", "no expression"),
        ("", "no expression"),
        ("lambda x:", "no expression"),
        ("lambda x: (", "no expression"),
        ("lambda x: \0", "no expression"),
        ("lambda x: \ud800", "no expression"),
        ("x" * 1001, "at most 1000 characters"),
        ("lambda x: " + "-" * 40 + "x", "30 levels"),
        ("lambda x: " + "(" * 400 + "x" + ")" * 400, "no expression"),
        ("f(" + "-" * 900 + "1)", "may call only"),
        ("(" + "-" * 900 + "1)()", "may call only|30 levels"),
        ("-" * 990 + "x.y", "30 levels"),
        ("not " * 240 + "x", "30 levels"),
        ("lambda x: " + "+".join(["x"] * 60), "30 levels"),
    ],
)
def test_what_may_not_stand_in_a_schedule(text: str, reason: str | None) -> None:
    began = time.process_time()
    if reason is None:
        # a quotient with a variable is asked for its value only where it is due
        assert Schedule.parse(text).value(1) == 1
    else:
        with pytest.raises(ParameterError, match=reason):
            Schedule.parse(text).value(3)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("value", [3, None, b"x", ["x"], {"x": 1}, pytest.param(10**5000, id="huge"), ("lambda x: x",)])
def test_only_text_is_parsed(value: Any) -> None:
    with pytest.raises(ParameterError, match="a schedule is text"):
        Schedule.parse(value)


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("lambda x: 1 / (x - 5)", 5),
        ("lambda x: x % (x - 5)", 5),
        ("lambda x: log(x - 5)", 5),
        ("lambda x: sqrt(4 - x)", 5),
        ("lambda x: exp(200 * x)", 5),
        ("lambda x: (10.0**60)**5 * 10.0**60 * x", 5),
        ("lambda x: (10.0**60)**5 * 10.0**60 * x - (10.0**60)**5 * 10.0**60 * x", 5),
        ("lambda x: x ** x", 65),
        ("lambda x: round(x, -x * 10**9)", 5),
        ("lambda x: (4 - x) ** 0.5", 5),
        ("lambda x: None + x", 5),
        ("lambda x: max(x)", 5),
        ("lambda x: int((10.0**60)**5) * int((10.0**60)**5) * x", 5),
    ],
)
def test_no_value_or_nan_or_inf_is_said_with_its_epoch(text: str, epoch: int) -> None:
    began = time.process_time()
    with pytest.raises(ParameterError, match=rf"epoch {epoch}|has no value|takes at most"):
        Schedule.parse(text).value(epoch)
    assert time.process_time() - began < 1


def test_a_preset_names_parameter_epoch_and_schedule() -> None:
    with pytest.raises(ParameterError, match=r"^atv_weight: .*lambda x: 1 / \(150 - x\).*epoch 150"):
        Preset(atv_weight="lambda x: 1 / (150 - x)")
    with pytest.raises(ParameterError, match=r"^atv_weight: .*-1.*at epoch 101, from lambda x: 100 - x"):
        Preset(atv_weight="lambda x: 100 - x")


def test_a_later_last_epoch_has_the_schedules_checked_again() -> None:
    preset = Preset(epoch_max=100, atv_weight="lambda x: 1 / (150 - x)")
    with pytest.raises(ParameterError, match="epoch 150"):
        preset.epoch_max = 200
    assert preset.epoch_max == 100


# ---- nothing is executed
def test_code_leaves_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for body in (
        f"open({str(target)!r}, 'w')",
        f"__import__('pathlib').Path({str(target)!r}).touch()",
        f"[c for c in ().__class__.__base__.__subclasses__()] and open({str(target)!r}, 'w')",
        f"max(open({str(target)!r}, 'w'), 1)",
        f"exec(\"open({str(target)!r}, 'w')\")",
        f"x if x else open({str(target)!r}, 'w')",
    ):
        for text in (body, f"lambda x: {body}", f"lambda x=({body}): x", f"(lambda x: {body})(1)"):
            for taken in (Schedule.parse, lambda t: Preset(update_probe={"schedule": t}), lambda t: Preset(update_probe=t)):
                with nothing_executed(), pytest.raises(ParameterError):
                    taken(text)
    assert not target.exists()


PIECES = st.sampled_from(
    ["lambda ", "x", "e", ":", " ", "(", ")", ",", "**", "*", "+", "-", "/", "//", "%", "9", "1e9", "0.5", "1e999", "10**8",
     "if ", " else ", "and ", "not ", ".__class__", "open", "__import__('os')", "max(", "round(", "exp(", "int(", "float(", "[",
     "]", "'a'", "pi", "True", "None", "for x in ", ":=", "\\", "\n", ";", "\0", "é", "<", "==", "yield ", "@", "x" * 200,
     "(" * 60, "-" * 60, "open('made', 'w')", "exec('1')"]
)  # fmt: skip

#: What the interpreter itself tells of, while it is not None.
_events: list[str] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event in {"open", "exec", "os.system", "subprocess.Popen", "os.remove", "socket.connect"}:
        _events.append(event)


sys.addaudithook(_audit)


@contextmanager
def nothing_executed() -> Iterator[None]:
    """No file is opened, no code or program run, by whatever way, while this lasts."""
    global _events  # noqa: PLW0603  an audit hook stays for the life of the process
    _events = []
    try:
        yield
        assert _events == []
    finally:
        _events = None


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join)))
def test_any_text_is_a_schedule_or_refused_within_a_second(text: str) -> None:
    began = time.process_time()
    try:
        with nothing_executed():
            schedule = Schedule.parse(text)
            values = [schedule.value(epoch) for epoch in (0, 1, 50, 999)]
    except ParameterError as error:
        assert str(error)
    else:
        assert all(value is None or isinstance(value, (bool, int, float)) for value in values)
        assert not any(isinstance(value, float) and not math.isfinite(value) for value in values)
    assert time.process_time() - began < 1


# ---- as values
def test_equality_hash_and_words() -> None:
    a, b = Schedule.parse("lambda x: x > 1"), Schedule.parse("lambda x: x > 1")
    assert a == b and hash(a) == hash(b) and a is not b
    assert a != Schedule.parse("lambda x: x > 2")
    assert a != Schedule.steps([[0, False], [2, True]])
    assert a != "lambda x: x > 1"
    assert str(a) == "lambda x: x > 1" and "x > 1" in repr(a)
    assert "[[0, 1]]" in str(Schedule.steps([[0, 1]])) and "[[0, 1]]" in repr(Schedule.steps([[0, 1]]))
    assert str(Schedule.of_callable(abs)) == "the given function"
