/** The colours of the page as parameters of charts, and who is told when they change. */

/** Parameter of the specifications to variable of the style sheet. */
const VARIABLES: Record<string, string> = {
  ink: "--ink",
  soft: "--ink-soft",
  line: "--line",
  paper: "--paper",
  accent: "--accent",
  warn: "--warn",
  good: "--good",
};

/** Ends and middles of colour scales, which no other part of the page has. */
const SCALES = {
  light: { low: "#b3470a", middle: "#f4f4f2", high: "#0a5a9c" },
  dark: { low: "#e8894a", middle: "#2a2f36", high: "#5fa8e6" },
};

export interface Theme {
  colours: Record<string, string>;
  dark: boolean;
}

/** The colours as they are where `element` stands. Variables that are not set are left out. */
export function themeOf(element: Element): Theme {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const colours: Record<string, string> = {};
  for (const [name, variable] of Object.entries(VARIABLES)) {
    probe.style.color = "";
    if (!getComputedStyle(probe).getPropertyValue(variable).trim()) continue;
    probe.style.color = `var(${variable})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  const dark = isDark(colours["paper"] ?? "rgb(255, 255, 255)");
  return { colours: { ...colours, ...SCALES[dark ? "dark" : "light"] }, dark };
}

/** Whether a colour `rgb(...)` is nearer to black than to white. */
export function isDark(colour: string): boolean {
  const [red = 255, green = 255, blue = 255] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
}

const listeners = new Set<() => boolean>();
let watching = false;

/** Calls `listener` when the theme may have changed, until it returns false. */
export function onTheme(element: Element, listener: () => boolean): void {
  listeners.add(listener);
  const tell = (): void => {
    for (const each of [...listeners]) if (!each()) listeners.delete(each);
  };
  if (!watching) {
    watching = true;
    globalThis.matchMedia?.("(prefers-color-scheme: dark)").addEventListener("change", tell);
    watch(document.documentElement, tell);
  }
  const root = element.getRootNode();
  if (root instanceof ShadowRoot && !watched.has(root)) {
    watched.add(root);
    watch(root.host, tell);
    for (const child of root.children) watch(child, tell);
  }
}

const watched = new WeakSet<Node>();

function watch(element: Element, tell: () => void): void {
  new MutationObserver(tell).observe(element, { attributes: true, attributeFilter: ["data-theme"] });
}
