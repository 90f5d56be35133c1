/** The examples of the page, the targets of one example together, with what the study knows of them. */

import type { Content } from "../document/decode";
import type { Example, MapOf, Measure, Metric, Study } from "../document/types";
import type { Candidate } from "./list/filter";
import { mean, meanCosine } from "./maps/values";

/** One example; several targets of it are several `Example`s. */
export interface Entry {
  id: string;
  name: string;
  targets: [Example, ...Example[]];
}

export function entriesOf(examples: Example[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const example of examples) {
    const known = entries.get(example.id);
    if (known) known.targets.push(example);
    else entries.set(example.id, { id: example.id, name: example.name, targets: [example] });
  }
  return [...entries.values()];
}

/** The metric whose means order the cells: the first that ranks; null where none does. */
export function orderingMetric(study: Study): Metric | null {
  return study.metrics.find((metric) => metric.higher !== null) ?? null;
}

/** Indices of the cells that ran, by their means of the first metric that ranks; those without one follow. */
export function cellsInOrder(study: Study): number[] {
  const order = new Set(orderingMetric(study)?.means.map((mean) => mean.cell) ?? []);
  study.cells.forEach((_, cell) => order.add(cell));
  return [...order].filter((cell) => study.cells[cell]?.status === "done");
}

/** The chosen cells, in the order in which they were chosen; otherwise the first four methods in that order. */
export function chosenCells(study: Study, labels: string[]): number[] {
  const chosen = labels.map((label) => study.cells.findIndex((cell) => cell.label === label)).filter((cell) => cell >= 0);
  if (chosen.length) return [...new Set(chosen)];
  const order = cellsInOrder(study);
  const methods = order.filter((cell) => !study.cells[cell]!.control);
  return (methods.length ? methods : order).slice(0, 4);
}

/** Reads scores, agreements and maps of a study, each array once. */
export class Values {
  private arrays = new Map<object, Float32Array>();

  constructor(
    private content: Content,
    readonly study: Study,
  ) {}

  /** The values of a map; not kept, since maps are many. */
  map(map: MapOf): Float32Array {
    return this.content.numbers(map.values);
  }

  array(of: { at: number } & Parameters<Content["numbers"]>[0]): Float32Array {
    let array = this.arrays.get(of);
    if (!array) this.arrays.set(of, (array = this.content.numbers(of)));
    return array;
  }

  score(metric: string, cell: number, row: number): number | null {
    const found = this.study.metrics.find((each) => each.name === metric);
    if (!found || row < 0 || cell < 0) return null;
    return defined(this.array(found.scores)[cell * this.study.rows.example.length + row]);
  }

  /** Scores of a cell on one example, in the order of the metrics. */
  scores(cell: number, row: number): [string, number | null][] {
    return row < 0 ? [] : this.study.metrics.map((metric) => [metric.name, this.score(metric.name, cell, row)]);
  }

  /** The mean agreement of all pairs of cells on one example; by the cosine of the maps where the page has no values. */
  agreement(measure: Measure | null, cells: number[], example: Example): number | null {
    if (!measure?.values) return defined(meanCosine(cells.flatMap((cell) => example.maps[cell] ?? []).map((map) => this.map(map))));
    if (example.row < 0) return null;
    const values = this.array(measure.values);
    const places = cells.map((cell) => measure.cells.indexOf(cell));
    const pairs = places.flatMap((a, i) => places.slice(i + 1).map((b) => pairIndex(a, b, measure.cells.length))).filter((pair) => pair >= 0);
    return defined(mean(pairs.map((pair) => values[pair * this.study.rows.example.length + example.row]!)));
  }
}

/** The place of the pair of i and j among all pairs i < j of n; -1 where it is none. */
export function pairIndex(i: number, j: number, n: number): number {
  if (i < 0 || j < 0 || i === j) return -1;
  const [low, high] = [Math.min(i, j), Math.max(i, j)];
  return (low * (2 * n - low - 1)) / 2 + high - low - 1;
}

/** The measure that the reader chose, or the first one of pairs; null where the page has none with values. */
export function measureOf(study: Study, name: string): Measure | null {
  const withValues = study.agreements.filter((measure) => measure.values !== null && !measure.joint);
  return withValues.find((measure) => measure.name === name) ?? withValues[0] ?? null;
}

export function className(study: Study, index: number | undefined): string {
  return index === undefined || index < 0 ? "" : (study.classes[index] ?? `class ${index}`);
}

/** What the filters ask of an example and target. */
export function candidateOf(values: Values, example: Example, agreement: number | null, metric: string, cell: number): Candidate {
  const { study } = values;
  const known = example.row >= 0;
  const label = known ? className(study, study.rows.label[example.row]) : "";
  const predicted = known ? className(study, study.rows.predicted[example.row]) : "";
  const text = example.tokens?.map((token) => (token.joined ? token.text : ` ${token.text}`)).join("") ?? "";
  return {
    words: [example.name, example.id, label, predicted, text, ...(example.columns?.map((column) => `${column.name} ${column.value}`) ?? [])].join(" "),
    label,
    predicted,
    wrong: example.wrong,
    confidence: known ? (study.rows.probability[example.row] ?? null) : null,
    agreement,
    value: known ? values.score(metric, cell, example.row) : null,
  };
}

function defined(value: number | null | undefined): number | null {
  return value === null || value === undefined || !Number.isFinite(value) ? null : value;
}
