"""A stand-in for CuPy that computes with NumPy, and keeps host and device as far apart as a device does.

An `Array` is not converted to NumPy's without being asked, takes no NumPy array as an operand, and gives arrays of no
dimensions where NumPy gives numbers. What runs on it mixes no memory up; how a device computes, only a device can tell
(`test_gpu.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array behind the wall."""

    __slots__ = ("held",)

    def __init__(self, held: Any):
        self.held = np.asarray(held)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or "where" in keywords:
            raise TypeError(f"{ufunc.__name__}.{method} is not to be had on a device as it is asked for")
        return behind(ufunc(*bare(inputs), **bare(keywords)))

    def __array_function__(self, function: Callable[..., Any], _: Any, args: Any, keywords: Any) -> Any:
        return behind(function(*bare(args), **bare(keywords)))

    def __getattr__(self, name: str) -> Any:
        # by these NumPy would look through the wall
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.held, name)
        if callable(found):
            return lambda *args, **keywords: behind(found(*bare(args), **bare(keywords)))
        return behind(found)

    def __getitem__(self, index: Any) -> Any:
        return behind(self.held[_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.held[_index(index)] = bare(value)

    def __iter__(self) -> Iterator[Any]:
        return (behind(part) for part in self.held)

    def __len__(self) -> int:
        return len(self.held)

    def __float__(self) -> float:
        return float(self.held)

    def __int__(self) -> int:
        return int(self.held)

    def __bool__(self) -> bool:
        return bool(self.held)

    def __complex__(self) -> complex:
        return complex(self.held)

    def __index__(self) -> int:
        return operator.index(self.held)


class _Module(ModuleType):
    """A module of NumPy's, its functions behind the wall."""

    def __init__(self, name: str, behind_it: ModuleType, **own: Any):
        super().__init__(name)
        self.__dict__.update(own, _behind=behind_it, __spec__=ModuleSpec(name, None))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if isinstance(found, ModuleType):
            return _Module(f"{self.__name__}.{name}", found)
        if isinstance(found, type) or not callable(found):
            return found
        return lambda *args, **keywords: behind(found(*bare(args), **bare(keywords)))


def modules() -> dict[str, ModuleType]:
    """What stands in for `cupy` and `cupyx`, by name."""
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (2**33, 2**34),
        getDeviceProperties=lambda _: {"name": b"a walled processor"},
        CUDARuntimeError=RuntimeError,
    )
    device = SimpleNamespace(id=0, synchronize=lambda: None)
    emptied = SimpleNamespace(clear=lambda: None, free_all_blocks=lambda: None)
    cupy = _Module(
        "cupy",
        np,
        ndarray=Array,
        asarray=lambda a, dtype=None: (
            a if isinstance(a, Array) and dtype in (None, a.dtype) else Array(np.array(_open(a), dtype))
        ),
        array=lambda a, dtype=None, order="K": Array(np.array(_open(a), dtype, order=order)),
        ascontiguousarray=lambda a, dtype=None: Array(np.ascontiguousarray(_open(a), dtype)),
        asnumpy=lambda a: np.array(_open(a)),
        cuda=SimpleNamespace(Device=lambda *_: device, runtime=runtime),
        get_default_memory_pool=lambda: emptied,
        fft=_Module("cupy.fft", np.fft, config=SimpleNamespace(get_plan_cache=lambda: emptied)),
    )
    cupyx = _Module("cupyx", np, scatter_add=lambda into, rows, values: np.add.at(bare(into), _index(rows), bare(values)))
    return {"cupy": cupy, "cupyx": cupyx}


def bare(value: Any) -> Any:
    """What lies behind the wall; NumPy's own arrays are refused."""
    if isinstance(value, Array):
        return value.held
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, dict):
        return {name: bare(item) for name, item in value.items()}
    return type(value)(bare(item) for item in value) if type(value) in (list, tuple) else value


def behind(value: Any) -> Any:
    """Arrays and numbers of NumPy's, put behind the wall."""
    if isinstance(value, np.ndarray | np.generic):
        return Array(value)
    if isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
        return tuple(behind(item) for item in value)
    return value


def _open(value: Any) -> Any:
    if isinstance(value, list):
        return [_open(item) for item in value]
    return value.held if isinstance(value, Array) else value


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_index(part) for part in index)
    return index.held if isinstance(index, Array) else index
