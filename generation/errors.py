"""What can go wrong while a loop is made, each as one sentence that a person can act on."""


class RiffError(Exception):
    """A failure whose text is meant to be shown to a person as it stands."""


class InvalidRequest(RiffError):
    """A request that is refused at the door; `field` names the part that is wrong."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class UnreadableAudio(RiffError):
    """A file that is no audio, or none that anything can be made from."""


class ModelUnavailable(RiffError):
    """The weights are missing, damaged or of another kind."""


class Cancelled(RiffError):
    """The person who asked for the riff took it back."""

    def __init__(self) -> None:
        super().__init__("This riff was cancelled.")


class StorageFull(RiffError):
    """The disk took only a part of what was written; nothing of it was kept."""

    def __init__(self, place: str) -> None:
        super().__init__(f"There is no space left to write to {place}: free some and try again.")


class SourceMissing(RiffError):
    """A request starts from a sound that was not given with it."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"The sound that this starts from ({digest[:12]}…) is not here: give the same file again."
        )


class NotPossible(RiffError):
    """The chosen model, or the chosen combination, cannot do what is asked."""


class UnreadablePicture(RiffError):
    """A picture that is damaged, hostile, or no spectrogram that can be turned into sound."""
