/** Counts of examples: on how many one cell is better than another. */

/** Values that differ by less than this part of the larger magnitude are equal, as in `xaiexp/statistics/tolerance.py`. */
export const ROUNDING = 1e-6;

export interface Wins {
  /** Units on which both are compared. */
  n: number;
  wins: number;
  ties: number;
}

/** The mean of the finite values of each unit, `[cells][units]`; NaN where it has none. */
export function unitMeans(values: Float32Array, cells: number, unitOfRow: string[]): Float64Array[] {
  const index = new Map<string, number>();
  const unit = unitOfRow.map((name) => index.get(name) ?? (index.set(name, index.size), index.size - 1));
  const rows = unitOfRow.length;
  return Array.from({ length: cells }, (_, cell) => {
    const [sums, counts] = [new Float64Array(index.size), new Float64Array(index.size)];
    for (let row = 0; row < rows; row++) {
      const value = values[cell * rows + row]!;
      if (!Number.isFinite(value)) continue;
      sums[unit[row]!]! += value;
      counts[unit[row]!]! += 1;
    }
    return sums.map((sum, i) => (counts[i] ? sum / counts[i]! : NaN));
  });
}

/** The units on which all of these cells are defined. */
export function common(means: Float64Array[], cells: number[]): number[] {
  const units = means[0]?.length ?? 0;
  return Array.from({ length: units }, (_, unit) => unit).filter((unit) => cells.every((cell) => Number.isFinite(means[cell]![unit]!)));
}

/** How often `a` is better than `b`, over those of `units` where both are defined. */
export function wins(a: Float64Array, b: Float64Array, higher: boolean, units: number[]): Wins {
  const count = { n: 0, wins: 0, ties: 0 };
  for (const unit of units) {
    const [x, y] = [a[unit]!, b[unit]!];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    count.n += 1;
    if (Math.abs(x - y) <= ROUNDING * Math.max(Math.abs(x), Math.abs(y))) count.ties += 1;
    else if (x > y === higher) count.wins += 1;
  }
  return count;
}
