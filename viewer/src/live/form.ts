/** The form of a cell: parameters of its method, its baseline, features and target, and for which examples. */

import { h } from "../dom";
import { ComponentFields, ParameterField, read, written } from "./fields";
import type { Change, Choice, ComponentOf, Form, Refusal, Value } from "./types";

/** What the form tells: all but the study, the example and an own input. */
export type Asked = Omit<Change, "study" | "cell" | "example" | "input">;

/** A component that is chosen, with its parameters. */
class ChoiceFields {
  readonly element: HTMLElement;
  fields: ComponentFields;
  private place = h("div");

  constructor(
    readonly title: string,
    readonly choice: Choice,
    private changed: () => void,
  ) {
    const options = choice.options.map((option) => h("option", { value: option.name, selected: option.name === choice.name }, option.name));
    const select = h("select", { onchange: () => this.choose(choice.options.find((option) => option.name === select.value)!) }, options);
    this.fields = this.show(choice.options.find((option) => option.name === choice.name) ?? { name: choice.name, summary: "", fields: [] });
    this.element = h("fieldset", { class: "live-group" }, h("legend", null, title), h("label", { class: "live-choice" }, "which ", select), this.place);
  }

  get value(): Asked["baseline"] {
    const parameters = this.fields.changes();
    const { name } = this.fields.component;
    return name === this.choice.name && !Object.keys(parameters).length ? null : { name, parameters };
  }

  private choose(option: ComponentOf): void {
    this.fields = this.show(option);
    this.changed();
  }

  private show(option: ComponentOf): ComponentFields {
    const fields = new ComponentFields(option, this.changed);
    this.place.replaceChildren(fields.element);
    return fields;
  }
}

export class CellForm {
  readonly element: HTMLElement;
  private method: ComponentFields;
  private baseline: ChoiceFields | null;
  private features: ChoiceFields;
  private target: ParameterField;
  private examples: HTMLSelectElement;

  /**
   * @param form of the server.
   * @param classes names for the target.
   * @param changed called when something is typed.
   */
  constructor(
    readonly form: Form,
    classes: string[],
    changed: () => void,
  ) {
    this.method = new ComponentFields(form.method, changed);
    this.baseline = form.baseline && new ChoiceFields("Baseline", form.baseline, changed);
    this.features = new ChoiceFields("Features", form.features, changed);
    this.target = new ParameterField(targetOf(form, classes), changed);
    this.examples = h("select", { onchange: changed }, h("option", { value: "shown" }, "this one, and those that are computed with it"), h("option", { value: "all" }, `all ${form.examples.toLocaleString("en")} of the study`));
    this.element = h(
      "div",
      { class: "live-form" },
      h("fieldset", { class: "live-group" }, h("legend", null, "Method: ", h("bdi", null, form.method.name)), this.method.element),
      this.baseline?.element,
      this.features.element,
      h("fieldset", { class: "live-group" }, h("legend", null, "Target and examples"), this.target.element, h("label", { class: "live-choice" }, "examples ", this.examples)),
    );
  }

  get asked(): Asked {
    return {
      examples: this.examples.value === "all" ? "all" : "shown",
      method: this.method.changes(),
      baseline: this.baseline?.value ?? null,
      features: this.features.value,
      target: this.target.isChanged ? (this.target.value === "" ? null : read(written(this.target.value))) : null,
    };
  }

  /** Show a refusal beside the field that it is about. Returns whether there is one; null takes all away. */
  refuse(refusal: Refusal | null): boolean {
    const all = [...this.method.fields, ...(this.baseline?.fields.fields ?? []), ...this.features.fields.fields, this.target];
    for (const field of all) field.refuse("");
    if (!refusal) return true;
    const field = this.fieldOf(refusal.where);
    field?.refuse(refusal.error.slice(refusal.error.startsWith(`${refusal.where}: `) ? refusal.where.length + 2 : 0));
    return field !== null;
  }

  private fieldOf(where: string): ParameterField | null {
    const [kind = "", ...rest] = where.split(".");
    const name = rest.at(-1) ?? "";
    if (kind === "target") return this.target;
    const fields = { method: this.method, baseline: this.baseline?.fields, features: this.features.fields }[kind];
    return fields?.find(name) ?? null;
  }
}

function targetOf(form: Form, classes: string[]): ConstructorParameters<typeof ParameterField>[0] {
  const names = classes.length ? `; classes: ${classes.slice(0, 12).join(", ")}${classes.length > 12 ? ", ..." : ""}` : "";
  const value: Value = form.target;
  return { name: "target", type: `predicted, label, all, the index or the name of a class, or a list of these${names}`, meaning: "", required: false, default: "predicted", value, kind: "any", optional: false, choices: null, low: null, high: null };
}
