/** Controls whose value is a key of the state: they set it, and `sync` shows what it is. */

import { h } from "../dom";
import { rangeWords } from "./keys";
import { State } from "../state";

export interface Field {
  element: HTMLElement;
  sync(): void;
}

/** @param options value and label; the empty value is the one without a word in the state. */
export function select(state: State, key: string, options: [string, string][], kept = ""): Field & { options(options: [string, string][]): void } {
  const element = h("select", { onchange: () => state.set({ [key]: element.value === kept ? null : element.value }) }) as HTMLSelectElement;
  const fill = (all: [string, string][]) => element.replaceChildren(...all.map(([value, label]) => h("option", { value, dir: "auto" }, label)));
  fill(options);
  const sync = () => {
    element.value = state.get(key, kept);
    if (element.selectedIndex < 0) element.value = kept;
  };
  return { element, sync, options: (all) => (fill(all), sync()) };
}

/** Two numbers, each of which may be empty. */
export function range(state: State, key: string, label: string): Field {
  const ends = ["from", "to"].map((end) => h("input", { type: "number", step: "any", "aria-label": `${label} ${end}`, placeholder: end, onchange: () => state.set({ [key]: rangeWords(ends[0]!.value, ends[1]!.value) }) }) as HTMLInputElement);
  const sync = () => {
    const words = state.list(key);
    ends.forEach((end, i) => (end.value = words[i] ?? ""));
  };
  return { element: h("span", { class: "examples-range" }, ends), sync };
}

/** @param kept whether it is on without a word in the state. */
export function check(state: State, key: string, kept = false): Field {
  const element = h("input", { type: "checkbox", onchange: () => state.set({ [key]: element.checked === kept ? null : element.checked ? "1" : "0" }) }) as HTMLInputElement;
  return { element, sync: () => (element.checked = state.get(key, kept ? "1" : "0") === "1") };
}

export function slider(state: State, key: string, kept: number, unit: string, bounds: { min: number; max: number; step: number }): Field {
  const said = h("output");
  const input = h("input", {
    type: "range",
    ...bounds,
    oninput: () => (said.textContent = `${input.value}${unit}`),
    onchange: () => state.set({ [key]: Number(input.value) === kept ? null : input.value }),
  }) as HTMLInputElement;
  const sync = () => {
    input.value = state.get(key, String(kept));
    said.textContent = `${input.value}${unit}`;
  };
  return { element: h("span", { class: "examples-slider" }, input, said), sync };
}

/** A control with its name beside it. */
export function field(name: string, control: Field): HTMLElement {
  const isGroup = control.element.classList.contains("examples-range");
  return h(isGroup ? "div" : "label", { class: "examples-field", ...(isGroup ? { role: "group", "aria-label": name } : {}) }, h("span", null, name), control.element);
}
