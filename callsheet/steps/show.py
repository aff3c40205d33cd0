"""The review board of a campaign on a server of this machine, with the verdicts that are given there."""

from collections.abc import Callable, Mapping
from pathlib import Path

from callsheet import naming
from callsheet.errors import ArchiveError
from callsheet.review import board, server
from callsheet.sidecar import Manifest
from callsheet.steps import judge, wrap
from callsheet.steps.load import Loaded
from callsheet.steps.settings import Settings
from callsheet.verdicts import Verdicts


def serve(loaded: Loaded, settings: Settings, *, port: int | None, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop. Blocks. NothingToShoot where nothing was rendered yet, ArchiveError, PortTaken."""
    desk = Desk(loaded, settings)
    server.serve(
        server.Desk(
            folder=naming.slug_part(loaded.campaign.name),
            page=desk.page,
            files=desk.files,
            known=desk.known,
            keep=desk.keep,
        ),
        port=port,
        on_ready=on_ready,
    )


class Desk:
    """What the server asks for. The manifest is read again with each page: a run may have ended meanwhile."""

    def __init__(self, loaded: Loaded, settings: Settings) -> None:
        self._loaded = loaded
        self._home = settings.home
        self._read()

    def page(self) -> str:
        self._read()
        return board.build(self._manifest, self.known(), served=True)

    def files(self) -> Mapping[str, Path]:
        """Of the page that was asked for last, by their keys in the archive."""
        return self._files

    def known(self) -> Verdicts:
        return judge.known(self._shelf.store, self._manifest)

    def keep(self, news: Verdicts) -> Verdicts:
        return judge.keep(self._shelf, self._manifest, news, home=self._home)

    def _read(self) -> None:
        self._shelf, manifest = wrap.laid_out(self._loaded)
        self._manifest: Manifest = wrap.as_here(self._shelf, manifest) if self._shelf.is_apart else manifest
        self._files = dict(self._places())

    def _places(self) -> list[tuple[str, Path]]:
        """Without those that a symbolic link leads out of the archive."""
        found = []
        for key in sorted(wrap.shown(self._manifest)):
            try:
                found.append((key, self._shelf.folder.path(key)))
            except ArchiveError:
                continue
        return found
