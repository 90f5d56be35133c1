/** The viewer as a widget of a notebook (anywidget): the document comes as bytes, what is chosen goes to Python. */

import { h } from "./dom";
import { type Changes, State } from "./state";

/** What of anywidget's model is used. */
interface Model {
  get(name: "document"): DataView<ArrayBuffer>;
  get(name: "selection"): Selection;
  set(name: "selection", value: Selection): void;
  save_changes(): void;
  on(name: string, listener: () => void): void;
  off(name: string, listener: () => void): void;
}

/** What Python reads of the state; what the reader has not chosen is absent. */
interface Selection {
  study?: number;
  section?: string;
  metric?: string;
  measure?: string;
  cells?: string[];
  example?: string;
}

const WORDS = ["section", "metric", "measure", "example"] as const;

export function selectionOf(state: State): Selection {
  const selection: Selection = {};
  if (state.get("study")) selection.study = Number(state.get("study"));
  if (state.get("cells")) selection.cells = state.list("cells");
  for (const key of WORDS) if (state.get(key)) selection[key] = state.get(key);
  return selection;
}

/** What makes a state of a selection; keys that are absent are forgotten. */
export function changesOf(selection: Selection): Changes {
  const changes: Changes = Object.fromEntries(WORDS.map((key) => [key, selection[key] ?? null]));
  changes["study"] = selection.study ? String(selection.study) : null;
  changes["cells"] = selection.cells?.length ? State.joined(selection.cells) : null;
  return changes;
}

/** The theme that a notebook has chosen; empty where only the browser knows. */
function notebookTheme(): string {
  const { body, documentElement: root } = document;
  if (body.dataset["jpThemeLight"]) return body.dataset["jpThemeLight"] === "true" ? "light" : "dark"; // JupyterLab
  if (body.classList.contains("vscode-dark") || root.getAttribute("theme") === "dark") return "dark"; // VS Code, Colab
  return body.classList.contains("vscode-light") ? "light" : "";
}

export type Show = (element: HTMLElement, packed: Uint8Array<ArrayBuffer>, state: State) => Promise<HTMLElement>;

/** anywidget's module: `render` is called for every output that shows the widget. */
export function widget(show: Show) {
  return {
    async render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
      const state = new State();
      state.set({ theme: notebookTheme() || null, ...changesOf(model.get("selection")) });
      const same = () => JSON.stringify(selectionOf(state)) === JSON.stringify(selectionOf(stateOf(model.get("selection"))));
      const end = state.on(() => {
        if (same()) return;
        model.set("selection", selectionOf(state));
        model.save_changes();
      });
      const changed = () => void (same() || state.set(changesOf(model.get("selection"))));
      model.on("change:selection", changed);
      try {
        const { buffer, byteOffset, byteLength } = model.get("document");
        (await show(el, new Uint8Array(buffer, byteOffset, byteLength), state)).setAttribute("data-place", "notebook");
      } catch (error) {
        el.replaceChildren(h("p", { role: "alert" }, `The study could not be shown: ${error instanceof Error ? error.message : String(error)}`));
      }
      return () => {
        end();
        model.off("change:selection", changed);
        el.replaceChildren();
      };
    },
  };
}

function stateOf(selection: Selection): State {
  const state = new State();
  state.set(changesOf(selection));
  return state;
}
