"""A terminal, or what stands in its place: a pipe, a file, a reader that has gone, a screen that knows ASCII only."""

import codecs
import os
import select
import shutil
import sys
from typing import TextIO

from callsheet.errors import CallsheetError

#: What a shell reports of a program whose reader went away (128 + SIGPIPE), as in `callsheet plan … | head -1`.
HUNG_UP = 141
#: Columns where standard output is no terminal: one line a row, for grep and for logs.
PIPE_WIDTH = 1000

#: Signs that are no letters and stay: of lines and columns, and what joins the parts of an emoji or keeps letters apart.
KEPT = "\n\t\u200c\u200d"
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


def legible(text: str) -> str:
    """A text as it may go to a terminal. Names of files, words of a provider and notes come from anywhere, and what is no
    character (an escape that writes over the line above, a mark that turns the reading round) is shown as "\ufffd"."""
    return text.translate(_LEGIBLE)


class _Legible(dict[int, int]):
    """Built up as characters are met."""

    def __missing__(self, code: int) -> int:
        from unicodedata import category

        character = chr(code)
        # Half a character of a name that is no UTF-8 is spelt out where it is written.
        is_shown = character.isprintable() or character in KEPT or category(character) in ("Zs", "Cs")
        self[code] = code if is_shown else 0xFFFD
        return self[code]


_LEGIBLE = _Legible()


class Stream:
    """Standard output or standard error as they are now (or another file, of so many columns), and what happens when nobody
    reads them.

    A reader that has gone ends a command that has nothing else to do, and is nothing to stop a run for.
    """

    def __init__(self, *, stderr: bool = False, file: TextIO | None = None, width: int | None = None) -> None:
        self.stderr = stderr
        self._width = width
        self._file = file
        self._is_silent = False

    @property
    def file(self) -> TextIO:
        return self._file or (sys.stderr if self.stderr else sys.stdout)

    @property
    def is_terminal(self) -> bool:
        return bool(self.file.isatty())

    @property
    def may_colour(self) -> bool:
        """False where nothing is ever coloured; else it is for rich to say."""
        return self.is_terminal or bool(os.environ.get("FORCE_COLOR"))

    @property
    def width(self) -> int:
        """Columns: of a pipe COLUMNS, where somebody set it."""
        if self._width is not None:
            return self._width
        return shutil.get_terminal_size((80 if self.is_terminal else PIPE_WIDTH, 24)).columns

    @property
    def encoding(self) -> str:
        """Python's own name of it, as utf-8 or ascii."""
        return codecs.lookup(self.file.encoding or "utf-8").name

    @property
    def takes_all(self) -> bool:
        """Does it know every character?"""
        return self.encoding.startswith("utf-")

    def spelt(self, text: str) -> str:
        """As it will be shown there."""
        return text.encode(self.encoding, SPELT_OUT).decode(self.encoding)

    def put(self, text: str) -> None:
        """Write text as it is. CallsheetError where standard output cannot take it (a full disk)."""
        if self._is_silent:
            return
        try:
            self.file.write(text)
            self.file.flush()
        except BrokenPipeError:
            self.hang_up()
        except OSError as error:
            self.lose(error)

    @property
    def is_silent(self) -> bool:
        """Has it been given up?"""
        return self._is_silent

    def hang_up(self) -> None:
        """The reader has gone: standard error falls silent, on standard output there is no more to say."""
        self._fall_silent()
        if not self.stderr:
            raise SystemExit(HUNG_UP)

    def lose(self, error: OSError) -> None:
        """It cannot be written. CallsheetError for standard output."""
        self._fall_silent()
        if not self.stderr:
            raise CallsheetError(
                f"Standard output cannot be written: {error.strerror or error}.", hint="Nothing else is wrong."
            ) from None

    def _fall_silent(self) -> None:
        """A run goes on without being watched; and without this Python itself complains at the end of the program."""
        self._is_silent = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


out = Stream()
err = Stream(stderr=True)


def has_hung_up(stream: TextIO | None) -> bool:
    """Is the other end of this pipe closed?"""
    if stream is None:
        return False
    look = select.poll()
    look.register(stream.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in look.poll(0))
