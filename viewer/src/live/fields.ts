/** A parameter of a component as a field of a form: its name, what it means, its type and range, and what is wrong. */

import { h } from "../dom";
import type { ComponentOf, FieldOf, Value } from "./types";

let count = 0;

export class ParameterField {
  readonly element: HTMLElement;
  private control: HTMLInputElement | HTMLSelectElement;
  private wrong: HTMLElement;

  constructor(
    readonly field: FieldOf,
    changed: () => void,
  ) {
    const id = `live-field-${++count}`;
    this.control = controlOf(field, id);
    this.control.addEventListener("input", changed);
    this.wrong = h("p", { class: "live-error", id: `${id}-error`, hidden: true });
    const words = field.optional ? field.type.replace(/ or null$/, ", or empty") : field.type;
    this.element = h(
      "div",
      { class: "live-field" },
      h("label", { for: id }, h("bdi", null, field.name)),
      this.control,
      h("p", { class: "live-hint", id: `${id}-hint` }, words, `; default ${shown(field.default)}. `, plain(field.meaning)),
      this.wrong,
    );
    this.control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  }

  /** As JSON: what cannot be read as the field's type stays a text, which the server then refuses in its words. */
  get value(): Value {
    const { control, field } = this;
    if (field.kind === "flag") return (control as HTMLInputElement).checked;
    const text = control.value;
    if (field.optional && text.trim() === "") return null;
    if (field.kind === "choice" || field.kind === "text") return text;
    return read(text);
  }

  get isChanged(): boolean {
    return JSON.stringify(this.value) !== JSON.stringify(this.field.value);
  }

  /** Show what is wrong; an empty text takes it away. */
  refuse(words: string): void {
    this.wrong.textContent = words;
    this.wrong.hidden = !words;
    if (words) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

/** The fields of a component. */
export class ComponentFields {
  readonly element: HTMLElement;
  readonly fields: ParameterField[];

  constructor(
    readonly component: ComponentOf,
    changed: () => void,
  ) {
    this.fields = component.fields.map((field) => new ParameterField(field, changed));
    this.element = h("div", { class: "live-fields" }, h("p", { class: "live-hint" }, plain(component.summary)), this.fields.map((field) => field.element));
  }

  /** Those that differ from the study's. */
  changes(): Record<string, Value> {
    return Object.fromEntries(this.fields.filter((field) => field.isChanged).map((field) => [field.field.name, field.value]));
  }

  find(name: string): ParameterField | null {
    return this.fields.find((field) => field.field.name === name) ?? null;
  }
}

function controlOf(field: FieldOf, id: string): HTMLInputElement | HTMLSelectElement {
  if (field.kind === "flag") return h("input", { id, type: "checkbox", ".checked": field.value === true });
  if (field.kind === "choice") {
    const select = h("select", { id }, field.optional && h("option", { value: "" }, "none"), (field.choices ?? []).map((choice) => h("option", { value: choice }, choice)));
    select.value = typeof field.value === "string" ? field.value : "";
    return select;
  }
  return h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", inputmode: field.kind === "number" ? "decimal" : null, ".value": field.value === null ? "" : written(field.value) });
}

/** A value as it is typed: a text as it is, anything else as JSON. */
export function written(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a text stands for: JSON where it is, otherwise itself. */
export function read(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    return text;
  }
}

function shown(value: Value): string {
  return value === null ? "none" : written(value);
}

/** Words without marks of code. */
export function plain(words: string): string {
  return words.replaceAll("`", "");
}
