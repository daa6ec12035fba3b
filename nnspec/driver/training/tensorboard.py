"""Figures as TensorBoard reads them: files of records, each an `Event` in protobuf's encoding.

Written by hand, since the package that would do it brings a web server. What is trained on and what is held out are two
runs of one board, so that `loss` of both stands in one picture.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path

HELD_OUT = "val_"
POLYNOMIAL = 0x82F63B78
"""Of CRC-32C, its bits turned round."""


def _table() -> tuple[int, ...]:
    found = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (POLYNOMIAL if number & 1 else 0)
        found.append(number)
    return tuple(found)


TABLE = _table()


class Board:
    """Appends to the files below a folder. step: where the run goes on; what was told from there on counts no more."""

    def __init__(self, folder: Path, step: int) -> None:
        self.folder, self.begun = folder, step
        self.files: dict[str, Path] = {}

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """The figures after so many steps."""
        for part, prefix in (("train", ""), ("validation", HELD_OUT)):
            own = {
                name.removeprefix(prefix): figure
                for name, figure in figures.items()
                if name.startswith(HELD_OUT) == bool(prefix)
            }
            if own:
                self._append(
                    part, _event(step, _bytes(5, b"".join(_value(*i) for i in own.items())))
                )

    def _append(self, part: str, event: bytes) -> None:
        if part not in self.files:
            place = self.folder / part
            place.mkdir(parents=True, exist_ok=True)
            self.files[part] = place / f"events.out.tfevents.{time.time_ns()}.nnspec"
            begin = _event(0, _bytes(3, b"brain.Event:2"))
            # "START": a board forgets what an earlier file has from this step on.
            event = begin + _event(self.begun + 1, _bytes(7, _number(1, 1))) + event
        with self.files[part].open("ab") as file:
            file.write(event)


def _event(step: int, content: bytes) -> bytes:
    """A record that holds an event."""
    event = struct.pack("<Bd", 1 << 3 | 1, time.time()) + _number(2, step) + content
    length = struct.pack("<Q", len(event))
    return length + _sum(length) + event + _sum(event)


def _value(tag: str, figure: float) -> bytes:
    """An entry of a summary: its tag, and a number in single precision."""
    number = struct.pack("<Bf", 2 << 3 | 5, figure)
    return _bytes(1, _bytes(1, tag.encode()) + number)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _sum(content: bytes) -> bytes:
    """The checksum of a record's part, masked as the format asks."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
