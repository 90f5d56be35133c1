/** Means over groups of examples: by class, and by right or wrong prediction. */

import type { Rows, Study } from "../document/types";
import { unitMeans } from "./wins";

export interface Group {
  name: string;
  /** Indices of rows. */
  rows: number[];
  /** Number of examples. */
  n: number;
}

/** Examples that are predicted right, and wrong; none where it is unknown. */
export function byOutcome(rows: Rows): Group[] {
  return [
    { name: "right", is: 0 },
    { name: "wrong", is: 1 },
  ]
    .map(({ name, is }) => group(rows, name, (row) => rows.wrong[row] === is))
    .filter((each) => each.n > 0);
}

/** Examples by their label, or where no label is known by the predicted class. */
export function byClass(study: Pick<Study, "rows" | "classes">): { groups: Group[]; by: string } {
  const { rows, classes } = study;
  const labelled = rows.label.some((label) => label >= 0);
  const column = labelled ? rows.label : rows.predicted;
  const groups = classes.map((name, place) => group(rows, name, (row) => column[row] === place)).filter((each) => each.n > 0);
  return { groups, by: labelled ? "label" : "predicted class" };
}

function group(rows: Rows, name: string, member: (row: number) => boolean): Group {
  const chosen = rows.example.map((_, row) => row).filter(member);
  return { name, rows: chosen, n: new Set(chosen.map((row) => rows.example[row])).size };
}

/** Mean over the examples of a group, and how many of them are defined; `[cells]`. Targets of an example are averaged. */
export function groupMeans(scores: Float32Array, cells: number, rows: Rows, of: Group): { mean: number; n: number }[] {
  const all = rows.example.length;
  const part = new Float32Array(cells * of.rows.length);
  for (let cell = 0; cell < cells; cell++) of.rows.forEach((row, i) => (part[cell * of.rows.length + i] = scores[cell * all + row]!));
  return unitMeans(part, cells, of.rows.map((row) => rows.example[row]!)).map((values) => {
    const known = values.filter(Number.isFinite);
    return { mean: known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : NaN, n: known.length };
  });
}
