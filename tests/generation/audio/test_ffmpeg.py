"""ffmpeg kept on a short lead."""

from pathlib import Path

import pytest

from generation.audio import ffmpeg
from generation.audio.ffmpeg import FfmpegFailed


def children() -> set[str]:
    """What runs below this process."""
    return {path.read_text() for path in Path("/proc/self/task").glob("*/children")} - {""}


def test_a_result_stays_until_the_block_ends(place: Path) -> None:
    with ffmpeg.workplace() as work:
        tone = work / "tone.wav"
        sine = ["-f", "lavfi", "-i", "sine=duration=0.1"]
        ffmpeg.run([*sine, *ffmpeg.write_to(tone, "wav")], seconds=30, largest=1 << 20, work=work)
        assert tone.read_bytes()[:4] == b"RIFF"
    assert list(place.iterdir()) == []


def test_it_is_stopped_when_its_time_is_up(place: Path) -> None:
    before = children()
    endless = ["-re", "-f", "lavfi", "-i", "sine"]
    with ffmpeg.workplace() as work, pytest.raises(FfmpegFailed, match=r"more than 0.3 s"):
        ffmpeg.run([*endless, *ffmpeg.write_to(work / "x", "wav")], seconds=0.3, largest=1 << 20, work=work)
    assert children() == before
    assert list(place.iterdir()) == []


def test_it_is_stopped_when_its_file_is_full(place: Path) -> None:
    endless = ["-f", "lavfi", "-i", "sine"]
    with ffmpeg.workplace() as work:
        with pytest.raises(FfmpegFailed):
            ffmpeg.run(
                [*endless, *ffmpeg.write_to(work / "x", "wav")], seconds=30, largest=100_000, work=work
            )
        assert (work / "x").stat().st_size <= 100_000
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("playlist", ["ffconcat version 1.0\nfile secret\n", "#EXTM3U\n#EXTINF:1,\nsecret\n"])
def test_a_playlist_opens_nothing(playlist: str, tmp_path: Path, place: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not to be read")
    bait = tmp_path / "loop.wav"
    bait.write_text(playlist)
    with ffmpeg.workplace() as work, pytest.raises(FfmpegFailed):
        ffmpeg.run(
            [*ffmpeg.read_from(bait, "wav"), *ffmpeg.write_to(work / "x", "wav")],
            seconds=30,
            largest=1 << 20,
            work=work,
        )
    assert list(place.iterdir()) == []
