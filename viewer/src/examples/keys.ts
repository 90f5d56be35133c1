/** The reader's choices in this section, as words of the state: every view of it is a link. */

import { State, type Changes } from "../state";
import { SCHEMES } from "./maps/colour";
import type { Sign } from "./maps/values";

export type Range = readonly [number | null, number | null];

/** Which examples are listed, and in which order. */
export interface Filter {
  query: string;
  label: string;
  predicted: string;
  outcome: "" | "right" | "wrong";
  confidence: Range;
  agreement: Range;
  value: Range;
}

export type Sort = "study" | "confidence" | "metric" | "agreement";

/** How maps are drawn. */
export interface Display {
  overlay: boolean;
  opacity: number;
  sign: Sign;
  colours: string;
  percentile: number;
  /** Side of the blocks over which maps are averaged; 1 for none. */
  block: number;
  mask: boolean;
  /** Whether all columns of a table are shown. */
  all: boolean;
}

export interface Zoom {
  scale: number;
  /** What lies in the middle, as shares of width and height. */
  x: number;
  y: number;
}

export const WHOLE: Zoom = { scale: 1, x: 0.5, y: 0.5 };

export const FILTER_KEYS = ["ex.q", "ex.label", "ex.predicted", "ex.outcome", "ex.confidence", "ex.agreement", "ex.value"];
/** Which score is filtered and sorted by, and the order. */
export const ORDER_KEYS = ["ex.metric", "ex.cell", "ex.sort", "ex.down", "measure"];
export const DISPLAY_KEYS = ["ex.overlay", "ex.opacity", "ex.sign", "ex.colours", "ex.percentile", "ex.block", "ex.mask", "ex.all"];
export const VIEW_KEYS = ["example", "ex.target", "cells", "ex.minus"];
export const IMPORTANCE_KEYS = ["ex.important", "ex.over", "ex.colours"];

export const FULL_PERCENTILE = 99;

export function filterOf(state: State): Filter {
  const outcome = state.get("ex.outcome");
  return {
    query: state.get("ex.q"),
    label: state.get("ex.label"),
    predicted: state.get("ex.predicted"),
    outcome: outcome === "right" || outcome === "wrong" ? outcome : "",
    confidence: rangeOf(state, "ex.confidence"),
    agreement: rangeOf(state, "ex.agreement"),
    value: rangeOf(state, "ex.value"),
  };
}

export function sortOf(state: State): { sort: Sort; down: boolean } {
  const known: Sort[] = ["confidence", "metric", "agreement"];
  return { sort: known.find((sort) => sort === state.get("ex.sort")) ?? "study", down: state.get("ex.down") === "1" };
}

export function displayOf(state: State): Display {
  const signs: Sign[] = ["positive", "negative", "magnitude"];
  return {
    overlay: state.get("ex.overlay") === "1",
    opacity: bounded(state.get("ex.opacity"), 0, 100, 80) / 100,
    sign: signs.find((sign) => sign === state.get("ex.sign")) ?? "all",
    colours: state.get("ex.colours", SCHEMES[0].name),
    percentile: bounded(state.get("ex.percentile"), 50, 100, FULL_PERCENTILE),
    block: Math.round(bounded(state.get("ex.block"), 1, 256, 1)),
    mask: state.get("ex.mask") !== "0",
    all: state.get("ex.all") === "1",
  };
}

export function zoomOf(state: State): Zoom {
  const [scale, x, y] = state.list("ex.zoom").map(Number);
  return clamped({ scale: scale ?? 1, x: x ?? 0.5, y: y ?? 0.5 });
}

export function zoomWords(zoom: Zoom): string | null {
  return zoom.scale === 1 ? null : State.joined([zoom.scale, zoom.x, zoom.y].map((part) => String(Number(part.toFixed(4)))));
}

/** A zoom whose view lies inside the whole. */
export function clamped(zoom: Zoom): Zoom {
  const scale = Math.min(64, Math.max(1, Number.isFinite(zoom.scale) ? zoom.scale : 1));
  const inside = (at: number) => Math.min(1 - 0.5 / scale, Math.max(0.5 / scale, Number.isFinite(at) ? at : 0.5));
  return { scale, x: inside(zoom.x), y: inside(zoom.y) };
}

export function rangeOf(state: State, key: string): Range {
  const [low, high] = state.list(key).map((text) => (text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text)));
  return [low ?? null, high ?? null];
}

export function rangeWords(low: string, high: string): string | null {
  return low.trim() || high.trim() ? State.joined([low.trim(), high.trim()]) : null;
}

/** What forgets the filters and the order. */
export function cleared(): Changes {
  return Object.fromEntries([...FILTER_KEYS, "ex.sort", "ex.down", "ex.metric", "ex.cell"].map((key) => [key, null]));
}

function bounded(text: string, low: number, high: number, otherwise: number): number {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? otherwise : Math.min(high, Math.max(low, value));
}
