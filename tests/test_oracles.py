"""Other people's models judge us: with their weights, every target computes what they did.

`tools/oracles/` ran them and wrote `tests/cases/oracles/NAME.safetensors`; `cases.toml` there says which spec is to
compute the same. Weights are found without a table, or by `NAME.weights.toml`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import oracles
import pytest

import nnspec
from nnspec.graph import weight_files
from nnspec.graph.weight_map import Array

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "cases" / "oracles"
TOLD = tomllib.loads((CASES / "cases.toml").read_text())


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[oracles.Case]:
    folder = tmp_path_factory.mktemp("oracles")
    return [case(name, folder) for name in TOLD]


def case(name: str, folder: Path) -> oracles.Case:
    """With weights from a file of the other framework's, or from that of the case."""
    told = TOLD[name]
    held = weight_files.load(CASES / f"{name}.safetensors")

    def under(prefix: str) -> dict[str, Array]:
        return {n.removeprefix(prefix): held[n] for n in held if n.startswith(prefix)}

    source = CASES / told.get("weights", "")
    if "weights" not in told:
        source = folder / f"{name}.safetensors"
        weight_files.save(source, under("weights."))
    spec = nnspec.load(ROOT / told["spec"], parameters=told["set"]).model(told.get("model")).alone()
    table = CASES / f"{name}.weights.toml"
    given, expected = under("inputs."), under("outputs.")
    return oracles.case(name, spec, source, given, expected, table if table.exists() else None)


def test_each_file_has_its_case() -> None:
    assert {p.stem for p in CASES.glob("*.safetensors")} == set(TOLD)


@pytest.mark.framework
@pytest.mark.parametrize("runner", oracles.RUNNERS)
def test_computes_what_they_did(runner: str, cases: list[oracles.Case]) -> None:
    far = {}
    for case, found in zip(cases, oracles.outputs(runner, cases), strict=True):
        distances = case.distances(found)
        far |= {f"{case.name}.{n}": d for n, d in distances.items() if not d <= oracles.BOUND}
    assert not far
