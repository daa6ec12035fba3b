"""The generated module of a program, and the jobs that run it with a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen.jobs import TrainRequest, TrainResult, Weights
from codegen.target import Emitted, EmittedModel, Target
from nnspec.driver import worker
from nnspec.driver.verify.definition import Derived
from nnspec.graph.graph import Graph, Program
from nnspec.graph.passes.widen import Widening
from nnspec.graph.training import Minimize, Training, performed
from nnspec.graph.weight_map import Array, to_canonical, to_native


class Module:
    """A program as a target wrote it, in a file; where it is `exact`, with f64 in place of f32."""

    def __init__(
        self, target: Target, program: Program, folder: str, stem: str, *, exact: bool = False
    ) -> None:
        self.widening = Widening() if exact else None
        written = self.widening.program(program) if self.widening else program
        self.emitted: Emitted = target.emit(written, stem=stem, provenance="nnspec verify")
        self.path = Path(folder) / f"{stem}_{target.name}.py"
        self.path.write_text(str(self.emitted.files[self.path.name]), encoding="utf-8")

    def _entry(self, model: Graph) -> EmittedModel:
        return self.emitted.models[self.widening.graph(model) if self.widening else model]

    def _typed(self, array: Array) -> Array:
        """An array of the program as this module takes it."""
        return array.astype("f8") if self.widening and array.dtype == "f4" else array

    def predict(
        self, model: Graph, weights: Mapping[str, Array], inputs: Sequence[Array]
    ) -> worker.Predict:
        """The model's outputs in evaluation mode."""
        entry = self._entry(model)
        native = self._native(entry, weights)
        return worker.Predict(str(self.path), entry.class_name, native, self._given(model, inputs))

    def _native(self, entry: EmittedModel, weights: Mapping[str, Array]) -> dict[str, Array]:
        native = to_native(weights, entry.weight_map)
        return {name: self._typed(array) for name, array in native.items()}

    def _given(self, model: Graph, inputs: Sequence[Array]) -> list[Array]:
        layouts = self._entry(model).input_layouts
        return [self._typed(layout.there(a)) for a, layout in zip(inputs, layouts, strict=True)]

    def outputs(self, model: Graph, arrays: Sequence[Array]) -> list[Array]:
        """What a model gave, in the language's order of axes."""
        layouts = self._entry(model).output_layouts
        return [layout.back(a) for a, layout in zip(arrays, layouts, strict=True)]

    def differentiate(
        self,
        model: Graph,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        projections: Sequence[Array],
    ) -> worker.Differentiate:
        """The model in training mode and its gradients."""
        entry = self._entry(model)
        layouts = entry.output_layouts
        return worker.Differentiate(
            str(self.path),
            entry.class_name,
            self._native(entry, weights),
            self._given(model, inputs),
            [layout.there(a) for a, layout in zip(projections, layouts, strict=True)],
        )

    def derived(self, model: Graph, result: Mapping[str, Any]) -> Derived:
        """The result of that job in the language's terms."""
        entry = self._entry(model)
        layouts = entry.input_layouts
        return Derived(
            tuple(self.outputs(model, result["outputs"])),
            _canonical(entry, result["weights"]),
            tuple(
                None if a is None else layout.back(a)
                for a, layout in zip(result["inputs"], layouts, strict=True)
            ),
            _canonical(entry, result["state"]),
        )

    def train(
        self,
        training: Training,
        weights: Mapping[str, Mapping[str, Array]],
        batches: Sequence[Sequence[Array]],
        at: tuple[int, ...],
    ) -> worker.Train:
        """Steps of a training program."""
        entries = {n.name: self._entry(n.model) for n in training.networks}
        layouts = self.emitted.batch_layouts[training.name]
        losses = sum(isinstance(s, Minimize) for s in training.steps)
        made = [s for s in performed(training.steps) if isinstance(s, Minimize)]
        request = TrainRequest(
            self.emitted.programs[training.name],
            tuple((name, e.class_name) for name, e in entries.items()),
            tuple(column.name or "x" for column in training.batch),
            losses,
            sum(m.update.period == 1 for m in made),
            at,
            "f64" if self.widening else "f32",
        )
        return worker.Train(
            str(self.path),
            request,
            {name: self._native(e, weights[name]) for name, e in entries.items()},
            [[self._typed(x.there(a)) for a, x in zip(b, layouts, strict=True)] for b in batches],
        )

    def trained(self, training: Training, result: Mapping[str, Any]) -> TrainResult:
        """The result of that job under canonical names."""
        entries = {n.name: self._entry(n.model) for n in training.networks}

        def canonical(native: Mapping[str, Mapping[str, Array]]) -> Weights:
            return {name: _canonical(entries[name], arrays) for name, arrays in native.items()}

        return TrainResult(
            result["losses"],
            [canonical(g) for g in result["gradients"]],
            {step: canonical(w) for step, w in result["weights"].items()},
        )


def _canonical(entry: EmittedModel, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return to_canonical(arrays, tuple(e for e in entry.weight_map if e.native in arrays))
