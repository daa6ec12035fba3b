"""The tree of Python source and its printer: what is printed is what `ruff format` would write."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.python.source import (
    Assign,
    Blank,
    Call,
    ClassDef,
    Comment,
    Comprehension,
    Conditional,
    Dict,
    Expr,
    Expression,
    For,
    Format,
    FunctionDef,
    If,
    List,
    Literal,
    Module,
    Name,
    Operator,
    Parameter,
    Return,
    Slice,
    Stmt,
    Tuple,
    Unary,
    With,
    lift,
)
from codegen.python.source.flat import flat
from codegen.python.source.printer import module_source

EVIL = [
    '"""',
    '"',
    "'",
    "\\",
    "\\\n",
    "a\nb",
    "# type: ignore",
    "type: ignore",
    "noqa",
    "fmt: off",
    "x # fmt: skip",
    "#!python",
    "-*- coding: utf-7 -*-",
    "{x}",
    "\x00\x1b\u202e\u2028",
    'ends with "',
    "ends with \\",
    '"""); raise SystemExit  # ',
    "\ttab",
    "    indented\n  less",
    "",
    "   ",
    "é ∞ 漢字",
    "w" * 120,
    "many words " * 20,
    "%(prog)s",
]


def ruff(text: str, folder: Path, *command: str) -> str:
    (folder / "case.py").write_text(text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if run.returncode == 0 else run.stdout + run.stderr


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (Name("nn.Conv2d")(1, 32, 3, padding=1), "nn.Conv2d(1, 32, 3, padding=1)"),
        (Name("a") + Name("b") * 2, "a + b * 2"),
        ((Name("a") + Name("b")) * 2, "(a + b) * 2"),
        (Name("a") - (Name("b") - 1), "a - (b - 1)"),
        (-(Name("a") + 1), "-(a + 1)"),
        (Name("a") ** 2, "a**2"),
        ((-Name("a")) ** Name("f")(1), "(-a) ** f(1)"),
        ((Name("a") + 1).attr("shape")[0], "(a + 1).shape[0]"),
        (Literal(1).attr("real"), "(1).real"),
        (Name("x")[Tuple((Slice(), Slice(None, Literal(-1))))], "x[:, :-1]"),
        (Name("x")[Slice(Name("n"), Name("n") * 2)], "x[n : n * 2]"),
        (lift((1,)), "(1,)"),
        (lift(1e-5), "1e-5"),
        (lift(float("-inf")), 'float("-inf")'),
        (lift('say "hi"'), "'say \"hi\"'"),
        (Operator("==", Operator("<", Name("a"), Name("b")), Name("c")), "(a < b) == c"),
        (Unary("not", Operator("in", Name("a"), Name("b"))), "not a in b"),
        (Conditional(Name("c"), Name("a"), Literal(0)), "a if c else 0"),
        (Format(("a{", (Name("x"), ".4f"), '"')), 'f"a{{{x:.4f}\\""'),
        (Comprehension(Name("f")(Name("x")), Name("x"), Name("xs")), "[f(x) for x in xs]"),
    ],
)
def test_flat(expression: Expr, text: str) -> None:
    assert flat(expression) == text
    ast.parse(text)


def test_a_name_is_a_name() -> None:
    with pytest.raises(ValueError, match="not a name"):
        Name("os.system('true')")


def test_literals_differ_by_type() -> None:
    assert len({Literal(1), Literal(1.0), Literal(True)}) == 3


@pytest.mark.parametrize("text", EVIL)
def test_strings_of_others_stay_strings(text: str, tmp_path: Path) -> None:
    """As literal, docstring and comment, whatever they hold; and no tool takes them for more."""
    body: tuple[Stmt, ...] = (Assign(Name("x"), Literal(text)), Comment(text), Return(Name("x")))
    function = FunctionDef("f", (), body, doc=text)
    source = module_source(Module(text, (ClassDef("C", (), (function,), doc=text), Comment(text))))
    tree = ast.parse(source)
    inner = tree.body[1 if isinstance(tree.body[0], ast.Expr) else 0]
    assert isinstance(inner, ast.ClassDef) and len(tree.body) <= 2
    (method,) = (s for s in inner.body if isinstance(s, ast.FunctionDef))
    (assign, result) = method.body[-2:]
    assert isinstance(assign, ast.Assign) and ast.literal_eval(assign.value) == text
    assert isinstance(result, ast.Return)
    assert ruff(source, tmp_path, "format", "--diff") == ""


class Trees:
    """Random trees of the kind that targets make: calls, arithmetic, lists, long and short names."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self) -> Name:
        part = self.random.choice(["x", "self.conv2d", "F.relu", "height", "nn.ConvTranspose2d"])
        if self.random.random() < 0.15:
            part += "_" + "long" * self.random.randint(1, 6)
        return Name(part)

    def atom(self) -> Expr:
        values: list[object] = [0, 1, -3, 0.5, 1e-5, "same", "it's", True, None, (1, 2), [3]]
        return self.name() if self.random.random() < 0.6 else lift(self.random.choice(values))

    def call(self, depth: int) -> Call:
        few = self.random.randint(0, 4)
        words = self.random.sample(["stride", "padding", "bias", "kernel_initializer"], k=few // 2)
        arguments = tuple(self.expression(depth - 1) for _ in range(few))
        return Call(self.name(), arguments, tuple((w, self.expression(depth - 1)) for w in words))

    def expression(self, depth: int) -> Expr:
        if depth <= 0:
            return self.atom()
        match self.random.randint(0, 9):
            case 0 | 1 | 2 | 3:
                return self.call(depth)
            case 4:
                return List(
                    tuple(self.expression(depth - 1) for _ in range(self.random.randint(1, 4)))
                )
            case 5:
                return Tuple(
                    tuple(self.expression(depth - 1) for _ in range(self.random.randint(1, 3)))
                )
            case 6:
                return self.call(depth).attr("shape")[self.random.randint(0, 3)]
            case 7:
                return Name("torch.cat")(List((self.atom(), self.call(depth - 1))), dim=1)
            case _:
                return self.atom()

    def statement(self, depth: int = 2) -> Stmt:
        match self.random.randint(0, 9):
            case 0 | 1 | 2 | 3 | 4:
                return Assign(Name("x"), self.expression(3))
            case 5:
                return Assign(Name("x"), self.call(3), note="[N, 3]")
            case 6 if depth:
                symbol = self.random.choice(["+", "*", "/", "@", "==", "-"])
                return Assign(Name("x"), Operator(symbol, self.call(1), self.atom()))
            case 6:
                return Return(Tuple((self.name(), self.expression(2))))
            case 7:
                return Expression(self.call(3))
            case 8 if depth:
                return For(Name("x"), self.call(1), (self.statement(depth - 1),))
            case 9 if depth:
                return If(self.name(), (self.statement(depth - 1),), (self.statement(depth - 1),))
            case _:
                return Assign(Name("y"), Dict(((Literal("loss"), self.call(2)),)))


def test_layout_is_that_of_ruff(tmp_path: Path) -> None:
    """Five hundred random statements, at several depths of indentation, with nothing to reformat."""
    trees = Trees(seed=0)
    functions: list[Stmt] = []
    for number in range(100):
        parameters = tuple(
            Parameter(f"{trees.name().text.replace('.', '_')}_{i}", Name("Tensor"))
            for i in range(trees.random.randint(0, 6))
        )
        body = tuple(trees.statement() for _ in range(5))
        given = Tuple((Name("Tensor"),) * (number % 20))
        returns = Name("tuple")[given] if given.elements else Name("Tensor")
        made = FunctionDef(f"f_{number}", parameters, body, returns=returns, doc="What it does.")
        functions.append(made if number % 2 else ClassDef(f"C_{number}", (), (made,)))
    source = module_source(Module("Random statements.", tuple(functions)))
    ast.parse(source)
    assert ruff(source, tmp_path, "format", "--diff") == ""


def test_numbers_that_fill_more_than_a_line(tmp_path: Path) -> None:
    """What a comprehension goes through is broken like any list."""
    x = Name("x")
    numbers = List(tuple(Literal(1000.5 + i) for i in range(20)))
    made = Name("concat")(Unary("*", Comprehension(Name("full")((Literal(1), x)), x, numbers)))
    source = module_source(Module("", (Assign(Name("y"), made),)))
    assert "for x in [\n" in source
    assert ruff(source, tmp_path, "format", "--diff") == ""


def test_bodies(tmp_path: Path) -> None:
    """Empty bodies, blank lines, `elif`, `with`."""
    x = Name("x")
    body = (
        If(x, (), (If(x, (Return(),), (Expression(x),)),)),
        Blank(),
        With(((Name("open")("a"), x), (Name("no_grad")(), None)), (Comment("only a comment"),)),
    )
    source = module_source(Module("", (FunctionDef("f", (Parameter("x"),), body),)))
    assert "    elif x:\n" in source and "with open(" in source
    ast.parse(source)
    assert ruff(source, tmp_path, "format", "--diff") == ""
