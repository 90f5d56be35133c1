/** What the display options do with the values of a map: sign, full colour, smoothing, difference. */

export type Sign = "all" | "positive" | "negative" | "magnitude";

/** A map as it is drawn. */
export interface Shown {
  values: Float32Array;
  shape: number[];
  signed: boolean;
  /** The magnitude that gets full colour. */
  full: number;
}

/** The percentile of the magnitudes, interpolated; the largest where it is 0; 0 where nothing is defined. */
export function fullColour(values: ArrayLike<number>, percentile: number): number {
  const magnitudes = Float64Array.from(values, Math.abs).filter(Number.isFinite).sort();
  if (!magnitudes.length) return 0;
  const at = (percentile / 100) * (magnitudes.length - 1);
  const low = Math.floor(at);
  const below = magnitudes[low]!;
  const above = magnitudes[Math.min(low + 1, magnitudes.length - 1)]!;
  return below + (above - below) * (at - low) || magnitudes.at(-1)!;
}

/** Values of the other sign become 0; undefined values stay so. */
export function withSign(values: Float32Array, sign: Sign): Float32Array {
  if (sign === "all") return values;
  const keep = { positive: (v: number) => Math.max(v, 0), negative: (v: number) => Math.min(v, 0), magnitude: Math.abs }[sign];
  return values.map(keep);
}

/** The mean over square blocks of a map `[rows, columns]`, at every place; undefined values do not count. */
export function blockMeans(values: Float32Array, rows: number, columns: number, block: number): Float32Array {
  if (block <= 1) return values;
  const out = new Float32Array(values.length);
  for (let top = 0; top < rows; top += block) {
    for (let left = 0; left < columns; left += block) {
      const places: number[] = [];
      for (let row = top; row < Math.min(top + block, rows); row++) {
        for (let column = left; column < Math.min(left + block, columns); column++) places.push(row * columns + column);
      }
      const value = mean(places.map((place) => values[place]!));
      for (const place of places) out[place] = value;
    }
  }
  return out;
}

/** The mean of the defined values; NaN where there is none. */
export function mean(values: Iterable<number>): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    count++;
  }
  return count ? sum / count : NaN;
}

/** The values at the places of another grid, by the nearest one. */
export function resampled(values: Float32Array, from: [number, number], to: [number, number]): Float32Array {
  if (from[0] === to[0] && from[1] === to[1]) return values;
  const out = new Float32Array(to[0] * to[1]);
  for (let row = 0; row < to[0]; row++) {
    const source = Math.floor(((row + 0.5) * from[0]) / to[0]) * from[1];
    for (let column = 0; column < to[1]; column++) {
      out[row * to[1] + column] = values[source + Math.floor(((column + 0.5) * from[1]) / to[1])]!;
    }
  }
  return out;
}

/**
 * One map minus another, each scaled so that its full colour is 1 and cut off there.
 *
 * Where one of them has no sign, the magnitudes of both are compared. Returns null for maps of different lengths that
 * are not both grids.
 */
export function difference(first: Shown, second: Shown): Shown | null {
  const signed = first.signed && second.signed;
  const grids = first.shape.length === 2 && second.shape.length === 2;
  const shape = grids ? [0, 1].map((axis) => Math.max(first.shape[axis]!, second.shape[axis]!)) : first.shape;
  if (!grids && first.values.length !== second.values.length) return null;
  const [a, b] = [first, second].map((map) => {
    const values = grids ? resampled(map.values, pair(map.shape), pair(shape)) : map.values;
    return values.map((value) => {
      const share = map.full > 0 ? Math.max(-1, Math.min(1, value / map.full)) : Number.isFinite(value) ? 0 : NaN;
      return signed ? share : Math.abs(share);
    });
  }) as [Float32Array, Float32Array];
  return { values: a.map((value, i) => value - b[i]!), shape, signed: true, full: 1 };
}

function pair(shape: number[]): [number, number] {
  return [shape[0]!, shape[1]!];
}

/**
 * The mean cosine of the angle over all pairs of maps of one length, undefined values as 0; NaN where there is no pair.
 *
 * Of unit vectors u, the sum over pairs is (|sum of u|^2 - number) / 2, so that many maps take no longer than few pairs.
 */
export function meanCosine(maps: Float32Array[]): number {
  const sums = new Map<number, { sum: Float64Array; count: number }>();
  for (const map of maps) {
    let square = 0;
    for (const value of map) if (Number.isFinite(value)) square += value * value;
    if (!square) continue;
    const group = sums.get(map.length) ?? { sum: new Float64Array(map.length), count: 0 };
    const size = Math.sqrt(square);
    for (let i = 0; i < map.length; i++) if (Number.isFinite(map[i])) group.sum[i]! += map[i]! / size;
    group.count++;
    sums.set(map.length, group);
  }
  let [total, pairs] = [0, 0];
  for (const { sum, count } of sums.values()) {
    total += (sum.reduce((square, value) => square + value * value, 0) - count) / 2;
    pairs += (count * (count - 1)) / 2;
  }
  return pairs ? total / pairs : NaN;
}
