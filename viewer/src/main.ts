/** The viewer's module: opens the document of the page that loads it. */

export { h } from "./dom";
