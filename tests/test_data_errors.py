"""Every file of `cases/data` names data that is not right, made here; `NNSPEC_UPDATE=1` writes anew what is said."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nnspec
from nnspec.driver.training import run
from nnspec.report.diagnostics import SpecError
from nnspec.report.render import render

FOLDER = Path(__file__).parent / "cases" / "data"


def ids_of_halves() -> None:
    np.save("ids.npy", np.ones(9))


def ids_out_of_range() -> None:
    np.save("ids.npy", (np.arange(5000) % 64 + 64 * (np.arange(5000) == 4321)).astype("u2"))


def ids_pickled() -> None:
    np.save("ids.npy", np.array([{"run": "me"}]), allow_pickle=True)


def text_with_accents() -> None:
    Path("words.txt").write_text("naïveté, " * 40)


IRIS = "width,height,species\n1.5,2,setosa\n0.5,,virginica\n"


def csv(text: str | bytes) -> Callable[[], object]:
    return lambda: Path("iris.csv").write_bytes(text.encode() if isinstance(text, str) else text)


def pictures(**files: bytes) -> Callable[[], object]:
    """A folder with two classes; and what else is in `cats`."""

    def made() -> None:
        for i, name in enumerate(("cats", "dogs")):
            Path("pets", name).mkdir(parents=True)
            Image.new("RGB", (40, 30), (10 * i, 20, 30)).save(f"pets/{name}/a.png")
        for name, content in files.items():
            Path("pets/cats", name.replace("_", ".")).write_bytes(content)

    return made


def encoded(format: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), "u1")
    file = BytesIO()
    Image.fromarray(noise).save(file, format)
    return file.getvalue()


def bomb() -> bytes:
    """A picture that says that it is large."""
    content = encoded("PNG").replace(struct.pack(">II", 40, 40), struct.pack(">II", 50_000, 50_000))
    checked = content[12:29]
    return content[:29] + struct.pack(">I", zlib.crc32(checked)) + content[33:]


def link_out() -> None:
    pictures()()
    Path("secret.png").write_bytes(encoded("PNG"))
    Path("pets/cats/b.png").symlink_to("../../secret.png")


def other_classes() -> None:
    pictures()()
    Path("pets").rename("train")
    Path("pets").mkdir()
    Path("train").rename("pets/train")
    Path("pets/validation/mice").mkdir(parents=True)
    Path("pets/validation/mice/a.png").write_bytes(encoded("PNG"))


def cifar(name: str, label: int) -> Callable[[], object]:
    def made() -> None:
        Path("cifar").mkdir()
        Path("cifar", name).write_bytes(bytes([label]) + bytes(3072))

    return made


def labels() -> None:
    y = np.arange(20).reshape(10, 2) % 4 + 1
    np.savez("own.npz", x=np.ones((10, 8), "f4"), y=y, z=y[:, 0])


MADE: dict[str, Callable[[], object]] = {
    "cifar_label": cifar("data_batch_1.bin", 10),
    "cifar_pickled": cifar("data_batch_1", 0),
    "csv_category": csv(IRIS.replace("virg", "verg")),
    "csv_fields": csv(IRIS + "1,2\n"),
    "csv_lacks_column": csv(IRIS.replace("height", "length")),
    "csv_long_line": csv(IRIS + "1" * 2_000_000),
    "csv_missing_value": csv(IRIS),
    "csv_no_rows": csv(IRIS.splitlines()[0]),
    "csv_of_bytes": csv(b"\xff\xfe\x00"),
    "csv_text": csv(IRIS),
    "images_bomb": pictures(b_png=bomb()),
    "images_cut": pictures(b_jpg=encoded("JPEG")[:900], c_png=encoded("PNG")[:900]),
    "images_deep": lambda: Path("pets/cats", *"a" * 34).mkdir(parents=True),
    "images_link_out": link_out,
    "images_missing": lambda: None,
    "images_none": lambda: Path("pets/cats").mkdir(parents=True),
    "images_of_more_classes": lambda: [
        pictures()(),
        Path("pets/mice").mkdir(),
        Path("pets/mice/a.png").write_bytes(encoded("PNG")),
    ],
    "images_other_classes": other_classes,
    "images_text": pictures(notes_txt=b"not a cat", image_svg=b"<svg/>"),
    "labels_less_one": labels,
    "labels_of_parts": labels,
    "npz_lengths": lambda: np.savez("own.npz", x=np.ones((9, 8), "f4"), y=np.ones((7, 8), "f4")),
    "share_of_too_few": lambda: np.savez("few.npz", x=np.ones((4, 8), "f4")),
    "synthetic_size": lambda: None,
    "text_beyond_ascii": text_with_accents,
    "text_missing": lambda: None,
    "text_too_short": lambda: Path("words.txt").write_text("too short"),
    "tokens_of_halves": ids_of_halves,
    "tokens_odd_bin": lambda: Path("ids.bin").write_bytes(b"123"),
    "tokens_out_of_range": ids_out_of_range,
    "tokens_pickled": ids_pickled,
}


@pytest.mark.parametrize("case", sorted(p.stem for p in FOLDER.glob("*.nn")))
def test_message(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / f"{case}.nn").read_text()
    monkeypatch.chdir(tmp_path)
    MADE[case]()
    Path(f"{case}.nn").write_text(text)
    monkeypatch.setattr("nnspec.driver.requirements.require", lambda *_: None)
    monkeypatch.setattr(run, "followed", None)  # nothing may be started
    with pytest.raises(SpecError) as caught:
        nnspec.load(Path(f"{case}.nn")).train("pytorch")
    found = render(caught.value.diagnostics).replace(f"{tmp_path}/", "")
    expected = FOLDER / f"{case}.txt"
    if os.environ.get("NNSPEC_UPDATE"):
        expected.write_text(found)
    assert found == expected.read_text()
