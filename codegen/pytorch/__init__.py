"""PyTorch: one file with `nn.Module`s and a plain training loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from codegen import program
from codegen.classes import build_classes
from codegen.layout import lower, lower_training
from codegen.module import module_text
from codegen.plan import owners
from codegen.pytorch import train
from codegen.pytorch.initializers import init_weights
from codegen.pytorch.module import DIALECT, native_name
from codegen.python_source import Stmt
from codegen.target import Emitted, EmittedModel, Layouts
from codegen.weight_map import NativeWeight
from nnspec.graph import Graph, Node, Program, walk

name = "pytorch"
extra: str | None = "pytorch"
modules = ("torch", "safetensors")
suffix = ".safetensors"
