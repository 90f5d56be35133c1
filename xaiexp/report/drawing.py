"""SVG built as trees, so that all text is escaped."""

from __future__ import annotations

from xml.etree import ElementTree as ET

__all__ = ["draw", "short", "svg", "written"]


def svg(width: float, height: float, label: str) -> ET.Element:
    """An empty drawing of this size, with a label for those who cannot see it."""
    attributes = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": label}
    size = {"width": short(width), "height": short(height), "viewBox": f"0 0 {short(width)} {short(height)}"}
    return ET.Element("svg", attributes | size)


def short(value: float) -> str:
    """A coordinate with at most two digits after the point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def draw(parent: ET.Element, tag: str, text: str = "", **attributes: str | float) -> ET.Element:
    """Add an element; underscores in names of attributes stand for dashes."""
    written = {
        name.replace("_", "-"): value if isinstance(value, str) else short(value) for name, value in attributes.items()
    }
    element = ET.SubElement(parent, tag, written)
    element.text = text or None
    return element


def written(root: ET.Element) -> str:
    """The drawing as text."""
    return ET.tostring(root, encoding="unicode")
