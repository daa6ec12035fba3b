"""Many small cases in few tests: a test of its own costs pytest a millisecond, which is more than most of them take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")
Check = Callable[[T], None]


def each(
    cases: Iterable[T], *, name: Callable[[T], str], group: Callable[[T], str]
) -> Callable[[Check[T]], Check[list[T]]]:
    """A test of every case, those of a group in one test; all that fail are told, each by its name."""
    groups: dict[str, list[T]] = {}
    for case in cases:
        groups.setdefault(group(case), []).append(case)

    def grouped(check: Check[T]) -> Check[list[T]]:
        @pytest.mark.parametrize("cases", groups.values(), ids=groups)
        def test(cases: list[T]) -> None:
            failures = []
            for case in cases:
                try:
                    check(case)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the rest is checked, too
                    error.add_note(f"case: {name(case)}")
                    failures.append(error)
            if failures:
                names = "; ".join(note for e in failures for note in e.__notes__)
                raise BaseExceptionGroup(f"{len(failures)} of {len(cases)}: {names}", failures)

        test.__doc__ = check.__doc__
        return test

    return grouped
