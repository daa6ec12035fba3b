"""Running a model in onnxruntime, on the CPU or on CUDA."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.driver.requirements import mixed_onnxruntime
from nnspec.report.diagnostics import Diagnostic, SpecError, did_you_mean

if TYPE_CHECKING:
    import onnxruntime

    from nnspec.graph.weight_map import Array

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True)
class Input:
    """What a model reads: sizes are numbers or names; layout is "NCHW", "NHWC" or None."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    layout: str | None


@dataclass(frozen=True)
class Latency:
    """Of one call, in seconds; rows is the batch it was measured with."""

    median: float
    p90: float
    fastest: float
    calls: int
    rows: int

    @property
    def per_second(self) -> float:
        """Examples in a second at this batch."""
        return self.rows / self.median

    def to_json(self) -> dict[str, float]:
        return {
            "median_ms": self.median * 1e3,
            "p90_ms": self.p90 * 1e3,
            "fastest_ms": self.fastest * 1e3,
            "calls": self.calls,
            "batch": self.rows,
            "examples_per_second": self.per_second,
        }


@dataclass(frozen=True)
class Engine:
    """A loaded model.

    device: where it computes, "cpu" or "cuda"; notes: why not elsewhere, where that was asked for.
    """

    session: onnxruntime.InferenceSession
    device: str
    notes: tuple[Diagnostic, ...] = ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        layouts = self.session.get_modelmeta().custom_metadata_map
        return tuple(
            Input(i.name, DTYPES[i.type], tuple(i.shape), layouts.get(f"nnspec.layout.{i.name}"))
            for i in self.session.get_inputs()
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(o.name for o in self.session.get_outputs())

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; raises `SpecError` where an input does not fit."""
        checked = {i.name: _fit(i, feeds[i.name]) for i in self._all(feeds)}
        return dict(zip(self.outputs, self.session.run(None, checked), strict=True))

    def bench(self, feeds: Mapping[str, Array], *, seconds: float = 2.0) -> Latency:
        """Latency of calls with these inputs, after some that do not count."""
        checked = {i.name: _fit(i, feeds[i.name]) for i in self._all(feeds)}
        for _ in range(5):
            self.session.run(None, checked)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 10:
            start = time.perf_counter()
            self.session.run(None, checked)
            times.append(time.perf_counter() - start)
        times.sort()
        rows = next((a.shape[0] for a in checked.values() if a.ndim), 1)
        return Latency(
            statistics.median(times), times[int(len(times) * 0.9)], times[0], len(times), rows
        )

    def examples(self, rows: int = 1) -> dict[str, Array]:
        """Inputs to measure with: zeros, with every symbolic size `rows`."""
        return {
            i.name: np.zeros([d if isinstance(d, int) else rows for d in i.shape], i.dtype)
            for i in self.inputs
        }

    def _all(self, feeds: Mapping[str, Array]) -> tuple[Input, ...]:
        names = [i.name for i in self.inputs]
        for name in feeds:
            if name not in names:
                raise SpecError(
                    Diagnostic(
                        "E0710",
                        f"the model has no input `{name}`",
                        notes=(f"its inputs: {', '.join(names)}",),
                        helps=did_you_mean(name, names),
                    )
                )
        missing = [n for n in names if n not in feeds]
        if missing:
            raise SpecError(
                Diagnostic(
                    "E0710",
                    f"no value for the input `{missing[0]}`",
                    helps=(f"give a file for it: `{missing[0]}=FILE.npy`",),
                )
            )
        return self.inputs


def load(model: Path | bytes, device: str = "auto") -> Engine:
    """Load a model; `device` is "auto", "cpu" or "cuda".

    "cuda" is an error where CUDA cannot be used, "auto" says why it is not.
    """
    try:
        import onnxruntime
    except ImportError:
        raise SpecError(
            Diagnostic(
                "E0702",
                "running a model needs `onnxruntime`, not installed here",
                helps=('pip install "nnspec[cpu]", or "nnspec[gpu]" for CUDA',),
            )
        ) from None
    notes = [n for n in [mixed_onnxruntime()] if n is not None]
    has_cuda = CUDA in onnxruntime.get_available_providers()
    providers = [CPU]
    if device != "cpu" and has_cuda:
        onnxruntime.preload_dlls()
        providers = [CUDA, CPU]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is told below, in our words
    content = model if isinstance(model, bytes) else str(model)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # noqa: BLE001  onnxruntime's own errors have no common base
        name = "the model" if isinstance(model, bytes) else f"`{model}`"
        reason = str(error).splitlines()[0][:200]
        raise SpecError(
            Diagnostic("E0711", f"onnxruntime cannot load {name}", notes=(reason,))
        ) from None
    used = "cuda" if CUDA in session.get_providers() else "cpu"
    if device == "cuda" and used == "cpu":
        raise SpecError(*notes, _no_cuda(has_cuda))
    return Engine(session, used, tuple(notes))


def _no_cuda(has_cuda: bool) -> Diagnostic:
    if has_cuda:
        return Diagnostic(
            "E0712",
            "CUDA cannot be used: onnxruntime has it, but could not start it",
            notes=("onnxruntime lists CUDA wherever it was built in, with or without a GPU",),
            helps=(
                "see with `nvidia-smi` whether there is a GPU and a driver",
                'install its libraries: pip install "nnspec[gpu]"',
            ),
        )
    return Diagnostic(
        "E0712",
        "CUDA cannot be used: this onnxruntime is built for the CPU alone",
        helps=(
            'pip uninstall onnxruntime, then pip install "nnspec[gpu]" (never both)',
            "leave out `--device cuda` to compute on the CPU",
        ),
    )


def read_inputs(engine: Engine, given: Sequence[str], *, as_spec: bool) -> dict[str, Array]:
    """Inputs from `FILE` or `NAME=FILE`; `.npz` files hold several by name.

    as_spec: images are [N, H, W, C], as the spec has them, whatever the model's own layout.
    """
    feeds: dict[str, Array] = {}
    names = [i.name for i in engine.inputs]
    for text in given:
        name, equals, file = text.partition("=")
        path = Path(file if equals else text)
        if path.suffix == ".npz":
            feeds |= {n: a for n, a in _load_npz(path).items() if n in names or not equals}
        else:
            free = [n for n in names if n not in feeds]
            target = name if equals else (free[0] if free else names[0])
            wanted = next((i for i in engine.inputs if i.name == target), None)
            feeds[target] = _load(path, wanted)
    if as_spec:
        for i in engine.inputs:
            if i.layout == "NCHW" and i.name in feeds and feeds[i.name].ndim == 4:
                feeds[i.name] = np.ascontiguousarray(np.moveaxis(feeds[i.name], -1, 1))
    return feeds


def _load(path: Path, wanted: Input | None) -> Array:
    if path.suffix.lower() in IMAGES:
        return _image(path, wanted)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(array, np.ndarray):
        raise _unreadable(path, ValueError("it is not a .npy file"))
    return array


def _load_npz(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise _unreadable(path, error) from None


def _image(path: Path, wanted: Input | None) -> Array:
    """A picture as one example in [0, 1], resized to what the model reads; [1, H, W, C]."""
    try:
        from PIL import Image
    except ImportError:
        raise SpecError(
            Diagnostic(
                "E0702",
                "reading a picture needs `pillow`, not installed here",
                helps=('pip install "nnspec[images]", or give a `.npy` file',),
            )
        ) from None
    height: int | str | None = None
    width: int | str | None = None
    channels: int | str = 3
    if wanted is not None and len(wanted.shape) == 4:
        if wanted.layout == "NCHW":
            channels, height, width = wanted.shape[1:]
        else:
            height, width, channels = wanted.shape[1:]
    try:
        with Image.open(path) as picture:
            found: Any = picture.convert("L" if channels == 1 else "RGB")
            if isinstance(height, int) and isinstance(width, int):
                found = found.resize((width, height))
            array = np.asarray(found, np.float32) / 255
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return array.reshape(1, *array.shape[:2], -1)


def _fit(wanted: Input, array: Array) -> Array:
    fits = len(wanted.shape) == array.ndim and all(
        not isinstance(want, int) or want == have
        for want, have in zip(wanted.shape, array.shape, strict=False)
    )
    if not fits:
        shape = "[" + ", ".join(map(str, wanted.shape)) + "]"
        layout = f" ({wanted.layout})" if wanted.layout else ""
        raise SpecError(
            Diagnostic(
                "E0713",
                f"input `{wanted.name}` is {shape}{layout}, but is given {list(array.shape)}",
            )
        )
    return np.ascontiguousarray(array, wanted.dtype)


def _unreadable(path: Path, error: Exception) -> SpecError:
    reason = getattr(error, "strerror", None) or str(error)
    return SpecError(
        Diagnostic(
            "E0714", f"cannot read `{path}`: {reason}".lower().replace(str(path).lower(), str(path))
        )
    )
