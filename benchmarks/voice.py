"""What one voice channel costs: mixing, Opus, and both encryptions, as a share of one core; the slowest frame; a loop's
way onto the deck.

python -m benchmarks.voice [--seconds N]

Eight bars at 120 of chords, a bass drum and noise, at 96 kbit/s; the next loop is crossfaded in every two bars. The
players of discord.py are threads of the bot's process, so the shares of all channels add up on one core.
"""

import argparse
import time
from collections.abc import Callable

import davey
import nacl.secret
import numpy as np
from numpy.typing import NDArray

from bot.voice.deck import FRAME, RATE, Deck, Track, track_of
from bot.voice.source import DeckSource
from generation.request import SAMPLE_RATE
from tests.fakes.discord.dave import Call

BARS, BPM, BITRATE = 8, 120, 96_000
FRAMES_IN_TWO_BARS = 4 * RATE // FRAME


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0)
    frames = round(parser.parse_args().seconds * RATE / FRAME)
    sounds = [_sound(seed) for seed in range(2)]
    tracks = [track_of(f"{number}", sound, bars=BARS) for number, sound in enumerate(sounds)]

    deck = _playing(tracks[0])
    print(f"mixing              {_share(frames, deck.frame, deck, tracks)}")
    deck = _playing(tracks[0])
    source = DeckSource(deck, BITRATE)
    print(f"mixing and Opus     {_share(frames, source.read, deck, tracks)}")
    session = _in_a_call()
    box = nacl.secret.Aead(bytes(32))
    packet = bytes(BITRATE // 8 * FRAME // RATE)

    def send() -> None:
        session.encrypt_opus(packet)
        box.encrypt(packet, bytes(12), bytes(24))

    print(f"both encryptions    {_share(frames, send)}")
    begun = time.process_time()
    track_of("again", sounds[0], bars=BARS)
    print(f"a loop to 48 kHz    {time.process_time() - begun:.2f} s of processor time for {BARS} bars")


def _share(
    frames: int, step: Callable[[], object], deck: Deck | None = None, tracks: list[Track] | None = None
) -> str:
    """Processor time of a step as a share of the time that a frame lasts, and its slowest one."""
    slowest = 0.0
    begun = time.process_time()
    for number in range(frames):
        if deck is not None and tracks is not None and number % FRAMES_IN_TWO_BARS == 0:
            deck.cue(tracks[number // FRAMES_IN_TWO_BARS % 2], soon=True)
        started = time.thread_time()
        step()
        slowest = max(slowest, time.thread_time() - started)
    spent = time.process_time() - begun
    return f"{spent / (frames * FRAME / RATE):6.2%} of a core, slowest frame {1000 * slowest:5.1f} ms"


def _playing(track: Track) -> Deck:
    deck = Deck()
    deck.cue(track)
    return deck


def _in_a_call() -> davey.DaveSession:
    """The bot's end of an encrypted call with a listener in it."""
    call, session = Call(channel_id=1, listener_id=2), davey.DaveSession(1, 1, 1)
    session.set_external_sender(call.external_sender)
    session.get_serialized_key_package()
    answer = session.process_proposals(davey.ProposalsOperationType.append, call.proposals()[1:])
    assert answer is not None
    session.process_commit(call.admit(answer.commit + (answer.welcome or b"")))
    return session


def _sound(seed: int) -> NDArray[np.float32]:
    """Chords, a bass drum on each beat and noise on each eighth."""
    random = np.random.default_rng(seed)
    beat = round(60 * SAMPLE_RATE / BPM)
    at = np.arange(beat) / SAMPLE_RATE
    beats = []
    for _ in range(BARS * 4):
        notes = 110 * 2 ** (random.integers(0, 36, 4) / 12)
        chord = np.sin(2 * np.pi * notes[:, None] * at).sum(0) * np.exp(-3 * at)
        drum = np.sin(2 * np.pi * (50 * at + 6 * np.exp(-at * 30))) * np.exp(-at * 18)
        noise = random.standard_normal(beat) * np.exp(-((at * BPM / 30) % 1) * 20)
        beats.append(0.1 * chord + 0.4 * drum + 0.05 * noise)
    sound = np.concatenate(beats)
    return np.stack([sound, np.roll(sound, 40)], 1).astype(np.float32)


if __name__ == "__main__":
    main()
