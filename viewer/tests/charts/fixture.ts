/** A small study by hand: three cells and a control, four examples, one of them with two targets. */

import { Content } from "../../src/document/decode";
import type { Cell, Document, Mean, Metric, Numbers, Study } from "../../src/document/types";

class Binary {
  private parts: number[] = [];

  floats(values: number[]): Numbers {
    const at = this.parts.length * 4;
    this.parts.push(...values);
    return { at, count: values.length, kind: "float32", scale: null };
  }

  content(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(new Float32Array(this.parts).buffer);
  }
}

export const HOSTILE = "<img src=x onerror=alert(1)>";

const cell = (method: string, passes: [number, number], control = false): Cell => ({
  label: method,
  method,
  baseline: "none",
  control,
  signed: true,
  status: "done",
  reason: "",
  forward: passes[0],
  backward: passes[1],
  seconds: 1,
  cached: false,
  examples: 4,
  memory: null,
});

const mean = (of: number, value: number, letters: string, best = false): Mean => ({
  cell: of,
  mean: value,
  low: value - 0.05,
  high: value + 0.05,
  n: 4,
  undefined: 0,
  range: null,
  letters,
  ranks: best ? [1, 1] : [2, 4],
  best,
});

export function fixture(): { content: Content; study: Study } {
  const binary = new Binary();
  const NO = NaN;
  // Rows: e0, e1 for two targets, e2, e3. Higher is better.
  const scores = [
    [0.9, 0.8, 0.6, 0.7, 0.9],
    [0.5, 0.9, 0.7, 0.7, 0.4],
    [0.4, NO, NO, 0.1, 0.9],
    [0.1, 0.1, 0.1, 0.1, 0.1],
  ];
  const pairs = [
    [0, 1, 0.2, 0.1, 0.3, 0.01, 1],
    [0, 3, 0.7, 0.5, 0.9, 0.001, 1],
    [1, 3, 0.5, -0.1, 1.1, 0.2, 0],
  ];
  const column = (place: number): Numbers => binary.floats(pairs.map((pair) => pair[place]!));
  const metric: Metric = {
    name: "insertion",
    summary: "Area under the curve",
    higher: true,
    bounds: [0, 1],
    unit: "probability",
    refused: false,
    verdict: "best: gradient",
    means: [mean(0, 0.8, "a", true), mean(1, 0.6, "b"), mean(2, 0.5, ""), mean(3, 0.1, "b")],
    pairs: { a: column(0), b: column(1), difference: column(2), low: column(3), high: column(4), p: column(5), shown: column(6) },
    margin: 0.05,
    ranks: { cells: [0, 1, 3], mean: [1.25, 1.75, 3], critical: 0.9 },
    scores: binary.floats(scores.flat()),
    curves: {
      shares: [0, 1],
      over: "inserted features",
      unit: "probability",
      values: binary.floats(scores.flatMap((row) => row.flatMap((value) => [value, value / 2]))),
    },
    shift: "",
  };
  // Agreement of pairs 01, 02, 03, 12, 13, 23 by row.
  const agreement = [
    [0.1, 0.9, 0.9, -0.5, 0.3],
    [0.5, 0.5, 0.5, 0.5, NO],
    [0, 0, 0, 0, 0],
    [0.2, 0.2, 0.2, 0.2, 0.2],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
  ];
  const average = (values: number[]): number => {
    const known = values.filter(Number.isFinite);
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const matrix = new Array<number>(16).fill(NO);
  let pair = 0;
  for (let i = 0; i < 4; i++) for (let j = i + 1; j < 4; j++) matrix[i * 4 + j] = matrix[j * 4 + i] = average(agreement[pair++]!);
  const study: Study = {
    name: "cnn on digits, seed 0",
    model: "cnn",
    dataset: "digits",
    seed: "0",
    folder: "a",
    status: "done",
    modality: "image",
    unit: "examples",
    clusters: "",
    answer: { asked: "", performance: "", verdicts: [], claim: "", hints: [] },
    problems: [],
    cells: [cell("gradient", [4, 4]), cell("occlusion", [400, 0]), cell(HOSTILE, [40, 40]), cell("random", [0, 0], true)],
    metrics: [metric, { ...metric, name: "sparseness", higher: null, ranks: null, curves: null, verdict: "" }],
    rows: {
      example: ["e0", "e1", "e1", "e2", "e3"],
      cluster: null,
      name: ["zero", "one", "one", "two", "three"],
      target: [0, 0, 1, 1, 0],
      label: [0, 0, 0, 1, 1],
      predicted: [0, 0, 0, 1, 0],
      wrong: [0, 0, 0, 0, 1],
      probability: [0.9, 0.9, 0.9, 0.9, 0.9],
    },
    agreements: [
      {
        name: "rank_correlation",
        summary: "Spearman's rho",
        bounds: [-1, 1],
        joint: "",
        cells: [0, 1, 2, 3],
        matrix: binary.floats(matrix),
        defined: binary.floats(new Array<number>(16).fill(5)),
        order: [0, 2, 1, 3],
        values: binary.floats(agreement.flat()),
      },
    ],
    removals: [],
    panels: [],
    sources: [],
    examples: [
      {
        id: "e2",
        name: "two",
        row: 3,
        facts: [],
        wrong: false,
        target: 1,
        target_name: "one",
        picture: null,
        size: null,
        tokens: null,
        series: null,
        steps: null,
        columns: null,
        mask: null,
        continued: null,
        maps: [],
      },
    ],
    classes: ["class 0", HOSTILE],
    made: { facts: [], glossary: [], config: "", command: "", families: "metric" },
  };
  const document: Document = { format: 1, title: "", version: "0", studies: [study], across: null, omitted: [] };
  return { content: new Content(document, binary.content()), study };
}
