/** Rows of what the document holds as columns. */

import type { Content } from "./decode";
import { SHOWN, type Metric } from "./types";

/** The difference of two cells: a minus b, with its simultaneous interval; NaN where it is not known. */
export interface Pair {
  a: number;
  b: number;
  difference: number;
  low: number;
  high: number;
  p: number;
  shown: (typeof SHOWN)[number];
}

/** All pairs of ranked cells of a metric. */
export function pairsOf(content: Content, metric: Metric): Pair[] {
  const of = metric.pairs;
  const [a, b, difference, low, high, p, shown] = [of.a, of.b, of.difference, of.low, of.high, of.p, of.shown].map((column) =>
    content.numbers(column),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  return Array.from(a, (cell, i) => ({
    a: cell,
    b: b[i]!,
    difference: difference[i]!,
    low: low[i]!,
    high: high[i]!,
    p: p[i]!,
    shown: SHOWN[shown[i]!] ?? "unknown",
  }));
}
