/**
 * The document that a page shows: what `xaiexp/report/document/` writes. One object for the file, the notebook and the
 * live server. Numbers that are many lie in the binary part, by reference.
 */

export type Kind = "int8" | "uint8" | "int16" | "int32" | "float32";

/** Numbers of the binary part: `count` of `kind` from byte `at`; the value is the number times `scale`, NaN where it
 * is the smallest of a signed kind that is scaled. */
export interface Numbers {
  at: number;
  count: number;
  kind: Kind;
  scale: number | null;
}

/** A file of the binary part: a PNG or WebP picture. */
export interface File {
  at: number;
  count: number;
  mime: string;
}

export interface Document {
  format: 1;
  title: string;
  /** Of xaiexp. */
  version: string;
  studies: Study[];
  across: Across | null;
  /** What this page leaves out, with the line that makes the full page. */
  omitted: string[];
}

export interface Study {
  name: string;
  model: string;
  dataset: string;
  seed: string;
  folder: string;
  status: string;
  modality: "image" | "text" | "table" | "series" | "";
  /** Plural, of what is resampled: examples or clusters. */
  unit: string;
  /** Where examples belong to clusters: what that means for every number; empty elsewhere. */
  clusters: string;
  answer: Answer;
  problems: Problem[];
  cells: Cell[];
  metrics: Metric[];
  /** Pairs of example and target that have scores; the columns of the scores. */
  rows: Rows;
  agreements: Measure[];
  removals: Removal[];
  sources: [string, string][];
  examples: Example[];
  /** Class names that occur among labels and predictions. */
  classes: string[];
  panels: Panel[];
  made: Made;
}

export interface Answer {
  /** What was asked: model, data, target. */
  asked: string;
  /** Accuracy of the model, or what is known in its place; empty where nothing is. */
  performance: string;
  /** One for each metric, short. */
  verdicts: Verdict[];
  claim: string;
  hints: string[];
}

export interface Verdict {
  metric: string;
  brief: string;
  whole: string;
  refused: boolean;
}

/** A metric with several removals: their distances to the data, and whether the order of the cells changes. */
export interface Removal {
  metric: string;
  sentence: string;
  distances: [string, string][];
}

/** A panel of a plugin, or the line that says why there is none. */
export interface Panel {
  label: string;
  title: string;
  /** The distribution that provides it, with its version. */
  plugin: string;
  section: "answer" | "metrics" | "agreement" | "examples" | "made";
  /** Cleaned: no scripts, styles, images, links or attributes that do anything. */
  html: string;
  /** A Vega-Lite specification as JSON without addresses, or empty. */
  chart: string;
  caption: string;
  error: string;
}

export interface Problem {
  title: string;
  severe: boolean;
  rows: [string, string][];
  tracebacks: [string, string][];
}

export interface Cell {
  /** `method / baseline`, or the method alone. */
  label: string;
  method: string;
  baseline: string;
  control: boolean;
  signed: boolean;
  status: "done" | "skipped" | "failed";
  reason: string;
  /** Passes for its attributions. */
  forward: number | null;
  backward: number | null;
  seconds: number | null;
  cached: boolean;
  examples: number | null;
  memory: number | null;
}

export interface Metric {
  name: string;
  summary: string;
  /** Whether higher is better; null for metrics that rank nothing. */
  higher: boolean | null;
  bounds: [number | null, number | null];
  unit: string;
  refused: boolean;
  verdict: string;
  /** Cells, best mean first. */
  means: Mean[];
  /** All pairs of ranked cells. */
  pairs: Pairs;
  margin: number | null;
  /** Mean ranks and Nemenyi's critical difference: another test than that of the letters. */
  ranks: Ranks | null;
  /** Scores, `[cells, rows]` over all cells of the study; NaN where undefined. */
  scores: Numbers;
  /** Curves over the share of removed features; null where the metric has none. */
  curves: Curves | null;
  shift: string;
}

export interface Mean {
  /** Index of the cell. */
  cell: number;
  mean: number | null;
  low: number | null;
  high: number | null;
  n: number;
  undefined: number;
  /** The range of the mean, where the undefined scores were all best or all worst. */
  range: [number, number] | null;
  letters: string;
  ranks: [number, number] | null;
  best: boolean;
}

/** Columns, one value a pair: cells, a minus b, its simultaneous interval, the adjusted p, an index into `SHOWN`. */
export interface Pairs {
  a: Numbers;
  b: Numbers;
  difference: Numbers;
  low: Numbers;
  high: Numbers;
  p: Numbers;
  shown: Numbers;
}

export const SHOWN = ["unknown", "different", "equal"] as const;

export interface Ranks {
  cells: number[];
  mean: number[];
  critical: number;
}

export interface Curves {
  /** Shares of removed or inserted features, increasing. */
  shares: number[];
  /** Of what, such as `removed features`. */
  over: string;
  /** What the curve holds, such as `probability`. */
  unit: string;
  /** `[cells, rows, shares]`. */
  values: Numbers;
}

/** Facts of all rows; indices of classes are into `Study.classes`, -1 where unknown. */
export interface Rows {
  example: string[];
  /** Of each row the cluster, where clusters are what is resampled; null elsewhere. */
  cluster: string[] | null;
  name: string[];
  target: number[];
  label: number[];
  predicted: number[];
  /** 1 wrong, 0 right, -1 unknown. */
  wrong: number[];
  probability: (number | null)[];
}

export interface Measure {
  name: string;
  summary: string;
  bounds: [number | null, number | null];
  /** The agreement of all cells jointly, as a sentence; empty for a measure of pairs. */
  joint: string;
  /** Indices of the cells of the matrix. */
  cells: number[];
  /** Means, `[cells, cells]` row by row; NaN where undefined and on the diagonal. */
  matrix: Numbers;
  /** Number of defined examples, as the matrix. */
  defined: Numbers;
  /** Order of the cells by hierarchical clustering (average linkage of the dissimilarity): indices into `cells`. */
  order: number[];
  /** Values by pair (i < j in the order of `cells`) and row, `[pairs, rows]`; null where left out of the page. */
  values: Numbers | null;
}

export interface Example {
  id: string;
  name: string;
  /** Index into the rows; -1 where it has no scores. */
  row: number;
  /** Facts in words, such as explained class, prediction, label. */
  facts: [string, string][];
  wrong: boolean | null;
  target: number;
  target_name: string;
  picture: File | null;
  /** Height and width of the picture, or of the maps. */
  size: [number, number] | null;
  tokens: Token[] | null;
  /** Series: values `[channels, steps]`. */
  series: Series | null;
  /** Feature of each step, where features are longer than a step. */
  steps: number[] | null;
  columns: Column[] | null;
  /** Ground truth, `[H, W]`, `[T]` or one for each column; 1 inside. */
  mask: Mask | null;
  /** Of prompts of language models alone. */
  continued: Continued | null;
  /** By cell; null where there is none. */
  maps: (MapOf | null)[];
}

/** What a language model goes on with: the tokens of each text, and their weights in the explained score. */
export interface Continued {
  texts: string[][];
  weights: number[][];
  written: boolean;
}

export interface Series {
  values: Numbers;
  channels: number;
  steps: number;
}

export interface Column {
  name: string;
  value: string;
}

export interface Mask {
  values: Numbers;
  shape: number[];
}

export interface Token {
  text: string;
  /** Whether no space separates it from the token before. */
  joined: boolean;
  /** Index of its feature; -1 for special tokens, which have no attribution. */
  feature: number;
}

export interface MapOf {
  values: Numbers;
  shape: number[];
  /** The magnitude that gets full colour. */
  full: number;
  /** Whether signs have a meaning; that of the cell, but for activations of layers. */
  signed: boolean;
  /** What the reader must know, such as that it is of a layer. */
  note: string;
  /** Names of the values where they are not those of the input's features: units of a layer. */
  units: string[] | null;
}

export interface Across {
  comparisons: Comparison[];
  pooled: Pooled[];
  agreement: AgreementAcross[];
  sources: [string, string][];
}

/** Means of a metric in every study, for facets. */
export interface Comparison {
  metric: string;
  direction: string;
  rows: ComparisonRow[];
}

export interface ComparisonRow {
  cell: string;
  means: (number | null)[];
  lows: (number | null)[];
  highs: (number | null)[];
  best: boolean[];
}

/** Studies that differ in their seeds alone: cell, mean, interval for other examples and seeds. */
export interface Pooled {
  metric: string;
  sentence: string;
  rows: [string, string, string][];
}

/** Agreement of each cell with itself: cell, mean, interval, number of examples (and of pairs of studies). */
export interface AgreementAcross {
  differ: string;
  rows: [string, string, string, string][];
}

export interface Made {
  facts: [string, string][];
  glossary: Glossary[];
  config: string;
  command: string;
  families: string;
}

export interface Glossary {
  kind: string;
  entries: Entry[];
}

export interface Entry {
  label: string;
  summary: string;
  details: string;
  source: string;
}
