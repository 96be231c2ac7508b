"""Pictures as static SVG, with titles that can be read and found: they need no script, in any colour scheme."""

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import escape

from pipelines.colours import PALETTE
from pipelines.contact_sheet import TITLE, Sheet

INK, GROUND = "#222222", "#f4f4f4"
HEAD = 16
"""Pixels above the columns, where they have titles."""
SIDE = 320
RADIUS = 4


def labelled(sheet: Sheet, address: str) -> str:
    """A contact sheet with its titles, and what every cell shows as a tip."""
    width, height = sheet.size
    head = HEAD if sheet.columns else 0
    parts = [f'<image href="{address}" y="{head}" width="{width}" height="{height}"/>']
    for column, title in enumerate(sheet.columns):
        left, _ = sheet.place(0, column)
        parts.append(f'<text x="{left + sheet.cell / 2:g}" y="12" text-anchor="middle">{escape(title)}</text>')
    for row, title in enumerate(sheet.rows):
        left, top = sheet.place(row, 0)
        parts.append(f'<text x="{left + 2}" y="{head + top - TITLE + 13}">{escape(title)}</text>')
    for row, tips in enumerate(sheet.tips):
        for column, tip in enumerate(tips):
            left, top = sheet.place(row, column)
            side = sheet.cell
            parts.append(
                f'<rect class="cell" x="{left}" y="{head + top}" width="{side}" height="{side}">'
                f"<title>{escape(tip)}</title></rect>"
            )
    return _svg(width, height + head, sheet.alt, parts)


def sprite(name: str, sheet: Sheet, address: str) -> str:
    """The images of a map in a row after row, which the page's script shows one by one; ``name``: what maps call it by."""
    width, height = sheet.size
    return (
        f'<img id="{name}" class="sprite" src="{address}" alt="{escape(sheet.alt)}" width="{width}" height="{height}" '
        f'data-cell="{sheet.cell}" data-columns="{sheet.width_in_cells}">'
    )


def scatter(title: str, points: Mapping[str, Any], images: str) -> str:
    """Points in their classes' colours, with a legend below; point i is image i of the sprite ``images``."""
    classes, parts = points["classes"], []
    for number, (x, y, kind) in enumerate(points["points"]):
        left, top = 10 + x * (SIDE - 20), 10 + (1 - y) * (SIDE - 20)
        shade, name = PALETTE[kind % len(PALETTE)], escape(classes[kind])
        circle = f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{RADIUS}" fill="{shade}" data-image="{number}">'
        parts.append(f"{circle}<title>{name}</title></circle>")
    columns = 5 if max(map(len, classes)) < 7 else 2
    lines = math.ceil(len(classes) / columns)
    for kind, name in enumerate(classes):
        left, top = 10 + kind % columns * (SIDE - 10) / columns, SIDE + 12 + kind // columns * 17
        parts.append(f'<circle cx="{left:g}" cy="{top - 4}" r="5" fill="{PALETTE[kind % len(PALETTE)]}"/>')
        parts.append(f'<text x="{left + 9:g}" y="{top}">{escape(name)}</text>')
    alt = f"{title}: {len(points['points'])} test images in two dimensions, coloured by class"
    return _svg(SIDE, SIDE + 10 + 17 * lines, alt, parts, f' class="map" data-images="{images}"')


def _svg(width: float, height: float, alt: str, parts: list[str], more: str = "") -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{escape(alt)}" font-size="11" font-family="system-ui, Helvetica, Arial, sans-serif" '
        f'fill="{INK}"{more}><rect width="100%" height="100%" fill="{GROUND}"/>{"".join(parts)}</svg>'
    )
