/** The map of a cell on an example, after the display options. */

import type { Example, MapOf, Study } from "../../document/types";
import { FULL_PERCENTILE, type Display } from "../keys";
import { blockMeans, fullColour, withSign, type Shown } from "../maps/values";

/** The map as it is drawn. */
export function shownMap(map: MapOf, raw: Float32Array, domain: Domain, display: Display): Shown {
  const [rows, columns] = map.shape.length === 2 ? [map.shape[0]!, map.shape[1]!] : [1, raw.length];
  const smooth = isSmoothed(domain) ? blockMeans(raw, rows, columns, display.block) : raw;
  const untouched = smooth === raw && display.percentile === FULL_PERCENTILE;
  return {
    values: withSign(smooth, display.sign),
    shape: map.shape,
    signed: display.sign !== "magnitude" && map.signed,
    full: untouched ? map.full : fullColour(smooth, display.percentile),
  };
}

/** What the values of a map belong to. */
export type Domain = "units" | "image" | "tokens" | "series" | "columns";

/** @param modality of the study: the page may leave the inputs out, and show their maps alone. */
export function domainOf(map: MapOf | null, example: Example, modality: Study["modality"]): Domain {
  if (map?.units) return "units";
  if (example.tokens) return "tokens";
  if (example.series || modality === "series") return "series";
  if (example.columns) return "columns";
  return map && map.shape.length !== 2 ? "columns" : "image";
}

/** The number of features of a text; its maps of layers have a value for each token instead. */
export function isByToken(example: Example, count: number): boolean {
  const tokens = example.tokens ?? [];
  const features = tokens.reduce((most, token) => Math.max(most, token.feature), -1) + 1;
  return count === tokens.length && count !== features;
}

/** Whether blocks of neighbouring values have a meaning. */
export function isSmoothed(domain: Domain): boolean {
  return domain === "image" || domain === "series";
}
