"""The judge's pages: figures.json and index.html, which opens from disk and fetches nothing."""

import base64
import html
import io
import json
import math
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from generation.audio.picture import preview_png
from generation.errors import RiffError
from generation.files import write_whole
from generation.judge.evaluation import Evaluation
from generation.judge.figures import Figure, limit, written
from generation.judge.loops import Specimen
from generation.spectrogram import Spectrogram

_TITLES = {
    "adherence": "Does it play what was asked for?",
    "likeness": "Does it sound like the real thing?",
    "originality": "Does it make something of its own?",
    "seam": "Is the seam heard?",
    "sound": "Level, width, brightness",
    "pairs": "Does a word change what it should, and only that?",
    "way": "Morph and remix: is halfway in the middle?",
    "codec": "What does the picture lose?",
    "cost": "What does it cost?",
}
_BAR_WIDTH = 220
_LABELS = {"wanted": "as wanted", "needed": "as needed", "short": "falls short", "": ""}


def template(name: str, **values: object) -> str:
    """One of this package's templates, everything escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name).render(values)


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write figures.json and index.html; gives their paths. Raises RiffError where the folder cannot be used."""
    today = datetime.now(UTC).date().isoformat()
    record = {"date": today, **evaluation.to_dict()}
    sections = [
        (_TITLES[section], [_row(figure) for figure in figures])
        for section, figures in groupby(evaluation.figures, key=lambda figure: figure.section)
    ]
    page = template(
        "report.html",
        evaluation=evaluation,
        date=today,
        sections=sections,
        goals=[_row(figure) for figure in evaluation.figures if figure.goal is not None],
        pictures=[
            (real.facts.caption, png_uri(picture(real)), png_uri(picture(riff)))
            for real, riff in evaluation.pairs
        ],
        confusion={name: png_uri(_heat(table)) for name, table in evaluation.confusion.items()},
        confused=_confused(evaluation),
        sounds=sorted(evaluation.per_sound, key=lambda row: (-row[1] if row[1] == row[1] else 1, row[0])),
        seams=_seams(evaluation.seams),
        ways=_ways(evaluation.lines),
    )
    contents = {"figures.json": json.dumps(record, indent=1) + "\n", "index.html": page}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            with write_whole(folder / name) as file:
                file.write(text.encode())
    except OSError as error:
        raise RiffError(f"The page cannot be written to {folder}: {error.strerror}.") from None
    return [folder / name for name in contents]


def picture(loop: Specimen) -> bytes:
    """A loop's spectrogram as a small PNG, 256 x 80."""
    return preview_png(Spectrogram(loop.level, np.zeros((len(loop.level) // 8, 1, 2), np.uint8)))


def png_uri(png: bytes) -> str:
    """A PNG that stands in the page itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _row(figure: Figure) -> dict[str, str]:
    goal = figure.goal
    return {
        "name": figure.name,
        "note": figure.note,
        "real": written(figure.real, figure.unit),
        "riffs": written(figure.riffs, figure.unit),
        "interval": _interval(figure),
        "share": written(figure.share, ""),
        "n": f"{figure.riffs.n}" if figure.riffs.n > 1 else "",
        "needed": "" if goal is None else limit(goal, goal.needed, figure.unit),
        "wanted": "" if goal is None else limit(goal, goal.wanted, figure.unit),
        "verdict": figure.verdict,
        "label": _LABELS[figure.verdict],
        "bar": _bar(figure),
    }


def _interval(figure: Figure) -> str:
    if figure.riffs.n < 2 or math.isnan(figure.riffs.value):
        return ""
    return (
        written(figure.riffs, figure.unit, interval=True).split(" ", 1)[1].removesuffix(figure.unit).strip()
    )


def _bar(figure: Figure) -> str:
    """The riffs' value with its interval, and the real loops' as a line; "" where nothing can be drawn."""
    if figure.real is None and figure.riffs.n < 2:
        return ""
    values = [figure.riffs.value, figure.riffs.high, *([figure.real.value] if figure.real else [])]
    known = [value for value in values if not math.isnan(value)]
    if math.isnan(figure.riffs.value) or min(known) < 0 or max(known) == 0:
        return ""
    scale = _BAR_WIDTH / (1.0 if figure.unit == "%" else 1.15 * max(known))

    def at(value: float) -> float:
        return round(min(value * scale, _BAR_WIDTH), 1)

    parts = [f'<rect class="riffs" y="4" width="{at(figure.riffs.value)}" height="10" rx="2"/>']
    if figure.riffs.n > 1:
        low, high = at(figure.riffs.low), at(figure.riffs.high)
        parts.append(f'<path class="interval" d="M{low} 9H{high}M{low} 6V12M{high} 6V12"/>')
    if figure.real is not None and not math.isnan(figure.real.value):
        parts.append(f'<path class="real" d="M{at(figure.real.value)} 1V17"/>')
    label = html.escape(
        f"riffs {written(figure.riffs, figure.unit)}, real {written(figure.real, figure.unit)}"
    )
    return f'<svg viewBox="0 0 {_BAR_WIDTH} 18" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _heat(table: NDArray[np.float64]) -> bytes:
    """A confusion table as a picture: rows are what was asked for, columns what was heard, each row sums to 1."""
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    dark, light = np.array([24, 22, 34]), np.array([255, 186, 92])
    colours = dark + (light - dark) * np.sqrt(shares)[..., None]
    buffer = io.BytesIO()
    Image.fromarray(np.rint(colours).astype(np.uint8)).resize(
        (table.shape[1] * 8, table.shape[0] * 8), Image.Resampling.NEAREST
    ).save(buffer, "PNG")
    return buffer.getvalue()


def _confused(evaluation: Evaluation) -> list[tuple[str, str, int, int]]:
    """The commonest mistakes: asked for, heard, how often in riffs, how often in the real loops."""
    riffs, real = evaluation.confusion["riffs"].copy(), evaluation.confusion["real"]
    np.fill_diagonal(riffs, 0)
    order = np.argsort(-riffs, axis=None, kind="stable")[:12]
    places = [np.unravel_index(index, riffs.shape) for index in order]
    return [
        (evaluation.genres[row], evaluation.genres[column], int(riffs[row, column]), int(real[row, column]))
        for row, column in places
        if riffs[row, column] > 0
    ]


def _seams(seams: dict[str, list[float]]) -> str:
    """Both distributions of the seam's flux over other bar starts, 0.5 to 2, as steps."""
    edges = np.linspace(0.5, 2.0, 31)
    width, height = 620.0, 120.0
    lines = []
    for name, values in seams.items():
        counts = np.histogram(np.clip(values, 0.5, 2.0), edges)[0] / max(1, len(values))
        tops = height - counts / 0.4 * height
        path = "".join(
            f"H{(edge - 0.5) / 1.5 * width:.1f}V{max(top, 0):.1f}"
            for edge, top in zip(edges, tops, strict=False)
        )
        lines.append(f'<path class="line {name}" d="M0 {height}{path}H{width}"/>')
    middle = width / 3
    return (
        f'<svg class="chart" viewBox="0 -4 {width} {height + 20}" role="img" aria-label="seam flux, riffs and real">'
        f'<path class="axis" d="M0 {height}H{width}M{middle} 0V{height}"/>{"".join(lines)}'
        f'<text x="{middle}" y="{height + 14}">1 = as any bar start</text></svg>'
    )


def _ways(lines: dict[str, list[float]]) -> str:
    """The mean place of each step of morphs and remixes between the ends, against its setting."""
    width, height = 300.0, 160.0
    drawn = []
    for name, places in lines.items():
        points = " ".join(
            f"{index / (len(places) - 1) * width:.1f},{height - min(max(place, -0.1), 1.1) * height:.1f}"
            for index, place in enumerate(places)
        )
        drawn.append(f'<polyline class="line {name}" points="{points}"/>')
    return (
        f'<svg class="chart way" viewBox="-4 -20 {width + 8} {height + 40}" role="img" aria-label="morph and remix">'
        f'<path class="axis" d="M0 0V{height}H{width}M0 {height}L{width} 0"/>{"".join(drawn)}</svg>'
    )
