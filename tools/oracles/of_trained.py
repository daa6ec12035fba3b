"""Networks with the weights that their packages carry, on a tone, a sung vowel and a photograph.

`of_trained.py FOLDER` writes there, for each, what went in and came out; where the weights stand is among what is said of
the file. `tests/proof/trained.py` runs this; weights and photograph stay in their packages.
"""

from __future__ import annotations

import without_compiled  # noqa: F401  before facenet_pytorch, which takes torchvision

# isort: split
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

# torchcrepe reads and resamples files with these, which nothing here asks for.
sys.modules |= {name: ModuleType(name) for name in ("librosa", "resampy", "torchaudio")}

import facenet_pytorch  # noqa: E402
import silero_vad  # noqa: E402
import torchcrepe  # noqa: E402

FOLDER = Path(sys.argv[1])
RATE = 16_000


def package(name: str) -> Path:
    """Where it is; importing it is another matter."""
    found = find_spec(name)
    assert found is not None, name
    return Path(str(found.origin)).parent


def save(name: str, source: Path, given: np.ndarray, outputs: dict[str, np.ndarray]) -> None:
    arrays = {"input": given} | {f"outputs.{n}": a for n, a in outputs.items()}
    arrays = {n: np.ascontiguousarray(a, "f4") for n, a in arrays.items()}
    save_file(arrays, FOLDER / f"{name}.safetensors", {"weights": str(source)})


def tone(pitch: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * pitch * np.arange(int(RATE * seconds)) / RATE).astype("f4")


def vowel(seconds: float) -> np.ndarray:
    """An "ah" that begins after silence, trembles and fades: harmonics of 120 Hz, loud where a mouth resounds."""
    time = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 4 * np.sin(2 * np.pi * 5 * time)) / RATE
    sound = np.zeros_like(time)
    for k in range(1, 40):
        loud = sum(
            np.exp(-(((120 * k - f) / width) ** 2))
            for f, width in ((730, 150), (1090, 180), (2440, 250))
        )
        sound += (loud + 0.02) / k**0.5 * np.sin(k * phase)
    shape = np.clip(4 * (time - 0.5), 0, 1) * np.clip(3 * (seconds - time), 0, 1)
    noise = 0.002 * np.random.default_rng(0).standard_normal(len(time))
    return (0.3 * shape * sound / np.abs(sound).max() + noise).astype("f4")


def crepe() -> None:
    source = package("torchcrepe") / "assets" / "tiny.pth"
    net = torchcrepe.Crepe("tiny").eval()
    net.load_state_dict(torch.load(source, weights_only=True))
    for name, sound in {"crepe_tone": tone(440, 0.5), "crepe_vowel": vowel(1.5)}.items():
        [frames] = torchcrepe.preprocess(torch.from_numpy(sound)[None], RATE, hop_length=800)
        save(name, source, frames.numpy(), {"pitches": net(frames).numpy()})


def mtcnn() -> None:
    photo = Image.open(package("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg")
    face, size = (160, 60), 220
    boxes = [(x, y, x + size, y + size) for x in (0, 100, face[0], 290) for y in (0, face[1], 300)]

    def pixels(images: list[Image.Image]) -> np.ndarray:
        return (np.stack([np.asarray(i, "f4") for i in images]) - 127.5) / 128

    def part(side: int) -> np.ndarray:
        return pixels([photo.crop(box).resize((side, side)) for box in boxes])

    given = {"p": pixels([photo.resize((86, 101))]), "r": part(24), "o": part(48)}
    names = {"p": ("boxes", "faces"), "r": ("boxes", "faces"), "o": ("boxes", "points", "faces")}
    for letter, x in given.items():
        net = getattr(facenet_pytorch, f"{letter.upper()}Net")
        source = package("facenet_pytorch") / "data" / f"{letter}net.pt"
        found = [a.movedim(1, -1).numpy() for a in net()(torch.from_numpy(x).permute(0, 3, 1, 2))]
        save(f"mtcnn_{letter}", source, x, dict(zip(names[letter], found, strict=True)))


def silero() -> None:
    net = silero_vad.load_silero_vad(onnx=True, opset_version=15)
    sound = vowel(2.048)
    speech = net.audio_forward(torch.from_numpy(sound), RATE).numpy()[0]
    parts = np.concatenate([np.zeros(64, "f4"), sound])
    frames = np.stack([parts[i : i + 576] for i in range(0, len(sound), 512)])
    source = package("silero_vad") / "data" / "silero_vad_16k_op15.onnx"
    save("silero_vad", source, frames, {"speech": speech})


FOLDER.mkdir(parents=True, exist_ok=True)
with torch.no_grad():
    for network in (crepe, mtcnn, silero):
        network()
