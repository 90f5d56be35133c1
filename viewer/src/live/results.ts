/** Maps that the server has made, beside the one of the study. */

import { h } from "../dom";
import { inflate, unpack, type Content } from "../document/decode";
import type { Example, Study } from "../document/types";
import { Values } from "../examples/entries";
import { displayOf } from "../examples/keys";
import { Pictures } from "../examples/list/thumbnail";
import { schemeOf } from "../examples/maps/colour";
import { Stage } from "../examples/maps/stage";
import { jointOrder } from "../examples/panels/bars";
import { panel, type Content as Shown, type Scene } from "../examples/panels/panel";
import { domainOf, shownMap } from "../examples/panels/shown";
import { number } from "../format";
import type { Context, Live } from "../section";
import type { Job } from "./types";

/** Documents of results, one for each job of a server. */
const kept = new WeakMap<Live, Map<string, Promise<Content>>>();

export function resultOf(live: Live, job: Job): Promise<Content> {
  let known = kept.get(live);
  if (!known) kept.set(live, (known = new Map()));
  let content = known.get(job.id);
  if (!content) {
    content = fetched(live, job.id);
    content.catch(() => known.delete(job.id));
    known.set(job.id, content);
  }
  return content;
}

async function fetched(live: Live, job: string): Promise<Content> {
  const response = await live.ask(`/document/${encodeURIComponent(job)}`);
  if (!response.ok) throw new Error(`the result could not be read (${response.status})`);
  return unpack(await inflate(new Uint8Array(await response.arrayBuffer())));
}

/** One map to be shown. */
export interface Map1 {
  title: string;
  caption: string;
  content: Content;
  study: Study;
  example: Example;
  cell: number;
}

/** The map of a job on an example; null where it has none. Of own inputs, the only example. */
export function mapOf(job: Job, content: Content, example: Example | null): Map1 | null {
  const study = content.document.studies[0]!;
  const cell = study.cells.findIndex((each) => each.label === job.result);
  const same = study.examples.filter((each) => !example || each.id === example.id);
  const found = same.find((each) => each.target === example?.target) ?? same[0];
  if (cell < 0 || !found?.maps[cell]) return null;
  const target = example && found.target === example.target ? "" : `explained: ${found.target_name}`;
  return { title: changesOf(job), caption: target, content, study, example: found, cell };
}

export function changesOf(job: Job): string {
  return job.changes.map(([key, value]) => `${key} ${value}`).join(", ") || "unchanged";
}

/** Panels side by side, with one zoom. */
export class Panels {
  readonly element = h("div");
  private pictures: Pictures[] = [];

  constructor(private context: Context) {}

  show(maps: Map1[], withInput: boolean): void {
    this.forget();
    const display = displayOf(this.context.state);
    const stage = new Stage({ scale: 1, x: 0.5, y: 0.5 }, () => undefined);
    const drawn = maps.map((one) => {
      const values = new Values(one.content, one.study);
      const map = one.example.maps[one.cell]!;
      const domain = domainOf(map, one.example, one.study.modality);
      return { one, values, map, domain, shown: shownMap(map, values.map(map), domain, display) };
    });
    const order = jointOrder(drawn.flatMap((each) => (each.domain === "columns" ? [each.shown.values] : [])));
    const figures = drawn.flatMap(({ one, values, map, domain, shown }, place) => {
      const pictures = new Pictures(one.content);
      this.pictures.push(pictures);
      const picture = pictures.load(one.example);
      const scene: Scene = { values, example: one.example, display, scheme: schemeOf(display.colours), stage, picture, order };
      const caption = [one.caption, `full colour: ${number(shown.full)}`].filter(Boolean).join("; ");
      const content: Shown = { title: one.title, map, shown, caption, note: map.note, scores: [] };
      const hasInput = withInput && place === 0 && domain !== "columns" && (one.example.picture || one.example.tokens || one.example.series);
      const input: Shown = { title: "input", map: null, shown: null, caption: "", note: "", scores: [] };
      return [...(hasInput ? [panel(scene, input)] : []), panel(scene, content)];
    });
    this.element.className = `examples-panels examples-of-${drawn[0]?.domain ?? "image"}`;
    this.element.replaceChildren(...figures);
  }

  forget(): void {
    for (const each of this.pictures) each.forget();
    this.pictures = [];
  }
}
