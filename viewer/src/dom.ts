/** Makes elements. Texts enter as text nodes alone, so no name of a class or file can be read as markup. */

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, unknown>;

/** An element with attributes (`class`, `aria-...`), properties (`.value`) and listeners (`onclick`). */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes?: Attributes | null, ...children: (Child | Child[])[]): HTMLElementTagNameMap[K];
export function h(tag: string, attributes?: Attributes | null, ...children: (Child | Child[])[]): HTMLElement;
export function h(tag: string, attributes?: Attributes | null, ...children: (Child | Child[])[]): HTMLElement {
  const element = document.createElement(tag);
  assign(element, attributes);
  append(element, children);
  return element;
}

/** An SVG element. */
export function s(tag: string, attributes?: Attributes | null, ...children: (Child | Child[])[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  assign(element, attributes);
  append(element, children);
  return element;
}

function assign(element: Element, attributes?: Attributes | null): void {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith(".")) Reflect.set(element, name.slice(1), value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (name === "style") Object.entries(value as Record<string, string>).forEach(([k, v]) => (element as HTMLElement).style.setProperty(k, v));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

export function append(element: Node, children: (Child | Child[])[]): void {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}
