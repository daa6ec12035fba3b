"""Every file of `cases/data` names data that is not right, made here; `NNSPEC_UPDATE=1` writes anew what is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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


MADE: dict[str, Callable[[], object]] = {
    "share_of_too_few": lambda: np.savez("few.npz", x=np.ones((4, 8), "f4")),
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
