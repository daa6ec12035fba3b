"""Running a model in onnxruntime, on the CPU or on CUDA."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnspec.core import inputs
from nnspec.core.files import Content, write_files
from nnspec.driver.requirements import mixed_onnxruntime
from nnspec.driver.runner import Runner
from nnspec.driver.tensors import Input, element_type
from nnspec.graph.layouts import Layout
from nnspec.report.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    import onnxruntime

    from nnspec.graph.weight_map import Array

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@dataclass(frozen=True)
class Engine(Runner):
    """A model in onnxruntime."""

    session: onnxruntime.InferenceSession

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself; of a model that nnspec made, under `nnspec.` names."""
        found: Mapping[str, str] = self.session.get_modelmeta().custom_metadata_map
        return found

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(self._input(i) for i in self.session.get_inputs())

    def _input(self, found: Any) -> Input:
        layout = self.metadata.get(f"nnspec.layout.{found.name}", "")
        choices = self.metadata.get(f"nnspec.choices.{found.name}", "")
        return Input(
            found.name,
            found.type,
            tuple(found.shape),
            Layout.read(layout, len(found.shape)),
            int(choices) if choices.isdecimal() and int(choices[:18]) else None,
        )

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(o.name for o in self.session.get_outputs())

    @property
    def names_sizes(self) -> bool:
        return "nnspec.model" in self.metadata

    def _call(self, checked: Mapping[str, Array]) -> list[Array]:
        """Run the session; raises `SpecError` (E0717) where the model itself fails."""
        try:
            if self._special:
                return self._call_special(checked)
            found: list[Array] = self.session.run(None, checked)
        except Exception as error:  # noqa: BLE001  onnxruntime's own errors have no common base
            reason = _first_line(error)
            short = "allocate" in reason or "bad_alloc" in reason
            way = "there is no memory for this: give it smaller inputs, or a smaller batch"
            raise SpecError(
                Diagnostic(
                    "E0717",
                    "onnxruntime failed while running the model",
                    notes=(reason,),
                    helps=(way,) if short else (),
                )
            ) from None
        return found

    @cached_property
    def _special(self) -> bool:
        """Whether onnxruntime's arrays do not do for an input or output."""
        values = (*self.session.get_inputs(), *self.session.get_outputs())
        types = [element_type(v.type) for v in values]
        return any(t is not None and t.code is not None for t in types)

    def _call_special(self, checked: Mapping[str, Array]) -> list[Array]:
        """Elements that NumPy does not know travel as their bits."""
        import onnxruntime

        feeds = {}
        for i in self.inputs:
            array = checked[i.name]
            if i.type is not None and i.type.code is not None:
                bits = array.view(f"uint{array.dtype.itemsize * 8}")
                make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
                feeds[i.name] = make(bits, i.type.code)
            else:
                feeds[i.name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        return [_array(v) for v in self.session.run_with_ort_values(None, feeds)]


def _array(value: Any) -> Array:
    found = element_type(value.data_type())
    if found is None or found.code is None:
        array: Array = value.numpy()
        return array
    content = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return np.frombuffer(content, found.dtype).reshape(value.shape())


def load(
    model: Path | bytes,
    device: str = "auto",
    *,
    threads: int | None = None,
    seed: int | None = None,
) -> Engine:
    """Load a model; `device` is "auto", "cpu" or "cuda".

    "cuda" is an error where CUDA cannot be used, "auto" says why it is not. threads: that one operator
    uses, by default as many as there are cores. seed: of what the model draws; without one, every run draws anew.
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
    if threads is not None:
        options.intra_op_num_threads = threads
    if seed is not None:  # the operators of a session take it when they are made
        onnxruntime.set_seed(seed)
    content = model if isinstance(model, bytes) else str(model)
    if isinstance(model, Path):
        inputs.reads(model)
    name = "the model" if isinstance(model, bytes) else f"`{model}`"
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
        used = "cuda" if CUDA in session.get_providers() else "cpu"
        engine = Engine(used, tuple(notes), session)
        # All that is read of it later: broken files have names that are no text.
        _ = engine.inputs, engine.outputs
    except Exception as error:  # noqa: BLE001  onnxruntime's own errors have no common base
        raise SpecError(
            Diagnostic("E0711", f"onnxruntime cannot load {name}", notes=(_first_line(error),))
        ) from None
    if device == "cuda" and used == "cpu":
        raise SpecError(*notes, _no_cuda(has_cuda))
    return engine


def load_files(
    files: Mapping[str, Content],
    device: str = "auto",
    *,
    threads: int | None = None,
    seed: int | None = None,
) -> Engine:
    """Load a model from the files of its target, the model's own first."""
    model = next(iter(files.values()))
    if len(files) == 1 and isinstance(model, bytes):
        return load(model, device, threads=threads, seed=seed)
    # Too large to be held twice; once loaded, the files are no longer looked for.
    with tempfile.TemporaryDirectory(prefix="nnspec-") as folder:
        write_files({Path(folder) / name: content for name, content in files.items()})
        return load(Path(folder) / next(iter(files)), device, threads=threads, seed=seed)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__


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
