import { beforeEach, describe, expect, it } from "vitest";
import { AgreementSection } from "../../src/agreement/section";
import { pairPlace, scaleOf, worstRows } from "../../src/agreement/rows";
import { specification } from "../../src/charts/specification";
import { isDark } from "../../src/charts/theme";
import { MetricsSection } from "../../src/metrics/section";
import { State } from "../../src/state";
import { fixture, HOSTILE } from "./fixture";

let state: State;
beforeEach(() => {
  state = new State();
  document.body.replaceChildren();
});

function opened<T extends MetricsSection | AgreementSection>(element: T): T {
  const { content, study } = fixture();
  document.body.append(element.open({ content, state, vega: null, live: null }, study));
  return element;
}

describe("the section on metrics", () => {
  it("shows the metric of the state, and the first one where none is named", () => {
    const section = opened(new MetricsSection());
    expect(section.querySelector("table")!.textContent).toContain("letters");
    expect(section.querySelector(".metrics-verdict")!.textContent).toBe("best: gradient.");
    state.set({ metric: "sparseness" });
    expect(section.querySelector<HTMLSelectElement>("#metrics-metric")!.value).toBe("sparseness");
    expect([...section.querySelectorAll("h3")].map((each) => each.textContent)).not.toContain("Win rates");
  });

  it("has a card for everything that the metric has", () => {
    const section = opened(new MetricsSection());
    expect([...section.querySelectorAll("h3")].map((each) => each.textContent)).toEqual([
      "Means",
      "Letters",
      "Win rates",
      "Differences",
      "Quality and cost",
      "Curves",
      "By right or wrong prediction",
      "By class",
      "Another test: Nemenyi's critical difference",
    ]);
  });

  it("shows the pairs of one cell alone where these are chosen", () => {
    const section = opened(new MetricsSection());
    state.set({ metrics_pairs: "occlusion" });
    const rows = section.querySelectorAll(".chart-differences tbody tr");
    expect([...rows].map((row) => row.firstElementChild!.textContent)).toEqual(["gradient", "random"]);
  });

  it("reads no name as markup", () => {
    expect(opened(new MetricsSection()).querySelector("img")).toBeNull();
    expect(opened(new AgreementSection()).querySelector("img")).toBeNull();
  });
});

describe("the section on agreement", () => {
  it("finds the examples on which a pair disagrees most", () => {
    const { content, study } = fixture();
    const measure = study.agreements[0]!;
    expect(worstRows(content, measure, 1, 0, 5).map(({ row }) => row)).toEqual([3, 0, 4, 1, 2]);
    expect(worstRows(content, measure, 2, 0, 5)).toHaveLength(4); // one is undefined
  });

  it("numbers pairs as the upper triangle row by row", () => {
    const places = [];
    for (let i = 0; i < 4; i++) for (let j = i + 1; j < 4; j++) places.push(pairPlace(i, j, 4));
    expect(places).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("links an example with maps to the two cells", () => {
    const section = opened(new AgreementSection());
    state.set({ agreement_pair: State.joined(["occlusion", "gradient"]) });
    const link = section.querySelector<HTMLAnchorElement>(".agreement-pair a")!;
    expect(link.textContent).toBe("two");
    const target = new URLSearchParams(link.hash.slice(1));
    expect(target.get("example")).toBe("e2");
    link.click();
    expect(state.get("section")).toBe("examples");
    expect(state.list("cells")).toEqual(["occlusion", "gradient"]);
  });

  it("starts with the pair of explanations that agrees least", () => {
    expect(opened(new AgreementSection()).querySelector("h3")!.textContent).toContain(`occlusion and ${HOSTILE}: 0.2`);
  });

  it("takes the range of the scale from the bounds, or else from the values", () => {
    const measure = fixture().study.agreements[0]!;
    expect(scaleOf(measure, [])).toEqual({ signed: true, limit: 1 });
    expect(scaleOf({ ...measure, bounds: [0, null] }, [0.2, 3])).toMatchObject({ signed: false });
    expect(scaleOf({ ...measure, bounds: [null, null] }, [0.2, -3, NaN])).toEqual({ signed: true, limit: 3 });
  });
});

describe("a specification", () => {
  it("has the rows, the width and the colours of the theme", () => {
    const theme = { dark: true, colours: { ink: "white" } };
    const spec = specification("agreement", [{ value: 1 }], { theme, width: 300, height: null, parameters: { limit: 5 } }) as never as {
      params: { name: string; value: unknown }[];
      [key: string]: unknown;
    };
    expect(spec["width"]).toBe(300);
    expect(spec["datasets"]).toEqual({ rows: [{ value: 1 }] });
    expect(spec.params.find(({ name }) => name === "ink")!.value).toBe("white");
    expect(spec.params.find(({ name }) => name === "limit")!.value).toBe(5);
  });

  it("knows dark from light", () => {
    expect(isDark("rgb(20, 20, 30)")).toBe(true);
    expect(isDark("rgb(250, 250, 250)")).toBe(false);
  });
});
