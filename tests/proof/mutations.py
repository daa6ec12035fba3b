"""Texts that are nearly specs: what the repository holds, cut, joined and spoilt."""

from __future__ import annotations

import random
import re
from pathlib import Path

import random_models

ROOT = Path(__file__).parent.parent.parent
LONGEST = 20_000

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|##?[^\n]*|[A-Za-z_]\w*|\d[\w.]*|->|\*\*|//|[<>=!]=|\s+|.')
NUMBERS = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "1000",
    "99_999",
    "2**31",
    "2**63",
    "10**18",
    "1e-3",
    "1e308",
    "0.5",
]
STRANGE = [
    "\u200b",
    "\x00",
    "\r",
    "\t",
    "\x1b[31m",
    "\u202e",
    "é",
    "漢",
    "\ufeff",
    "\\",
    '"',
    "'",
    "`",
    "#",
]

NAMES = [
    "class",
    "None",
    "print",
    "self",
    "super",
    "torch",
    "F",
    "keras",
    "Dense",
    "relu",
    "x",
    "__init__",
    "N",
    "_",
    "train",
]

MARK = "PWNED"
"""What must never be code, nor in a string that is not the spec's own."""

HOSTILE = [
    f'"""\n{MARK}()\n"""',
    f'"\u200b""\n{MARK}()\n"\u200b""',
    f'{MARK} \\"',
    f"{MARK} \\",
    f"'''{MARK}()'''",
    f"# type: ignore {MARK} -*- coding: utf-7 -*-",
    f"{{{MARK}}} %({MARK})s $({MARK}) `{MARK}`",
    f"</text><script>{MARK}</script>]]>--><!--",
    f"\x00\x1b[2J{MARK}\u2028\u202e\x85{MARK}()",
]


def texts(*folders: str) -> list[str]:
    """Specs of the repository, in an order that does not depend on the machine."""
    paths = sorted(p for folder in folders for p in (ROOT / folder).rglob("*.nn"))
    return [text for p in paths if len(text := p.read_text(encoding="utf-8")) <= LONGEST]


class Mutator:
    """The text of a number is always the same, for one seed and one corpus."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.right = texts("specs", "tests/cases/golden", "tests/cases/syntax", "nnspec/library")
        self.wrong = texts("tests/cases/errors", "tests/proof/snippets")
        every = [*self.right, *self.wrong]
        self.tokens = sorted({t for text in every for t in TOKEN.findall(text) if t.strip()})
        self.lines = sorted({line for text in every for line in text.split("\n")})
        self.gentle = [self._number, self._doc, self._string, self._rename]
        self.harsh = [
            self._token, self._drop, self._swap, self._line, self._line, self._splice, self._strange,
            self._repeat, self._deep,
        ]  # fmt: skip

    def text(self, number: int) -> str:
        chance = random.Random(f"{self.seed}/{number}")
        match chance.randrange(5):
            case 0:
                text = chance.choice(self.wrong)
            case 1 | 2:
                text = random_models.spec(chance.randrange(10**6), 1)
            case _:
                text = chance.choice(self.right)
        ways = chance.choice([self.gentle, self.harsh, [*self.gentle, *self.harsh]])
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            text = chance.choice(ways)(chance, text)
        return text[: 4 * LONGEST]

    def _rename(self, chance: random.Random, text: str) -> str:
        names = sorted(set(re.findall(r"\b[A-Za-z_]\w*\b", text)))
        old, new = chance.choice(names), chance.choice(NAMES)
        return re.sub(rf"\b{old}\b", new, text)

    def _at(self, chance: random.Random, text: str) -> tuple[list[str], int]:
        tokens = TOKEN.findall(text) or [""]
        return tokens, chance.randrange(len(tokens))

    def _token(self, chance: random.Random, text: str) -> str:
        tokens, at = self._at(chance, text)
        own = chance.random() < 0.5
        tokens[at] = chance.choice(tokens) if own else chance.choice(self.tokens)
        return "".join(tokens)

    def _number(self, chance: random.Random, text: str) -> str:
        places = list(re.finditer(r"\b\d[\w.]*", text))
        if not places:
            return text
        place = chance.choice(places)
        return text[: place.start()] + chance.choice(NUMBERS) + text[place.end() :]

    def _drop(self, chance: random.Random, text: str) -> str:
        tokens, at = self._at(chance, text)
        del tokens[at : at + chance.choice([1, 1, 2, 5, 20])]
        return "".join(tokens)

    def _swap(self, chance: random.Random, text: str) -> str:
        tokens, at = self._at(chance, text)
        other = chance.randrange(len(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
        return "".join(tokens)

    def _line(self, chance: random.Random, text: str) -> str:
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        match chance.randrange(3):
            case 0:
                lines.insert(at, chance.choice(lines))
            case 1:
                lines.insert(at, chance.choice(self.lines))
            case _:
                lines.append(lines.pop(at))
        return "\n".join(lines)

    def _splice(self, chance: random.Random, text: str) -> str:
        other = chance.choice(self.right)
        return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]

    def _strange(self, chance: random.Random, text: str) -> str:
        at = chance.randrange(len(text) + 1)
        return text[:at] + chance.choice(STRANGE) + text[at:]

    def _doc(self, chance: random.Random, text: str) -> str:
        places = [m.start() for m in re.finditer(r"^", text, re.MULTILINE)]
        at = chance.choice(places)
        said = "\n".join(f"## {line}" for line in chance.choice(HOSTILE).split("\n"))
        return f"{text[:at]}{said}\n{text[at:]}"

    def _string(self, chance: random.Random, text: str) -> str:
        places = list(re.finditer(r'"(?:[^"\\\n]|\\.)*"', text))
        if not places:
            return text
        place, said = chance.choice(places), chance.choice(HOSTILE)
        said = said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{text[: place.start()]}"{said}"{text[place.end() :]}'

    def _repeat(self, chance: random.Random, text: str) -> str:
        start = chance.randrange(len(text) + 1)
        piece = text[start : start + chance.choice([3, 10, 40, 200])]
        return text[:start] + piece * chance.choice([2, 10, 100]) + text[start:]

    def _deep(self, chance: random.Random, text: str) -> str:
        at, depth = chance.randrange(len(text) + 1), chance.choice([2, 50, 2000])
        opening, closing = chance.choice(
            ["()", "[]", "{}", "- ", ("not ", ""), ("x -> ", ""), ("1 + ", "")]
        )
        return text[:at] + opening * depth + "x" + closing * depth + text[at:]
