"""Every noun that knows something about people: exporting and deleting an account loads them all, in any process."""

from market.catalog import service as catalog
from market.community import creators as community
from market.downloads import service as downloads
from market.entitlements import service as entitlements
from market.guilds import service as guilds
from market.licensing import service as licensing
from market.moderation import service as moderation
from market.studio import service as studio

__all__ = ["catalog", "community", "downloads", "entitlements", "guilds", "licensing", "moderation", "studio"]
