/** The page: its header, the picker of studies, and one section at a time. */

import { AcrossSection } from "./across/section";
import { AgreementSection } from "./agreement/section";
import { AnswerSection } from "./answer/section";
import { define } from "./define";
import type { Study } from "./document/types";
import { h } from "./dom";
import { ExamplesSection } from "./examples/section";
import { MadeSection } from "./made/section";
import { MetricsSection } from "./metrics/section";
import { panelsOf } from "./panels/panels";
import type { Context, Section } from "./section";

interface Door {
  name: string;
  title: string;
  make: () => Section;
}

const DOORS: Door[] = [
  { name: "answer", title: "Answer", make: () => new AnswerSection() },
  { name: "metrics", title: "Metrics", make: () => new MetricsSection() },
  { name: "agreement", title: "Agreement", make: () => new AgreementSection() },
  { name: "examples", title: "Examples", make: () => new ExamplesSection() },
  { name: "across", title: "Across studies", make: () => new AcrossSection() },
  { name: "made", title: "How it was made", make: () => new MadeSection() },
];

export class Viewer extends HTMLElement {
  private context: Context | null = null;
  private body = h("div", { class: "body" });
  private tabs = new Map<string, HTMLElement>();
  private picker: HTMLSelectElement | null = null;
  private end: (() => void) | null = null;

  /** @param style the style sheet, which holds within this element alone. */
  open(context: Context, style: string): void {
    this.context = context;
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    root.append(this.header(), this.body);
    this.end = context.state.on((changed) => {
      if (changed.has("section") || changed.has("study")) this.show(changed.has("section"));
      if (changed.has("theme")) this.theme();
    });
    this.theme();
    this.show(false);
  }

  disconnectedCallback(): void {
    this.end?.();
    this.end = null;
  }

  private get doors(): Door[] {
    const several = this.context!.content.document.across !== null;
    return DOORS.filter((door) => several || door.name !== "across");
  }

  private get section(): Door {
    const named = this.context!.state.get("section", this.context!.content.document.across ? "across" : "answer");
    return this.doors.find((door) => door.name === named) ?? this.doors[0]!;
  }

  private get study(): Study {
    const { studies } = this.context!.content.document;
    return studies[Number(this.context!.state.get("study", "0"))] ?? studies[0]!;
  }

  private header(): HTMLElement {
    const { document: about } = this.context!.content;
    const { state } = this.context!;
    const nav = h("nav", { "aria-label": "sections" });
    for (const door of this.doors) {
      const tab = h("a", { href: `#section=${door.name}`, class: "tab", onclick: (event: Event) => this.go(event, door.name) }, door.title);
      this.tabs.set(door.name, tab);
      nav.append(tab);
    }
    let picker: HTMLElement | null = null;
    if (about.studies.length > 1) {
      this.picker = h("select", { onchange: () => state.set({ study: this.picker!.value === "0" ? null : this.picker!.value, example: null, metric: null, measure: null, cells: null }) });
      about.studies.forEach((_, i) => this.picker!.append(h("option", { value: i }, `${i + 1}. ${named(about.studies, i)}`)));
      picker = h("label", { class: "picker" }, "study ", this.picker);
    }
    const theme = h("button", { type: "button", class: "quiet", title: "light or dark", "aria-label": "switch between light and dark", onclick: () => this.switch() }, "◐");
    return h("header", null, h("div", { class: "title" }, h("h1", null, about.title), picker, theme), nav);
  }

  private go(event: Event, section: string): void {
    event.preventDefault();
    this.context!.state.set({ section });
  }

  private theme(): void {
    const chosen = this.context!.state.get("theme");
    if (chosen) this.setAttribute("data-theme", chosen);
    else this.removeAttribute("data-theme");
    const page = this.ownerDocument.querySelector('#xaiexp-document, meta[name="xaiexp-live"]') !== null;
    if (page) document.documentElement.style.colorScheme = chosen || "light dark";
  }

  private switch(): void {
    const dark = this.context!.state.get("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    this.context!.state.set({ theme: dark === "dark" ? "light" : "dark" });
  }

  private show(moved: boolean): void {
    const section = this.section;
    for (const [name, tab] of this.tabs) {
      if (name === section.name) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    if (this.picker) {
      this.picker.value = this.context!.state.get("study", "0");
      this.picker.disabled = section.name === "across";
    }
    const element = section.make().open(this.context!, this.study);
    const main = h("main", { tabindex: "-1", "aria-label": section.title }, element, ...panelsOf(this.context!, this.study, section.name));
    this.body.replaceChildren(main, this.footer());
    if (moved) main.focus({ preventScroll: true });
  }

  private footer(): HTMLElement {
    const { document: about } = this.context!.content;
    const notes = about.omitted.map((words) => h("li", null, words));
    return h("footer", null, notes.length ? [h("p", null, "This page leaves out:"), h("ul", null, notes)] : null, h("p", null, `xaiexp ${about.version}`));
  }
}

function named(studies: Study[], place: number): string {
  const { name, folder } = studies[place]!;
  return studies.filter((study) => study.name === name).length > 1 ? `${name} (${folder})` : name;
}

define("xai-page", Viewer);
