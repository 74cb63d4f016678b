"""Riffusion images as files: opened without believing anything in them, written as Riffusion writes them."""

import io
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from generation.errors import UnreadablePicture
from generation.riffusion.params import TAG_NAMES, RiffusionParams

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 2**25
# Where our own spectrogram pictures carry their recipe.
RECIPE = "riffmarket"
_FORMATS = ("PNG", "JPEG")
_MODES = ("RGB", "RGBA", "L", "P")
_FORMAT_OF = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def open_picture(content: bytes | Path, name: str = "") -> Image.Image:
    """A PNG or JPEG, decoded as a whole, in RGB, with its EXIF tags and PNG texts still at hand.

    `name` is what errors call the file. Raises UnreadablePicture for anything damaged, too large or of another kind;
    a picture that would unpack to more than 32 million pixels is never unpacked.
    """
    label = name or (content.name if isinstance(content, Path) else "") or "The picture"
    file = io.BytesIO(_bytes(content, label))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = Image.open(file, formats=_FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if picture.mode not in _MODES:
                raise UnreadablePicture(
                    f"{label} has {picture.mode} pixels: a spectrogram has 8-bit RGB or grey ones, so save it as that."
                )
            picture.load()
            exif = picture.getexif()
            tags = {tag: exif[tag] for tag in TAG_NAMES if tag in exif}
    except UnreadablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadablePicture(
            f"{label} has far too many pixels: that is no spectrogram of a clip."
        ) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(
            f"{label} is not a picture that can be read: give a PNG or JPEG file."
        ) from None
    except Exception:  # Pillow raises whatever its parsers stumble over.
        raise UnreadablePicture(f"{label} is damaged: export it again.") from None
    whole = picture.convert("RGB")
    whole.info = {RECIPE: text} if isinstance(text := picture.info.get(RECIPE), str) else {}
    whole.getexif().clear()
    whole.getexif().update(tags)
    return whole


def params_of(picture: Image.Image) -> RiffusionParams:
    """The settings in an opened picture's tags, or Riffusion's defaults. Raises UnreadablePicture."""
    return RiffusionParams.from_exif(picture.getexif())


def to_bytes(image: Image.Image, ending: str) -> bytes:
    """The file of an image that RiffusionCodec drew, ".png", ".jpg" or ".jpeg", its tags in it.

    Raises UnreadablePicture for other endings.
    """
    kind = _FORMAT_OF.get(ending.lower())
    if kind is None:
        raise UnreadablePicture(f"Riffusion images end in .png, .jpg or .jpeg, not in {ending or 'nothing'}.")
    buffer = io.BytesIO()
    image.save(buffer, kind, exif=image.getexif())
    return buffer.getvalue()


def described(picture: Image.Image) -> dict[str, object]:
    """The names and values of an opened picture's tags, as Riffusion prints them."""
    exif = picture.getexif()
    return {name: exif[tag] for tag, name in TAG_NAMES.items() if tag in exif}


def _bytes(content: bytes | Path, label: str) -> bytes:
    if isinstance(content, Path):
        try:
            if not content.is_file():
                raise UnreadablePicture(f"{label} is not there, or no file.")
            with content.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UnreadablePicture(f"{label} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise UnreadablePicture(
            f"{label} is larger than {MAX_BYTES // 2**20} MiB: that is no spectrogram of a clip."
        )
    return content
