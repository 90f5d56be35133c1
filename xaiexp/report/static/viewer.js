// src/document/decode.ts
var e = class {
	document;
	binary;
	constructor(e, t) {
		this.document = e, this.binary = t;
	}
	numbers(e) {
		let t = this.binary.byteOffset + e.at, n = {
			int8: 1,
			uint8: 1,
			int16: 2,
			int32: 4,
			float32: 4
		}[e.kind], r = this.binary.buffer.slice(t, t + e.count * n);
		if (e.kind === "float32") return new Float32Array(r);
		let i = new {
			int8: Int8Array,
			uint8: Uint8Array,
			int16: Int16Array,
			int32: Int32Array
		}[e.kind](r), a = e.scale === null ? null : {
			int8: -128,
			uint8: null,
			int16: -32768,
			int32: null
		}[e.kind], o = e.scale ?? 1;
		return Float32Array.from(i, (e) => e === a ? NaN : e * o);
	}
	bytes(e) {
		return this.binary.subarray(e.at, e.at + e.count);
	}
	url(e) {
		return URL.createObjectURL(new Blob([this.bytes(e)], { type: e.mime }));
	}
};
function t(t) {
	let n = new DataView(t.buffer, t.byteOffset, t.byteLength).getUint32(0, !0), r = JSON.parse(new TextDecoder().decode(t.subarray(4, 4 + n)));
	if (r.format !== 1) throw Error(`format ${String(r.format)} of the page is unknown to this viewer`);
	return new e(r, t.subarray(4 + n));
}
async function n(e) {
	let t = new Blob([e]).stream().pipeThrough(new DecompressionStream("deflate"));
	return new Uint8Array(await new Response(t).arrayBuffer());
}
function r(e) {
	let t = atob(e.trim()), n = new Uint8Array(t.length);
	for (let e = 0; e < t.length; e++) n[e] = t.charCodeAt(e);
	return n;
}
// src/dom.ts
function i(e, t, ...n) {
	let r = document.createElement(e);
	return a(r, t), o(r, n), r;
}
function a(e, t) {
	for (let [n, r] of Object.entries(t ?? {})) r != null && r !== !1 && (n.startsWith(".") ? Reflect.set(e, n.slice(1), r) : n.startsWith("on") ? e.addEventListener(n.slice(2), r) : n === "style" ? Object.entries(r).forEach(([t, n]) => e.style.setProperty(t, n)) : e.setAttribute(n, r === !0 ? "" : String(r)));
}
function o(e, t) {
	for (let n of t.flat()) n != null && n !== !1 && e.appendChild(n instanceof Node ? n : document.createTextNode(String(n)));
}
// src/state.ts
var s = class {
	location;
	values = /* @__PURE__ */ new Map();
	listeners = /* @__PURE__ */ new Set();
	constructor(e = null) {
		this.location = e, this.read(), e && window.addEventListener("hashchange", () => this.read());
	}
	get(e, t = "") {
		return this.values.get(e) ?? t;
	}
	list(e) {
		let t = this.get(e);
		return t ? t.split("~").map(decodeURIComponent) : [];
	}
	static joined(e) {
		return [...e].map((e) => encodeURIComponent(e).replaceAll("~", "%7E")).join("~");
	}
	set(e) {
		let t = /* @__PURE__ */ new Set();
		for (let [n, r] of Object.entries(e)) (r || null) !== (this.values.get(n) ?? null) && (r ? this.values.set(n, r) : this.values.delete(n), t.add(n));
		t.size && (this.location && history.replaceState(null, "", this.hash() || this.location.pathname + this.location.search), this.tell(t));
	}
	on(e) {
		return this.listeners.add(e), () => this.listeners.delete(e);
	}
	hash() {
		let e = [...this.values].sort().map(([e, t]) => `${encodeURIComponent(e)}=${encodeURIComponent(t)}`);
		return e.length ? `#${e.join("&")}` : "";
	}
	all() {
		return Object.fromEntries(this.values);
	}
	read() {
		let e = this.values;
		this.values = new Map(new URLSearchParams(this.location?.hash.slice(1) ?? ""));
		let t = new Set([...e.keys(), ...this.values.keys()].filter((t) => e.get(t) !== this.values.get(t)));
		t.size && this.tell(t);
	}
	tell(e) {
		for (let t of [...this.listeners]) t(e);
	}
}, c = ":host{--ink:#1c1e21;--ink-soft:#545a63;--paper:#fff;--paper-raised:#f4f5f7;--line:#d5d9df;--accent:#0b5cad;--warn:#9a3d00;--good:#0a6b3d;--focus:#b2480a;--heat:11, 92, 173;--radius:6px;--space:1rem;background:var(--paper);min-height:100vh;color:var(--ink);--lightningcss-light:initial;--lightningcss-dark: ;color-scheme:light;font:16px/1.5 system-ui,-apple-system,Segoe UI,sans-serif;display:block}@media (prefers-color-scheme:dark){:host(:not([data-theme=light])){--ink:#e7e9ec;--ink-soft:#a9b0ba;--paper:#15181c;--paper-raised:#1f242a;--line:#3a424c;--accent:#7db8f2;--warn:#f0a56b;--good:#66c794;--focus:#ffb87a;--heat:90, 160, 235;--lightningcss-light: ;--lightningcss-dark:initial;color-scheme:dark}}:host([data-theme=dark]){--ink:#e7e9ec;--ink-soft:#a9b0ba;--paper:#15181c;--paper-raised:#1f242a;--line:#3a424c;--accent:#7db8f2;--warn:#f0a56b;--good:#66c794;--focus:#ffb87a;--heat:90, 160, 235;--lightningcss-light: ;--lightningcss-dark:initial;color-scheme:dark}*,:before,:after{box-sizing:border-box}:focus-visible{outline:2px solid var(--focus);outline-offset:2px}main:focus{outline:none}a{color:var(--accent)}h1{overflow-wrap:anywhere;margin:0;font-size:1.35rem;font-weight:650;line-height:1.25}h2{margin:2rem 0 .5rem;font-size:1.15rem}h3{margin:1.25rem 0 .25rem;font-size:1rem}p{max-width:48rem;margin:.5rem 0}.soft{color:var(--ink-soft);font-size:.875rem}.lead{font-size:1.05rem}header{z-index:3;background:var(--paper);border-bottom:1px solid var(--line);padding:.75rem clamp(.75rem,3vw,2.5rem) 0;position:sticky;top:0}header .title{flex-wrap:wrap;align-items:baseline;gap:1rem;display:flex}header .title h1{flex:16rem}header nav{gap:.25rem;margin-top:.5rem;display:flex;overflow-x:auto}.tab{color:var(--ink);white-space:nowrap;border-bottom:3px solid #0000;padding:.4rem .75rem;text-decoration:none}.tab:hover{background:var(--paper-raised)}.tab[aria-current]{border-bottom-color:var(--accent);font-weight:600}.body{max-width:110rem;margin:0 auto;padding:.5rem clamp(.75rem,3vw,2.5rem) 3rem}footer{border-top:1px solid var(--line);color:var(--ink-soft);margin-top:3rem;font-size:.875rem}button,select,input{font:inherit;color:var(--ink);background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);max-width:100%;padding:.25rem .6rem}button{cursor:pointer}button.quiet{background:0 0;border-color:#0000}button:hover,select:hover{border-color:var(--ink-soft)}button[aria-pressed=true]{background:var(--accent);color:var(--paper);border-color:var(--accent)}.picker select{max-width:22rem}.scroll{max-width:100%;overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}caption{clip-path:inset(50%);width:1px;height:1px;position:absolute;overflow:hidden}th,td{text-align:left;border-bottom:1px solid var(--line);vertical-align:baseline;padding:.3rem .6rem}thead th{border-bottom-color:var(--ink-soft);font-weight:600}tbody th{white-space:nowrap;font-weight:400}.n{text-align:right}th.n,td.n{white-space:nowrap}.tag{border:1px solid var(--line);border-radius:var(--radius);color:var(--ink-soft);margin-left:.4rem;padding:0 .3rem;font-size:.75rem}tr.control th{font-style:italic}.heat td{--shade:0;background:rgba(var(--heat), calc(var(--shade) * .3))}.heat td span{margin-left:.4rem}.heat td .mean{margin-left:0}.heat .letters{font-weight:600}.heat .ranks,.heat .few{color:var(--ink);font-size:.85em}.heat tbody th{background:var(--paper);position:sticky;left:0}dl{margin:.5rem 0}dl.facts,dl.verdicts{grid-template-columns:minmax(8rem,max-content) minmax(0,1fr);gap:.3rem 1rem;display:grid}dl.facts dt,dl.verdicts dt{font-weight:600}dd{overflow-wrap:anywhere;margin:0}dl.verdicts dd .part{color:var(--ink-soft);display:block}dl.verdicts dd .part.first{color:var(--ink)}dl.glossary dt{margin-top:.4rem;font-weight:600}.part{display:block}pre{background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);white-space:pre-wrap;overflow-wrap:anywhere;max-height:30rem;padding:.75rem;font-size:.85rem;overflow:auto}details{margin:.5rem 0}summary{cursor:pointer;font-weight:600}.problem.severe>summary{color:var(--warn)}.problem dl{margin-left:1.1rem}@media (width<=40rem){header{position:static}dl.facts,dl.verdicts{grid-template-columns:1fr;gap:0}dl.facts dd,dl.verdicts dd{margin-bottom:.5rem}}@media (prefers-reduced-motion:no-preference){.tab{transition:border-color .12s}}@media print{:host{--paper:#fff;--ink:#000;--ink-soft:#333;min-height:0}header{position:static}header nav,button,.picker{display:none}.scroll{overflow:visible}}", l = class extends HTMLElement {
	context;
	study;
	end = null;
	open(e, t) {
		return this.context = e, this.study = t, this;
	}
	connectedCallback() {
		this.draw(/* @__PURE__ */ new Set()), this.end = this.context.state.on((e) => {
			this.keys.some((t) => e.has(t)) && this.draw(e);
		});
	}
	disconnectedCallback() {
		this.end?.(), this.end = null;
	}
};
function u(e, t = 3) {
	if (e == null || Number.isNaN(e)) return "–";
	if (!Number.isFinite(e)) return e > 0 ? "∞" : "-∞";
	if (Number.isInteger(e) && Math.abs(e) < 1e6) return String(e);
	let n = Math.abs(e);
	return n >= 1e5 || n < .001 ? e.toExponential(t - 1) : e.toPrecision(t);
}
// src/answer/heat_table.ts
function d(e, t) {
	if (e.higher === null || t.mean === null) return null;
	let n = e.means.flatMap((e) => e.mean === null ? [] : [e.mean]), [r, i] = [Math.min(...n), Math.max(...n)];
	if (r === i) return null;
	let a = (t.mean - r) / (i - r);
	return e.higher ? a : 1 - a;
}
function f(e) {
	let t = e.cells.map(() => []);
	for (let n of e.metrics) for (let e of n.means) {
		let r = d(n, e);
		r !== null && t[e.cell].push(r);
	}
	let n = t.map((e) => e.length ? e.reduce((e, t) => e + t) / e.length : -1);
	return e.cells.map((e, t) => t).filter((t) => e.cells[t].status === "done").sort((e, t) => n[t] - n[e] || e - t);
}
function p(e, t) {
	if (!e.metrics.length) return i("p", null, "This study has no scores.");
	let n = i("table", { class: "heat" }, i("caption", null, "Means of all cells"), i("thead", null, i("tr", null, i("th", { scope: "col" }, "method / baseline"), e.metrics.map((e) => m(e, t)))), i("tbody", null, f(e).map((t) => h(e, t)))), r = e.made.families === "all" ? "over all metrics" : "within one metric, not over metrics";
	return i("section", { class: "answer-table" }, i("h2", null, "Methods and metrics"), i("div", {
		class: "scroll",
		tabindex: "0",
		role: "region",
		"aria-label": "means of all cells"
	}, n), i("p", { class: "soft" }, `Letters: two cells of a metric that share no letter differ significantly (paired tests, 5 % family-wise ${r}); cells that share one are not shown to be equal. `, "In brackets: the ranks that the tests leave possible; ★ where rank 1 is among them. Shade: the mean between the worst (none) and the best (full) of its metric. The order of the rows is for reading and not tested."));
}
function m(e, t) {
	let n = e.higher === null ? "" : e.higher ? " ↑" : " ↓", r = e.higher === null ? "descriptive, not ranked" : e.higher ? "higher is better" : "lower is better";
	return i("th", {
		scope: "col",
		class: "n",
		title: `${e.summary}; ${r}`
	}, i("a", {
		href: "#",
		onclick: (n) => {
			n.preventDefault(), t.set({
				section: "metrics",
				metric: e.name
			});
		}
	}, e.name), i("span", { "aria-label": r }, n));
}
function h(e, t) {
	let n = e.cells[t];
	return i("tr", { class: n.control ? "control" : "" }, i("th", { scope: "row" }, n.label, n.control ? i("span", { class: "tag" }, "control") : null), e.metrics.map((e) => {
		let r = e.means.find((e) => e.cell === t);
		if (!r || r.mean === null) return i("td", {
			class: "n undefined",
			title: "undefined"
		}, "–");
		let a = d(e, r), o = r.ranks ? ` [${r.ranks[0] === r.ranks[1] ? r.ranks[0] : `${r.ranks[0]} to ${r.ranks[1]}`}]` : "", s = r.low === null ? "" : `; 95 % interval of this mean ${u(r.low)} to ${u(r.high)}; n ${r.n}`;
		return i("td", {
			class: "n",
			style: a === null ? {} : { "--shade": a.toFixed(3) },
			title: `${n.label}, ${e.name}: ${u(r.mean)}${s}`
		}, i("span", { class: "mean" }, u(r.mean)), i("span", { class: "letters" }, r.letters), i("span", { class: "ranks" }, o.trim(), r.best ? " ★" : ""), r.undefined > 0 ? i("span", { class: "few" }, `n ${r.n}`) : null);
	}));
}
// src/answer/section.ts
var g = class extends l {
	keys = [];
	draw() {
		let { answer: e, problems: t } = this.study;
		this.replaceChildren(i("p", { class: "lead" }, e.asked), e.performance ? i("p", null, i("strong", null, "Model: "), e.performance, " on the explained examples.") : "", e.claim ? i("p", { class: "claim" }, e.claim) : "", this.verdicts(), p(this.study, this.context.state), e.hints.length ? i("section", null, i("h2", null, "What to do next"), i("ul", null, e.hints.map((e) => i("li", null, e)))) : "", t.length ? v(this.study) : "");
	}
	verdicts() {
		let { verdicts: e } = this.study.answer;
		return e.length ? i("section", null, i("h2", null, "What the tests show"), i("dl", { class: "verdicts" }, e.flatMap((e) => [i("dt", null, i("a", {
			href: "#",
			onclick: (t) => this.open_metric(t, e.metric)
		}, e.metric)), i("dd", { class: e.refused ? "refused" : "" }, _(e.brief))]))) : i("p", null, "This study has no metric that ranks its cells.");
	}
	open_metric(e, t) {
		e.preventDefault(), this.context.state.set({
			section: "metrics",
			metric: t
		});
	}
};
function _(e) {
	return e.split("; ").map((t, n) => i("span", { class: n ? "part" : "part first" }, t + (n === e.split("; ").length - 1 ? "." : ";")));
}
function v(e) {
	return i("section", { class: "problems" }, i("h2", null, "Notes and problems"), e.problems.map((e) => i("details", {
		class: e.severe ? "problem severe" : "problem",
		open: e.severe || e.title === "Read this first"
	}, i("summary", null, e.title), i("dl", null, e.rows.flatMap(([e, t]) => [e ? i("dt", null, e) : null, i("dd", null, t)])), e.tracebacks.map(([e, t]) => i("details", null, i("summary", null, e), i("pre", { tabindex: "0" }, t))))));
}
customElements.define("xai-answer", g);
// src/across/section.ts
var y = class extends l {
	keys = ["metric"];
	draw() {
		let { across: e, studies: t } = this.context.content.document;
		if (!e) return;
		let n = e.comparisons.find((e) => e.metric === this.context.state.get("metric")) ?? e.comparisons[0];
		this.replaceChildren(i("section", null, i("h2", null, "Studies"), i("div", {
			class: "scroll",
			tabindex: "0",
			role: "region",
			"aria-label": "studies"
		}, i("table", null, i("thead", null, i("tr", null, [
			"",
			"model",
			"dataset",
			"seed",
			"status",
			"cells",
			"accuracy or the like"
		].map((e) => i("th", { scope: "col" }, e)))), i("tbody", null, t.map((e, t) => i("tr", null, i("th", { scope: "row" }, i("a", {
			href: "#",
			onclick: (e) => this.open_study(e, t)
		}, `${t + 1}. ${e.folder}`)), [
			e.model,
			e.dataset,
			e.seed,
			e.status
		].map((e) => i("td", null, e || "–")), i("td", { class: "n" }, e.cells.filter((e) => e.status === "done").length), i("td", null, e.answer.performance || "–"))))))), n ? this.comparison(n) : i("p", null, "These studies have no scores."), e.pooled.length ? i("section", null, i("h2", null, "Over seeds"), i("p", { class: "soft" }, "Studies that differ in their seeds alone. The value of an example is its mean over the seeds; intervals are for other examples and other seeds."), e.pooled.map((e) => i("details", { open: e.metric.startsWith(`${n?.metric},`) }, i("summary", null, e.metric), i("p", null, _(e.sentence)), b([
			"method / baseline",
			"mean",
			"95 % interval"
		], e.rows)))) : "", ...e.agreement.map((e) => i("section", null, i("h2", null, `Agreement across ${e.differ}`), i("p", { class: "soft" }, `Rank correlation of the maps of each cell with its own maps in studies that differ in their ${e.differ} alone; mean over examples with its 95 % interval.`), b([
			"method / baseline",
			"mean",
			"95 % interval",
			"examples (pairs of studies)"
		], e.rows))), e.sources.length ? i("section", null, i("h2", null, "Where differences come from"), i("p", { class: "soft" }, "Shares of the variance between the mean scores, without controls, less what sampling noise adds. In brackets: 95 % bootstrap intervals over examples."), i("dl", { class: "glossary" }, e.sources.flatMap(([e, t]) => [i("dt", null, e), i("dd", null, t)]))) : "");
	}
	open_study(e, t) {
		e.preventDefault(), this.context.state.set({
			section: "answer",
			study: t ? String(t) : null
		});
	}
	comparison(e) {
		let { across: t, studies: n } = this.context.content.document, r = i("select", { onchange: (e) => this.context.state.set({ metric: e.target.value }) }, t.comparisons.map((t) => i("option", {
			value: t.metric,
			selected: t === e
		}, t.metric)));
		return i("section", null, i("h2", null, "Means by study"), i("p", null, i("label", null, "metric ", r), ` ${e.direction}. ★: no cell of this study is significantly better.`), i("div", {
			class: "scroll",
			tabindex: "0",
			role: "region",
			"aria-label": `means of ${e.metric} by study`
		}, i("table", null, i("thead", null, i("tr", null, i("th", { scope: "col" }, "method / baseline"), n.map((e, t) => i("th", {
			scope: "col",
			class: "n",
			title: e.name
		}, `${t + 1}`)), i("th", {
			scope: "col",
			class: "n"
		}, "★ in"))), i("tbody", null, e.rows.map((e) => i("tr", null, i("th", { scope: "row" }, e.cell), e.means.map((t, n) => i("td", {
			class: "n",
			title: `95 % interval of this mean: ${u(e.lows[n])} to ${u(e.highs[n])}`
		}, u(t), e.best[n] ? " ★" : "")), i("td", { class: "n" }, `${e.best.filter(Boolean).length} of ${e.means.length}`)))))));
	}
};
function b(e, t) {
	return i("div", {
		class: "scroll",
		tabindex: "0",
		role: "region",
		"aria-label": e.join(", ")
	}, i("table", null, i("thead", null, i("tr", null, e.map((e, t) => i("th", {
		scope: "col",
		class: t ? "n" : ""
	}, e)))), i("tbody", null, t.map((e) => i("tr", null, e.map((e, t) => t ? i("td", { class: "n" }, e || "–") : i("th", { scope: "row" }, e)))))));
}
customElements.define("xai-across", y);
// src/made/section.ts
var x = class extends l {
	keys = [];
	draw() {
		let { made: e, cells: t } = this.study;
		this.replaceChildren(e.command ? i("section", null, i("h2", null, "The command that repeats it"), i("pre", { tabindex: "0" }, e.command)) : "", i("section", null, i("h2", null, "Facts"), i("dl", { class: "facts" }, e.facts.flatMap(([e, t]) => [i("dt", null, e), i("dd", null, t)]))), this.study.problems.length ? v(this.study) : "", i("details", { open: !0 }, i("summary", null, "Cost of each cell"), i("div", {
			class: "scroll",
			tabindex: "0",
			role: "region",
			"aria-label": "cost of each cell"
		}, i("table", null, i("thead", null, i("tr", null, [
			"method / baseline",
			"status",
			"examples",
			"forward passes",
			"backward passes",
			"time",
			"peak memory",
			"from the store"
		].map((e, t) => i("th", {
			scope: "col",
			class: t > 1 && t < 7 ? "n" : ""
		}, e)))), i("tbody", null, t.map((e) => i("tr", null, i("th", { scope: "row" }, e.label), i("td", { title: e.reason }, e.status), [
			e.examples,
			e.forward,
			e.backward
		].map((e) => i("td", { class: "n" }, e === null ? "–" : e.toLocaleString("en"))), i("td", { class: "n" }, e.seconds === null ? "–" : `${u(e.seconds)} s`), i("td", { class: "n" }, e.memory ? `${(e.memory / 2 ** 20).toFixed(1)} MiB` : "–"), i("td", null, e.cached ? "yes" : "no"))))))), i("details", null, i("summary", null, "Methods, baselines, metrics and agreements"), e.glossary.map(({ kind: e, entries: t }) => i("section", null, i("h3", null, e), i("dl", { class: "glossary" }, t.flatMap((e) => [i("dt", null, e.label), i("dd", null, e.summary, e.details ? i("span", { class: "soft" }, ` ${e.details}.`) : null, e.source ? i("cite", { class: "soft" }, ` ${e.source}`) : null)]))))), i("details", null, i("summary", null, "Configuration"), e.config ? i("pre", { tabindex: "0" }, e.config) : i("p", null, "config.yaml is missing.")));
	}
};
customElements.define("xai-made", x);
// src/viewer.ts
var S = [
	{
		name: "answer",
		title: "Answer",
		make: () => new g()
	},
	{
		name: "metrics",
		title: "Metrics",
		make: null
	},
	{
		name: "agreement",
		title: "Agreement",
		make: null
	},
	{
		name: "examples",
		title: "Examples",
		make: null
	},
	{
		name: "across",
		title: "Across studies",
		make: () => new y()
	},
	{
		name: "made",
		title: "How it was made",
		make: () => new x()
	}
], C = class extends HTMLElement {
	context = null;
	body = i("div", { class: "body" });
	tabs = /* @__PURE__ */ new Map();
	picker = null;
	end = null;
	open(e, t) {
		this.context = e;
		let n = this.attachShadow({ mode: "open" }), r = new CSSStyleSheet();
		r.replaceSync(t), n.adoptedStyleSheets = [r], n.append(this.header(), this.body), this.end = e.state.on((e) => {
			(e.has("section") || e.has("study")) && this.show(e.has("section")), e.has("theme") && this.theme();
		}), this.theme(), this.show(!1);
	}
	disconnectedCallback() {
		this.end?.(), this.end = null;
	}
	get doors() {
		let e = this.context.content.document.across !== null;
		return S.filter((t) => t.make !== null && (e || t.name !== "across"));
	}
	get section() {
		let e = this.context.state.get("section", this.context.content.document.across ? "across" : "answer");
		return this.doors.find((t) => t.name === e) ?? this.doors[0];
	}
	get study() {
		let { studies: e } = this.context.content.document;
		return e[Number(this.context.state.get("study", "0"))] ?? e[0];
	}
	header() {
		let { document: e } = this.context.content, { state: t } = this.context, n = i("nav", { "aria-label": "sections" });
		for (let e of this.doors) {
			let t = i("a", {
				href: `#section=${e.name}`,
				class: "tab",
				onclick: (t) => this.go(t, e.name)
			}, e.title);
			this.tabs.set(e.name, t), n.append(t);
		}
		let r = null;
		e.studies.length > 1 && (this.picker = i("select", { onchange: () => t.set({
			study: this.picker.value === "0" ? null : this.picker.value,
			example: null,
			metric: null,
			measure: null,
			cells: null
		}) }), e.studies.forEach((t, n) => this.picker.append(i("option", { value: n }, `${n + 1}. ${w(e.studies, n)}`))), r = i("label", { class: "picker" }, "study ", this.picker));
		let a = i("button", {
			type: "button",
			class: "quiet",
			title: "light or dark",
			"aria-label": "switch between light and dark",
			onclick: () => this.switch()
		}, "◐");
		return i("header", null, i("div", { class: "title" }, i("h1", null, e.title), r, a), n);
	}
	go(e, t) {
		e.preventDefault(), this.context.state.set({ section: t });
	}
	theme() {
		let e = this.context.state.get("theme");
		e ? this.setAttribute("data-theme", e) : this.removeAttribute("data-theme"), this.ownerDocument.getElementById("xaiexp-document") !== null && (document.documentElement.style.colorScheme = e || "light dark");
	}
	switch() {
		let e = this.context.state.get("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
		this.context.state.set({ theme: e === "dark" ? "light" : "dark" });
	}
	show(e) {
		let t = this.section;
		for (let [e, n] of this.tabs) e === t.name ? n.setAttribute("aria-current", "page") : n.removeAttribute("aria-current");
		this.picker && (this.picker.value = this.context.state.get("study", "0"), this.picker.disabled = t.name === "across");
		let n = t.make().open(this.context, this.study), r = i("main", {
			tabindex: "-1",
			"aria-label": t.title
		}, n);
		this.body.replaceChildren(r, this.footer()), e && r.focus({ preventScroll: !0 });
	}
	footer() {
		let { document: e } = this.context.content, t = e.omitted.map((e) => i("li", null, e));
		return i("footer", null, t.length ? [i("p", null, "This page leaves out:"), i("ul", null, t)] : null, i("p", null, `xaiexp ${e.version}`));
	}
};
function w(e, t) {
	let { name: n, folder: r } = e[t];
	return e.filter((e) => e.name === n).length > 1 ? `${n} (${r})` : n;
}
customElements.define("xai-page", C);
// src/main.ts
function T(e, t, n) {
	return {
		content: e,
		state: t,
		vega: window.vegaEmbed ?? null,
		live: n
	};
}
function E(e, t, n) {
	let r = new C();
	return r.open(T(e, t, n), c), r;
}
async function D(e, r, i, a = null) {
	let o = E(t(await n(r)), i, a);
	return e.replaceChildren(o), o;
}
async function O() {
	let e = document.getElementById("xaiexp-document");
	if (!e) return;
	let t = document.getElementById("xaiexp-summary"), n = i("div");
	try {
		await D(n, r(e.textContent ?? ""), new s(window.location)), t?.replaceWith(n);
	} catch (e) {
		t?.prepend(i("p", { role: "alert" }, `The page could not be opened: ${e instanceof Error ? e.message : String(e)}`));
	}
}
O();
export { D as show };
