/** A document for the tests of the section Examples, made of numbers. */

import { Content } from "../src/document/decode";
import type { Document, Example, MapOf, Measure, Metric, Numbers, Study, Token } from "../src/document/types";

/** Collects numbers as the binary part. */
export class Binary {
  private values: number[] = [];

  add(values: number[]): Numbers {
    const at = this.values.length * 4;
    this.values.push(...values);
    return { at, count: values.length, kind: "float32", scale: null };
  }

  content(document: Document): Content {
    return new Content(document, new Uint8Array(Float32Array.from(this.values).buffer));
  }
}

export function mapOf(binary: Binary, values: number[], shape: number[], signed = true, units: string[] | null = null): MapOf {
  return { values: binary.add(values), shape, full: Math.max(...values.map(Math.abs)), signed, note: "", units };
}

export function tokens(...pieces: [string, boolean, number][]): Token[] {
  return pieces.map(([text, joined, feature]) => ({ text, joined, feature }));
}

export function example(id: string, row: number, more: Partial<Example> = {}): Example {
  return { id, name: id, row, facts: [], wrong: null, target: 0, target_name: "zero", picture: null, size: null, tokens: null, series: null, steps: null, columns: null, mask: null, continued: null, maps: [], ...more };
}

export function metric(binary: Binary, name: string, scores: number[], order: number[]): Metric {
  const means = order.map((cell) => ({ cell, mean: 0, low: 0, high: 0, n: 1, undefined: 0, range: null, letters: "a", ranks: null, best: false }));
  return { name, summary: "", higher: true, bounds: [null, null], unit: "", refused: false, verdict: "", means, pairs: null as never, margin: null, ranks: null, scores: binary.add(scores), curves: null, shift: "" };
}

export function measure(binary: Binary, name: string, cells: number[], values: number[]): Measure {
  return { name, summary: "", bounds: [-1, 1], joint: "", cells, matrix: binary.add([]), defined: binary.add([]), order: cells.map((_, i) => i), values: binary.add(values) };
}

export function study(labels: string[], examples: Example[], more: Partial<Study> = {}): Study {
  const cells = labels.map((label) => ({ label, method: label, baseline: "", control: label === "random", signed: true, status: "done" as const, reason: "", forward: 0, backward: 0, seconds: 0, cached: false, examples: 0, memory: 0 }));
  const count = examples.length;
  const none = () => new Array<number>(count).fill(-1);
  const rows = { cluster: null, example: examples.map((each) => each.id), name: examples.map((each) => each.name), target: examples.map((each) => each.target), label: none(), predicted: none(), wrong: none(), probability: new Array<null>(count).fill(null) };
  return { name: "trial", model: "", dataset: "", seed: "0", folder: "", status: "complete", modality: "image", unit: "examples",
    clusters: "", answer: null as never, problems: [], cells, metrics: [], rows, agreements: [], removals: [], panels: [], sources: [], examples, classes: [], made: null as never, ...more };
}

export function document(study: Study): Document {
  return { format: 1, title: "trial", version: "0", studies: [study], across: null, omitted: [] };
}
