"""Tables for any terminal: names stand under each other, and neither a name nor a number is ever broken."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from callsheet.cli import console
from callsheet.cli.console import Piece

#: Spaces between the columns of a table, and in front of what stands below a row.
GAP, INDENT = 2, " " * 4


class Cell(NamedTuple):
    """A text as the terminal will show it, the columns it takes, and its style in rich's words."""

    text: str
    columns: int
    style: str = ""


def table(names: Sequence[str], rows: Sequence[Sequence[Piece]], *, right: Sequence[str] = ()) -> None:
    """Rows under their names, to standard output; `right`: names of columns that are set flush right.

    The last column is free text. Where the terminal is too narrow for it, it stands below its row. Where it is too narrow
    for the others too, the widest of them, a name, stands above its row, and what is then still too wide becomes a list.
    No name or number is ever broken.
    """
    cells = [[_legible(cell) for cell in row] for row in rows]
    header = [_legible((name, "bold")) for name in names]
    widths = [max(cell.columns for cell in column) for column in zip(header, *cells, strict=True)]
    flush = [name in right for name in names]
    inner = list(range(len(names) - 1))
    if _room(widths) <= console.out.width:
        for row in (header, *cells):
            console.show(console.out, *_line(row, widths, flush))
    elif _room(widths[:-1]) <= console.out.width:
        for row in (header, *cells):
            console.show(console.out, *_line([row[column] for column in inner], widths, flush))
            if row is not header:
                _below(row[-1])
    else:
        _stacked(header, cells, widths, flush)


def _stacked(
    header: Sequence[Cell], cells: Sequence[Sequence[Cell]], widths: Sequence[int], flush: Sequence[bool]
) -> None:
    """Each row as its widest column of words, a line of the others below it, and the free text below that."""
    title = max(range(len(widths) - 1), key=lambda column: (not flush[column], widths[column]))
    others = [column for column in range(len(widths) - 1) if column != title]
    shape = [widths[column] for column in others], [flush[column] for column in others]
    fits = _room(shape[0]) + len(INDENT) <= console.out.width
    for row in (header, *cells) if fits else cells:
        console.show(console.out, (row[title].text, row[title].style))
        if fits:
            console.show(console.out, INDENT, *_line([row[column] for column in others], *shape))
        else:
            named = (f"{header[column].text} {row[column].text}" for column in others if row[column].text)
            _below(_legible(", ".join(named)))
        if row is not header:
            _below(row[-1])


def _below(cell: Cell) -> None:
    """Free text under its row, in as many lines as it takes."""
    if cell.text:
        for part in folded(cell.text, console.out.width - len(INDENT)):
            console.show(console.out, INDENT, (part, cell.style))


def folded(text: str, room: int) -> Iterator[str]:
    """Lines of at most so many columns, broken between words only: a path or a name is there to be copied."""
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) > room:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    yield line


def _room(widths: Sequence[int]) -> int:
    """Columns that they take side by side."""
    return sum(widths) + GAP * (len(widths) - 1)


def _legible(piece: Piece) -> Cell:
    """As the terminal will show it, so that what is measured is what is seen."""
    text, style = (piece, "") if isinstance(piece, str) else piece
    text = text if console.out.takes_all else console.out.spelt(text)
    return Cell(text, cell_len(text), style)


def _line(cells: Sequence[Cell], widths: Sequence[int], flush: Sequence[bool]) -> list[Piece]:
    """One row; what is last has no spaces behind it."""
    shaped = list(zip(cells, widths, flush, strict=False))
    while shaped and not shaped[-1][0].text:
        shaped.pop()
    line: list[Piece] = []
    for number, (cell, width, right) in enumerate(shaped):
        is_last = number == len(shaped) - 1
        spaces = " " * max(0, width - cell.columns)
        line += [spaces if right else "", (cell.text.rstrip() if is_last else cell.text, cell.style)]
        line += [] if is_last else ["" if right else spaces, " " * GAP]
    return line
