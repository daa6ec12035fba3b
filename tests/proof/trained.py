"""`make proof`: networks of specs/zoo with the weights that others trained, equal to theirs on every target.

    python tests/proof/trained.py

The packages that carry the weights are in `.oracles-venv` (`make oracles`), where `tools/oracles/of_trained.py` runs
their own networks; nothing of theirs is copied into the repository.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import oracles  # noqa: E402
from safetensors import safe_open  # noqa: E402

import nnspec  # noqa: E402
from nnspec.graph.weight_map import Array  # noqa: E402

PYTHON = ROOT / ".oracles-venv" / "bin" / "python"
FOLDER = ROOT / "build" / "proof" / "trained"

MODELS = {
    "crepe_tone": ("crepe.nn", "CREPE", {}),
    "crepe_vowel": ("crepe.nn", "CREPE", {}),
    "mtcnn_p": ("mtcnn.nn", "PNet", {"height": 101, "width": 86}),
    "mtcnn_r": ("mtcnn.nn", "RNet", {}),
    "mtcnn_o": ("mtcnn.nn", "ONet", {}),
    "silero_vad": ("silero_vad.nn", "SileroVAD", {}),
}
"""File, model and parameters of each."""


def case(name: str) -> oracles.Case:
    file, model, parameters = MODELS[name]
    with safe_open(FOLDER / f"{name}.safetensors", "numpy") as held:
        arrays: dict[str, Array] = {n: held.get_tensor(n) for n in held.keys()}  # noqa: SIM118
        source = Path(held.metadata()["weights"])
    spec = nnspec.load(ROOT / "specs" / "zoo" / file).model(model, **parameters).alone()
    given = {str(spec.models[0].graph.inputs[0].name): arrays.pop("input")}
    expected = {n.removeprefix("outputs."): a for n, a in arrays.items()}
    return oracles.case(name, spec, source, given, expected)


def meant(case: oracles.Case, outputs: Sequence[Array]) -> bool:
    """Whether the network also says what it should of what it was given."""
    named = dict(zip(case.model.output_names, outputs, strict=True))
    match case.name:
        case "crepe_tone":
            # Pitches are 20 cents apart; the frames at both ends are half silent.
            cents = 1997.3794 + 20 * named["pitches"][2:-2].argmax(axis=-1)
            return bool((abs(10 * 2 ** (cents / 1200) - 440) < 5).all())
        case "mtcnn_r" | "mtcnn_o":
            faces = named["faces"][:, 1]
            return bool(faces.max() > 0.9 and faces.min() < 0.1)
        case "silero_vad":
            speech = named["speech"]
            return bool(speech.max() > 0.5 and speech[2:12].max() < 0.1)
        case _:
            return True


def main() -> int:
    subprocess.run(
        [str(PYTHON), str(ROOT / "tools" / "oracles" / "of_trained.py"), str(FOLDER)], check=True
    )
    cases = [case(name) for name in MODELS]
    wrong = 0
    for runner in oracles.RUNNERS:
        for one, outputs in zip(cases, oracles.outputs(runner, cases), strict=True):
            far = max(one.distances(outputs).values())
            good = far <= oracles.BOUND and meant(one, outputs)
            wrong += not good
            print(
                f"{one.name:12} {runner:10} {far:.1e} {'agrees' if good else 'DIFFERS'}", flush=True
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
