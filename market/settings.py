"""Everything that can be set from outside, each by one environment variable (or a line of .env)."""

import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of every process. Those without a default are optional parts of the product.

    `data_dir` holds what is not placed elsewhere: the SQLite database, the assets, the styles, the cookie secret and
    the workers' locks. `worker_ttl` is how many seconds without a sign of life make a worker count as dead;
    `drain_seconds` is how long a worker that is told to stop may take over the riff it is making.

    `rate_address`, `rate_account` and `rate_sign_in` are requests per minute (0: any number), `token_quota` a token's
    requests per day. `trusted_proxies` are the addresses and networks, separated by commas, whose X-Forwarded-For is
    believed. `local_sign_in` lets anybody on this machine be anybody; unset, it does so where Discord is not set up.
    `voice_alone_seconds` is how long the bot stays in a voice channel that everybody has left.
    `discord_sku` is what is sold through Discord's Premium Apps; unset, nothing is.
    `c2pa_certificate` and `c2pa_key` are PEM files: whose certificate what leaves is signed with (content credentials).
    """

    model_config = SettingsConfigDict(
        env_prefix="RIFF_", env_file=".env", extra="ignore", populate_by_name=True, frozen=True
    )

    data_dir: Path = Path("data")
    database_url: str = ""
    storage_url: str = ""
    styles_dir: Path = Field(default_factory=lambda given: given["data_dir"] / "styles")
    model: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    secret_key: str = ""
    licence_key: str = Field(default="", repr=False)
    worker_ttl: float = Field(default=30.0, gt=0)
    drain_seconds: float = Field(default=30.0, gt=0)
    voice_alone_seconds: float = Field(default=60.0, gt=0)
    c2pa_certificate: Path | None = None
    c2pa_key: Path | None = None
    discord_token: str | None = Field(default=None, validation_alias="DISCORD_TOKEN")
    discord_client_id: str | None = Field(default=None, validation_alias="DISCORD_CLIENT_ID")
    discord_client_secret: str | None = Field(default=None, validation_alias="DISCORD_CLIENT_SECRET")
    discord_api_base: str = Field(default="https://discord.com", validation_alias="DISCORD_API_BASE")
    discord_sku: Annotated[int | None, BeforeValidator(lambda given: given or None)] = Field(
        default=None, gt=0, validation_alias="DISCORD_SKU_ID"
    )
    local_sign_in: bool | None = None
    rate_address: int = Field(default=6000, ge=0)
    rate_account: int = Field(default=1200, ge=0)
    rate_sign_in: int = Field(default=60, ge=0)
    token_quota: int = Field(default=50_000, ge=1)
    trusted_proxies: str = ""

    @model_validator(mode="after")
    def _fill_places(self) -> Self:
        data_dir = self.data_dir.expanduser().resolve()
        places = {
            "data_dir": data_dir,
            "database_url": self.database_url or f"sqlite:///{data_dir / 'riff.db'}",
            "storage_url": self.storage_url or str(data_dir / "assets"),
            "styles_dir": self.styles_dir.expanduser().resolve(),
            "public_url": self.public_url.rstrip("/"),
        }
        for name, value in places.items():
            object.__setattr__(self, name, value)
        return self

    @cached_property
    def signing_key(self) -> str:
        """The secret that cookies are signed with: `secret_key`, or one made once and kept in `data_dir`."""
        if self.secret_key:
            return self.secret_key
        self.data_dir.mkdir(parents=True, exist_ok=True)
        kept = self.data_dir / "secret_key"
        fresh = self.data_dir / f"secret_key.{secrets.token_hex(4)}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(32))
        try:
            # A link appears whole or not at all, so two processes that start at once agree on one key.
            kept.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return kept.read_text()
