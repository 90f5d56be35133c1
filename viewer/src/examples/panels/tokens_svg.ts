/** A text as a drawing to be saved: each token where the browser has put it. */

import { s } from "../../dom";

const NAMESPACE = "http://www.w3.org/2000/svg";

/** @param text the element of `tokensPanel`, which must be on the page. */
export function tokensSvg(text: HTMLElement, title: string): SVGElement {
  const box = text.getBoundingClientRect();
  const top = box.top - text.scrollTop; // of the whole text, also of what is scrolled away
  const style = getComputedStyle(text);
  const size = parseFloat(style.fontSize) || 14;
  const [width, height] = [Math.ceil(box.width) + 16, Math.ceil(text.scrollHeight) + 40];
  const root = s("svg", { xmlns: NAMESPACE, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif", "font-size": size });
  root.append(s("rect", { width, height, fill: "#ffffff" }), s("text", { x: 8, y: 20, "font-weight": "bold" }, title));
  for (const span of text.querySelectorAll<HTMLElement>(".examples-token")) {
    const lines = [...span.getClientRects()];
    for (const line of lines) {
      const place = { x: line.left - box.left + 8, y: line.top - top + 32, width: line.width, height: line.height };
      if (span.style.background) root.append(s("rect", { ...place, rx: 2, fill: span.style.background }));
      if (span.classList.contains("examples-inside")) {
        root.append(s("line", { x1: place.x, x2: place.x + place.width, y1: place.y + place.height, y2: place.y + place.height, stroke: "#000000", "stroke-width": 2 }));
      }
    }
    const first = lines[0];
    if (!first) continue;
    const fill = span.classList.contains("examples-special") ? "#6a6a6a" : span.style.color || "#000000";
    const letters = s("text", { x: first.left - box.left + 8, y: first.top - top + 32 + first.height * 0.76, fill }, span.textContent);
    if (lines.length === 1) {
      letters.setAttribute("textLength", String(first.width));
      letters.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
    root.append(letters);
  }
  return root;
}
