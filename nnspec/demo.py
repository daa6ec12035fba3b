"""`make demo`: from a spec to four frameworks' files and to answers, with the light core alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from nnspec import cli
from nnspec.catalogue.data import digits
from nnspec.driver import inference
from nnspec.driver.requirements import installed, is_runnable

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "specs" / "digits_cnn.nn"
WEIGHTS = ROOT / "specs" / "weights" / "digits_cnn.safetensors"
OUTPUT = Path("build")
LEAST_ACCURACY = 0.97


def main() -> int:
    """Carry out the commands that a newcomer would type; the exit status says whether all went well."""
    frameworks = [t.name for t in installed()[0] if is_runnable(t.name)]
    print(f"frameworks installed here: {', '.join(frameworks) or 'none'}\n")
    spec, weights = _shown(SPEC), _shown(WEIGHTS)
    commands = [
        ["check", spec],
        ["build", spec, "--target", "all", "--weights", weights, "-o", str(OUTPUT)],
        ["summary", spec],
    ]
    for command in commands:
        print(f"$ nnspec {' '.join(command)}", flush=True)
        if status := cli.status(command):
            return status
        print(flush=True)
    return _score(OUTPUT / "digits_cnn.onnx")


def _score(path: Path) -> int:
    _, held_out = digits.read(size=28)
    engine = inference.load(path, "cpu")
    (image,) = engine.inputs
    assert image.layout is not None
    images = image.layout.there(held_out["image"])
    answers = engine.run({"image": images})["logits"].argmax(axis=1)
    accuracy = float((answers == held_out["label"]).mean())
    one = engine.bench({"image": images[:1]})
    print(f"{path} in onnxruntime on {len(images)} held-out digits:")
    print(f"  accuracy {accuracy:.2%}, one digit in {one.median * 1e3:.3f} ms (median)")
    print(_drawn(held_out["image"][0, ..., 0], int(answers[0])))
    print(f"\nthe files are in {OUTPUT.resolve()}:")
    for file in sorted(OUTPUT.glob("digits_cnn*")):
        print(f"  {file.name:<32} {file.stat().st_size:>9,} bytes")
    return 0 if accuracy > LEAST_ACCURACY else 1


def _drawn(image: np.ndarray[tuple[int, ...], np.dtype[np.float32]], answer: int) -> str:
    rows = ("".join(" .:*#"[int(cell * 4.99)] * 2 for cell in row[::2]) for row in image[::2])
    return "\n" + "\n".join(f"    {row}" for row in rows) + f"\n    this is a {answer}"


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
