/** Numbers as the page prints them. */

export const DASH = "–";

/** Three significant digits; a dash where it is undefined. */
export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return DASH;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : value.toPrecision(digits);
}

export function interval(low: number | null, high: number | null): string {
  return low === null || high === null ? DASH : `[${number(low)}, ${number(high)}]`;
}

export function plural(count: number, singular: string, several = `${singular}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? singular : several}`;
}
