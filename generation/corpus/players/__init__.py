"""What each player does with a groove or a harmony: notes on a straight grid, before swing and human timing.

Every function takes its own randomness and gives notes inside the loop, in no particular order.
"""

from generation.corpus.players.bass import play_bass
from generation.corpus.players.chords import play_chords
from generation.corpus.players.drums import Drumming, play_drums
from generation.corpus.players.melody import play_counter, play_lead
from generation.corpus.players.textures import play_texture

__all__ = ["Drumming", "play_bass", "play_chords", "play_counter", "play_drums", "play_lead", "play_texture"]
