"""What is laid out and coloured: rich on the streams of `terminal`. Imported where something is, since rich costs 30 ms."""

from typing import Any, Literal, TextIO

import rich.console

from callsheet.cli import terminal
from callsheet.cli.terminal import Stream


class Console(rich.console.Console):
    """rich's, with two differences. FORCE_COLOR colours what is written and makes no terminal of a pipe, which is no place
    for a view that redraws. And text is known as the stream will show it, before it is laid out.
    """

    def __init__(
        self, stream: Stream | None = None, *, color_system: Any = "auto", file: TextIO | None = None, **options: Any
    ) -> None:
        self.stream = stream or Stream(file=file)
        if color_system == "auto":
            color_system = rich.console.Console(stderr=self.stream.stderr).color_system
        super().__init__(color_system=color_system, stderr=self.stream.stderr, file=file, **options)

    @property
    def is_terminal(self) -> bool:
        return self.stream.is_terminal

    def spelt(self, text: str) -> str:
        """As it will be shown there."""
        return self.stream.spelt(text)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's. CallsheetError where standard output cannot take it (a full disk)."""
        if self.stream.is_silent:
            return
        try:
            super().print(*objects, **options)
        except OSError as error:
            self.stream.lose(error)

    def on_broken_pipe(self) -> None:
        self.stream.hang_up()


#: NO_COLOR means plain text: rich by itself would still write bold and dim.
COLOURS: Literal["auto"] | None = None if Console().no_color else "auto"

out = Console(terminal.out, highlight=False, soft_wrap=True, color_system=COLOURS)
if not out.is_terminal:
    out.width = terminal.out.width
err = Console(terminal.err, highlight=False, soft_wrap=True, color_system=COLOURS)
