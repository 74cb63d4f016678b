"""What a server refuses."""

from market.errors import MarketError


class NotAllowedHere(MarketError):
    """The server's settings keep the person from using the bot in this place."""

    status_code = 403


class WrongChannel(NotAllowedHere):
    """Riffs are made in other channels; `allowed` names those as chat shows them."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Riffs are made in {allowed} here: go there and try again.")


class RoleMissing(NotAllowedHere):
    """Riffs are for people with other roles; `allowed` names those as chat shows them."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Riffs are for {allowed} here: ask whoever gives out the roles.")


class CapExceeded(MarketError):
    """The request is larger than the server allows."""

    status_code = 403


class TooManyTakes(CapExceeded):
    def __init__(self, most: int) -> None:
        if most == 1:
            super().__init__("On this server a riff has one take: ask for one.")
        else:
            super().__init__(f"On this server a riff has {most} takes at most: ask for fewer.")


class TooManyBars(CapExceeded):
    def __init__(self, most: int) -> None:
        super().__init__(f"On this server a loop has {most} bars at most: ask for fewer.")


class NotYourRiff(MarketError):
    """The button is for whoever asked for the riff; with `all_buttons`, because the server wants it so."""

    status_code = 403

    def __init__(self, *, all_buttons: bool) -> None:
        if all_buttons:
            super().__init__("On this server only whoever asked for a riff may press its buttons.")
        else:
            super().__init__("Only whoever asked for this riff can do that.")


class NotTheManager(MarketError):
    """Only who manages a server may see and change what holds there."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("Only people with the permission Manage Server may change the settings.")
