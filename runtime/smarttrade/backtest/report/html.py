"""HTML in which every text is escaped unless it is HTML already."""

from __future__ import annotations

import html


class Html(str):
    """Text that is safe to put into a page as it is."""

    __slots__ = ()


def join(*parts: str) -> Html:
    """The parts one after the other; plain text is escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def element(name: str, *children: str, **attributes: object) -> Html:
    """`element("td", "1 < 2", class_="number", data_low=3)`; a name's `_` becomes `-`, at its end it goes."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def table(head: list[str], rows: list[list[str]], **attributes: object) -> Html:
    """Cells that begin with a digit or a sign are aligned to the right, by `numeric` columns of the head."""
    heading = element("tr", *(element("th", name) for name in head))
    body = [
        element("tr", *(cell if isinstance(cell, Html) else element("td", cell) for cell in row))
        for row in rows
    ]
    return element("table", element("thead", heading), element("tbody", *body), **attributes)
