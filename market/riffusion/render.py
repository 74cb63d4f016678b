"""Makes the five seed loops with the shipped model: `python -m market.riffusion.render`."""

from generation.audio import ffmpeg
from generation.audio.export import wav
from generation.engine import Engine
from market.riffusion.seeds import FOLDER, SEEDS


def main() -> None:
    """Write every seed as Ogg Vorbis of about 80 kbit/s: 50 kB each."""
    engine = Engine.load()
    FOLDER.mkdir(exist_ok=True)
    for name, loop in SEEDS.items():
        [take] = engine.render(loop.request).takes
        with ffmpeg.workplace() as work:
            source, result = work / "loop.wav", work / "loop.ogg"
            source.write_bytes(wav(take))
            settings = ["-c:a", "libvorbis", "-q:a", "1"]
            arguments = [*ffmpeg.read_from(source, "wav"), *settings, *ffmpeg.SAME_BYTES]
            ffmpeg.run([*arguments, *ffmpeg.write_to(result, "ogg")], seconds=60, largest=2**20, work=work)
            (FOLDER / f"{name}.ogg").write_bytes(result.read_bytes())


if __name__ == "__main__":
    main()
