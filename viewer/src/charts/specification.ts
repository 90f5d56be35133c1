/** The specification of a chart with its rows, colours and width filled in. */

import compiled from "../../../xaiexp/report/charts/specifications.json";
import type { Theme } from "./theme";

export type Row = Record<string, string | number | boolean | null>;
export type ChartName = keyof typeof compiled.charts;

interface Parameter {
  name: string;
  value: unknown;
}

interface Step {
  step: number;
  for?: string;
}

interface Encoded {
  encoding?: { y?: { field?: string } };
}

type Specification = Record<string, unknown> & { width?: unknown; height?: number | Step; params?: Parameter[]; layer?: Encoded[] } & Encoded;

/** How much of a chart's width the names on its left may take. */
const NAMES = 0.42;

export interface Filling {
  theme: Theme;
  /** In pixels, of everything; null keeps that of the specification. */
  width: number | null;
  /** In pixels, of the plot; null keeps that of the specification. */
  height: number | null;
  /** Values of parameters by name, such as the end of a scale. */
  parameters: Record<string, number>;
}

/** Of the plot: as many steps as the rows have categories, since Vega-Lite fits a width to numbers of pixels alone. */
function heightOf(own: Specification, rows: Row[]): number {
  if (typeof own.height === "number") return own.height;
  const { step = 24, for: what } = own.height ?? { step: 24 };
  const fields = [own, ...(own.layer ?? [])].map((each) => each.encoding?.y?.field);
  const field = fields.find((each) => each !== undefined && typeof rows[0]?.[each] === "string");
  const count = (name: string): number => new Set(rows.map((row) => row[name])).size;
  return step * (field ? count(field) : 1) * (what === "offset" ? count("group") + 1 : 1);
}

/** A specification from elsewhere, in the colours of the page; what it says itself goes first. */
export function inColours(own: Record<string, unknown>, filling: Pick<Filling, "theme" | "width">): object {
  const params = compiled.params.map((each) => ({ ...each, value: (filling.theme.colours as Record<string, unknown>)[each.name] ?? each.value }));
  const single = "mark" in own || "layer" in own;
  return {
    $schema: compiled.$schema,
    ...own,
    ...(single && typeof own["width"] !== "number" && filling.width !== null ? { width: filling.width, autosize: { type: "fit-x", contains: "padding" } } : {}),
    config: { ...compiled.config, ...((own["config"] as object | undefined) ?? {}), aria: false },
    params: [...params, ...((own["params"] as object[] | undefined) ?? [])],
  };
}

export function specification(name: ChartName, rows: Row[], filling: Filling): object {
  const own = compiled.charts[name] as unknown as Specification;
  const values = { ...filling.theme.colours, ...filling.parameters } as Record<string, unknown>;
  const params = [...compiled.params, ...(own.params ?? [])].map((each) => ({ ...each, value: values[each.name] ?? each.value }));
  const fits = typeof own.width === "number" && filling.width !== null;
  const config = compiled.config as unknown as Record<string, object>;
  const names = Math.min(300, Math.max(90, Math.floor((filling.width ?? 640) * NAMES)));
  return {
    $schema: compiled.$schema,
    ...own,
    ...(fits ? { width: filling.width, autosize: { type: "fit-x", contains: "padding" } } : {}),
    ...(fits ? { height: filling.height ?? heightOf(own, rows) } : {}),
    config: { ...config, aria: false, axisY: { ...config["axisY"], labelLimit: names } },
    params,
    datasets: { rows },
  };
}
