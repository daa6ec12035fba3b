"""The zoo against the literature: parameters and multiply-adds as published, on every target the same numbers.

A file's doc comment says what is published: `25,557,032 parameters` of each model in order, and `4.09 G multiply-adds`.
Multiply-adds are counted as papers do: those of convolutions and products of matrices, of one example, where what is
symbolic is 1; pooling, normalising and what goes element by element count nothing.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from beside_pytorch import models_of, trials

from codegen import TARGETS
from nnspec.catalogue.ops.pooling import GlobalPool, Pool
from nnspec.catalogue.ops.site import TypeSite
from nnspec.compiler import compile_source, load
from nnspec.core.dims import substitute, symbols
from nnspec.driver.verify.bench import SINGLE_STEP
from nnspec.driver.verify.run import verify_all
from nnspec.elaborate.sources import SAVED
from nnspec.graph.graph import Graph, Program, walk
from nnspec.report.diagnostics import Diagnostic, Reporter
from nnspec.report.source import Source
from nnspec.syntax.format import format_source
from nnspec.views.summary import summarize

FOLDER = Path(__file__).parent.parent / "specs" / "zoo"
FILES = sorted(FOLDER.glob("*.nn"))
PARAMETERS = re.compile(r"([\d,]+) parameters")
MULTIPLY_ADDS = re.compile(r"([\d.]+) ([KMG]) multiply-adds")
UNITS = {"K": 1e3, "M": 1e6, "G": 1e9}

SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"size": 64, "hidden": 16},
    "bert": {"vocabulary": 50, "width": 16, "depth": 2, "heads": 2, "length": 8},
    "clip": {
        "size": 16,
        "patch": 8,
        "image_width": 16,
        "image_heads": 2,
        "vocabulary": 50,
        "length": 6,
        "width": 16,
        "heads": 2,
        "depth": 1,
        "units": 8,
    },
    "convnext_t": {"size": 32, "depths": [2, 1], "widths": [8, 16]},
    "dcgan": {"width": 2},
    "deepar": {"series": 7, "units": 5, "layers": 2},
    "densenet121": {"size": 32, "growth": 4, "depths": [2, 1]},
    "diffusion_unet": {"size": 8, "width": 8},
    "efficientnet_b0": {
        "size": 32,
        "stem": 8,
        "last": 16,
        "stages": [[1, 8, 1, 3, 1], [6, 8, 2, 5, 2], [6, 12, 1, 3, 2]],
    },
    "efficientnet_v2_s": {
        "size": 32,
        "stem": 8,
        "last": 16,
        "stages": [[1, 8, 1, 1, True], [4, 12, 2, 2, True], [4, 12, 2, 2, False]],
    },
    "googlenet": {"size": 32, "stages": [[[6, 8, 12, 3, 4, 5]], [], [[8, 6, 10, 2, 4, 6]]]},
    "gpt2": {"vocabulary": 50, "width": 16, "depth": 2, "heads": 2, "length": 8},
    "gru_translator": {"vocabulary": 50, "width": 12, "units": 16},
    "inception_v3": {"size": 75, "pooled": [32], "narrow": [128], "last": 1},
    "llama": {"vocabulary": 50, "width": 16, "depth": 2, "heads": 4, "kv_heads": 2, "hidden": 24},
    "lstm_language_model": {"vocabulary": 50, "width": 16},
    "mae": {
        "size": 16,
        "patch": 4,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "painter_width": 8,
        "painter_depth": 1,
        "painter_heads": 2,
    },
    "mamba": {"vocabulary": 20, "width": 16, "depth": 1, "places": 4},
    "mlp_mixer_b16": {"size": 16, "patch": 4, "width": 8, "depth": 2},
    "mobilenet_v2": {
        "size": 32,
        "stem": 8,
        "stages": [[1, 8, 1, 1], [6, 12, 2, 2], [6, 16, 1, 2]],
    },
    "mobilenet_v3": {"size": 64},
    "nbeats": {"blocks": 2, "width": 16, "theta": 4},
    "neural_turing_machine": {"bits": 3, "length": 2, "controller": 8, "places": 6, "width": 5},
    "pointnet": {"wide": 64},
    "r3d_18": {"width": 4, "frames": 4, "size": 16},
    "real_nvp": {"flows": 3, "width": 8},
    "regnet_y": {"size": 32, "widths": [8, 16, 24], "depths": [1, 2, 1]},
    "resnet18": {"size": 32, "width": 4},
    "resnet50": {"size": 32, "width": 4, "depths": [2, 1]},
    "resnext50": {"size": 32, "width": 8, "groups": 4, "depths": [2, 1]},
    "segformer_b0": {
        "classes": 3,
        "size": 32,
        "widths": [8, 10],
        "heads": [1, 2],
        "reductions": [2, 1],
        "depth": 1,
        "head": 16,
    },
    "shufflenet_v2": {"size": 32, "widths": [8, 16, 32], "depths": [1, 2, 1]},
    "siamese": {"width": 8, "code": 16},
    "ssd": {"size": 32, "width": 4},
    "swin_t": {"size": 16, "width": 8, "side": 2, "depths": [2, 1], "heads": [1, 2]},
    "switch_transformer": {
        "vocabulary": 20,
        "length": 8,
        "width": 16,
        "heads": 2,
        "hidden": 8,
        "experts": 3,
        "pairs": 1,
    },
    "t5": {
        "vocabulary": 50,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "size": 8,
        "hidden": 24,
        "buckets": 8,
        "farthest": 10,
    },
    "transformer": {"vocabulary": 50, "width": 16, "depth": 1, "heads": 2, "hidden": 24},
    "unet": {"size": 16, "width": 4},
    "vgg16": {"size": 32, "width": 4, "hidden": 8},
    "vit_b16": {"size": 32, "width": 16, "depth": 2, "heads": 2},
    "vq_vae": {"width": 8, "codes": 16, "code_width": 4},
    "wavenet": {"levels": 16, "filters": 4, "skipped": 8, "layers": 2, "stacks": 2},
    "wgan_gp": {"width": 2},
}
"""What makes a network small enough for all targets together in minutes; what it is made of stays."""

LINES = {"resnet50": 110, "gpt2": 90, "llama": 110}
"""So many lines a good program by hand would have."""


def published(path: Path) -> str:
    """The doc comment of a file, as one line."""
    head = path.read_text().partition("\n\n")[0]
    return " ".join(line.removeprefix("##").strip() for line in head.splitlines())


def multiply_adds(model: Graph) -> int:
    total = 0
    for node in walk(model):
        if isinstance(node.op, (Pool, GlobalPool)):
            continue
        site = TypeSite()
        weights = {w.role: site.term(w.type) for w in node.weights}
        site.apply(node.op, *(site.term(v.type) for v in node.inputs), weights=weights)
        for applied in site.applied:
            if applied.op.name in ("matmul", "convolution", "convolution_transpose"):
                types = [tuple(t.type for t in side) for side in (applied.inputs, applied.outputs)]
                flops = applied.op.flops(*types)
                one = substitute(flops, dict.fromkeys(symbols(flops), 1))
                assert isinstance(one, int)
                total += one // 2
    return total


@cache
def compiled(path: Path) -> tuple[Program, list[Diagnostic]]:
    """A file at its true size, and what is said of it."""
    reporter = Reporter()
    return compile_source(SAVED.source(path), reporter), reporter.diagnostics


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_as_published(path: Path) -> None:
    said, (program, _) = published(path), compiled(path)
    counts = [int(text.replace(",", "")) for text in PARAMETERS.findall(said)]
    assert [summarize(model).trainable for model in program.models] == counts
    if stated := MULTIPLY_ADDS.search(said):
        (model,) = program.models
        wanted = float(stated[1]) * UNITS[stated[2]]
        assert multiply_adds(model) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_clean(path: Path) -> None:
    assert not compiled(path)[1]
    text = path.read_text()
    assert format_source(Source(path.name, text)) == text


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_written_for_every_target(path: Path) -> None:
    program, _ = compiled(path)
    for target in TARGETS.values():
        emitted = target.emit(program, stem=path.stem, provenance="test")
        assert emitted.files
        for name, content in emitted.files.items():
            if name.endswith(".py"):
                assert isinstance(content, str)
                ast.parse(content)


@pytest.mark.parametrize("name", LINES)
def test_as_short_as_by_hand(name: str) -> None:
    """Lines in PyTorch up to the end of the network's class, without imports, empty ones and the training program."""
    program, _ = compiled(FOLDER / f"{name}.nn")
    emitted = TARGETS["pytorch"].emit(program, stem=name, provenance="test")
    text = emitted.files[f"{name}_pytorch.py"]
    assert isinstance(text, str)
    made = [n for n in ast.parse(text).body if isinstance(n, (ast.ClassDef, ast.FunctionDef))]
    last = max(i for i, n in enumerate(made) if isinstance(n, ast.ClassDef))
    lines = text.splitlines()
    written = [line for n in made[: last + 1] for line in lines[n.lineno - 1 : n.end_lineno]]
    assert len([line for line in written if line.strip()]) < LINES[name]


@pytest.mark.framework
def test_onnx_at_several_sizes() -> None:
    """Other batches and lengths than those of the targets' comparison, against PyTorch, at the sizes of `SMALL`."""
    for path in FILES:
        for called, model in models_of(load(path, **SMALL.get(path.stem, {}))).items():
            found = list(trials(model, ((1, 4, 6), (2, 7, 3), (5, 1, 9))))
            assert all(trial.is_right for trial in found), (path.stem, called, found)


@pytest.mark.framework
def test_targets_agree() -> None:
    """Outputs, losses, gradients and trained weights, at the sizes of `SMALL`."""
    programs = {p.stem: load(p, **SMALL.get(p.stem, {})) for p in FILES}
    reports = verify_all(list(programs.values()), list(TARGETS.values()), at=SINGLE_STEP)
    for report in reports:
        assert not report.skipped, f"{report.path}: {report.skipped}"
        wrong = [row for row in report.rows if not row.agrees]
        assert not wrong, f"{report.path}: {wrong}"
        assert {"outputs", "gradients"} & {row.quantity for row in report.rows}, report.path
