/** Importance over many examples, where features have names: columns of tables, words of texts. */

import type { Example, MapOf, Token } from "../../document/types";
import { mean } from "../maps/values";
import { valueIndices } from "../panels/tokens";

/** An example with the map of one cell. */
export interface Explained {
  example: Example;
  map: MapOf;
  values: Float32Array;
}

export interface Point {
  id: string;
  name: string;
  attribution: number;
  value: string;
  /** From 0, the smallest value of the column, to 1, the largest; null for levels and constant columns. */
  share: number | null;
}

export interface Column {
  name: string;
  meanMagnitude: number;
  meanAttribution: number;
  points: Point[];
}

/** The columns of all examples, largest mean magnitude first; undefined attributions do not count. */
export function columnsOf(explained: Explained[]): Column[] {
  const columns = new Map<string, Point[]>();
  for (const { example, map, values } of explained) {
    if (map.units) continue;
    example.columns?.forEach((column, i) => {
      const attribution = values[i] ?? NaN;
      if (!Number.isFinite(attribution)) return;
      const points = columns.get(column.name) ?? [];
      points.push({ id: example.id, name: example.name, attribution, value: column.value, share: null });
      columns.set(column.name, points);
    });
  }
  const out = [...columns].map(([name, points]) => ({
    name,
    points: withShares(points),
    meanMagnitude: mean(points.map((point) => Math.abs(point.attribution))),
    meanAttribution: mean(points.map((point) => point.attribution)),
  }));
  return out.sort((a, b) => b.meanMagnitude - a.meanMagnitude);
}

function withShares(points: Point[]): Point[] {
  const numbers = points.map((point) => (point.value.trim() === "" ? NaN : Number(point.value)));
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  if (!numbers.every(Number.isFinite) || high <= low) return points;
  return points.map((point, i) => ({ ...point, share: (numbers[i]! - low) / (high - low) }));
}

/** The vertical place of each point from -1 to 1: neighbours lie beside each other, always in the same way. */
export function swarm(places: number[], width: number): number[] {
  const bins = new Map<number, number[]>();
  places.forEach((place, i) => {
    const bin = Math.round(place / width);
    bins.set(bin, [...(bins.get(bin) ?? []), i]);
  });
  const out = new Array<number>(places.length).fill(0);
  const most = Math.max(1, ...[...bins.values()].map((bin) => bin.length));
  for (const bin of bins.values()) {
    bin.forEach((i, k) => {
      const side = k % 2 ? Math.ceil(k / 2) : 0 - k / 2;
      out[i] = (2 * side) / Math.max(most, 8);
    });
  }
  return out;
}

export interface Word {
  word: string;
  /** Mean over its occurrences. */
  mean: number;
  occurrences: number;
  examples: number;
}

const isWord = (text: string) => /[\p{L}\p{N}]/u.test(text);

/** The tokens of each word: those without a space between them, but not punctuation. */
export function joinedWords(tokens: Token[]): { text: string; tokens: number[] }[] {
  const words: { text: string; tokens: number[] }[] = [];
  let after = -1;
  tokens.forEach((token, place) => {
    if (token.feature < 0) return;
    const last = words.at(-1);
    if (last && token.joined && after === place - 1 && isWord(token.text) && isWord(last.text)) {
      last.text += token.text;
      last.tokens.push(place);
    } else words.push({ text: token.text, tokens: [place] });
    after = place;
  });
  return words;
}

/**
 * Words of at least `least` examples with their mean attribution, largest first. A word's attribution is the sum over
 * its features, each counted once; upper and lower case are one word.
 */
export function wordsOf(explained: Explained[], least = 2): Word[] {
  const found = new Map<string, { attributions: number[]; examples: Set<string> }>();
  for (const { example, map, values } of explained) {
    if (!example.tokens || map.units) continue;
    const indices = valueIndices(example, values.length);
    for (const word of joinedWords(example.tokens)) {
      const features = new Set(word.tokens.map((place) => indices[place]!).filter((index) => index >= 0));
      const attribution = [...features].reduce((sum, index) => sum + values[index]!, 0);
      const text = word.text.trim().toLowerCase();
      if (!features.size || !Number.isFinite(attribution) || !isWord(text)) continue;
      const entry = found.get(text) ?? { attributions: [], examples: new Set() };
      entry.attributions.push(attribution);
      entry.examples.add(example.id);
      found.set(text, entry);
    }
  }
  return [...found]
    .filter(([, entry]) => entry.examples.size >= least)
    .map(([word, { attributions, examples }]) => ({ word, mean: mean(attributions), occurrences: attributions.length, examples: examples.size }))
    .sort((a, b) => b.mean - a.mean);
}
