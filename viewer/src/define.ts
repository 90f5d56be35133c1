/** Registers elements. A notebook may load this module once a widget: a name that is taken gets a number. */

export function define(name: string, element: CustomElementConstructor): void {
  let free = name;
  for (let copy = 2; customElements.get(free); copy++) free = `${name}-${copy}`;
  customElements.define(free, element);
}
