/** An input of the reader's own: an image that is uploaded, a text or the row of a table that is typed. */

import { h } from "../dom";
import type { Example } from "../document/types";
import type { Live } from "../section";
import type { Form, Refusal } from "./types";

export class OwnInput {
  readonly element: HTMLElement;
  private body: () => Promise<Blob | object | null>;
  private wrong = h("p", { class: "live-error", hidden: true, role: "alert" });

  /**
   * @param live the server.
   * @param form says which kind of input the study takes.
   * @param study its place on the page.
   * @param example fills the row.
   * @param explain called with the id of an input that the server has.
   */
  constructor(
    private live: Live,
    form: Form,
    private study: number,
    example: Example,
    private explain: (input: string) => void,
  ) {
    const [fields, body] = { image, text, row }[form.own as "image" | "text" | "row"](example);
    this.body = body;
    this.element = h(
      "details",
      { class: "live-own" },
      h("summary", null, "Explain an input of your own"),
      h("p", { class: "live-hint" }, OWN[form.own as keyof typeof OWN]),
      fields,
      this.wrong,
      h("button", { type: "button", onclick: () => void this.send() }, "Explain this input"),
    );
  }

  private async send(): Promise<void> {
    const body = await this.body();
    if (!body) return this.refuse("choose or type an input first");
    this.refuse("");
    try {
      const response = await this.live.ask(`/input?study=${this.study}`, body);
      if (response.status === 422) return this.refuse(((await response.json()) as Refusal).error);
      if (!response.ok) return this.refuse(await response.text());
      this.explain(((await response.json()) as { input: string }).input);
    } catch {
      this.refuse("the server does not answer");
    }
  }

  private refuse(words: string): void {
    this.wrong.textContent = words;
    this.wrong.hidden = !words;
  }
}

const OWN = {
  image: "It is prepared as the images of the study are; where these are arrays of one size, it is scaled to it. A reference that is drawn from the data is drawn from this image alone.",
  text: "A reference that is drawn from the data is drawn from this text alone.",
  row: "The row is added to a copy of the study's file; an empty cell is a missing value.",
};

type Made = [HTMLElement, () => Promise<Blob | object | null>];

function image(): Made {
  const input = h("input", { type: "file", accept: "image/*", "aria-label": "image file" });
  return [input, async () => input.files?.[0] ?? null];
}

function text(): Made {
  const area = h("textarea", { rows: 3, "aria-label": "text", dir: "auto" });
  return [area, async () => (area.value.trim() ? { text: area.value } : null)];
}

function row(example: Example): Made {
  const cells = (example.columns ?? []).map(({ name, value }) => ({ name, input: h("input", { type: "text", ".value": value, "aria-label": name, autocomplete: "off" }) }));
  const rows = cells.map(({ name, input }) => h("tr", null, h("th", { scope: "row" }, h("bdi", null, name)), h("td", null, input)));
  const table = h("div", { class: "live-row" }, h("table", null, h("caption", null, "cells of the row"), h("tbody", null, rows)));
  return [table, async () => ({ row: Object.fromEntries(cells.map(({ name, input }) => [name, input.value])) })];
}
