"""Discord's part in an end-to-end encrypted call of two: the bot under test and a listener that davey plays.

The voice server of DAVE is the external sender of an MLS group (RFC 9420): it may propose who joins, signed with its
own key, and carries messages that it cannot read. https://daveprotocol.com
"""

import struct
from dataclasses import dataclass

import davey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MLS10 = PUBLIC_MESSAGE = BASIC = ADD = 1
EXTERNAL = PROPOSAL = 2
COMMIT_LEAF = 3


class Call:
    """A call in which one listener sits; the bot founds the group and takes the listener in."""

    def __init__(self, channel_id: int, listener_id: int) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._group = struct.pack(">Q", channel_id)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.external_sender = _vector(public) + struct.pack(">H", BASIC) + _vector(b"discord")
        self._listener = davey.DaveSession(1, listener_id, channel_id)
        self._listener.set_external_sender(self.external_sender)
        self._key_package = self._listener.get_serialized_key_package()

    def proposals(self) -> bytes:
        """The body of opcode 27: the listener is to be added in the group's first epoch."""
        content = b"".join(
            (
                _vector(self._group),
                struct.pack(">Q", 0),
                struct.pack(">BI", EXTERNAL, 0),
                _vector(b""),
                struct.pack(">BH", PROPOSAL, ADD),
                self._key_package,
            )
        )
        head = struct.pack(">HH", MLS10, PUBLIC_MESSAGE)
        signed = _vector(b"MLS 1.0 FramedContentTBS") + _vector(head + content)
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return b"\x00" + _vector(head + content + _vector(signature))

    def admit(self, commit_and_welcome: bytes) -> bytes:
        """Let the listener in with what the bot sent as opcode 28; the commit, to be announced."""
        split = _length_of_commit(commit_and_welcome)
        self._listener.process_welcome(commit_and_welcome[split:])
        return commit_and_welcome[:split]

    def decrypt(self, speaker_id: int, frame: bytes) -> bytes:
        """A frame as the listener hears it. Raises where it is not encrypted for them."""
        return self._listener.decrypt(speaker_id, davey.MediaType.audio, frame)


@dataclass
class _Reader:
    """Reads TLS presentation language as MLS has it."""

    data: bytes
    at: int = 0

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at])

    def length(self) -> int:
        """A variable-size length (RFC 9000, section 16)."""
        first = self.data[self.at]
        size = 1 << (first >> 6)
        return self.number(size) & ((1 << (8 * size - 2)) - 1)

    def skip(self, vectors: int = 1) -> None:
        for _ in range(vectors):
            size = self.length()
            self.at += size


def _length_of_commit(data: bytes) -> int:
    """Bytes of the PublicMessage with a commit that some data starts with (RFC 9420, sections 6 and 12.4)."""
    reader = _Reader(data)
    assert reader.number(2) == MLS10
    assert reader.number(2) == PUBLIC_MESSAGE
    reader.skip()  # group_id
    reader.number(8 + 1 + 4)  # epoch, sender
    reader.skip()  # authenticated_data
    reader.number(1)  # content_type
    reader.skip()  # proposals
    if reader.number(1):
        reader.skip(2)  # encryption_key, signature_key
        reader.number(2)
        reader.skip(1 + 5)  # identity, capabilities
        assert reader.number(1) == COMMIT_LEAF
        reader.skip(3)  # parent_hash, extensions, signature
        reader.skip()  # nodes
    reader.skip(3)  # signature, confirmation_tag, membership_tag
    return reader.at


def _vector(data: bytes) -> bytes:
    size = len(data)
    if size < 1 << 6:
        return bytes([size]) + data
    return struct.pack(">H", size | 1 << 14) + data
