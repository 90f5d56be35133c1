/** Signed bars: the columns of a table, or units of a layer. */

import { h, s } from "../../dom";
import { number } from "../../format";
import { colour, type Scheme } from "../maps/colour";
import { mean } from "../maps/values";

export interface Bar {
  name: string;
  /** The value of the column; empty where there is none. */
  value: string;
  attribution: number;
  /** Whether the ground truth has it; null without one. */
  inside: boolean | null;
}

/** How many bars are shown unless the reader asks for all. */
export const BARS = 12;

/**
 * One order of the features for all cells: by mean magnitude, where each cell's magnitudes are shares of its largest,
 * so that no cell decides by its scale. Ties keep their order.
 */
export function jointOrder(maps: Float32Array[]): number[] {
  const shares = maps.map((values) => {
    const largest = values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
    return values.map((value) => (largest > 0 ? Math.abs(value) / largest : Math.abs(value)));
  });
  const count = Math.max(0, ...maps.map((values) => values.length));
  const means = Array.from({ length: count }, (_, i) => mean(shares.map((values) => values[i] ?? NaN)));
  return means.map((_, i) => i).sort((a, b) => (means[b] || 0) - (means[a] || 0));
}

/** Start and length of a bar in percent of the width; signed bars start in the middle. */
export function barPlace(value: number, largest: number, signed: boolean): { start: number; length: number } {
  const share = largest > 0 && Number.isFinite(value) ? Math.min(1, Math.abs(value) / largest) : 0;
  if (!signed) return { start: 0, length: value > 0 ? share * 100 : 0 };
  return { start: value < 0 ? 50 - share * 50 : 50, length: share * 50 };
}

export function largestOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
}

const fill = (value: number, signed: boolean, scheme: Scheme) => colour(Math.sign(value) * 0.75, signed, 1, scheme);

export function barsTable(bars: Bar[], largest: number, signed: boolean, scheme: Scheme, what: string): HTMLElement {
  const head = h("tr", null, h("th", { scope: "col" }, what), h("th", { scope: "col" }, h("span", { class: "examples-unseen" }, "bar")), h("th", { scope: "col" }, "attribution"));
  const rows = bars.map((bar) => {
    const { start, length } = barPlace(bar.attribution, largest, signed);
    const style = { width: `${length.toFixed(2)}%`, "margin-left": `${start.toFixed(2)}%`, background: fill(bar.attribution, signed, scheme) };
    return h(
      "tr",
      { class: bar.inside ? "examples-inside" : null },
      h("th", { scope: "row" }, h("bdi", null, bar.name), bar.value !== "" && h("small", null, " = ", h("bdi", null, bar.value)), bar.inside && h("small", { class: "examples-truth" }, " in the ground truth")),
      h("td", { class: "examples-track" }, h("div", { class: signed ? "examples-bar examples-middle" : "examples-bar" }, h("i", { style }))),
      h("td", { class: "examples-number" }, number(bar.attribution)),
    );
  });
  return h("table", { class: "examples-bars" }, h("thead", null, head), h("tbody", null, rows));
}

/** The same bars as a picture, to be saved. */
export function barsSvg(bars: Bar[], largest: number, signed: boolean, scheme: Scheme, title: string): SVGElement {
  const [line, left, track] = [22, 240, 260];
  const height = 30 + line * bars.length;
  const root = s("svg", { xmlns: "http://www.w3.org/2000/svg", width: left + track + 90, height, viewBox: `0 0 ${left + track + 90} ${height}`, "font-family": "sans-serif", "font-size": 12 });
  root.append(s("rect", { width: "100%", height: "100%", fill: "#ffffff" }), s("text", { x: 8, y: 18, "font-weight": "bold" }, title));
  bars.forEach((bar, i) => {
    const y = 30 + line * i;
    const { start, length } = barPlace(bar.attribution, largest, signed);
    const name = `${bar.name}${bar.value === "" ? "" : ` = ${bar.value}`}${bar.inside ? " *" : ""}`;
    root.append(
      s("text", { x: left - 8, y: y + 14, "text-anchor": "end" }, name.length > 38 ? `${name.slice(0, 37)}…` : name),
      s("rect", { x: left + (start / 100) * track, y: y + 3, width: (length / 100) * track, height: line - 8, fill: fill(bar.attribution, signed, scheme) }),
      s("text", { x: left + track + 8, y: y + 14 }, number(bar.attribution)),
    );
  });
  if (signed) root.append(s("line", { x1: left + track / 2, x2: left + track / 2, y1: 28, y2: height, stroke: "#666666" }));
  return root;
}
