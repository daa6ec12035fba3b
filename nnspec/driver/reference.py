"""The reference of an op with what targets make of it, as text for the terminal and as pages of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from nnspec.catalogue.ops import OPS, Op
from nnspec.driver import library_reference, updates_reference
from nnspec.driver.deviations import KINDS, Deviation, recorded
from nnspec.driver.native_forms import NativeForm, native_forms
from nnspec.views.reference.entry import Entry, entry, first_example
from nnspec.views.reference.families import Family, families
from nnspec.views.reference.library import library

TITLES = {"pytorch": "PyTorch", "keras": "Keras", "gluon": "Gluon", "onnx": "ONNX"}


@dataclass(frozen=True)
class Reference:
    """An entry, the native forms of its example, and how far targets were from the definition when tested."""

    entry: Entry
    forms: tuple[NativeForm, ...]
    deviations: dict[str, Deviation]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self.entry) | {
            "targets": {
                f.target: {
                    "form": f.text,
                    "refused": f.refused,
                    "deviation": asdict(self.deviations.get(f.target, Deviation())),
                }
                for f in self.forms
            }
        }


def reference(op: type[Op]) -> Reference:
    """Of one op; its example is emitted for every target."""
    example = first_example(op)
    forms = tuple(native_forms(example)) if example else ()
    rows = {f.target: recorded(f.target).get(op.name, Deviation()) for f in forms}
    return Reference(entry(op), forms, rows)


def as_text(shown: Reference) -> str:
    """For a terminal."""
    of, lines = shown.entry, [shown.entry.signature, "", shown.entry.doc]
    if of.operands:
        lines += ["", "Operands", *(f"  {name:20} {doc}".rstrip() for name, doc in of.operands)]
    if of.arguments:
        lines += ["", "Arguments"]
        for a in of.arguments:
            default = "" if a.default is None else f" (default {a.default})"
            lines.append(f"  {a.name:20} {a.doc}: {a.expects}{default}")
    if of.weights:
        lines += ["", "Weights, in the example", *(f"  {n:20} {s}" for n, s in of.weights)]
    if of.example:
        lines += ["", "Example", textwrap.indent(of.example, "  ")]
    lines += ["", "Definition"]
    lines.append(textwrap.indent(of.definition or "a primitive: its meaning is NumPy's", "  "))
    for form in shown.forms:
        lines += ["", f"{TITLES[form.target]}  {shown.deviations[form.target]}".rstrip()]
        lines.append(textwrap.indent(form.refused or form.text or "nothing to be done", "  "))
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Of `docs/catalogue`, by file name: an index, the matrix, a page for each family and each file of the library."""
    all_ = families()
    shown = {name: reference(op) for name, op in OPS.items()}
    made = {f"{f.name}.md": _page(f, [shown[op.name] for op in f.ops]) for f in all_}
    made |= {f"{n}.md": library_reference.page(f, GENERATED) for n, f in library().items()}
    made["updates.md"] = updates_reference.page(GENERATED)
    return {"README.md": _index(all_), "matrix.md": _matrix(shown.values()), **made}


GENERATED = "<!-- Generated from the declarations by `make reference`. -->"


def _index(all_: list[Family]) -> str:
    rows = ["| page | what | names |", "| --- | --- | --- |"]
    for family in all_:
        names = ", ".join(f"`{op.name}`" for op in family.ops if not op.hidden)
        rows.append(f"| [{family.name}]({family.name}.md) | {family.title} | {names} |")
    written = ["| file | what | blocks |", "| --- | --- | --- |"]
    written += [library_reference.row(file) for file in library().values()]
    return "\n".join(
        [GENERATED, "", "# The catalogue", "",
         "Every layer and function of the language: what it takes and means, what it is in simpler ones, and what each"
         " target makes of it. `nnspec ops NAME` shows the same. How far each target was from the definition stands in"
         " [the matrix](matrix.md).", "", *rows, "",
         "## The library", "",
         "Blocks written in the language, which ship with nnspec: optimizers and schedules stand everywhere, the others"
         " are imported. What stands for an optimizer in each framework, and how far it was from the definition:"
         " [updates](updates.md).", "", *written, ""]
    )  # fmt: skip


def _matrix(shown: Iterable[Reference]) -> str:
    head = ["op", *TITLES.values()]
    rows = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for each in shown:
        cells = [_cell(each, target) for target in TITLES]
        rows.append(f"| `{each.entry.name}` | {' | '.join(cells)} |")
    return "\n".join(
        [GENERATED, "", "# Ops and targets", "",
         "The largest deviation from the definition that conformance found, of the scale of what is compared:"
         f" {', '.join(KINDS)} (of operands and weights); in f64, ONNX in f32 by onnxruntime. 1e-16 stands for less, too.", "", *rows, ""]
    )  # fmt: skip


def _cell(of: Reference, target: str) -> str:
    if not of.forms:
        return "stands beside tensors, never alone"
    form = next((f for f in of.forms if f.target == target), None)
    if form is not None and form.refused:
        return f"refused: {form.refused}"
    if all(e.op.stochastic and not e.op.modal for e in OPS[of.entry.name].examples()):
        return "drawn at random: no two frameworks draw alike"
    return str(of.deviations.get(target, ""))


def _page(family: Family, shown: list[Reference]) -> str:
    lines = [GENERATED, "", f"# {family.name.capitalize()}", "", f"{family.title}.", ""]
    for each in shown:
        lines += _section(each)
    return "\n".join(lines)


def _section(shown: Reference) -> Iterator[str]:
    of = shown.entry
    yield from (f"## {of.name}", "", f"`{of.signature}`", "", of.doc, "")
    if of.kind == "primitive":
        yield from ("Stands in graphs only; the language writes it otherwise.", "")
    if of.arguments:
        yield from ("| argument | may be | default | meaning |", "| --- | --- | --- | --- |")
        for a in of.arguments:
            default = "" if a.default is None else f"`{a.default}`"
            yield f"| `{a.name}` | {a.expects} | {default} | {a.doc} |"
        yield ""
    if of.weights:
        weights = ", ".join(f"`{name}` {shape}" for name, shape in of.weights)
        yield from (f"Weights (in the example): {weights}.", "")
    if of.example:
        yield from ("```", of.example, "```", "")
    if of.definition:
        yield from ("This is", "", "```", of.definition, "```", "")
    for form in shown.forms:
        yield from _native(form, shown.deviations[form.target])


def _native(form: NativeForm, deviation: Deviation) -> Iterator[str]:
    told = f" ({deviation})" if str(deviation) else ""
    title = TITLES[form.target]
    if form.refused:
        yield from (f"{title}: refused. {form.refused}", "")
        return
    yield from (f"{title}{told}", "")
    kind = "" if form.target == "onnx" else "python"
    yield from (f"```{kind}", form.text, "```", "")
