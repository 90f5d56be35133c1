/** Tables as CSV, Markdown and LaTeX. */

import { DASH } from "../format";

export type Value = string | number | null;

/** CSV of RFC 4180; an undefined value is an empty field. */
export function csv(columns: string[], rows: Value[][]): string {
  return [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

function field(value: Value): string {
  if (value === null || Number.isNaN(value)) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table of Markdown (GitHub), the first column to the left. */
export function markdown(columns: string[], rows: Value[][], caption = ""): string {
  const line = (cells: string[]): string => `| ${cells.join(" | ")} |`;
  const body = rows.map((row) => line(row.map((value) => escapedMarkdown(shown(value)))));
  const rule = `|---|${"---:|".repeat(Math.max(0, columns.length - 1))}`;
  return [line(columns.map(escapedMarkdown)), rule, ...body, ...(caption ? ["", escapedMarkdown(caption)] : []), ""].join("\n");
}

function shown(value: Value): string {
  return value === null || Number.isNaN(value) ? DASH : String(value);
}

function escapedMarkdown(text: string): string {
  return text.replace(/[\\`*_[\]<>|~#]/g, "\\$&").replace(/\s+/g, " ");
}

const LATEX: Record<string, string> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  "&": "\\&",
  "%": "\\%",
  $: "\\$",
  "#": "\\#",
  _: "\\_",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "–": "--",
  "∞": "$\\infty$",
  "↑": "$\\uparrow$",
  "↓": "$\\downarrow$",
};

/** Text in which nothing is a command of LaTeX; a character that pdfLaTeX may lack becomes `?`. */
export function latexText(text: string): string {
  return [...text.replace(/\s+/g, " ")]
    .map((letter) => LATEX[letter] ?? (/[\x20-\x7eÀ-ž]/.test(letter) ? letter : "?"))
    .join("");
}

/** A `table` of LaTeX for the package booktabs. */
export function latex(columns: string[], rows: Value[][], caption = ""): string {
  const line = (cells: string[]): string => `${cells.join(" & ")} \\\\`;
  return [
    "% needs \\usepackage{booktabs}",
    "\\begin{table}",
    "\\centering",
    "\\small",
    ...(caption ? [`\\caption{${latexText(caption)}}`] : []),
    `\\begin{tabular}{l${"r".repeat(Math.max(0, columns.length - 1))}}`,
    "\\toprule",
    line(columns.map(latexText)),
    "\\midrule",
    ...rows.map((row) => line(row.map((value) => latexValue(shown(value))))),
    "\\bottomrule",
    "\\end{tabular}",
    "\\end{table}",
    "",
  ].join("\n");
}

/** A number with a sign or a power goes into math mode. */
function latexValue(text: string): string {
  const power = /^(-?[\d.]+)e([+-]?\d+)$/.exec(text);
  if (power) return `$${power[1]} \\times 10^{${Number(power[2])}}$`;
  return /^-[\d.]+$/.test(text) ? `$${text}$` : latexText(text);
}
