/** The rows of the charts of one metric, from the document; `xaiexp/report/charts/frames.py` makes the same in Python. */

import type { Row } from "../charts/chart";
import type { Content } from "../document/decode";
import type { Pair } from "../document/access";
import type { Metric, Ranks, Study } from "../document/types";
import { number } from "../format";
import { byClass, byOutcome, groupMeans, type Group } from "./groups";
import { common, unitMeans, wins } from "./wins";

/** What is resampled, for each row: its cluster, or its example. */
export function unitsOf(study: Study): string[] {
  return study.rows.cluster ?? study.rows.example;
}

export function intervalRows(study: Study, metric: Metric, order: number[]): Row[] {
  return order.flatMap((cell, place) => {
    const mean = metric.means.find((each) => each.cell === cell);
    if (!mean || mean.mean === null) return [];
    const { label, control } = study.cells[cell]!;
    const { low, high, n, letters, best } = mean;
    return [{ cell: label, place, mean: mean.mean, low, high, edge: Math.max(mean.mean, high ?? mean.mean), n, letters, best, control }];
  });
}

/** One row for each letter of each cell. */
export function letterRows(study: Study, metric: Metric, order: number[]): Row[] {
  return order.flatMap((cell, place) => {
    const letters = metric.means.find((each) => each.cell === cell)?.letters ?? "";
    return lettersOf(letters).map((letter) => ({ cell: study.cells[cell]!.label, place, letter }));
  });
}

/** Letters one by one; after `Z` they have dots in front. */
export function lettersOf(text: string): string[] {
  return text.match(/\.*[a-z]/gi) ?? [];
}

/** Each pair with the cell in front that has the better mean. */
export function differenceRows(study: Study, metric: Metric, pairs: Pair[], order: number[]): Row[] {
  const place = new Map(order.map((cell, i) => [cell, i]));
  const known = pairs.filter(({ a, b, low }) => place.has(a) && place.has(b) && !Number.isNaN(low));
  const turned = known.map((pair) => {
    if (place.get(pair.a)! < place.get(pair.b)!) return pair;
    return { ...pair, a: pair.b, b: pair.a, difference: -pair.difference, low: -pair.high, high: -pair.low };
  });
  turned.sort((x, y) => place.get(x.a)! - place.get(y.a)! || place.get(x.b)! - place.get(y.b)!);
  return turned.map(({ a, b, difference, low, high, p, shown }, i) => ({
    pair: `${study.cells[a]!.label} – ${study.cells[b]!.label}`,
    a: study.cells[a]!.label,
    b: study.cells[b]!.label,
    place: i,
    difference,
    low,
    high,
    p,
    shown,
    margin: metric.margin ?? 0,
  }));
}

/** Share of the examples on which the cell of the row is better; on the examples that the tests compare. */
export function winRows(content: Content, study: Study, metric: Metric, pairs: Pair[], order: number[]): Row[] {
  if (metric.higher === null) return [];
  const higher = metric.higher;
  const means = unitMeans(content.numbers(metric.scores), study.cells.length, unitsOf(study));
  const p = new Map(pairs.flatMap((pair) => [[`${pair.a} ${pair.b}`, pair.p], [`${pair.b} ${pair.a}`, pair.p]]));
  const ranked = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))];
  const [tested, every] = [common(means, ranked), common(means, [])];
  return order.flatMap((a, i) =>
    order.flatMap((b, j) => {
      if (a === b) return [];
      const test = p.get(`${a} ${b}`);
      const count = wins(means[a]!, means[b]!, higher, test === undefined ? every : tested);
      if (!count.n) return [];
      const names = { row: study.cells[a]!.label, row_place: i, column: study.cells[b]!.label, column_place: j };
      return [{ ...names, share: count.wins / count.n, ...count, p: test === undefined || Number.isNaN(test) ? null : test }];
    }),
  );
}

/** The rows of Nemenyi's diagram. */
export function rankRows(study: Study, { cells, mean, critical }: Ranks): Row[] {
  const order = cells.map((cell, i) => ({ label: study.cells[cell]!.label, rank: mean[i]! })).sort((x, y) => x.rank - y.rank);
  const half = Math.ceil(order.length / 2);
  const named = order.map(({ label, rank }, i) => ({
    kind: "cell",
    cell: label,
    rank,
    level: i < half ? i + 1 : order.length - i,
    side: i < half ? "left" : "right",
  }));
  const groups = joined(
    order.map(({ rank }) => rank),
    critical,
  );
  const bars = groups.map(([first, last], i) => ({
    kind: "group",
    start: order[first]!.rank,
    end: order[last]!.rank,
    level: (i + 1) / (groups.length + 1),
  }));
  return [...named, ...bars, { kind: "critical", start: 1, end: 1 + critical, level: half + 0.9 }];
}

/** First and last place of every largest run of sorted ranks within the critical difference. */
export function joined(ranks: number[], critical: number): [number, number][] {
  const runs: [number, number][] = [];
  ranks.forEach((rank, first) => {
    const last = ranks.findLastIndex((other) => other - rank <= critical);
    if (last > first && !runs.some(([a, b]) => a <= first && last <= b)) runs.push([first, last]);
  });
  return runs;
}

function grouped(content: Content, study: Study, metric: Metric, order: number[], groups: Group[]): Row[] {
  const scores = content.numbers(metric.scores);
  return groups.flatMap((group, k) => {
    const means = groupMeans(scores, study.cells.length, study.rows, group);
    return order.flatMap((cell, place) => {
      const { mean, n } = means[cell]!;
      if (!n) return [];
      return [{ cell: study.cells[cell]!.label, place, group: `${group.name} (${group.n})`, group_place: k, mean, label: number(mean, 2), n }];
    });
  });
}

export function outcomeRows(content: Content, study: Study, metric: Metric, order: number[]): Row[] {
  const groups = byOutcome(study.rows);
  return groups.length > 1 ? grouped(content, study, metric, order, groups) : [];
}

export function classRows(content: Content, study: Study, metric: Metric, order: number[]): { rows: Row[]; by: string } {
  const { groups, by } = byClass(study);
  return { rows: groups.length > 1 ? grouped(content, study, metric, order, groups) : [], by };
}
