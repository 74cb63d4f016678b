"""Every table of the market, for Alembic and for whoever needs the relations between them resolved."""

from market.accounts.models import Account, ApiToken, Identity, KeptAnswer, SignInAttempt, WebSession
from market.audit.models import AuditEntry, AuditLink
from market.catalog.models import Listing, ListingPrint, ListingTag, Loop, TakenDown
from market.community.models import (
    Collection,
    CollectionItem,
    CreatorProfile,
    Favourite,
    FoldMark,
    LoopDay,
    LoopTouch,
    Play,
    Rating,
    Standing,
)
from market.downloads.models import Download
from market.entitlements.models import Entitlement
from market.guilds.models import GalleryPost, GuildSettings
from market.licensing.models import Channel, Grant, Key, Revocation
from market.moderation.models import BlockedWord, Case, CaseStep, Report, Strike
from market.search.models import (
    SearchCell,
    SearchCodebook,
    SearchEntry,
    SearchSample,
    SearchSpelling,
    SearchValue,
    SearchVector,
    SearchWord,
)
from market.studio.models import RiffEvent, RiffOrder, Source, WorkerBeat

__all__ = [
    "Account",
    "ApiToken",
    "AuditEntry",
    "AuditLink",
    "BlockedWord",
    "Case",
    "CaseStep",
    "Channel",
    "Collection",
    "CollectionItem",
    "CreatorProfile",
    "Download",
    "Entitlement",
    "Favourite",
    "FoldMark",
    "GalleryPost",
    "Grant",
    "GuildSettings",
    "Identity",
    "KeptAnswer",
    "Key",
    "Listing",
    "ListingPrint",
    "ListingTag",
    "Loop",
    "LoopDay",
    "LoopTouch",
    "Play",
    "Rating",
    "Report",
    "Revocation",
    "RiffEvent",
    "RiffOrder",
    "SearchCell",
    "SearchCodebook",
    "SearchEntry",
    "SearchSample",
    "SearchSpelling",
    "SearchValue",
    "SearchVector",
    "SearchWord",
    "SignInAttempt",
    "Source",
    "Standing",
    "Strike",
    "TakenDown",
    "WebSession",
    "WorkerBeat",
]
