/** A table that sorts by any column and leaves as CSV, Markdown or LaTeX. */

import { h } from "../dom";
import { number } from "../format";
import type { Value } from "./markup";
import { copyTools } from "./tools";

export interface Column {
  name: string;
  /** What the column holds, where its name does not say. */
  title?: string;
}

/** A cell that is shown otherwise than it sorts and leaves. */
export interface Shown {
  value: Value;
  text?: string;
  node?: Node;
  class?: string;
}

export type Cell = Value | Shown;

export interface TableOptions {
  caption: string;
  columns: Column[];
  rows: Cell[][];
}

/** Rows from which on a table scrolls in its own place. */
const LONG = 40;

export function table({ caption, columns, rows }: TableOptions): HTMLElement {
  const body = h("tbody", null, rows.map(line));
  let sorted: { column: number; up: boolean } | null = null;
  const heads = columns.map((column, i) =>
    h("th", { scope: "col", "aria-sort": "none", title: column.title, class: i && rows.some((row) => typeof valueOf(row[i] ?? null) === "number") ? "table-number" : null }, h("button", { type: "button", onclick: () => sort(i) }, column.name)),
  );
  const sort = (column: number): void => {
    const up = sorted?.column === column ? !sorted.up : true;
    sorted = { column, up };
    heads.forEach((head, i) => head.setAttribute("aria-sort", i === column ? (up ? "ascending" : "descending") : "none"));
    body.replaceChildren(...order(rows, column, up).map(line));
  };
  const names = columns.map((column) => column.name);
  const current = (): Value[][] => (sorted ? order(rows, sorted.column, sorted.up) : rows).map((row) => row.map(printed));
  return h(
    "div",
    { class: "table" },
    h(
      "div",
      { class: rows.length > LONG ? "table-scroll table-long" : "table-scroll", tabindex: 0, role: "group", "aria-label": caption },
      h("table", null, h("caption", null, caption), h("thead", null, h("tr", null, heads)), body),
    ),
    copyTools(names, () => ({ exact: rows.map((row) => row.map(valueOf)), shown: current() }), caption),
  );
}

function line(cells: Cell[]): HTMLElement {
  return h(
    "tr",
    null,
    cells.map((cell, i) => {
      const shown = typeof cell === "object" && cell !== null ? cell : null;
      const content = shown?.node ?? String(printed(cell));
      const numeric = typeof valueOf(cell) === "number" || valueOf(cell) === null;
      const style = [numeric && i ? "table-number" : "", shown?.class ?? ""].join(" ").trim();
      return i ? h("td", { class: style || null }, content) : h("th", { scope: "row", class: style || null }, content);
    }),
  );
}

function valueOf(cell: Cell): Value {
  return typeof cell === "object" && cell !== null ? cell.value : cell;
}

/** As it is shown and printed. */
function printed(cell: Cell): string {
  if (typeof cell === "object" && cell !== null && cell.text !== undefined) return cell.text;
  const value = valueOf(cell);
  return typeof value === "string" ? value : number(value);
}

/** The rows by one column; undefined values come last in either direction. */
export function order(rows: Cell[][], column: number, up: boolean): Cell[][] {
  const sign = up ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [valueOf(a[column] ?? null), valueOf(b[column] ?? null)];
    const [noX, noY] = [x === null || Number.isNaN(x), y === null || Number.isNaN(y)];
    if (noX || noY) return Number(noX) - Number(noY);
    if (typeof x === "number" && typeof y === "number") return sign * (x - y);
    return sign * String(x).localeCompare(String(y), "en", { numeric: true });
  });
}
