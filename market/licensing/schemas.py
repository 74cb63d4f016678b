"""Licences as they go over the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from market.licensing import document, tiers
from market.licensing.channels import MAX_URL
from market.licensing.models import Channel, Grant, Key
from market.licensing.service import MAX_LICENSEE, MAX_PROJECT, MAX_REASON, masked
from market.licensing.tiers import Tier

MAX_CHANNELS = 50
Line = Annotated[str, StringConstraints(min_length=1)]
Platform = Literal[
    "youtube", "twitch", "tiktok", "instagram", "facebook", "x", "soundcloud", "podcast", "website"
]
TierName = Literal["free", "creator", "business", "broadcast", "exclusive"]


class LimitsOut(BaseModel):
    """How far a licence goes. What is null has no limit."""

    monetised: bool = Field(description="Whether what is made with the loop may earn money")
    audience: int | None = Field(None, description="The most people that one project may reach")
    channels: int = Field(description="The most channels on the list at a time")
    channel_days: int | None = Field(
        None, description="How long a channel stays on the list until it is put there again"
    )
    earlier_licences: int | None = Field(
        None, description="Of an exclusive one: how many held before it stand"
    )


class TermsOut(BaseModel):
    """The text of a licence, by its version and the SHA-256 of its bytes."""

    version: str
    sha256: str
    page: str
    text: str = Field(description="The text itself, as Markdown")

    @classmethod
    def of(cls, tier: str, version: str, sha256: str) -> Self:
        place = f"licences/terms/{tier}/{version}"
        return cls(version=version, sha256=sha256, page=f"/{place}", text=f"/v1/{place}")


class TierOut(BaseModel):
    """A kind of licence. `price_cents` is where creators start from; what a loop costs is said by the loop."""

    name: str
    title: str
    summary: str
    price_cents: int
    currency: str
    attribution: bool = Field(description="Whether you have to say where the music is from")
    needs_channels: bool
    exclusive: bool
    uses: list[str]
    uses_spoken: list[str]
    limits: LimitsOut
    terms: TermsOut

    @classmethod
    def of(cls, tier: Tier) -> Self:
        return cls(
            name=tier.name,
            title=tier.title,
            summary=tier.summary,
            price_cents=tier.price_cents,
            currency=tiers.currency(),
            attribution=tier.attribution,
            needs_channels=tier.needs_channels,
            exclusive=tier.exclusive,
            uses=list(tier.uses),
            uses_spoken=[tiers.spoken(use) for use in tier.uses],
            limits=LimitsOut(**tier.limits),
            terms=TermsOut.of(tier.name, tier.terms, tiers.terms(tier.name, tier.terms).sha256),
        )


class TiersOut(BaseModel):
    """Every kind of licence, from the least to the most that is allowed."""

    tiers: list[TierOut]


class ChannelIn(BaseModel):
    """A channel by its address; the platform is found from it, and only a podcast's feed needs to be called one."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)]
    platform: Platform | None = None


class GrantIn(BaseModel):
    """A wish for a licence. `show_licensee`: whoever has the code may read your name and the project."""

    model_config = ConfigDict(extra="forbid")

    loop_id: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    tier: TierName
    licensee: Annotated[
        Line, Field(max_length=MAX_LICENSEE, description="The person or company that gets it")
    ]
    project: Annotated[Line, Field(max_length=MAX_PROJECT, description="What it is for")]
    channels: Annotated[list[ChannelIn], Field(max_length=MAX_CHANNELS)] = []
    show_licensee: bool = False


class GiftIn(BaseModel):
    """A complimentary licence for the account with this handle."""

    model_config = ConfigDict(extra="forbid")

    loop_id: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    tier: TierName
    handle: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    licensee: Annotated[Line, Field(max_length=MAX_LICENSEE)]
    project: Annotated[Line, Field(max_length=MAX_PROJECT)]
    channels: Annotated[list[ChannelIn], Field(max_length=MAX_CHANNELS)] = []
    reason: Annotated[Line, Field(max_length=MAX_REASON)]


class RevocationIn(BaseModel):
    """Why a licence ends; its holder reads it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Line, Field(max_length=MAX_REASON)]


class SignedLicence(BaseModel):
    """A licence as a file: the signature is Ed25519's over the canonical JSON (RFC 8785) of `licence`, in base64url."""

    model_config = ConfigDict(extra="forbid")

    licence: dict[str, Any]
    signature: Annotated[str, StringConstraints(max_length=100)]


class LicensedLoop(BaseModel):
    """What was licensed: `sha256` is that of the loop's samples (24-bit PCM)."""

    id: str
    sha256: str
    title: str
    creator: str
    model: str
    known_origin: bool = Field(description="Whether we know, and warrant, what the model learnt from")
    brought_sound: bool = Field(description="Whether it was made from a sound that its creator brought")
    page: str


class ListedChannel(BaseModel):
    """A channel that a licence covers."""

    platform: str
    url: str
    since: datetime
    until: datetime | None

    @classmethod
    def of(cls, channel: Channel) -> Self:
        return cls(
            platform=channel.platform, url=channel.url, since=channel.added_at, until=channel.expires_at
        )


class ChannelOut(BaseModel):
    """A channel as the licensee sees it, with its history."""

    id: str
    platform: str
    url: str
    added_at: datetime
    expires_at: datetime | None
    removed_at: datetime | None

    @classmethod
    def of(cls, channel: Channel) -> Self:
        return cls.model_validate(channel, from_attributes=True)


class ChannelsOut(BaseModel):
    """Every channel that was ever on a licence's list, oldest first."""

    channels: list[ChannelOut]


class RevocationOut(BaseModel):
    """The end of a licence. `reason` is told to the licensee and to moderators."""

    at: datetime
    reason: str | None


class LicenceLinks(BaseModel):
    """Where more about a licence is, relative to this site."""

    page: str
    certificate: str
    signed: str
    attribution: str


class LicenceOut(BaseModel):
    """A licence. Licensee and project are masked, and the price null, for whoever may not read them."""

    code: str
    status: Literal["valid", "revoked"]
    tier: str
    uses: list[str]
    uses_spoken: list[str]
    limits: LimitsOut
    terms: TermsOut
    loop: LicensedLoop
    licensee: str
    project: str | None
    masked: bool
    channels: list[ListedChannel] = Field(description="Those that it covers now")
    price_cents: int | None
    currency: str | None
    granted_at: datetime
    revocation: RevocationOut | None
    links: LicenceLinks

    @classmethod
    def of(cls, grant: Grant, channels: list[Channel], *, shown: bool, own: bool) -> Self:
        """`shown` says whether the names may be read, `own` whether price and reasons may be."""
        told = document.signed(grant)["licence"]
        files, end = f"/v1/licences/{grant.code}", grant.revocation
        return cls(
            code=grant.code,
            status="valid" if end is None else "revoked",
            tier=grant.tier,
            uses=grant.uses,
            uses_spoken=[tiers.spoken(use) for use in grant.uses],
            limits=LimitsOut(**grant.limits),
            terms=TermsOut.of(grant.tier, grant.terms_version, grant.terms_sha256),
            loop=LicensedLoop(**told["loop"], page=f"/loops/{grant.loop_id}"),
            licensee=grant.licensee if shown else masked(grant.licensee),
            project=grant.project if shown else None,
            masked=not shown,
            channels=[ListedChannel.of(channel) for channel in channels],
            price_cents=grant.price_cents if own else None,
            currency=grant.currency if own else None,
            granted_at=grant.granted_at,
            revocation=None
            if end is None
            else RevocationOut(at=end.revoked_at, reason=end.reason if own else None),
            links=LicenceLinks(
                page=f"/licences/{grant.code}",
                certificate=f"{files}/certificate.pdf",
                signed=f"{files}/licence.json",
                attribution=f"{files}/attribution",
            ),
        )


class LicencesOut(BaseModel):
    """A stretch of your licences, newest first; `next_cursor` leads to the next one and is null at the end."""

    licences: list[LicenceOut]
    next_cursor: str | None


class VerdictOut(BaseModel):
    """What became of checking a file: `authentic` if a key of ours signed it, `valid` if the licence holds."""

    authentic: bool
    valid: bool
    verdict: str
    licence: LicenceOut | None


class AttributionOut(BaseModel):
    """The line that says where the music is from; `required` by the terms or only kind."""

    required: bool
    plain: str
    html: str
    markdown: str


class KeyOut(BaseModel):
    """A public key as a JWK (RFC 8037). What was granted after `valid_until` is not signed by it."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str
    x: str
    valid_from: str
    valid_until: str | None

    @classmethod
    def of(cls, key: Key) -> Self:
        return cls.model_validate(document.jwk(key))


class KeysOut(BaseModel):
    """Every key that ever signed a licence here, newest first (a JWK set, RFC 7517)."""

    keys: list[KeyOut]


class CoverOut(BaseModel):
    """A licence that covers a channel: for which loop, from when until when."""

    code: str
    tier: str
    loop_id: str
    loop_sha256: str
    loop_title: str
    since: datetime
    until: datetime | None
    page: str

    @classmethod
    def of(cls, channel: Channel, grant: Grant) -> Self:
        return cls(
            code=grant.code,
            tier=grant.tier,
            loop_id=grant.loop_id,
            loop_sha256=grant.loop_sha256,
            loop_title=grant.loop_title,
            since=channel.added_at,
            until=channel.expires_at,
            page=f"/licences/{grant.code}",
        )


class CoveredOut(BaseModel):
    """Whether a channel is covered now, and by which licences, newest first."""

    platform: str
    url: str = Field(description="The address as it is kept here")
    covered: bool
    licences: list[CoverOut]
