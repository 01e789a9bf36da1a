"""How every state of the page must look, whoever looks at it."""

from __future__ import annotations

from tests.support.visitor import Visitor

WIDTHS = (1280, 360)
THEMES = ("light", "dark")


def looks_right(visitor: Visitor) -> None:
    """No fault that axe-core knows and no sideways scrolling, in both themes, wide and narrow."""
    found = []
    for width in WIDTHS:
        visitor.window(width, 800)
        for theme in THEMES:
            visitor.theme(theme)
            found += [f"{theme}, {width} px: {fault}" for fault in visitor.faults_of_accessibility()]
        if visitor.too_wide() > 0:
            found.append(f"{visitor.too_wide()} px wider than {width} px")
    visitor.window(1280, 900)
    visitor.theme("light")
    assert not found, "\n".join(found)
