"""Names with numbers left open: `"layer{i}.{j}.conv.weight" = "stage.{i-1}.block.{j}.weight"`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

MOST_OPEN = 6
"""Open places of one pattern."""

_OPEN = re.compile(r"\{(_?)([A-Za-z][A-Za-z0-9]*)([+-]\d{1,6})?\}")


class PatternError(ValueError):
    """What is wrong with a pattern, in a sentence."""


def is_open(pattern: str) -> bool:
    """Whether it stands for more than one name."""
    return "{" in pattern or "*" in pattern


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    found, end, known = "", 0, set[str]()
    for place in _OPEN.finditer(pattern):
        name = place[2]
        if place[1] or place[3]:
            raise PatternError(f"`{place[0]}` can stand on the right side only")
        found += _plain(pattern[end : place.start()])
        if name in known:
            found += f"(?P={name})"
        else:
            found += f"(?P<{name}>[0-9]{{1,9}})" if len(name) == 1 else f"(?P<{name}>[^.]+)"
        known.add(name)
        end = place.end()
    found += _plain(pattern[end:])
    if len(known) + pattern.count("*") > MOST_OPEN:
        raise PatternError(f"`{pattern}` leaves more than {MOST_OPEN} places open")
    return re.compile(found)


def _plain(text: str) -> str:
    if "{" in text or "}" in text:
        raise PatternError(f"`{text}` has a brace that is no `{{i}}`")
    return ".*".join(map(re.escape, text.split("*")))


def places(pattern: str, name: str) -> Mapping[str, str] | None:
    """What stands in the open places of a pattern where the name is one of its; else None."""
    found = _compiled(pattern).fullmatch(name)
    return None if found is None else found.groupdict()


def filled(pattern: str, values: Mapping[str, str]) -> str:
    """The name that a pattern of the right side gives."""

    def value(place: re.Match[str]) -> str:
        once, name, offset = place.groups()
        if name not in values:
            raise PatternError(f"`{place[0]}` stands nowhere on the left side")
        text = values[name]
        if offset or once:
            if not text.isdecimal():
                raise PatternError(f"`{place[0]}` is no number")
            number = int(text) + int(offset or 0)
            text = str(number) if not once else "" if number == 1 else f"_{number}"
        return text

    return _OPEN.sub(value, pattern)
