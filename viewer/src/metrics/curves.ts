/** Removal curves: means over the examples with pointwise normal 95 % bands. */

import type { Row } from "../charts/chart";
import type { Content } from "../document/decode";
import type { Metric, Study } from "../document/types";
import { unitMeans } from "./wins";

const Z = 1.959964; // of the two-sided 95 % interval of a normal distribution

/** Mean and its normal 95 % interval over the finite values; without ends for fewer than two. */
export function band(values: ArrayLike<number>): { mean: number; low: number | null; high: number | null; n: number } {
  const known = Array.from(values).filter(Number.isFinite);
  const n = known.length;
  const mean = known.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: null, high: null, n };
  const spread = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1) / n);
  return { mean, low: mean - Z * spread, high: mean + Z * spread, n };
}

/** The rows of the chart, for cells in the order of the means. */
export function curveRows(content: Content, study: Study, metric: Metric, order: number[], units: string[]): Row[] {
  if (!metric.curves) return [];
  const { shares, values } = metric.curves;
  const all = content.numbers(values);
  const [count, steps] = [units.length, shares.length];
  return order.flatMap((cell, place) =>
    shares.flatMap((share, k) => {
      const column = Float32Array.from({ length: count }, (_, row) => all[(cell * count + row) * steps + k]!);
      const { mean, low, high, n } = band(unitMeans(column, 1, units)[0]!);
      return n ? [{ cell: study.cells[cell]!.label, place, share, mean, low, high, n }] : [];
    }),
  );
}
