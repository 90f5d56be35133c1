/** The examples of the page, the targets of one example together, with what the study knows of them. */

import type { Content } from "../document/decode";
import type { Example, MapOf, Measure, Study } from "../document/types";
import type { Candidate } from "./list/filter";
import { cosine, mean } from "./maps/values";

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

/** Indices of the cells that ran, best first as the first metric orders them; those that it does not rank follow. */
export function cellsInOrder(study: Study): number[] {
  const order = new Set((study.metrics.find((metric) => metric.higher !== null) ?? study.metrics[0])?.means.map((mean) => mean.cell) ?? []);
  study.cells.forEach((_, cell) => order.add(cell));
  return [...order].filter((cell) => study.cells[cell]?.status === "done");
}

/** The chosen cells, in the order in which they were chosen; otherwise the best four methods. */
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
    const pairs = cells.flatMap((a, i) => cells.slice(i + 1).map((b) => [a, b] as const));
    return defined(mean(pairs.map(([a, b]) => this.ofPair(measure, a, b, example) ?? NaN)));
  }

  private ofPair(measure: Measure | null, a: number, b: number, example: Example): number | null {
    if (!measure?.values) {
      const [first, second] = [example.maps[a], example.maps[b]];
      return first && second ? defined(cosine(this.map(first), this.map(second))) : null;
    }
    const pair = pairIndex(measure.cells.indexOf(a), measure.cells.indexOf(b), measure.cells.length);
    if (pair < 0 || example.row < 0) return null;
    return defined(this.array(measure.values)[pair * this.study.rows.example.length + example.row]);
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
