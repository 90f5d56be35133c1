/** Rows of the chart of one metric in several studies, and the panels that they are split into. */

import type { Row } from "../charts/chart";
import type { Comparison, Study } from "../document/types";

export const FACTORS = ["model", "dataset", "seed"] as const;
export type Factor = (typeof FACTORS)[number];

/** The factors that differ between studies. */
export function varying(studies: Study[]): Factor[] {
  return FACTORS.filter((factor) => new Set(studies.map((study) => study[factor])).size > 1);
}

/** The places of the studies of each panel: one for every level of a factor, or a single one. */
export function panels(studies: Study[], factor: Factor | null): [string, number[]][] {
  const found = new Map<string, number[]>();
  studies.forEach((study, i) => {
    const level = factor ? study[factor] : "";
    found.set(level, [...(found.get(level) ?? []), i]);
  });
  return [...found];
}

/** What tells a study from the others of its panel; its number where nothing does. */
export function nameIn(studies: Study[], place: number, members: number[]): string {
  const factors = varying(members.map((i) => studies[i]!));
  const words = factors.map((factor) => (factor === "seed" ? `seed ${studies[place]!.seed}` : studies[place]![factor])).join(", ");
  const same = members.filter((i) => factors.every((factor) => studies[i]![factor] === studies[place]![factor]));
  return same.length > 1 ? `${words ? `${words}, ` : ""}study ${place + 1}` : words || `study ${place + 1}`;
}

/** Means with their marginal intervals, cells in the order of their mean place over the studies. */
export function acrossRows(comparison: Comparison, higher: boolean | null, studies: Study[], members: number[]): Row[] {
  const places = new Map<string, number[]>();
  for (const i of members) {
    const known = comparison.rows.filter((row) => typeof row.means[i] === "number");
    known.sort((a, b) => (higher ? -1 : 1) * (a.means[i]! - b.means[i]!));
    known.forEach((row, place) => places.set(row.cell, [...(places.get(row.cell) ?? []), place]));
  }
  const mean = (cell: string): number => places.get(cell)!.reduce((sum, place) => sum + place, 0) / places.get(cell)!.length;
  const order = [...places.keys()].sort((a, b) => mean(a) - mean(b));
  return comparison.rows.flatMap((row) =>
    members.flatMap((i, number) =>
      typeof row.means[i] === "number"
        ? [{ cell: row.cell, place: order.indexOf(row.cell), group: nameIn(studies, i, members), group_place: number, mean: row.means[i]!, low: row.lows[i] ?? null, high: row.highs[i] ?? null, n: null }]
        : [],
    ),
  );
}
