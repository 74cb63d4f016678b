"""Downloads as they go over the wire."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from market.downloads.service import LINK_MINUTES, MAX_MINUTES, Format


class DownloadIn(BaseModel):
    """What is wanted. `stems` is a ZIP of the layers' WAVs, `zip` one of everything, with the licence.

    All but `ogg` and `opus` carry their content credentials inside; those have them at `<url>/manifest.c2pa`.
    """

    model_config = ConfigDict(extra="forbid")

    format: Format
    minutes: int = Field(
        LINK_MINUTES, ge=1, le=MAX_MINUTES, strict=True, description="How long the link works"
    )


class DownloadOut(BaseModel):
    """A link that needs nothing else, relative to this site."""

    url: str
    expires_at: datetime
