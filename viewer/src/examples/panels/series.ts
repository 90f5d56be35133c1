/** A time series: the curve of each channel over spans that are coloured by attribution. */

import { h, s } from "../../dom";
import { number } from "../../format";
import type { Zoom } from "../keys";
import { colour, shade, type Scheme } from "../maps/colour";
import type { Place, Stage } from "../maps/stage";
import { mean, type Shown } from "../maps/values";
import type { Example } from "../../document/types";
import type { Values } from "../entries";
import { whenVisible } from "../visible";

const WIDTH = 640;
const HEIGHT = 120;
/** Curves and spans of longer series are thinned out to about as many places. */
const PLACES = 800;

export interface Span {
  from: number;
  /** One past the last step. */
  to: number;
  value: number;
}

/** Runs of steps that get the same colour and belong to the same feature; long series by the mean of neighbours. */
export function spansOf(map: Shown, features: number[] | null, start = 0, stop = map.values.length): Span[] {
  const size = Math.max(1, Math.ceil((stop - start) / PLACES));
  const spans: Span[] = [];
  for (let from = start; from < stop; from += size) {
    const to = Math.min(stop, from + size);
    const value = size === 1 ? map.values[from]! : mean(map.values.subarray(from, to));
    const last = spans.at(-1);
    const same = last && shade(last.value, map.signed, map.full) === shade(value, map.signed, map.full);
    if (last && same && (!features || features[last.from] === features[from])) last.to = to;
    else spans.push({ from, to, value });
  }
  return spans;
}

/** The points of a curve; of long ones the smallest and largest value of each range of steps. */
export function curvePoints(values: Float32Array, start: number, stop: number): [number, number][] {
  const size = Math.ceil((stop - start) / (PLACES / 2));
  const steps = new Set<number>();
  for (let from = start; from < stop; from += size) {
    const range = Array.from({ length: Math.min(size, stop - from) }, (_, i) => from + i).filter((step) => Number.isFinite(values[step]));
    if (size === 1) range.forEach((step) => steps.add(step));
    else if (range.length) {
      const by = (sign: number) => range.reduce((best, step) => (sign * values[step]! > sign * values[best]! ? step : best));
      [by(-1), by(1)].sort((a, b) => a - b).forEach((step) => steps.add(step));
    }
  }
  return [...steps].map((step) => [step, values[step]!]);
}

/** The steps in view, a whole number of them. */
export function stepsInView(zoom: Zoom, steps: number): [number, number] {
  const start = Math.max(0, Math.floor((zoom.x - 0.5 / zoom.scale) * steps));
  return [start, Math.max(start + 1, Math.min(steps, Math.ceil((zoom.x + 0.5 / zoom.scale) * steps)))];
}

export interface SeriesPanel {
  label: string;
  /** `[channels, steps]`; empty where the page leaves inputs out. */
  curves: Float32Array;
  channels: number;
  steps: number;
  /** The feature of each step, where features are longer than a step. */
  features: number[] | null;
  map: Shown | null;
  scheme: Scheme;
  mask: Float32Array | null;
}

/** The curves of an example; none where the page leaves inputs out. */
export function curvesOf(example: Example, values: Values, map: Shown | null): Pick<SeriesPanel, "curves" | "channels" | "steps"> {
  if (!example.series) return { curves: new Float32Array(), channels: 1, steps: map?.values.length ?? 1 };
  const { channels, steps } = example.series;
  return { curves: values.array(example.series.values), channels, steps };
}

/** The drawing of the steps from `start` to before `stop`, with its own colours, so that it can be saved. */
export function seriesSvg(panel: SeriesPanel, start: number, stop: number): SVGElement {
  const { channels, steps, features } = panel;
  const strip = Math.max(34, HEIGHT / channels);
  const height = strip * channels;
  const x = (step: number) => (((step - start) / (stop - start)) * WIDTH).toFixed(2);
  const root = s("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, preserveAspectRatio: "none", role: "img", "aria-label": panel.label });
  root.append(s("rect", { width: WIDTH, height, fill: "#ffffff" }));
  if (panel.map) {
    for (const span of spansOf(panel.map, features, start, stop)) {
      root.append(s("rect", { x: x(span.from), y: 0, width: Number(x(span.to)) - Number(x(span.from)), height, fill: colour(span.value, panel.map.signed, panel.map.full, panel.scheme), "shape-rendering": "crispEdges" }));
    }
    for (let step = start + 1; features && step < stop; step++) {
      if (features[step] !== features[step - 1]) root.append(line(x(step), height));
    }
  }
  for (let channel = 0; channel < channels && panel.curves.length; channel++) {
    const values = panel.curves.subarray(channel * steps, (channel + 1) * steps);
    const points = curvePoints(values, start, stop);
    const [low, high] = points.reduce(([a, b], [, value]) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
    const y = (value: number) => (strip * channel + 4 + (high > low ? 1 - (value - low) / (high - low) : 0.5) * (strip - 8)).toFixed(2);
    const path = points.map(([step, value]) => `${x(step + 0.5)},${y(value)}`).join(" ");
    // A white outline keeps the curve visible on dark spans.
    for (const [stroke, width] of [["#ffffff", 3.4], ["#111111", 1.4]] as const) {
      root.append(s("polyline", { points: path, fill: "none", stroke, "stroke-width": width, "vector-effect": "non-scaling-stroke" }));
    }
  }
  if (panel.mask) {
    const inside = Float32Array.from({ length: steps }, (_, step) => panel.mask![panel.mask!.length === steps ? step : (features?.[step] ?? -1)] ?? 0);
    for (const span of spansOf({ values: inside, shape: [steps], signed: false, full: 1 }, null, start, stop)) {
      if (span.value > 0.5) {
        const box = { x: x(span.from), y: 1, width: Number(x(span.to)) - Number(x(span.from)), height: height - 2, fill: "none", "vector-effect": "non-scaling-stroke" };
        root.append(s("rect", { ...box, stroke: "#ffffff", "stroke-width": 4 }), s("rect", { ...box, stroke: "#000000", "stroke-width": 1.8 }));
      }
    }
  }
  return root;
}

function line(x: string, height: number): SVGElement {
  return s("line", { x1: x, x2: x, y1: 0, y2: height, stroke: "#777777", "stroke-width": 0.7, "stroke-dasharray": "2 2", "vector-effect": "non-scaling-stroke" });
}

/** The panel in the page: zooms in step with the others and says the value under the pointer. */
export function seriesPanel(panel: SeriesPanel, stage: Stage, say: (words: string) => void): { element: HTMLElement; svg(): SVGElement } {
  const { steps } = panel;
  const frame = h("div", { class: "examples-series", tabindex: 0, role: "group", "aria-label": `${panel.label}; Shift and arrows read single steps` });
  const cursor = h("div", { class: "examples-cursor", hidden: true });
  const svg = () => seriesSvg(panel, ...stepsInView(stage.zoom, steps));
  const draw = () => {
    frame.replaceChildren(svg(), cursor);
    frame.classList.toggle("examples-zoomed", stage.zoom.scale > 1);
  };
  frame.style.height = `${Math.max(34, HEIGHT / panel.channels) * panel.channels}px`;
  let seen = false;
  whenVisible(frame, () => {
    seen = true;
    draw();
  });
  const pointed = (place: Place) => {
    const step = place && "feature" in place ? place.feature : -1;
    const [start, stop] = stepsInView(stage.zoom, steps);
    cursor.hidden = step < start || step >= stop;
    cursor.style.left = `${((step + 0.5 - start) / (stop - start)) * 100}%`;
    say(step < 0 ? "" : stepWords(panel, step));
  };
  stage.add({ zoomed: () => seen && draw(), pointed });
  const stepAt = (event: MouseEvent) => {
    const box = frame.getBoundingClientRect();
    const [start, stop] = stepsInView(stage.zoom, steps);
    return Math.min(stop - 1, Math.max(start, Math.floor(start + ((event.clientX - box.left) / box.width) * (stop - start))));
  };
  let held: number | null = null;
  frame.addEventListener("pointerdown", (event) => {
    if (stage.zoom.scale === 1 || event.button !== 0) return;
    held = event.clientX;
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (held === null) return stage.point({ feature: stepAt(event) });
    stage.show({ ...stage.zoom, x: stage.zoom.x + (held - event.clientX) / frame.clientWidth / stage.zoom.scale }, false);
    held = event.clientX;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    frame.addEventListener(end, () => {
      if (held !== null) stage.finish();
      held = null;
    });
  }
  frame.addEventListener("pointerleave", () => held === null && stage.point(null));
  frame.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move && event.shiftKey) {
      const from = stage.place && "feature" in stage.place ? stage.place.feature : Math.floor(stage.zoom.x * steps);
      stage.point({ feature: Math.min(steps - 1, Math.max(0, from + move)) });
    } else if (event.key === "+" || event.key === "=") stage.enlarge(1.5);
    else if (event.key === "-") stage.enlarge(1 / 1.5);
    else if (event.key === "0") stage.enlarge(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { element: frame, svg };
}

function stepWords(panel: SeriesPanel, step: number): string {
  const { channels, steps } = panel;
  const inputs = Array.from({ length: panel.curves.length ? channels : 0 }, (_, channel) => number(panel.curves[channel * steps + step]));
  const shown = inputs.length > 4 ? [...inputs.slice(0, 4), "…"] : inputs;
  const value = panel.map ? `: ${number(panel.map.values[step])}` : "";
  return `step ${step + 1}${value}${shown.length ? ` (series ${shown.join(", ")})` : ""}`;
}
