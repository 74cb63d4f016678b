"""Recipes out of files that are foreign, damaged or hostile: one sentence, soon, and nothing left behind."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generation.audio.animation import denoising
from generation.audio.export import flac, mp3, ogg, opus, wav
from generation.audio.picture import spectrogram_png, thumbnail
from generation.audio.recipes import ending_of, read_recipe, request_of
from generation.errors import RiffError
from generation.request import RiffRequest, Take

FOREIGN = r"holds no recipe of ours: give a file that riff make or riff export wrote\."
WRITERS: dict[str, Callable[[Take], bytes]] = {
    "wav": wav,
    "flac": flac,
    "ogg": ogg,
    "opus": opus,
    "mp3": mp3,
    "png": spectrogram_png,
    "webp": thumbnail,
    "gif": lambda take: denoising([], take, "gif"),
    "json": lambda take: json.dumps(take.recipe).encode(),
}


def refused(path: Path, place: Path) -> None:
    with pytest.raises(RiffError, match=FOREIGN):
        read_recipe(path)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_is_known_by_what_is_in_it(take: Take, ending: str, tmp_path: Path) -> None:
    path = tmp_path / "loop.txt"
    path.write_bytes(WRITERS[ending](take))
    assert ending_of(path) == ending
    assert read_recipe(path)[0] == take.recipe


def test_a_recipe_lies_beside_peaks(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "loop.json"
    path.write_text(json.dumps({"peaks": [0.5], "recipe": take.recipe}))
    assert read_recipe(path) == (take.recipe, None)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"RIFF", b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff", b"[]", b"{}", b"\x00\xff", b"PK\x03\x04" * 20),
        *(b'{"peaks": []}', b'{"peaks": [], "recipe": 7}', b'{"request": ' * 100_000, b"{" + b" " * 2_000_000),
        *(b"fLaC" + bytes(100), b"OggS" + bytes(100), b"ID3\x04" + b"\xff" * 100, b"\0\0\0\x18ftypisom" + bytes(99)),
        *(b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n" + bytes(50), b"RIFF\0\0\0\0WEBPVP8 " + bytes(50)),
        b"OggS" + bytes(24) + b"OpusHead" + bytes(50),
    ],
)  # fmt: skip
def test_files_without_a_recipe_are_refused(content: bytes, tmp_path: Path, place: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(content)
    refused(path, place)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "opus", "mp3", "gif", "webp"])
def test_sounds_and_pictures_of_others_are_refused(ending: str, tmp_path: Path, place: Path) -> None:
    path = tmp_path / f"theirs.{ending}"
    if ending in ("gif", "webp"):
        Image.new("RGB", (8, 8)).save(path)
    else:
        import soundfile

        subtype = "OPUS" if ending == "opus" else None
        container = {"opus": "OGG"}.get(ending, ending.upper())
        soundfile.write(path, [[0.0, 0.0]] * 4800, 48_000, format=container, subtype=subtype)
    refused(path, place)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_that_is_cut_off_is_refused_or_found_changed(
    take: Take, ending: str, tmp_path: Path, place: Path
) -> None:
    """The recipe of a cut picture or MP3 is whole, as it stands at the start; lossless sound shows that it is not."""
    path = tmp_path / "loop"
    content = WRITERS[ending](take)
    path.write_bytes(content[: len(content) // 2])
    if ending in ("wav", "webp", "json"):
        refused(path, place)
        return
    recipe, digest = read_recipe(path)
    assert recipe == take.recipe
    assert digest is None or digest != take.recipe["sha256"]
    assert list(place.iterdir()) == []


def test_another_sample_rate_is_another_sound(take: Take, tmp_path: Path, place: Path) -> None:
    content = bytearray(wav(take))
    content[24:28] = struct.pack("<I", 22_050)
    (tmp_path / "loop.wav").write_bytes(content)
    refused(tmp_path / "loop.wav", place)


def test_a_picture_that_unpacks_to_gigabytes_is_refused(take: Take, tmp_path: Path, place: Path) -> None:
    """By its header alone, which promises 60,000 x 60,000 pixels, and by its text, which is 64 MiB of blanks."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    text = b"tEXt", b"riffmarket\0" + json.dumps(take.recipe).encode()
    packed = b"zTXt", b"riffmarket\0\0" + zlib.compress(b" " * (1 << 26))
    for side, note in ((60_000, text), (9_000, text), (8, packed)):
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunks = (b"IHDR", head), note, (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
        path = tmp_path / f"{side}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks))
        refused(path, place)


def test_a_recipe_of_another_shape_is_refused(take: Take, tmp_path: Path, place: Path) -> None:
    for change in (
        {"sha256": "zz"}, {"sha256": 7}, {"samples": 0}, {"samples": True}, {"samples": 1.5}, {"request": []},
        {"request": {}}, {"model": None}, {"codec": {}}, {"stem": []}, {"song": 7}, {"song": {"key": 7}},
    ):  # fmt: skip
        note, buffer = PngInfo(), io.BytesIO()
        note.add_text("riffmarket", json.dumps({**take.recipe, **change}))
        Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=note)
        path = tmp_path / "loop.png"
        path.write_bytes(buffer.getvalue())
        refused(path, place)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(RiffError, match=r"^loop\.wav is too large to be a file of ours\.$"):
        read_recipe(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(RiffError, match=r"none\.wav cannot be read: No such file or directory\.$"):
        read_recipe(tmp_path / "none.wav")
    with pytest.raises(RiffError, match=r"cannot be read: Is a directory\.$"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    "arrangement",
    [
        None,
        {"kind": "morph", "prompts": ["rain"], "loops": 3, "over": "time"},
        {"kind": "repaint", "bars": "2-3", "low_hz": 100},
        {"kind": "extend", "bars": 1, "side": "before"},
        {"kind": "song", "seconds": 60, "form": ""},
        {"kind": "layers", "drums": "rock", "bass": ""},
    ],
)
def test_what_a_door_asks_for_comes_back(take: Take, arrangement: dict[str, Any] | None) -> None:
    starts = arrangement is not None and arrangement["kind"] in ("repaint", "extend")
    request = RiffRequest.parse(
        prompt="bells", key="Am", seed=1, arrangement=arrangement, source="0" * 64 if starts else None
    )
    assert request_of({**take.recipe, "request": json.loads(json.dumps(request.to_dict()))}) == request


@pytest.mark.parametrize(
    "change",
    [
        *({"bars": 10**9}, {"bars": "4"}, {"bars": None}, {"bpm": float("nan")}, {"bpm": 0}, {"steps": 10**6}),
        *({"takes": 999}, {"metre": "1/64"}, {"key": "H"}, {"key": 3}, {"seed": -1}, {"seed": 1.5}, {"more": 1}),
        *({"prompt": "x" * 10**6}, {"prompt": ""}, {"source": "../../etc"}, {"keep": "all"}, {"strength": 7}),
        *({"arrangement": {"kind": "song", "seconds": 1e9, "form": ""}}, {"arrangement": {"kind": "opera"}}),
        {"arrangement": {"kind": "morph", "prompts": ["a"], "loops": 10**9, "over": "time", "to_seed": None}},
        {"arrangement": []},
    ],
)  # fmt: skip
def test_what_no_door_lets_in_is_refused(take: Take, change: dict[str, Any]) -> None:
    recipe = {**take.recipe, "request": {**take.recipe["request"], **change}}
    with pytest.raises(RiffError, match=r"^The recipe asks for something that cannot be made\.$"):
        request_of(recipe)
