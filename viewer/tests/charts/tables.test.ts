import { describe, expect, it } from "vitest";
import { csv, latex, latexText, markdown } from "../../src/tables/markup";
import { order, table } from "../../src/tables/table";

describe("a table leaves", () => {
  it("as CSV with quotes where they are needed, and nothing where a value is undefined", () => {
    expect(csv(["a", 'b"c'], [["x,y", 1.5], ["line\nbreak", null], ["plain", NaN]])).toBe('a,"b""c"\r\n"x,y",1.5\r\n"line\nbreak",\r\nplain,\r\n');
  });

  it("as Markdown in which nothing is markup", () => {
    expect(markdown(["a|b", "mean"], [["*x* <b>", 1]], "top_k")).toBe("| a\\|b | mean |\n|---|---:|\n| \\*x\\* \\<b\\> | 1 |\n\ntop\\_k\n");
  });

  it("as LaTeX in which nothing is a command", () => {
    expect(latexText("50 % of {a}_b \\input{x} $x^2$ ~&#")).toBe(
      "50 \\% of \\{a\\}\\_b \\textbackslash{}input\\{x\\} \\$x\\textasciicircum{}2\\$ \\textasciitilde{}\\&\\#",
    );
    expect(latexText("日本 é – ")).toBe("?? é -- ");
  });

  it("as LaTeX with numbers in math mode and booktabs", () => {
    const text = latex(["cell", "mean"], [["a_b", "-0.5"], ["c", "1.20e-5"], ["d", "0.3"]], "Means");
    expect(text).toContain("\\begin{tabular}{lr}\n\\toprule\ncell & mean \\\\\n\\midrule\na\\_b & $-0.5$ \\\\\nc & $1.20 \\times 10^{-5}$ \\\\\nd & 0.3 \\\\\n\\bottomrule");
    expect(text).toContain("\\caption{Means}");
  });
});

describe("a table sorts", () => {
  it("numbers as numbers, undefined ones last in either direction", () => {
    const rows = [[10], [null], [9], [NaN], [{ value: 11, text: "eleven" }]];
    const values = (up: boolean) => order(rows, 0, up).map(([cell]) => (typeof cell === "object" && cell ? cell.value : cell));
    expect(values(true).slice(0, 3)).toEqual([9, 10, 11]);
    expect(values(false).slice(0, 3)).toEqual([11, 10, 9]);
  });

  it("by a click on a head, and says so", () => {
    const element = table({ caption: "c", columns: [{ name: "cell" }, { name: "mean" }], rows: [["a", 2], ["b", 1]] });
    const [, head] = element.querySelectorAll("thead th");
    head!.querySelector("button")!.click();
    expect(head!.getAttribute("aria-sort")).toBe("ascending");
    expect([...element.querySelectorAll("tbody th")].map((each) => each.textContent)).toEqual(["b", "a"]);
    head!.querySelector("button")!.click();
    expect([...element.querySelectorAll("tbody th")].map((each) => each.textContent)).toEqual(["a", "b"]);
  });
});
