"""SVG drawings, built as element trees, which escape all text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

__all__ = ["coordinate", "draw", "svg", "svg_text"]


def svg(width: float, height: float, label: str) -> ET.Element:
    """An empty drawing of this size, with a label for screen readers."""
    attributes = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": label}
    size = {
        "width": coordinate(width),
        "height": coordinate(height),
        "viewBox": f"0 0 {coordinate(width)} {coordinate(height)}",
    }
    return ET.Element("svg", attributes | size)


def coordinate(value: float) -> str:
    """A coordinate with at most two digits after the point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def draw(parent: ET.Element, tag: str, text: str = "", **attributes: str | float) -> ET.Element:
    """Add an element to ``parent``; underscores in the names of attributes become dashes."""
    values = {
        name.replace("_", "-"): value if isinstance(value, str) else coordinate(value)
        for name, value in attributes.items()
    }
    element = ET.SubElement(parent, tag, values)
    element.text = text or None
    return element


def svg_text(root: ET.Element) -> str:
    """The text of the SVG file."""
    return ET.tostring(root, encoding="unicode")
