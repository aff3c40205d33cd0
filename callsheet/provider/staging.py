"""Staging over the provider's own files service: an input file in, a URL that the provider can read out."""

from pathlib import Path

from callsheet.digest import short
from callsheet.provider.client import Provider, Staged


class ProviderStaging:
    """Uploads are named by content, so the service's file list tells which file is which."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def put(self, file: Path, *, sha256: str, suffix: str, called: str = "") -> Staged:
        """Upload once. sha256: of the file's bytes. suffix: with its dot (".mp4"). called: what a person calls it. Raises
        what `Provider.upload` raises.

        The same content put twice is two uploads; who calls keeps what it has until `expires_at`.
        """
        return await self._provider.upload(file, name=f"{short(sha256)}{suffix}", called=called)
