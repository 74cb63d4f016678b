"""What licensing refuses."""

from market.errors import MarketError


class NotOffered(MarketError):
    """The loop is not for sale, or not in this tier."""

    status_code = 409

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class PaymentNeeded(MarketError):
    """This licence costs money."""

    status_code = 402

    def __init__(self, title: str, price: str) -> None:
        super().__init__(
            f"The {title} licence for this loop costs {price}, and nothing can be paid here yet: "
            "take the Free licence where a loop offers it."
        )


class OwnLoop(MarketError):
    """Creators need no licence for what is theirs."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("This loop is yours: you need no licence for it.")


class IntentReused(MarketError):
    """The same purchase or request came again with other contents."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__("This key was used for another licence: take a new key for a new licence.")


class TooManyLicences(MarketError):
    """The account took as many free licences within a day as one person may."""

    status_code = 429

    def __init__(self, limit: int) -> None:
        super().__init__(f"You took {limit} free licences within a day: go on tomorrow.")


class LicenceRevoked(MarketError):
    """Nothing can be done with a licence that is over."""

    status_code = 409

    def __init__(self, code: str) -> None:
        super().__init__(f"The licence {code} was revoked: nothing about it changes any more.")


class NotYourLicence(MarketError):
    """The licence belongs to somebody else."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This is somebody else's licence: only the licensee can do that.")


class NameKept(MarketError):
    """The licensee did not want the name to be shown."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__(
            "The licensee keeps their name to themselves: ask them for the signed file; anybody can check it here."
        )


class TooManyChannels(MarketError):
    """The list of channels is full, or changed too often."""

    status_code = 409

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class KeyUnusable(MarketError):
    """The private key for licences cannot be used."""

    status_code = 503

    def __init__(self, what: str) -> None:
        super().__init__(f"No licence can be signed: {what}")
