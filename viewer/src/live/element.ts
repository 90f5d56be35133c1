/** Explaining a cell again from the page: what is changed, how far it is, and the new maps beside the study's. */

import { h } from "../dom";
import type { Example, Study } from "../document/types";
import type { Context } from "../section";
import { copy } from "../tables/leaving";
import { CellForm } from "./form";
import { OwnInput } from "./own";
import { changesOf, mapOf, Panels, resultOf, type Map1 } from "./results";
import type { Change, Form, Job, Refusal } from "./types";

/** Results of a cell that are shown, newest last. */
const SHOWN = 3;
const PAUSE = 300;

export class LiveElement extends HTMLElement {
  context!: Context;
  study!: Study;
  /** The label of the cell that is offered first. */
  cell = "";
  private current: Example | null = null;
  private jobs = new Map<string, Job>();
  private form: CellForm | null = null;
  private own = "";
  private chosen = "";
  private end: (() => void) | null = null;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private planned = false;
  private panels: Panels | null = null;
  private ownPanels: Panels | null = null;

  private picker = h("select", { onchange: () => this.choose(this.picker.value) });
  private place = h("div");
  private ownPlace = h("div");
  private said = h("p", { class: "live-said", role: "status" });
  private progress = h("progress", { "aria-label": "passes", hidden: true });
  private stop = h("button", { type: "button", hidden: true, onclick: () => void this.halt() }, "Stop");
  private go = h("button", { type: "button", class: "live-go", onclick: () => void this.explain("") }, "Explain again");
  private command = h("code");
  private copied = h("span", { class: "live-hint", role: "status" });
  private name = h("input", { type: "text", autocomplete: "off", spellcheck: "false", "aria-label": "name of the preset", placeholder: "name" });
  private saved = h("span", { class: "live-hint", role: "status" });
  private results = h("div", { class: "live-results" });
  private ownResults = h("div", { class: "live-results" });

  /** The example that the reader looks at. */
  set example(example: Example) {
    this.current = example;
    this.plan();
  }

  get example(): Example | null {
    return this.current;
  }

  connectedCallback(): void {
    this.classList.add("live");
    this.replaceChildren(
      h("h3", null, "Change and explain again"),
      h("label", { class: "live-choice" }, "cell ", this.picker),
      this.place,
      h("div", { class: "live-actions" }, this.go, this.stop, this.progress, this.said),
      this.results,
      h("details", { class: "live-more" }, h("summary", null, "The equivalent command line"), h("pre", null, this.command), h("div", { class: "live-actions" }, h("button", { type: "button", onclick: () => void this.copy() }, "Copy"), this.copied)),
      h("details", { class: "live-more" }, h("summary", null, "Save as a preset of this project"), h("div", { class: "live-actions" }, this.name, h("button", { type: "button", onclick: () => void this.save() }, "Save"), this.saved)),
      this.ownPlace,
      this.ownResults,
    );
    this.end = this.context.live!.events((event) => this.hear(event));
    this.plan();
  }

  disconnectedCallback(): void {
    this.end?.();
    clearTimeout(this.waiting);
    this.panels?.forget();
    this.ownPanels?.forget();
  }

  /** Draw once after all properties are set. */
  private plan(): void {
    if (this.planned || !this.isConnected) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      if (this.isConnected && this.current) this.refresh();
    });
  }

  private refresh(): void {
    const labels = this.study.cells.filter((cell) => cell.status === "done").map((cell) => cell.label);
    if (this.picker.options.length !== labels.length) this.picker.replaceChildren(...labels.map((label) => h("option", { value: label }, label)));
    const key = `${this.number}|${this.cell}`;
    if (this.offered !== key) {
      this.offered = key;
      this.choose(labels.includes(this.cell) ? this.cell : (labels[0] ?? ""));
    } else {
      void this.show();
    }
  }

  private offered = "";

  /** The place of the study on the page. */
  private get number(): number {
    return Math.max(0, this.context.content.document.studies.indexOf(this.study));
  }

  private choose(label: string): void {
    this.picker.value = label;
    this.chosen = label;
    void this.load(label);
    void this.show();
  }

  private async load(label: string): Promise<void> {
    this.form = null;
    this.own = "";
    const query = new URLSearchParams({ study: String(this.number), cell: label });
    const answer = await this.ask(`/parameters?${query}`);
    if (!answer || this.chosen !== label || !this.current) return;
    const form = answer as Form;
    this.form = new CellForm(form, this.study.classes, () => this.typed());
    this.place.replaceChildren(this.form.element);
    this.ownPlace.replaceChildren();
    if (form.own) this.ownPlace.append(new OwnInput(this.context.live!, form, this.number, this.current, (input) => void this.explain(input)).element);
    this.typed(0);
  }

  /** What is asked for. */
  private change(input: string): Change | null {
    if (!this.form || !this.current) return null;
    return { study: this.number, cell: this.chosen, example: this.current.id, ...this.form.asked, input };
  }

  /** Check what was typed, and show its command line. */
  private typed(after = PAUSE): void {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const change = this.change("");
      if (!change) return;
      void this.ask("/command", change).then((answer) => {
        if (answer) this.command.textContent = String((answer as { command: string }).command);
      });
    }, after);
  }

  private async explain(input: string): Promise<void> {
    const change = this.change(input);
    if (!change) return;
    clearTimeout(this.waiting);
    this.own = input || this.own;
    const answer = await this.ask("/explain", change);
    if (answer) this.keep((answer as { job: Job }).job);
  }

  private async halt(): Promise<void> {
    const running = this.running;
    if (running) await this.ask("/stop", { job: running.id });
  }

  private async copy(): Promise<void> {
    this.copied.textContent = await copy(this.command.textContent ?? "");
  }

  private async save(): Promise<void> {
    const change = this.change("");
    if (!change) return;
    const answer = (await this.ask("/preset", { ...change, name: this.name.value }, this.saved)) as { file: string; command: string } | null;
    if (answer) this.saved.textContent = `saved as ${answer.file}: ${answer.command}`;
  }

  /** The answer to a request; null where it is refused, which is said beside the field that it is about. */
  private async ask(path: string, body?: unknown, place: HTMLElement = this.said): Promise<unknown> {
    let refusal: Refusal | null = null;
    try {
      const response = await this.context.live!.ask(path, body);
      if (response.ok) {
        this.form?.refuse(null);
        if (place.classList.contains("live-error")) this.say(place, "");
        return await response.json();
      }
      refusal = response.status === 422 ? ((await response.json()) as Refusal) : { error: await response.text(), where: "" };
    } catch {
      refusal = { error: "the server does not answer; start it again: xaiexp view DIR", where: "" };
    }
    this.form?.refuse(null);
    if (!this.form?.refuse(refusal) || place !== this.said) this.say(place, refusal.error, true);
    return null;
  }

  private say(place: HTMLElement, words: string, wrong = false): void {
    place.textContent = words;
    place.classList.toggle("live-error", wrong);
  }

  private hear(event: { kind: string; [key: string]: unknown }): void {
    if (event.kind === "lost") return this.say(this.said, "the server does not answer; start it again: xaiexp view DIR", true);
    const jobs = event.kind === "jobs" ? (event.jobs as Job[]) : event.kind === "job" ? [event.job as Job] : [];
    if (event.kind === "jobs") this.jobs.clear();
    for (const job of jobs) this.keep(job, false);
    this.follow();
    if (jobs.some((job) => job.state === "done")) void this.show();
  }

  private keep(job: Job, draw = true): void {
    const known = this.jobs.get(job.id);
    if (known && !["queued", "running"].includes(known.state)) return; // an event was faster than the answer
    this.jobs.set(job.id, job);
    if (draw) this.follow();
  }

  private get running(): Job | null {
    const open = [...this.jobs.values()].filter((job) => job.state === "running" || job.state === "queued");
    return open.find((job) => job.state === "running") ?? open[0] ?? null;
  }

  /** Say how far the server is. */
  private follow(): void {
    const job = this.running;
    this.stop.hidden = this.progress.hidden = !job;
    if (job) {
      if (job.total) Object.assign(this.progress, { max: job.total, value: job.done });
      else this.progress.removeAttribute("value");
      const far = job.total ? `${job.done.toLocaleString("en")} of about ${job.total.toLocaleString("en")} passes` : job.state === "queued" ? "waiting" : "starting";
      return this.say(this.said, `${job.cell}, ${changesOf(job)}: ${far}`);
    }
    const last = [...this.jobs.values()].at(-1);
    if (!last) return;
    if (last.state === "done") this.say(this.said, `${last.cell}, ${changesOf(last)}: explained in ${last.seconds.toFixed(1)} s`);
    else this.say(this.said, last.state === "stopped" ? `${last.cell}: stopped` : last.message, last.state === "failed");
  }

  /** Draw the maps of this cell on this example. */
  private async show(): Promise<void> {
    const example = this.current;
    if (!example) return;
    const done = [...this.jobs.values()].filter((job) => job.state === "done" && job.study === this.number && job.cell === this.chosen);
    const again = done.filter((job) => !job.own).slice(-SHOWN);
    const own = done.filter((job) => job.own).slice(-SHOWN);
    const cell = this.study.cells.findIndex((each) => each.label === this.chosen);
    const asked = `${this.chosen}|${example.id}|${example.target}|${again.concat(own).map((job) => job.id).join(",")}`;
    this.latest = asked;
    const [maps, ownMaps] = await Promise.all([this.maps(again, example), this.maps(own, null)]);
    if (this.latest !== asked || !this.isConnected) return;
    const before: Map1[] = cell >= 0 && example.maps[cell] ? [{ title: "in the study", caption: "", content: this.context.content, study: this.study, example, cell }] : [];
    const missing = again.length - maps.length;
    this.panels ??= new Panels(this.context);
    this.panels.show(maps.length ? [...before, ...maps] : [], false);
    this.results.replaceChildren(
      ...(maps.length ? [h("h4", null, h("bdi", null, this.chosen), " on ", h("bdi", null, example.name)), this.panels.element] : []),
      ...(missing ? [h("p", { class: "live-hint" }, `${missing} of the results do not hold this example: explain again.`)] : []),
    );
    this.ownPanels ??= new Panels(this.context);
    this.ownPanels.show(ownMaps, true);
    this.ownResults.replaceChildren(...(ownMaps.length ? [h("h4", null, "Your input"), this.ownPanels.element] : []));
  }

  private latest = "";

  private async maps(jobs: Job[], example: Example | null): Promise<Map1[]> {
    const contents = await Promise.all(jobs.map((job) => resultOf(this.context.live!, job).catch(() => null)));
    return contents.flatMap((content, i) => {
      const map = content && mapOf(jobs[i]!, content, example);
      return map ? [map] : [];
    });
  }
}

if (!customElements.get("xai-live")) customElements.define("xai-live", LiveElement);
