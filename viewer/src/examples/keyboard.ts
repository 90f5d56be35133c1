/** Keys of the section: arrows step through the examples, `/` goes to the search. */

export interface Actions {
  step(by: number): void;
  search(): void;
}

const TYPING = "input, select, textarea, [contenteditable], [role=slider], [role=tab], [role=grid]";

/** What a key asks for; null where it belongs to what has the focus, or to the browser. */
export function action(event: KeyboardEvent, actions: Actions): (() => void) | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
  const from = event.composedPath()[0];
  if (from instanceof Element && from.closest(TYPING)) return null;
  if (event.key === "ArrowLeft") return () => actions.step(-1);
  if (event.key === "ArrowRight") return () => actions.step(1);
  return event.key === "/" ? actions.search : null;
}

/** Listens while the section is on the screen. Returns what ends it. */
export function listen(section: HTMLElement, actions: Actions): () => void {
  const root = section.getRootNode();
  const pressed = (event: Event) => {
    const from = event.composedPath()[0];
    const isOurs = from === document.body || from === document.documentElement || (from instanceof Node && from.getRootNode() === root);
    const act = isOurs && onScreen(section) ? action(event as KeyboardEvent, actions) : null;
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function onScreen(section: HTMLElement): boolean {
  const box = section.getBoundingClientRect();
  return section.isConnected && box.bottom >= 0 && box.top <= window.innerHeight && (box.width > 0 || box.height > 0);
}
