/** The live part of the page: what is sent, what is said beside a field, and which maps are shown. */

import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Document, Study } from "../src/document/types";
import { LiveElement } from "../src/live/element";
import { HEADER, Server, tokenOf } from "../src/live/server";
import type { Form, Job } from "../src/live/types";
import type { Live } from "../src/section";
import { State } from "../src/state";
import { Binary, document as documentOf, example, mapOf, study } from "./examples_document";

// jsdom has no streams of blobs: documents are not deflated here.
vi.mock("../src/document/decode", async (original) => ({ ...(await original<object>()), inflate: async (bytes: unknown) => bytes }));

const HOSTILE = "<img src=x onerror=alert(1)>";
const CELL = "ig / zero";

beforeAll(() => {
  HTMLCanvasElement.prototype.getContext = (() => null) as never;
});
beforeEach(() => document.body.replaceChildren());

const field = (name: string, more: object = {}) => ({ name, type: "int at least 1", meaning: HOSTILE, required: false, default: 50, value: 50, kind: "number", optional: false, choices: null, low: 1, high: null, ...more });

function form(): Form {
  const zero = { name: "zero", summary: "", fields: [] };
  const blur = { name: "blur", summary: "", fields: [field("sigma", { optional: true, default: null, value: null })] };
  return {
    cell: CELL,
    method: { name: "ig", summary: HOSTILE, fields: [field("n_steps"), field("absolute", { kind: "flag", value: true }), field("rule", { kind: "choice", choices: ["a", "b"], value: "a" }), field("sizes", { kind: "any", value: [1, 2] })] },
    baseline: { name: "zero", options: [zero, blur] },
    features: { name: "pixel", options: [{ name: "pixel", summary: "", fields: [] }] },
    target: "predicted",
    examples: 12,
    modality: "table",
    own: "row",
  } as unknown as Form;
}

function job(id: string, more: Partial<Job> = {}): Job {
  return { id, study: 0, cell: CELL, changes: [["n_steps", "200"]], command: "xaiexp", own: "", state: "done", done: 1, total: 1, message: "", folder: "", result: CELL, seconds: 1, ...more };
}

/** A table of one example with a map of its two columns. */
function made(values: number[], id = "ada"): { binary: Binary; study: Study; document: Document } {
  const binary = new Binary();
  const columns = [{ name: "age", value: "20" }, { name: HOSTILE, value: "x" }];
  const shown = study([CELL], [example(id, -1, { columns, maps: [mapOf(binary, values, [2])] })], { modality: "table" });
  return { binary, study: shown, document: documentOf(shown) };
}

function packed(values: number[], id = "ada"): Uint8Array<ArrayBuffer> {
  const { binary, document } = made(values, id);
  const numbers = (binary.content(document) as unknown as { binary: Uint8Array }).binary;
  let text = new TextEncoder().encode(JSON.stringify(document));
  const padded = new Uint8Array(Math.ceil(text.length / 4) * 4).fill(32);
  padded.set(text);
  text = padded;
  const whole = new Uint8Array(4 + text.length + numbers.length);
  new DataView(whole.buffer).setUint32(0, text.length, true);
  whole.set(text, 4);
  whole.set(numbers, 4 + text.length);
  return whole;
}

class Fake implements Live {
  asked: [string, unknown][] = [];
  listener: ((event: { kind: string; [key: string]: unknown }) => void) | null = null;
  answers: Record<string, () => Response> = {};

  async ask(path: string, body?: unknown): Promise<Response> {
    this.asked.push([path, body]);
    const name = path.split("?")[0]!;
    if (this.answers[name]) return this.answers[name]();
    if (name === "/parameters") return Response.json(form());
    if (name === "/command") return Response.json({ command: "xaiexp 'method=[ig]'" });
    if (name === "/explain") return Response.json({ job: job("j", { state: "queued" }) }, { status: 202 });
    if (name.startsWith("/document/")) return new Response(packed([5, -7]));
    if (name === "/stop") return Response.json({ stopped: true });
    return Response.json({ input: "own1", kind: "row" }, { status: 201 });
  }

  events(listener: NonNullable<Fake["listener"]>): () => void {
    this.listener = listener;
    return () => (this.listener = null);
  }

  sent(path: string): any {
    return this.asked.filter(([name]) => name.split("?")[0] === path).at(-1)?.[1];
  }
}

async function open(live = new Fake()): Promise<{ element: LiveElement; live: Fake }> {
  const { binary, study: shown, document: content } = made([1, 2]);
  const element = document.createElement("xai-live") as LiveElement;
  const context = { content: binary.content(content), state: new State(), vega: null, live };
  Object.assign(element, { context, study: shown, example: shown.examples[0], cell: CELL });
  document.body.append(element);
  await vi.waitFor(() => expect(element.querySelector("input")).not.toBeNull());
  await vi.waitFor(() => expect(element.querySelector("fieldset")).not.toBeNull());
  return { element, live };
}

const named = (element: Element, name: string) => {
  const label = [...element.querySelectorAll("label")].find((each) => each.textContent === name)!;
  return element.querySelector<HTMLInputElement>(`#${label.getAttribute("for")}`)!;
};
const typed = (control: HTMLInputElement | HTMLSelectElement, value: string) => {
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.dispatchEvent(new Event("change", { bubbles: true }));
};
const press = (element: Element, words: string) => [...element.querySelectorAll("button")].find((button) => button.textContent === words)!.click();

describe("what is sent", () => {
  test("only what differs from the study, with the types of its fields", async () => {
    const { element, live } = await open();
    press(element, "Explain again");
    expect(live.sent("/explain")).toEqual({ study: 0, cell: CELL, example: "ada", examples: "shown", method: {}, baseline: null, features: null, target: null, input: "" });
    typed(named(element, "n_steps"), "200");
    named(element, "absolute").click();
    typed(named(element, "rule"), "b");
    typed(named(element, "sizes"), "[3, 4]");
    typed(named(element, "target"), "3");
    press(element, "Explain again");
    expect(live.sent("/explain")).toMatchObject({ method: { n_steps: 200, absolute: false, rule: "b", sizes: [3, 4] }, target: 3 });
    typed(named(element, "n_steps"), "many");
    press(element, "Explain again");
    expect(live.sent("/explain").method.n_steps).toBe("many"); // the server says what is wrong with it
  });

  test("another baseline goes with its own parameters", async () => {
    const { element, live } = await open();
    const select = [...element.querySelectorAll("select")].find((each) => [...each.options].some((option) => option.value === "blur"))!;
    typed(select, "blur");
    typed(named(element, "sigma"), "1.5");
    press(element, "Explain again");
    expect(live.sent("/explain").baseline).toEqual({ name: "blur", parameters: { sigma: 1.5 } });
  });

  test("a row of one's own starts from the example, and is explained as an input", async () => {
    const { element, live } = await open();
    await vi.waitFor(() => expect(element.querySelector('[aria-label="age"]')).not.toBeNull());
    typed(element.querySelector<HTMLInputElement>('[aria-label="age"]')!, "33");
    press(element, "Explain this input");
    await vi.waitFor(() => expect(live.sent("/explain")?.input).toBe("own1"));
    expect(live.sent("/input")).toEqual({ row: { age: "33", [HOSTILE]: "x" } });
  });
});

describe("what is said", () => {
  test("a refusal stands beside its field, and goes when it is mended", async () => {
    const { element, live } = await open();
    live.answers["/explain"] = () => Response.json({ error: `method.ig.n_steps: must be at least 1 (got '${HOSTILE}')`, where: "method.ig.n_steps" }, { status: 422 });
    const steps = named(element, "n_steps");
    press(element, "Explain again");
    await vi.waitFor(() => expect(steps.getAttribute("aria-invalid")).toBe("true"));
    const words = element.querySelector(`#${steps.getAttribute("aria-describedby")!.split(" ")[1]}`)!;
    expect(words.textContent).toBe(`must be at least 1 (got '${HOSTILE}')`);
    delete live.answers["/explain"];
    press(element, "Explain again");
    await vi.waitFor(() => expect(steps.hasAttribute("aria-invalid")).toBe(false));
    expect(element.querySelector("img")).toBeNull();
  });

  test("any other refusal, progress, and the end of the server stand beside the button", async () => {
    const { element, live } = await open();
    const said = element.querySelector(".live-said")!;
    live.answers["/explain"] = () => Response.json({ error: "cell: none", where: "cell" }, { status: 422 });
    press(element, "Explain again");
    await vi.waitFor(() => expect(said.textContent).toBe("cell: none"));
    live.listener!({ kind: "job", job: job("a", { state: "running", done: 30, total: 120 }) });
    expect(said.textContent).toContain("30 of about 120 passes");
    expect(element.querySelector("progress")!.value).toBe(30);
    press(element, "Stop");
    expect(live.sent("/stop")).toEqual({ job: "a" });
    live.listener!({ kind: "job", job: job("a", { state: "stopped" }) });
    expect(said.textContent).toContain("stopped");
    expect(element.querySelector("progress")!.hidden).toBe(true);
    live.listener!({ kind: "lost" });
    expect(said.textContent).toContain("xaiexp view DIR");
  });
});

describe("what is shown", () => {
  test("the new map beside the study's, for results of other tabs too, with hostile names as texts", async () => {
    const { element, live } = await open();
    live.listener!({ kind: "jobs", jobs: [job("a", { changes: [["n_steps", HOSTILE]] }), job("b", { cell: "other" }), job("c", { state: "failed" })] });
    await vi.waitFor(() => expect(element.querySelectorAll(".live-results figure")).toHaveLength(2));
    const titles = [...element.querySelectorAll(".live-results figcaption bdi")].map((title) => title.textContent);
    expect(titles).toEqual(["in the study", `n_steps ${HOSTILE}`]);
    expect(element.querySelector(".live-results")!.textContent).toContain("-7");
    expect(element.querySelector("img, script")).toBeNull();
  });

  test("a result that lacks the example is named, not drawn", async () => {
    const live = new Fake();
    live.answers["/document/a"] = () => new Response(packed([1, 1], "bob"));
    const { element } = await open(live);
    live.listener!({ kind: "jobs", jobs: [job("a")] });
    await vi.waitFor(() => expect(element.textContent).toContain("1 of the results do not hold this example"));
    expect(element.querySelectorAll(".live-results figure")).toHaveLength(0);
  });
});

describe("the connection", () => {
  test("the token leaves the address bar, and is kept for this tab", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    history.replaceState(null, "", "#token=secret&section=examples");
    expect(tokenOf(window.location, storage)).toBe("secret");
    expect(window.location.hash).toBe("#section=examples");
    expect(tokenOf(window.location, storage)).toBe("secret");
    expect(tokenOf(window.location, null)).toBe("");
  });

  test("every request carries it in a header, and never in the address", async () => {
    const fetched = vi.fn(async (_path: string, _options: RequestInit) => new Response("{}"));
    vi.stubGlobal("fetch", fetched);
    const server = new Server("secret");
    await server.ask("/document");
    await server.ask("/explain", { target: 3 });
    await server.ask("/input", new Blob(["x"]));
    vi.unstubAllGlobals();
    for (const [path, options] of fetched.mock.calls) {
      expect(path).not.toContain("secret");
      expect((options.headers as Record<string, string>)[HEADER]).toBe("secret");
    }
    expect(fetched.mock.calls.map(([, options]) => options.method ?? "GET")).toEqual(["GET", "POST", "POST"]);
    expect(fetched.mock.calls[1]![1].body).toBe('{"target":3}');
  });
});
