/** The style sheets of all parts, as one. */

import agreement from "./agreement/style.css?inline";
import charts from "./charts/style.css?inline";
import examples from "./examples/style.css?inline";
import live from "./live/style.css?inline";
import metrics from "./metrics/style.css?inline";
import panels from "./panels/style.css?inline";
import page from "./style.css?inline";
import tables from "./tables/style.css?inline";

export default [page, tables, charts, metrics, agreement, examples, panels, live].join("\n");
