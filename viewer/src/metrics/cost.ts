/** Quality against cost: passes for an example, and the cells of the Pareto front. */

import type { Cell, Mean } from "../document/types";
import type { Row } from "../charts/chart";

/** Where cells without passes of their own stand on the logarithmic axis; `FEWEST` of `xaiexp/report/charts/cost.py`. */
export const FEWEST = 0.5;

/** Passes for an example, forward and backward; null where they were not counted: cells that the store had. */
export function passesOf(cell: Cell): { forward: number; backward: number } | null {
  const { forward, backward, examples, cached } = cell;
  if (forward === null || backward === null || !examples || (cached && forward + backward === 0)) return null;
  return { forward: forward / examples, backward: backward / examples };
}

/** Which points no other one dominates: none has as few passes and as good a mean, and less or better in one. */
export function paretoFront(points: { passes: number; mean: number }[], higher: boolean): boolean[] {
  const sign = higher ? 1 : -1;
  return points.map((point) =>
    points.every(
      (other) =>
        other.passes > point.passes ||
        sign * other.mean < sign * point.mean ||
        (other.passes === point.passes && other.mean === point.mean),
    ),
  );
}

export function costRows(cells: Cell[], means: Mean[], higher: boolean): Row[] {
  const known = means.flatMap((mean) => {
    const cell = cells[mean.cell]!;
    const passes = passesOf(cell);
    return passes && mean.mean !== null ? [{ cell, mean, ...passes, total: passes.forward + passes.backward }] : [];
  });
  const explained = known.filter(({ cell }) => !cell.control);
  const front = paretoFront(
    explained.map(({ total, mean }) => ({ passes: total, mean: mean.mean! })),
    higher,
  );
  const places = apart(
    known.map(({ mean }) => mean.mean!),
    GAP,
  );
  return known.map((each, i) => ({
    cell: each.cell.label,
    passes: each.total,
    at: Math.max(FEWEST, each.total),
    forward: each.forward,
    backward: each.backward,
    mean: each.mean.mean,
    low: each.mean.low,
    high: each.mean.high,
    front: front[explained.indexOf(each)] ?? false,
    control: each.cell.control,
    name_at: places[i]!,
  }));
}

const GAP = 0.06; // of the range of the means, between two names

/** The values moved downwards as far as is needed for a distance of `gap` of their range between any two. */
export function apart(values: number[], gap: number): number[] {
  const least = gap * (Math.max(...values) - Math.min(...values));
  const moved = [...values];
  let before = Infinity;
  for (const i of values.map((_, place) => place).sort((a, b) => values[b]! - values[a]!)) {
    moved[i] = Math.min(values[i]!, before - least);
    before = moved[i]!;
  }
  return moved;
}
