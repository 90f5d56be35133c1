/** The rows of a matrix of agreement, and the examples on which two cells disagree most. */

import type { Row } from "../charts/chart";
import type { Content } from "../document/decode";
import type { Measure, Study } from "../document/types";
import { number } from "../format";

/** All pairs of two cells, in the order of the clustering. */
export function agreementRows(content: Content, study: Study, measure: Measure, kept: number[]): Row[] {
  const [matrix, defined] = [content.numbers(measure.matrix), content.numbers(measure.defined)];
  const count = measure.cells.length;
  const label = (place: number): string => study.cells[measure.cells[place]!]!.label;
  return kept.flatMap((a, i) =>
    kept.flatMap((b, j) => {
      if (a === b) return [];
      const value = matrix[a * count + b]!;
      const names = { row: label(a), row_place: i, column: label(b), column_place: j };
      return [{ ...names, value: Number.isNaN(value) ? null : value, label: text(value), n: defined[a * count + b]! }];
    }),
  );
}

function text(value: number): string {
  return Number.isNaN(value) ? number(null) : value.toFixed(2).replace(/^-0\.00$/, "0.00");
}

/** Whether a measure may be negative, and the end of its colour scale. */
export function scaleOf(measure: Measure, values: ArrayLike<number>): { signed: boolean; limit: number } {
  const [low, high] = measure.bounds;
  const known = Array.from(values).filter(Number.isFinite);
  const ends = [low, high].filter((end): end is number => end !== null && Number.isFinite(end)).map(Math.abs);
  const signed = low === null && high === null ? known.some((value) => value < 0) : low === null || low < 0;
  const limit = Math.max(...(ends.length ? ends : known.map(Math.abs)), 0);
  return { signed, limit: limit || 1 };
}

/** The place of the pair i < j among all pairs of `count` cells. */
export function pairPlace(i: number, j: number, count: number): number {
  return i * count - (i * (i + 1)) / 2 + (j - i - 1);
}

/** Rows of the study by the agreement of two cells (places in the measure), the least first; undefined ones left out. */
export function worstRows(content: Content, measure: Measure, a: number, b: number, rows: number): { row: number; value: number }[] {
  if (!measure.values || a === b) return [];
  const values = content.numbers(measure.values);
  const start = pairPlace(Math.min(a, b), Math.max(a, b), measure.cells.length) * rows;
  return Array.from({ length: rows }, (_, row) => ({ row, value: values[start + row]! }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((x, y) => x.value - y.value || x.row - y.row);
}
