/** What the server says and takes: `xaiexp/server/form.py`, `jobs.py` and `changes.py`. */

export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

/** One parameter of a component. */
export interface FieldOf {
  name: string;
  /** Type and range, in words. */
  type: string;
  meaning: string;
  required: boolean;
  default: Value;
  /** As the study has it. */
  value: Value;
  kind: "number" | "choice" | "flag" | "text" | "any";
  optional: boolean;
  choices: string[] | null;
  low: number | null;
  high: number | null;
}

export interface ComponentOf {
  name: string;
  summary: string;
  fields: FieldOf[];
}

export interface Choice {
  /** Of the chosen one. */
  name: string;
  options: ComponentOf[];
}

export interface Form {
  cell: string;
  method: ComponentOf;
  baseline: Choice | null;
  features: Choice;
  target: Value;
  /** How many the study has. */
  examples: number;
  modality: string;
  own: "" | "image" | "text" | "row";
}

export interface Change {
  study: number;
  cell: string;
  example: string;
  examples: "shown" | "all";
  method: Record<string, Value>;
  baseline: { name: string; parameters: Record<string, Value> } | null;
  features: { name: string; parameters: Record<string, Value> } | null;
  target: Value;
  input: string;
}

export interface Job {
  id: string;
  study: number;
  cell: string;
  changes: [string, string][];
  command: string;
  own: string;
  state: "queued" | "running" | "done" | "failed" | "stopped";
  done: number;
  total: number;
  message: string;
  folder: string;
  result: string;
  seconds: number;
}

/** What is wrong with a request, and where. */
export interface Refusal {
  error: string;
  where: string;
}
