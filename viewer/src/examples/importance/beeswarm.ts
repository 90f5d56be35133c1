/** A beeswarm: one row a column of the table, one point an example, its colour the value of the column. */

import { s } from "../../dom";
import { number } from "../../format";
import { swarm, type Column } from "./importance";

const WIDTH = 560;
const LINE = 34;
const LEFT = 150;
const RIGHT = 20;

// From a small value of the column over the middle to a large one; told apart by all kinds of colour vision.
const LOW = [0x00, 0x5f, 0xa8];
const MIDDLE = [0x9a, 0x8d, 0x93];
const HIGH = [0xd5, 0x4a, 0x00];

/** The colour of a value of a column; grey where it has no place between small and large. */
export function valueColour(share: number | null): string {
  if (share === null) return "#777777";
  const [from, to, at] = share < 0.5 ? [LOW, MIDDLE, share * 2] : [MIDDLE, HIGH, share * 2 - 1];
  return `#${from.map((part, i) => Math.round(part + (to[i]! - part) * at).toString(16).padStart(2, "0")).join("")}`;
}

export const VALUE_GRADIENT = `linear-gradient(to right, ${[0, 0.5, 1].map(valueColour).join(", ")})`;

/** @param open called with the id of the example of a point. */
export function beeswarm(columns: Column[], label: string, open: (id: string) => void): SVGElement {
  const height = columns.length * LINE + 34;
  const largest = Math.max(0, ...columns.flatMap((column) => column.points.map((point) => Math.abs(point.attribution)))) || 1;
  const negative = columns.some((column) => column.points.some((point) => point.attribution < 0));
  const low = negative ? -largest : 0;
  const x = (value: number) => LEFT + 8 + ((value - low) / (largest - low)) * (WIDTH - LEFT - RIGHT - 16);
  const root = s("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label, class: "examples-swarm", "font-family": "sans-serif", "font-size": 12 });
  root.append(s("line", { x1: x(0), x2: x(0), y1: 4, y2: height - 26, stroke: "#888888" }));
  columns.forEach((column, row) => {
    const middle = row * LINE + LINE / 2 + 4;
    const name = column.name.length > 22 ? `${column.name.slice(0, 21)}…` : column.name;
    const text = s("text", { x: LEFT - 8, y: middle + 4, "text-anchor": "end", class: "examples-ink" }, name, s("title", null, column.name));
    root.append(text, s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: middle, y2: middle, stroke: "#888888", "stroke-opacity": 0.3 }));
    const places = column.points.map((point) => x(point.attribution));
    const offsets = swarm(places, 5);
    column.points.forEach((point, i) => {
      const title = `${point.name}: ${column.name} = ${point.value}, attribution ${number(point.attribution)}`;
      root.append(
        s("circle", { cx: places[i]!.toFixed(1), cy: (middle + offsets[i]! * (LINE / 2 - 4)).toFixed(1), r: 3.2, fill: valueColour(point.share), "fill-opacity": 0.85, onclick: () => open(point.id) }, s("title", null, title)),
      );
    });
  });
  for (const value of negative ? [-largest, 0, largest] : [0, largest]) {
    root.append(s("text", { x: x(value), y: height - 10, "text-anchor": "middle", class: "examples-ink" }, number(value)));
  }
  return root;
}
