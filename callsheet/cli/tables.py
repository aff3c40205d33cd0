"""Tables for any terminal: names stand under each other, and neither a name nor a number is ever broken."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from callsheet.cli import screen

#: Spaces between the columns of a table, and in front of what stands below a row.
GAP, INDENT = 2, " " * 4


def table(names: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()) -> None:
    """Rows under their names, to standard output; `right`: names of columns that are set flush right.

    The last column is free text. Where the terminal is too narrow for it, it stands below its row. Where it is too narrow
    for the others too, the widest of them, a name, stands above its row, and what is then still too wide becomes a list.
    No name or number is ever broken.
    """
    cells = [[_legible(cell) for cell in row] for row in rows]
    header = [Text(screen.out.spelt(name), style="bold") for name in names]
    widths = [max(cell.cell_len for cell in column) for column in zip(header, *cells, strict=True)]
    flush = [name in right for name in names]
    inner = list(range(len(names) - 1))
    if _room(widths) <= screen.out.width:
        for row in (header, *cells):
            screen.out.print(_line(row, widths, flush))
    elif _room(widths[:-1]) <= screen.out.width:
        for row in (header, *cells):
            screen.out.print(_line([row[column] for column in inner], widths, flush))
            if row is not header:
                _below(row[-1])
    else:
        _stacked(header, cells, widths, flush)


def _stacked(
    header: Sequence[Text], cells: Sequence[Sequence[Text]], widths: Sequence[int], flush: Sequence[bool]
) -> None:
    """Each row as its widest column of words, a line of the others below it, and the free text below that."""
    title = max(range(len(widths) - 1), key=lambda column: (not flush[column], widths[column]))
    others = [column for column in range(len(widths) - 1) if column != title]
    shape = [widths[column] for column in others], [flush[column] for column in others]
    fits = _room(shape[0]) + len(INDENT) <= screen.out.width
    for row in (header, *cells) if fits else cells:
        screen.out.print(row[title])
        if fits:
            screen.out.print(Text(INDENT) + _line([row[column] for column in others], *shape))
        else:
            named = (f"{header[column].plain} {row[column].plain}" for column in others if row[column].plain)
            _below(Text(", ".join(named)))
        if row is not header:
            _below(row[-1])


def _below(cell: Text) -> None:
    """Free text under its row, in as many lines as it takes."""
    if cell.plain:
        for part in folded(cell, screen.out.width - len(INDENT)):
            screen.out.print(Text(INDENT) + part)


def folded(text: Text, room: int) -> Iterator[Text]:
    """Lines of at most so many columns, broken between words only: a path or a name is there to be copied."""
    line = Text()
    for word in text.split(" "):
        if line and line.cell_len + 1 + word.cell_len > room:
            yield line
            line = Text()
        line = line + Text(" ") + word if line else word
    yield line


def _room(widths: Sequence[int]) -> int:
    """Columns that they take side by side."""
    return sum(widths) + GAP * (len(widths) - 1)


def _legible(cell: str | Text) -> Text:
    """As the terminal will show it, so that what is measured is what is seen."""
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    if not screen.out.stream.takes_all:
        text.plain = screen.out.spelt(text.plain)
    return text


def _line(cells: Sequence[Text], widths: Sequence[int], flush: Sequence[bool]) -> Text:
    """One row; what is last has no spaces behind it."""
    line = Text()
    for cell, width, right in zip(cells, widths, flush, strict=False):
        spaces = " " * max(0, width - cell.cell_len)
        line.append_text(Text(spaces) + cell if right else cell + Text(spaces)).append(" " * GAP)
    line.rstrip()
    return line
