"""The certificate: a licence on one page of A4, the same bytes each time it is asked for.

It is made from the signed document, the waveform and the licence's standing. Its type is what comes with reportlab:
Bitstream Vera for Latin, which is embedded; for Chinese, Japanese, Korean, Greek and Russian the fonts that PDF readers
are expected to have. What none of them has is a square. Since such letters may not be seen everywhere, the code points
of a name that has any are printed below it.
"""

import io
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from reportlab.graphics import renderPDF  # type: ignore[import-untyped]
from reportlab.graphics.barcode.qr import QrCodeWidget  # type: ignore[import-untyped]
from reportlab.graphics.shapes import Drawing  # type: ignore[import-untyped]
from reportlab.lib.colors import Color, HexColor, linearlyInterpolatedColor  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from market.licensing import tiers

MEDIA_TYPE = "application/pdf"
_WIDTH, _HEIGHT = float(A4[0]), float(A4[1])
_MARGIN = 48.0
_COLUMN = _WIDTH - 2 * _MARGIN - 78
_INK, _SOFT, _LINE, _GROUND = (HexColor(value) for value in ("#1e1130", "#62526e", "#e3d5c8", "#faf5ee"))
_NIGHT, _WARN = HexColor("#0c0714"), HexColor("#b3261e")
_GLOW = [HexColor(value) for value in ("#761a76", "#c63068", "#df5058", "#f87048", "#febe60")]
_BARS = 125
_CHANNELS_SHOWN = 4
_SQUARE = "\u25a1"
_JAPANESE, _CHINESE, _KOREAN = "HeiseiKakuGo-W5", "STSong-Light", "HYGothic-Medium"
# reportlab keeps its fonts in one place for all threads.
_TURN = threading.Lock()

for _font in (TTFont("Vera", "Vera.ttf"), TTFont("VeraBd", "VeraBd.ttf")):
    pdfmetrics.registerFont(_font)
for _font in (_JAPANESE, _CHINESE, _KOREAN):
    pdfmetrics.registerFont(UnicodeCIDFont(_font))
_VERA = frozenset(pdfmetrics.getFont("Vera").face.charToGlyph)


def certificate(
    licence: Mapping[str, Any],
    *,
    signature: str,
    page: str,
    peaks: Sequence[float] = (),
    revoked: str | None = None,
    masked: bool = False,
) -> bytes:
    """The PDF of a signed licence. `page` is the address that verifies it, `revoked` the day of its end.

    `masked`, the licence's names are masked already: price and channels are left out as well, and the signature, which
    is over the real ones.
    """
    buffer = io.BytesIO()
    with _TURN:
        canvas = Canvas(buffer, pagesize=A4, invariant=1)
        canvas.setTitle(f"Licence {licence['code']}")
        canvas.setAuthor("Riffmarket")
        canvas.setSubject(f"{tiers.get(licence['tier']).title} licence for a loop")
        _head(canvas, licence, peaks)
        bottom = _facts(canvas, licence, masked)
        _allows(canvas, licence, bottom)
        _foot(canvas, licence, signature, page, masked)
        if revoked is not None:
            _stamp(canvas, f"REVOKED {revoked}")
        canvas.showPage()
        canvas.save()
    return buffer.getvalue()


def _head(canvas: Canvas, licence: Mapping[str, Any], peaks: Sequence[float]) -> None:
    top = _HEIGHT - 216
    canvas.setFillColor(_NIGHT)
    canvas.rect(0, top, _WIDTH, 216, stroke=0, fill=1)
    canvas.setFillColor(_GROUND)
    _write(canvas, _MARGIN, _HEIGHT - 46, "riffmarket", 13, "VeraBd")
    _write(canvas, _WIDTH - _MARGIN, _HEIGHT - 46, "Licence certificate", 11, "Vera", right=True)
    _wave(canvas, peaks, _HEIGHT - 93, 28)
    canvas.setFillColor(_GROUND)
    lines = _wrapped(licence["loop"]["title"], 20, "VeraBd", _WIDTH - 2 * _MARGIN, 2)
    y = top + 20 + 24 * len(lines)
    for line in lines:
        _write(canvas, _MARGIN, y, line, 20, "VeraBd")
        y -= 24
    canvas.setFillColor(_GLOW[-1])
    _write(canvas, _MARGIN, top + 20, f"by {licence['loop']['creator']}", 10.5, "Vera")


def _wave(canvas: Canvas, peaks: Sequence[float], middle: float, reach: float) -> None:
    """The loop's waveform in the house's colours; a line where there is none."""
    step = (_WIDTH - 2 * _MARGIN) / _BARS
    loudest = max(peaks, default=0.0) or 1.0
    for bar in range(_BARS):
        first, end = bar * len(peaks) // _BARS, (bar + 1) * len(peaks) // _BARS
        peak = max(peaks[first : max(end, first + 1)], default=0.0)
        height = max(1.2, 2 * reach * peak / loudest)
        canvas.setFillColor(_glow(bar / (_BARS - 1)))
        canvas.roundRect(
            _MARGIN + bar * step, middle - height / 2, step * 0.62, height, min(height, step * 0.62) / 2, 0, 1
        )


def _glow(place: float) -> Color:
    last = len(_GLOW) - 1
    step = min(int(place * last), last - 1)
    return linearlyInterpolatedColor(_GLOW[step], _GLOW[step + 1], 0, 1, place * last - step)


def _facts(canvas: Canvas, licence: Mapping[str, Any], masked: bool) -> float:
    """Who may use what since when; how far down it reaches."""
    loop, terms = licence["loop"], licence["terms"]
    origin = "of known origin" if loop["known_origin"] else "of an origin that is not ours to warrant"
    made = f"{loop['model']}, {origin}"
    rows = [
        ("Code", licence["code"], "VeraBd"),
        ("Licence", f"{tiers.get(licence['tier']).title}, worldwide, for good", "VeraBd"),
        ("Licensee", licence["licensee"], "VeraBd"),
        ("Project", licence["project"], "Vera"),
        ("Granted", licence["granted_at"].replace("T", " ").replace("Z", " UTC"), "Vera"),
    ]
    if not masked:
        cents = licence["price_cents"]
        rows.append(
            (
                "Price",
                f"{cents // 100}.{cents % 100:02d} {licence['currency'].upper()}" if cents else "none",
                "Vera",
            )
        )
        rows.append(("Channels", _channels(licence["channels"]), "Vera"))
    rows += [
        ("Loop", f"{loop['id']}, SHA-256 of its samples {loop['sha256']}", "Vera"),
        (
            "Model",
            made + (", from a sound that its creator brought" if loop["brought_sound"] else ""),
            "Vera",
        ),
        ("Terms", f"{licence['tier']}, version {terms['version']}, SHA-256 {terms['sha256']}", "Vera"),
    ]
    y = _HEIGHT - 246
    for label, value, font in rows:
        canvas.setFillColor(_SOFT)
        _write(canvas, _MARGIN, y, label, 8.5, "Vera")
        canvas.setFillColor(_INK)
        for line in _wrapped(value, 9.5, font, _COLUMN, 3):
            _write(canvas, _MARGIN + 78, y, line, 9.5, font)
            y -= 13.5
        if not _embedded(value):
            canvas.setFillColor(_SOFT)
            points = "U+" + " ".join(f"{ord(letter):04X}" for letter in value)
            for line in _wrapped(points, 6.5, "Vera", _COLUMN, 3):
                _write(canvas, _MARGIN + 78, y + 2, line, 6.5, "Vera")
                y -= 8.5
        y -= 4
    return y


def _embedded(text: str) -> bool:
    """Whether every letter of a text is seen wherever the certificate is read."""
    return all(ord(letter) in _VERA for letter in text)


def _channels(channels: Sequence[Mapping[str, str]]) -> str:
    shown = [
        channel["url"].removeprefix("https://").removeprefix("www.") for channel in channels[:_CHANNELS_SHOWN]
    ]
    rest = len(channels) - len(shown)
    if not channels:
        return "none at the time of the grant; the licence's page has the list as it is now"
    return (
        ", ".join(shown)
        + (f" and {rest} more in the signed file" if rest else "")
        + "; at the time of the grant"
    )


def _allows(canvas: Canvas, licence: Mapping[str, Any], y: float) -> None:
    canvas.setStrokeColor(_LINE)
    canvas.line(_MARGIN, y + 6, _WIDTH - _MARGIN, y + 6)
    canvas.setFillColor(_INK)
    y -= 12
    _write(canvas, _MARGIN, y, "What it allows", 11, "VeraBd")
    y -= 17
    limits = licence["limits"]
    lines = [tiers.spoken(use) for use in licence["uses"]]
    if "audience" in limits:
        lines.append(f"Up to {limits['audience']:,} people for each project")
    if not limits.get("monetised"):
        lines.append("Nothing that earns money, and the attribution has to stay")
    width, half = (_WIDTH - 2 * _MARGIN - 20) / 2, (len(lines) + 1) // 2
    for left, column in ((_MARGIN, lines[:half]), (_MARGIN + width + 20, lines[half:])):
        at = y
        for text in column:
            canvas.setFillColor(_GLOW[2])
            canvas.circle(left + 2.5, at + 2.9, 1.9, 0, 1)
            canvas.setFillColor(_INK)
            for line in _wrapped(text, 8.5, "Vera", width - 12):
                _write(canvas, left + 12, at, line, 8.5, "Vera")
                at -= 11.5
            at -= 3


def _foot(canvas: Canvas, licence: Mapping[str, Any], signature: str, page: str, masked: bool) -> None:
    code = QrCodeWidget(page, barLevel="M")
    left, low, right, high = code.getBounds()
    size = 92.0
    drawing = Drawing(size, size, transform=[size / (right - left), 0, 0, size / (high - low), 0, 0])
    drawing.add(code)
    renderPDF.draw(drawing, canvas, _WIDTH - _MARGIN - size + 8, 40)
    notes = [
        f"Check it: {page}",
        "A model made this music, and it may carry no copyright of its own. The licence lets its holder use whatever "
        "rights there are, and says where the training sounds came from; the terms say the rest.",
    ]
    if masked:
        notes.append("The licensee keeps names, price and channels to themselves; the signed file has them.")
    else:
        notes.append(
            f"Ed25519 signature {signature} by key {licence['key']}. The signed file is what counts."
        )
    y = 122.0
    for note in notes:
        canvas.setFillColor(_INK if note is notes[0] else _SOFT)
        for line in _wrapped(note, 7.2, "Vera", _WIDTH - 2 * _MARGIN - size - 14):
            _write(canvas, _MARGIN, y, line, 7.2, "Vera")
            y -= 9.6
        y -= 3


def _stamp(canvas: Canvas, text: str) -> None:
    canvas.saveState()
    canvas.translate(_WIDTH / 2, _HEIGHT / 2 - 60)
    canvas.rotate(24)
    canvas.setFillColor(_WARN, alpha=0.45)
    canvas.setFont("VeraBd", 44)
    canvas.drawCentredString(0, 0, text)
    canvas.restoreState()


def _write(
    canvas: Canvas, x: float, y: float, text: str, size: float, font: str, *, right: bool = False
) -> None:
    if right:
        x -= _length(text, size, font)
    for run, chosen in _runs(text, font):
        shown = run if chosen else _SQUARE * len(run)
        canvas.setFont(chosen or font, size)
        canvas.drawString(x, y, shown)
        x += pdfmetrics.stringWidth(shown, chosen or font, size)


def _length(text: str, size: float, font: str) -> float:
    return math.fsum(
        pdfmetrics.stringWidth(run if chosen else _SQUARE * len(run), chosen or font, size)
        for run, chosen in _runs(text, font)
    )


def _wrapped(text: str, size: float, font: str, width: float, most: int = 9) -> list[str]:
    """A text in lines, `most` of them; a word that is wider than a line is cut."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _length(joined, size, font) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and _length(lines[-1] + letter, size, font) > width:
                lines.append("")
            lines[-1] += letter
    if len(lines) > most:
        lines[most - 1 :] = [lines[most - 1][:-1] + "…"]
    return lines


def _runs(text: str, font: str) -> Iterator[tuple[str, str | None]]:
    """Stretches of a text with the font of each, None where there is none for it."""
    japanese = any("\u3040" <= letter <= "\u30ff" for letter in text)
    for chosen, letters in groupby(text, lambda letter: _font_of(letter, font, japanese)):
        yield "".join(letters), chosen


def _font_of(letter: str, font: str, japanese: bool) -> str | None:
    if ord(letter) in _VERA:
        return font
    if "\u4e00" <= letter <= "\u9fff":
        return _JAPANESE if japanese else _CHINESE
    if "\uac00" <= letter <= "\ud7a3":
        return _KOREAN
    # The Greek and the Russian alphabet, and kana with their punctuation, as JIS X 0208 has them.
    for first, last in (
        ("\u0391", "\u03c9"),
        ("\u0410", "\u044f"),
        ("\u3000", "\u3015"),
        ("\u3041", "\u30fe"),
    ):
        if first <= letter <= last:
            return _JAPANESE
    return _JAPANESE if letter in "\u0401\u0451" else None
