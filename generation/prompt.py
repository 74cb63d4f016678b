"""What stands in a prompt besides words: emphasis, and the names of styles.

`(bells:1.3)` is heard 1.3 times as much, `(bells)` 1.1 times, `[bells]` as much less, and they nest, as in the
prompts of image generators and of Riffusion. `style:NAME` or `style:NAME:0.7` asks for a style by its weight.
"""

import re
from dataclasses import dataclass

from generation.errors import InvalidRequest

EMPHASIS = 1.1
WEIGHT = (0.05, 4.0)
STYLE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_STYLE = re.compile(r"(?:^|(?<=[\s,(]))style:([^\s,:()\[\]]+)(?::(-?\d+(?:\.\d+)?))?,?\s*", re.IGNORECASE)
_TOKEN = re.compile(r"\\[()\[\]]|:\s*(\d+(?:\.\d+)?)\s*\)|[()\[\]]")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt taken apart.

    `text` is what the model reads; `spans` are (start, end, weight) of its stretches whose weight is not 1;
    `styles` are (name, weight).
    """

    text: str
    spans: tuple[tuple[int, int, float], ...] = ()
    styles: tuple[tuple[str, float], ...] = ()


def parse_prompt(text: str) -> Prompt:
    """Take a prompt apart. Brackets without a partner are text. Raises InvalidRequest for a style that is none."""
    styles = []
    for name, weight in _STYLE.findall(text):
        if not STYLE_NAME.fullmatch(name.lower()):
            raise InvalidRequest(
                "prompt",
                f"“{name[:40]}” is no name of a style: letters, digits, - and _, at most 32 of them.",
            )
        styles.append((name.lower(), float(weight) if weight else 1.0))
        if not 0 <= styles[-1][1] <= 2:
            raise InvalidRequest("prompt", f"The weight of style {name} has to be from 0 to 2, not {weight}.")
    words = " ".join(_STYLE.sub("", text).split())
    pieces = _emphasised(words)
    plain, spans = "", []
    for piece, weight in pieces:
        if weight != 1 and piece:
            spans.append((len(plain), len(plain) + len(piece), weight))
        plain += piece
    return Prompt(plain, tuple(spans), tuple(styles))


def _emphasised(text: str) -> list[tuple[str, float]]:
    """Stretches of text with their weights."""
    pieces: list[tuple[str, float]] = []
    open_brackets: list[tuple[str, int]] = []  # which, and the place of the first piece within
    at = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        pieces.append((text[at : token.start()], 1.0))
        at = token.end()
        if mark.startswith("\\"):
            pieces.append((mark[1], 1.0))
        elif mark in "([":
            open_brackets.append((mark, len(pieces)))
            pieces.append((mark, 1.0))
        elif open_brackets and open_brackets[-1][0] == ("[" if mark == "]" else "("):
            _, first = open_brackets.pop()
            factor = float(token[1]) if token[1] else EMPHASIS if mark == ")" else 1 / EMPHASIS
            factor = min(max(factor, WEIGHT[0]), WEIGHT[1])
            inside = [(piece, weight * factor) for piece, weight in pieces[first + 1 :]]
            pieces[first:] = [("", 1.0), *inside]
        else:
            pieces.append((mark, 1.0))
    pieces.append((text[at:], 1.0))
    return pieces
