"""What can go wrong while a loop is made, each as one sentence that a person can act on."""


class RiffError(Exception):
    """A failure whose text is meant to be shown to a person as it stands."""


class InvalidRequest(RiffError):
    """A request that is refused at the door; `field` names the part that is wrong."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


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
