"""A terminal, or what stands in its place: a pipe, a file, a reader that has gone, a screen that knows ASCII only."""

import codecs
import os
import select
from typing import Any, TextIO

import rich.console

from callsheet.errors import CallsheetError

#: What a shell reports of a program whose reader went away (128 + SIGPIPE), as in `callsheet plan … | head -1`.
HUNG_UP = 141

#: Name of the error handler below, for a stream's `errors`.
SPELT_OUT = "callsheet.spelt_out"
#: Our own signs where a screen does not know them.
SPELLING = {
    "–": "-",
    "—": "-",
    "×": "x",
    "…": "...",
    "≤": "<=",
    "≥": ">=",
    "·": ".",
    "→": "->",
    "━": "-",
    "\u00a0": " ",
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’", "'"),
}


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    """Our signs by others; letters of a name as Python writes them, as \\xe9, so that nothing is taken for another name."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    odd = error.object[error.start : error.end]
    spelt = "".join(SPELLING.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in odd)
    return spelt, error.end


codecs.register_error(SPELT_OUT, _spell_out)


class Console(rich.console.Console):
    """rich's, with three differences. FORCE_COLOR colours what is written and makes no terminal of a pipe, which is no
    place for a view that redraws. A reader that has gone ends a command that has nothing else to do, and is nothing to
    stop a run for. And text is known as the stream will show it, before it is laid out.
    """

    def __init__(self, *, color_system: Any = "auto", stderr: bool = False, **options: Any) -> None:
        if color_system == "auto":
            color_system = rich.console.Console(stderr=stderr).color_system
        super().__init__(color_system=color_system, stderr=stderr, **options)

    @property
    def is_terminal(self) -> bool:
        return bool(self.file.isatty())

    def spelt(self, text: str) -> str:
        """As it will be shown there."""
        return text.encode(self.encoding, SPELT_OUT).decode(self.encoding)

    @property
    def takes_all(self) -> bool:
        """Does it know every character?"""
        return codecs.lookup(self.encoding).name.startswith("utf-")

    def put(self, text: str) -> None:
        """Write text as it is."""
        try:
            self.file.write(text)
            self.file.flush()
        except BrokenPipeError:
            self.on_broken_pipe()
        except OSError as error:
            self._lose(error)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's. CallsheetError where standard output cannot take it (a full disk)."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self._lose(error)

    def on_broken_pipe(self) -> None:
        """The reader has gone: standard error falls silent, on standard output there is no more to say."""
        self._fall_silent()
        if not self.stderr:
            raise SystemExit(HUNG_UP)

    def _lose(self, error: OSError) -> None:
        self._fall_silent()
        if not self.stderr:
            raise CallsheetError(
                f"Standard output cannot be written: {error.strerror or error}.", hint="Nothing else is wrong."
            ) from None

    def _fall_silent(self) -> None:
        """A run goes on without being watched; and without this Python itself complains at the end of the program."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def has_hung_up(stream: TextIO | None) -> bool:
    """Is the other end of this pipe closed?"""
    if stream is None:
        return False
    look = select.poll()
    look.register(stream.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in look.poll(0))
