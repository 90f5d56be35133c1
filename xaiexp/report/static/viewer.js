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
		}[e.kind], o = e.scale ?? 1, s = new Float32Array(i.length);
		for (let e = 0; e < i.length; e++) s[e] = i[e] === a ? NaN : i[e] * o;
		return s;
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
	return o(r, t), s(r, n), r;
}
function a(e, t, ...n) {
	let r = document.createElementNS("http://www.w3.org/2000/svg", e);
	return o(r, t), s(r, n), r;
}
function o(e, t) {
	for (let [n, r] of Object.entries(t ?? {})) r != null && r !== !1 && (n.startsWith(".") ? Reflect.set(e, n.slice(1), r) : n.startsWith("on") ? e.addEventListener(n.slice(2), r) : n === "style" ? Object.entries(r).forEach(([t, n]) => e.style.setProperty(t, n)) : e.setAttribute(n, r === !0 ? "" : String(r)));
}
function s(e, t) {
	for (let n of t.flat()) n != null && n !== !1 && e.appendChild(n instanceof Node ? n : document.createTextNode(String(n)));
}
// src/tables/leaving.ts
function c(e, t, n) {
	let r = URL.createObjectURL(t instanceof Blob ? t : new Blob([t], { type: n })), i = document.createElement("a");
	return i.href = r, i.download = e.replace(/[^\w.-]+/g, "_"), i.click(), setTimeout(() => URL.revokeObjectURL(r), 6e4), "saved";
}
async function l(e) {
	try {
		return await navigator.clipboard.writeText(e), "copied";
	} catch {
		return u(e) ? "copied" : "the browser does not allow copying";
	}
}
function u(e) {
	let t = document.createElement("textarea");
	t.value = e, t.style.position = "fixed", t.style.opacity = "0", document.body.append(t), t.select();
	try {
		return document.execCommand("copy");
	} catch {
		return !1;
	} finally {
		t.remove();
	}
}
// src/live/fields.ts
var d = 0, f = class {
	field;
	element;
	control;
	wrong;
	constructor(e, t) {
		this.field = e;
		let n = `live-field-${++d}`;
		this.control = m(e, n), this.control.addEventListener("input", t), this.wrong = i("p", {
			class: "live-error",
			id: `${n}-error`,
			hidden: !0
		});
		let r = e.optional ? e.type.replace(/ or null$/, ", or empty") : e.type;
		this.element = i("div", { class: "live-field" }, i("label", { for: n }, i("bdi", null, e.name)), this.control, i("p", {
			class: "live-hint",
			id: `${n}-hint`
		}, r, `; default ${_(e.default)}. `, v(e.meaning)), this.wrong), this.control.setAttribute("aria-describedby", `${n}-hint ${n}-error`);
	}
	get value() {
		let { control: e, field: t } = this;
		if (t.kind === "flag") return e.checked;
		let n = e.value;
		return t.optional && n.trim() === "" ? null : t.kind === "choice" || t.kind === "text" ? n : g(n);
	}
	get isChanged() {
		return JSON.stringify(this.value) !== JSON.stringify(this.field.value);
	}
	refuse(e) {
		this.wrong.textContent = e, this.wrong.hidden = !e, e ? this.control.setAttribute("aria-invalid", "true") : this.control.removeAttribute("aria-invalid");
	}
}, p = class {
	component;
	element;
	fields;
	constructor(e, t) {
		this.component = e, this.fields = e.fields.map((e) => new f(e, t)), this.element = i("div", { class: "live-fields" }, i("p", { class: "live-hint" }, v(e.summary)), this.fields.map((e) => e.element));
	}
	changes() {
		return Object.fromEntries(this.fields.filter((e) => e.isChanged).map((e) => [e.field.name, e.value]));
	}
	find(e) {
		return this.fields.find((t) => t.field.name === e) ?? null;
	}
};
function m(e, t) {
	if (e.kind === "flag") return i("input", {
		id: t,
		type: "checkbox",
		".checked": e.value === !0
	});
	if (e.kind === "choice") {
		let n = i("select", { id: t }, e.optional && i("option", { value: "" }, "none"), (e.choices ?? []).map((e) => i("option", { value: e }, e)));
		return n.value = typeof e.value == "string" ? e.value : "", n;
	}
	return i("input", {
		id: t,
		type: "text",
		autocomplete: "off",
		spellcheck: "false",
		inputmode: e.kind === "number" ? "decimal" : null,
		".value": e.value === null ? "" : h(e.value)
	});
}
function h(e) {
	return typeof e == "string" ? e : JSON.stringify(e);
}
function g(e) {
	try {
		return JSON.parse(e);
	} catch {
		return e;
	}
}
function _(e) {
	return e === null ? "none" : h(e);
}
function v(e) {
	return e.replaceAll("`", "");
}
// src/live/form.ts
var y = class {
	title;
	choice;
	changed;
	element;
	fields;
	place = i("div");
	constructor(e, t, n) {
		this.title = e, this.choice = t, this.changed = n;
		let r = i("select", { onchange: () => this.choose(t.options.find((e) => e.name === r.value)) }, t.options.map((e) => i("option", {
			value: e.name,
			selected: e.name === t.name
		}, e.name)));
		this.fields = this.show(t.options.find((e) => e.name === t.name) ?? {
			name: t.name,
			summary: "",
			fields: []
		}), this.element = i("fieldset", { class: "live-group" }, i("legend", null, e), i("label", { class: "live-choice" }, "which ", r), this.place);
	}
	get value() {
		let e = this.fields.changes(), { name: t } = this.fields.component;
		return t === this.choice.name && !Object.keys(e).length ? null : {
			name: t,
			parameters: e
		};
	}
	choose(e) {
		this.fields = this.show(e), this.changed();
	}
	show(e) {
		let t = new p(e, this.changed);
		return this.place.replaceChildren(t.element), t;
	}
}, b = class {
	form;
	element;
	method;
	baseline;
	features;
	target;
	examples;
	constructor(e, t, n) {
		this.form = e, this.method = new p(e.method, n), this.baseline = e.baseline && new y("Baseline", e.baseline, n), this.features = new y("Features", e.features, n), this.target = new f(ee(e, t), n), this.examples = i("select", { onchange: n }, i("option", { value: "shown" }, "this one, and those that are computed with it"), i("option", { value: "all" }, `all ${e.examples.toLocaleString("en")} of the study`)), this.element = i("div", { class: "live-form" }, i("fieldset", { class: "live-group" }, i("legend", null, "Method: ", i("bdi", null, e.method.name)), this.method.element), this.baseline?.element, this.features.element, i("fieldset", { class: "live-group" }, i("legend", null, "Target and examples"), this.target.element, i("label", { class: "live-choice" }, "examples ", this.examples)));
	}
	get asked() {
		return {
			examples: this.examples.value === "all" ? "all" : "shown",
			method: this.method.changes(),
			baseline: this.baseline?.value ?? null,
			features: this.features.value,
			target: this.target.isChanged ? this.target.value === "" ? null : g(h(this.target.value)) : null
		};
	}
	refuse(e) {
		let t = [
			...this.method.fields,
			...this.baseline?.fields.fields ?? [],
			...this.features.fields.fields,
			this.target
		];
		for (let e of t) e.refuse("");
		if (!e) return !0;
		let n = this.fieldOf(e.where);
		return n?.refuse(e.error.slice(e.error.startsWith(`${e.where}: `) ? e.where.length + 2 : 0)), n !== null;
	}
	fieldOf(e) {
		let [t = "", ...n] = e.split("."), r = n.at(-1) ?? "";
		return t === "target" ? this.target : {
			method: this.method,
			baseline: this.baseline?.fields,
			features: this.features.fields
		}[t]?.find(r) ?? null;
	}
};
function ee(e, t) {
	let n = t.length ? `; classes: ${t.slice(0, 12).join(", ")}${t.length > 12 ? ", ..." : ""}` : "", r = e.target;
	return {
		name: "target",
		type: `predicted, label, all, the index or the name of a class, or a list of these${n}`,
		meaning: "",
		required: !1,
		default: "predicted",
		value: r,
		kind: "any",
		optional: !1,
		choices: null,
		low: null,
		high: null
	};
}
// src/live/own.ts
var te = class {
	live;
	study;
	explain;
	element;
	body;
	wrong = i("p", {
		class: "live-error",
		hidden: !0,
		role: "alert"
	});
	constructor(e, t, n, r, a) {
		this.live = e, this.study = n, this.explain = a;
		let [o, s] = {
			image: re,
			text: ie,
			row: ae
		}[t.own](r);
		this.body = s, this.element = i("details", { class: "live-own" }, i("summary", null, "Explain an input of your own"), i("p", { class: "live-hint" }, ne[t.own]), o, this.wrong, i("button", {
			type: "button",
			onclick: () => void this.send()
		}, "Explain this input"));
	}
	async send() {
		let e = await this.body();
		if (!e) return this.refuse("choose or type an input first");
		this.refuse("");
		try {
			let t = await this.live.ask(`/input?study=${this.study}`, e);
			if (t.status === 422) return this.refuse((await t.json()).error);
			if (!t.ok) return this.refuse(await t.text());
			this.explain((await t.json()).input);
		} catch {
			this.refuse("the server does not answer");
		}
	}
	refuse(e) {
		this.wrong.textContent = e, this.wrong.hidden = !e;
	}
}, ne = {
	image: "It is prepared as the images of the study are; where these are arrays of one size, it is scaled to it. A reference that is drawn from the data is drawn from this image alone.",
	text: "A reference that is drawn from the data is drawn from this text alone.",
	row: "The row is added to a copy of the study's file; an empty cell is a missing value."
};
function re() {
	let e = i("input", {
		type: "file",
		accept: "image/*",
		"aria-label": "image file"
	});
	return [e, async () => e.files?.[0] ?? null];
}
function ie() {
	let e = i("textarea", {
		rows: 3,
		"aria-label": "text",
		dir: "auto"
	});
	return [e, async () => e.value.trim() ? { text: e.value } : null];
}
function ae(e) {
	let t = (e.columns ?? []).map(({ name: e, value: t }) => ({
		name: e,
		input: i("input", {
			type: "text",
			".value": t,
			"aria-label": e,
			autocomplete: "off"
		})
	})), n = t.map(({ name: e, input: t }) => i("tr", null, i("th", { scope: "row" }, i("bdi", null, e)), i("td", null, t)));
	return [i("div", { class: "live-row" }, i("table", null, i("caption", null, "cells of the row"), i("tbody", null, n))), async () => ({ row: Object.fromEntries(t.map(({ name: e, input: t }) => [e, t.value])) })];
}
// src/examples/maps/values.ts
function oe(e, t) {
	let n = Float64Array.from(e, Math.abs).filter(Number.isFinite).sort();
	if (!n.length) return 0;
	let r = t / 100 * (n.length - 1), i = Math.floor(r), a = n[i];
	return a + (n[Math.min(i + 1, n.length - 1)] - a) * (r - i) || n.at(-1);
}
function se(e, t) {
	if (t === "all") return e;
	let n = {
		positive: (e) => Math.max(e, 0),
		negative: (e) => Math.min(e, 0),
		magnitude: Math.abs
	}[t];
	return e.map(n);
}
function ce(e, t, n, r) {
	if (r <= 1) return e;
	let i = new Float32Array(e.length);
	for (let a = 0; a < t; a += r) for (let o = 0; o < n; o += r) {
		let s = [];
		for (let e = a; e < Math.min(a + r, t); e++) for (let t = o; t < Math.min(o + r, n); t++) s.push(e * n + t);
		let c = x(s.map((t) => e[t]));
		for (let e of s) i[e] = c;
	}
	return i;
}
function x(e) {
	let [t, n] = [0, 0];
	for (let r of e) Number.isFinite(r) && (t += r, n++);
	return n ? t / n : NaN;
}
function le(e, t, n) {
	if (t[0] === n[0] && t[1] === n[1]) return e;
	let r = new Float32Array(n[0] * n[1]);
	for (let i = 0; i < n[0]; i++) {
		let a = Math.floor((i + .5) * t[0] / n[0]) * t[1];
		for (let o = 0; o < n[1]; o++) r[i * n[1] + o] = e[a + Math.floor((o + .5) * t[1] / n[1])];
	}
	return r;
}
function ue(e, t) {
	let n = e.signed && t.signed, r = e.shape.length === 2 && t.shape.length === 2, i = r ? [0, 1].map((n) => Math.max(e.shape[n], t.shape[n])) : e.shape;
	if (!r && e.values.length !== t.values.length) return null;
	let [a, o] = [e, t].map((e) => (r ? le(e.values, de(e.shape), de(i)) : e.values).map((t) => {
		let r = e.full > 0 ? Math.max(-1, Math.min(1, t / e.full)) : Number.isFinite(t) ? 0 : NaN;
		return n ? r : Math.abs(r);
	}));
	return {
		values: a.map((e, t) => e - o[t]),
		shape: i,
		signed: !0,
		full: 1
	};
}
function de(e) {
	return [e[0], e[1]];
}
function fe(e) {
	let t = /* @__PURE__ */ new Map();
	for (let n of e) {
		let e = 0;
		for (let t of n) Number.isFinite(t) && (e += t * t);
		if (!e) continue;
		let r = t.get(n.length) ?? {
			sum: new Float64Array(n.length),
			count: 0
		}, i = Math.sqrt(e);
		for (let e = 0; e < n.length; e++) Number.isFinite(n[e]) && (r.sum[e] += n[e] / i);
		r.count++, t.set(n.length, r);
	}
	let [n, r] = [0, 0];
	for (let { sum: e, count: i } of t.values()) n += (e.reduce((e, t) => e + t * t, 0) - i) / 2, r += i * (i - 1) / 2;
	return r ? n / r : NaN;
}
// src/examples/entries.ts
function pe(e) {
	let t = /* @__PURE__ */ new Map();
	for (let n of e) {
		let e = t.get(n.id);
		e ? e.targets.push(n) : t.set(n.id, {
			id: n.id,
			name: n.name,
			targets: [n]
		});
	}
	return [...t.values()];
}
function me(e) {
	return e.metrics.find((e) => e.higher !== null) ?? null;
}
function he(e) {
	let t = new Set(me(e)?.means.map((e) => e.cell) ?? []);
	return e.cells.forEach((e, n) => t.add(n)), [...t].filter((t) => e.cells[t]?.status === "done");
}
function ge(e, t) {
	let n = t.map((t) => e.cells.findIndex((e) => e.label === t)).filter((e) => e >= 0);
	if (n.length) return [...new Set(n)];
	let r = he(e), i = r.filter((t) => !e.cells[t].control);
	return (i.length ? i : r).slice(0, 4);
}
var _e = class {
	content;
	study;
	arrays = /* @__PURE__ */ new Map();
	constructor(e, t) {
		this.content = e, this.study = t;
	}
	map(e) {
		return this.content.numbers(e.values);
	}
	array(e) {
		let t = this.arrays.get(e);
		return t || this.arrays.set(e, t = this.content.numbers(e)), t;
	}
	score(e, t, n) {
		let r = this.study.metrics.find((t) => t.name === e);
		return !r || n < 0 || t < 0 ? null : Se(this.array(r.scores)[t * this.study.rows.example.length + n]);
	}
	scores(e, t) {
		return t < 0 ? [] : this.study.metrics.map((n) => [n.name, this.score(n.name, e, t)]);
	}
	agreement(e, t, n) {
		if (!e?.values) return Se(fe(t.flatMap((e) => n.maps[e] ?? []).map((e) => this.map(e))));
		if (n.row < 0) return null;
		let r = this.array(e.values), i = t.map((t) => e.cells.indexOf(t));
		return Se(x(i.flatMap((t, n) => i.slice(n + 1).map((n) => ve(t, n, e.cells.length))).filter((e) => e >= 0).map((e) => r[e * this.study.rows.example.length + n.row])));
	}
};
function ve(e, t, n) {
	if (e < 0 || t < 0 || e === t) return -1;
	let [r, i] = [Math.min(e, t), Math.max(e, t)];
	return r * (2 * n - r - 1) / 2 + i - r - 1;
}
function ye(e, t) {
	let n = e.agreements.filter((e) => e.values !== null && !e.joint);
	return n.find((e) => e.name === t) ?? n[0] ?? null;
}
function be(e, t) {
	return t === void 0 || t < 0 ? "" : e.classes[t] ?? `class ${t}`;
}
function xe(e, t, n, r, i) {
	let { study: a } = e, o = t.row >= 0, s = o ? be(a, a.rows.label[t.row]) : "", c = o ? be(a, a.rows.predicted[t.row]) : "", l = t.tokens?.map((e) => e.joined ? e.text : ` ${e.text}`).join("") ?? "";
	return {
		words: [
			t.name,
			t.id,
			s,
			c,
			l,
			...t.columns?.map((e) => `${e.name} ${e.value}`) ?? []
		].join(" "),
		label: s,
		predicted: c,
		wrong: t.wrong,
		confidence: o ? a.rows.probability[t.row] ?? null : null,
		agreement: n,
		value: o ? e.score(r, i, t.row) : null
	};
}
function Se(e) {
	return e == null || !Number.isFinite(e) ? null : e;
}
// src/state.ts
var S = class {
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
}, Ce = 50, C = 100, we = [
	154,
	154,
	154
], w = (e) => e.split(" ").map((e) => `#${e}`), T = [
	{
		name: "blue-red",
		label: "blue and red; purple without sign",
		signed: w("053061 2166ac 4393c3 92c5de d1e5f0 ffffff fddbc7 f4a582 d6604d b2182b 67001f"),
		unsigned: w("ffffff efedf5 dadaeb bcbddc 9e9ac8 807dba 6a51a3 54278f 3f007d")
	},
	{
		name: "orange-purple",
		label: "orange and purple; orange without sign",
		signed: w("7f3b08 b35806 e08214 fdb863 fee0b6 ffffff d8daeb b2abd2 8073ac 542788 2d004b"),
		unsigned: w("ffffff fee6ce fdd0a2 fdae6b fd8d3c f16913 d94801 a63603 7f2704")
	},
	{
		name: "brown-teal",
		label: "brown and teal; grey without sign",
		signed: w("543005 8c510a bf812d dfc27d f6e8c3 ffffff c7eae5 80cdc1 35978f 01665e 003c30"),
		unsigned: w("ffffff f0f0f0 d9d9d9 bdbdbd 969696 737373 525252 252525 000000")
	}
];
function E(e) {
	return T.find((t) => t.name === e) ?? T[0];
}
function Te(e) {
	let t = Math.floor(e);
	return e - t === .5 ? t % 2 == 0 ? t : t + 1 : Math.round(e);
}
var Ee = /* @__PURE__ */ new Map();
function De(e, t) {
	let n = `${e.name} ${t}`, r = Ee.get(n);
	if (r) return r;
	let i = (t ? e.signed : e.unsigned).map((e) => [
		1,
		3,
		5
	].map((t) => parseInt(e.slice(t, t + 2), 16))), a = /* @__PURE__ */ new Uint8ClampedArray(306);
	for (let e = 0; e <= C; e++) {
		let t = e / C * (i.length - 1), n = Math.min(Math.floor(t), i.length - 2);
		for (let r = 0; r < 3; r++) {
			let [o, s] = [i[n][r], i[n + 1][r]];
			a[e * 3 + r] = Te(o + (s - o) * (t - n));
		}
	}
	return a.set(we, 303), Ee.set(n, a), a;
}
function D(e, t, n) {
	if (!Number.isFinite(e)) return 101;
	let r = n > 0 ? e / n : 0;
	return t ? Ce + Te(Ce * Math.max(-1, Math.min(1, r))) : Te(C * Math.max(0, Math.min(1, r)));
}
function O(e, t, n, r) {
	let i = De(r, t), a = D(e, t, n) * 3;
	return `#${[
		0,
		1,
		2
	].map((e) => i[a + e].toString(16).padStart(2, "0")).join("")}`;
}
function Oe(e) {
	let t = [
		1,
		3,
		5
	].map((t) => {
		let n = parseInt(e.slice(t, t + 2), 16) / 255;
		return n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4;
	});
	return .2126 * t[0] + .7152 * t[1] + .0722 * t[2];
}
function ke(e) {
	let t = Oe(e) + .05;
	return t / .05 >= 1.05 / t ? "#000000" : "#ffffff";
}
function Ae(e, t) {
	return `linear-gradient(to right, ${(t ? e.signed : e.unsigned).join(", ")})`;
}
// src/examples/keys.ts
var k = [
	"ex.q",
	"ex.label",
	"ex.predicted",
	"ex.outcome",
	"ex.confidence",
	"ex.agreement",
	"ex.value"
], je = [
	"ex.metric",
	"ex.cell",
	"ex.sort",
	"ex.down",
	"measure"
], Me = [
	"ex.overlay",
	"ex.opacity",
	"ex.sign",
	"ex.colours",
	"ex.percentile",
	"ex.block",
	"ex.mask",
	"ex.all"
], Ne = [
	"example",
	"ex.target",
	"cells",
	"ex.minus"
], Pe = [
	"ex.important",
	"ex.over",
	"ex.colours"
];
function Fe(e) {
	let t = e.get("ex.outcome");
	return {
		query: e.get("ex.q"),
		label: e.get("ex.label"),
		predicted: e.get("ex.predicted"),
		outcome: t === "right" || t === "wrong" ? t : "",
		confidence: Ve(e, "ex.confidence"),
		agreement: Ve(e, "ex.agreement"),
		value: Ve(e, "ex.value")
	};
}
function Ie(e) {
	return {
		sort: [
			"confidence",
			"metric",
			"agreement"
		].find((t) => t === e.get("ex.sort")) ?? "study",
		down: e.get("ex.down") === "1"
	};
}
function Le(e) {
	return {
		overlay: e.get("ex.overlay") === "1",
		opacity: We(e.get("ex.opacity"), 0, 100, 80) / 100,
		sign: [
			"positive",
			"negative",
			"magnitude"
		].find((t) => t === e.get("ex.sign")) ?? "all",
		colours: e.get("ex.colours", T[0].name),
		percentile: We(e.get("ex.percentile"), 50, 100, 99),
		block: Math.round(We(e.get("ex.block"), 1, 256, 1)),
		mask: e.get("ex.mask") !== "0",
		all: e.get("ex.all") === "1"
	};
}
function Re(e) {
	let [t, n, r] = e.list("ex.zoom").map(Number);
	return Be({
		scale: t ?? 1,
		x: n ?? .5,
		y: r ?? .5
	});
}
function ze(e) {
	return e.scale === 1 ? null : S.joined([
		e.scale,
		e.x,
		e.y
	].map((e) => String(Number(e.toFixed(4)))));
}
function Be(e) {
	let t = Math.min(64, Math.max(1, Number.isFinite(e.scale) ? e.scale : 1)), n = (e) => Math.min(1 - .5 / t, Math.max(.5 / t, Number.isFinite(e) ? e : .5));
	return {
		scale: t,
		x: n(e.x),
		y: n(e.y)
	};
}
function Ve(e, t) {
	let [n, r] = e.list(t).map((e) => e.trim() === "" || !Number.isFinite(Number(e)) ? null : Number(e));
	return [n ?? null, r ?? null];
}
function He(e, t) {
	return e.trim() || t.trim() ? S.joined([e.trim(), t.trim()]) : null;
}
function Ue() {
	return Object.fromEntries([
		...k,
		"ex.sort",
		"ex.down",
		"ex.metric",
		"ex.cell"
	].map((e) => [e, null]));
}
function We(e, t, n, r) {
	let i = Number(e);
	return e.trim() === "" || !Number.isFinite(i) ? r : Math.min(n, Math.max(t, i));
}
// src/examples/maps/canvas.ts
function Ge(e, t, n = null) {
	let r = document.createElement("canvas");
	[r.height, r.width] = [e.shape[0], e.shape[1]];
	let i = r.getContext("2d");
	if (!i || !e.values.length) return r;
	let a = i.createImageData(r.width, r.height);
	return a.data.set(Ke(e, t, n)), i.putImageData(a, 0, 0), r;
}
function Ke(e, t, n) {
	let r = De(t, e.signed), i = new Uint8ClampedArray(e.values.length * 4);
	return e.values.forEach((t, a) => {
		let o = D(t, e.signed, e.full) * 3;
		i.set(r.subarray(o, o + 3), a * 4);
		let s = Number.isFinite(t) ? Math.min(1, e.full > 0 ? Math.abs(t) / e.full : 0) : 1;
		i[a * 4 + 3] = n === null ? 255 : Math.round(255 * n * s);
	}), i;
}
function qe(e) {
	let t = document.createElement("canvas");
	[t.width, t.height] = [e.naturalWidth || 1, e.naturalHeight || 1];
	let n = t.getContext("2d");
	return n && (n.drawImage(e, 0, 0), n.globalCompositeOperation = "saturation", n.fillStyle = "#808080", n.fillRect(0, 0, t.width, t.height)), t;
}
function Je(e, t, n) {
	let r = (r, i) => r >= 0 && i >= 0 && r < t && i < n && e[r * n + i] > .5, i = [], a = (e, t, n) => {
		let r = -1;
		for (let i = 0; i <= e; i++) {
			let a = i < e && t(i);
			a && r < 0 && (r = i), !a && r >= 0 && (n(r, i), r = -1);
		}
	};
	for (let e = 0; e <= t; e++) a(n, (t) => r(e, t) !== r(e - 1, t), (t, n) => i.push([
		t,
		e,
		n,
		e
	]));
	for (let e = 0; e <= n; e++) a(t, (t) => r(t, e) !== r(t, e - 1), (t, n) => i.push([
		e,
		t,
		e,
		n
	]));
	return i;
}
function Ye(e, t, n, r = 1) {
	let i = e.getContext("2d");
	if (!i) return;
	let { width: a, height: o } = e;
	i.clearRect(0, 0, a, o);
	let [s, c] = [n.x - .5 / n.scale, n.y - .5 / n.scale];
	for (let e of t.images) {
		let [t, r] = e instanceof HTMLImageElement ? [e.naturalWidth, e.naturalHeight] : [e.width, e.height];
		t && r && (i.imageSmoothingEnabled = a * n.scale / t < 1, i.imageSmoothingQuality = "high", i.drawImage(e, s * t, c * r, t / n.scale, r / n.scale, 0, 0, a, o));
	}
	let l = (e) => (e - s) * n.scale * a, u = (e) => (e - c) * n.scale * o;
	if (t.edges) {
		let { lines: e, rows: n, columns: a } = t.edges;
		i.beginPath();
		for (let [t, r, o, s] of e) i.moveTo(l(t / a), u(r / n)), i.lineTo(l(o / a), u(s / n));
		Xe(i, r, "#000");
	}
	if (t.mark) {
		let { mark: e } = t;
		i.beginPath(), i.rect(l(e.x), u(e.y), e.width * n.scale * a, e.height * n.scale * o), Xe(i, r, "#0a7d28");
	}
}
function Xe(e, t, n) {
	e.lineCap = "square", [e.strokeStyle, e.lineWidth] = ["#fff", 4 * t], e.stroke(), [e.strokeStyle, e.lineWidth] = [n, 1.6 * t], e.stroke();
}
function A(e, t = 3) {
	if (e == null || Number.isNaN(e)) return "–";
	if (!Number.isFinite(e)) return e > 0 ? "∞" : "-∞";
	if (Number.isInteger(e) && Math.abs(e) < 1e6) return String(e);
	let n = Math.abs(e);
	return n >= 1e5 || n < .001 ? e.toExponential(t - 1) : e.toPrecision(t);
}
function Ze(e, t) {
	return e === null || t === null ? "–" : `[${A(e)}, ${A(t)}]`;
}
function j(e, t, n = `${t}s`) {
	return `${e.toLocaleString("en")} ${e === 1 ? t : n}`;
}
// src/examples/visible.ts
var Qe = /* @__PURE__ */ new WeakMap(), $e = !1;
function M(e, t) {
	if ($e || typeof IntersectionObserver > "u") return t(), () => void 0;
	let n = new IntersectionObserver((e) => e.some((e) => e.isIntersecting) && i(), { rootMargin: "300px" }), r = () => {
		n.disconnect(), Qe.delete(e);
	}, i = () => {
		r(), t();
	};
	return n.observe(e), Qe.set(e, i), r;
}
function et(e) {
	$e = !0;
	try {
		for (let t of e.querySelectorAll("*")) Qe.get(t)?.();
	} finally {
		$e = !1;
	}
}
// src/examples/panels/series.ts
var N = 640, tt = 120, nt = 800;
function rt(e, t, n = 0, r = e.values.length) {
	let i = Math.max(1, Math.ceil((r - n) / nt)), a = [];
	for (let o = n; o < r; o += i) {
		let n = Math.min(r, o + i), s = i === 1 ? e.values[o] : x(e.values.subarray(o, n)), c = a.at(-1), l = c && D(c.value, e.signed, e.full) === D(s, e.signed, e.full);
		c && l && (!t || t[c.from] === t[o]) ? c.to = n : a.push({
			from: o,
			to: n,
			value: s
		});
	}
	return a;
}
function it(e, t, n) {
	let r = Math.ceil((n - t) / (nt / 2)), i = /* @__PURE__ */ new Set();
	for (let a = t; a < n; a += r) {
		let t = Array.from({ length: Math.min(r, n - a) }, (e, t) => a + t).filter((t) => Number.isFinite(e[t]));
		if (r === 1) t.forEach((e) => i.add(e));
		else if (t.length) {
			let n = (n) => t.reduce((t, r) => n * e[r] > n * e[t] ? r : t);
			[n(-1), n(1)].sort((e, t) => e - t).forEach((e) => i.add(e));
		}
	}
	return [...i].map((t) => [t, e[t]]);
}
function at(e, t) {
	let n = Math.max(0, Math.floor((e.x - .5 / e.scale) * t));
	return [n, Math.max(n + 1, Math.min(t, Math.ceil((e.x + .5 / e.scale) * t)))];
}
function ot(e, t, n) {
	if (!e.series) return {
		curves: /* @__PURE__ */ new Float32Array(),
		channels: 1,
		steps: n?.values.length ?? 1
	};
	let { channels: r, steps: i } = e.series;
	return {
		curves: t.array(e.series.values),
		channels: r,
		steps: i
	};
}
function st(e, t, n) {
	let { channels: r, steps: i, features: o } = e, s = Math.max(34, tt / r), c = s * r, l = (e) => ((e - t) / (n - t) * N).toFixed(2), u = a("svg", {
		xmlns: "http://www.w3.org/2000/svg",
		viewBox: `0 0 ${N} ${c}`,
		width: N,
		height: c,
		preserveAspectRatio: "none",
		role: "img",
		"aria-label": e.label
	});
	if (u.append(a("rect", {
		width: N,
		height: c,
		fill: "#ffffff"
	})), e.map) {
		for (let r of rt(e.map, o, t, n)) u.append(a("rect", {
			x: l(r.from),
			y: 0,
			width: Number(l(r.to)) - Number(l(r.from)),
			height: c,
			fill: O(r.value, e.map.signed, e.map.full, e.scheme),
			"shape-rendering": "crispEdges"
		}));
		for (let e = t + 1; o && e < n; e++) o[e] !== o[e - 1] && u.append(ct(l(e), c));
	}
	for (let o = 0; o < r && e.curves.length; o++) {
		let r = it(e.curves.subarray(o * i, (o + 1) * i), t, n), [c, d] = r.reduce(([e, t], [, n]) => [Math.min(e, n), Math.max(t, n)], [Infinity, -Infinity]), f = (e) => (s * o + 4 + (d > c ? 1 - (e - c) / (d - c) : .5) * (s - 8)).toFixed(2), p = r.map(([e, t]) => `${l(e + .5)},${f(t)}`).join(" ");
		for (let [e, t] of [["#ffffff", 3.4], ["#111111", 1.4]]) u.append(a("polyline", {
			points: p,
			fill: "none",
			stroke: e,
			"stroke-width": t,
			"vector-effect": "non-scaling-stroke"
		}));
	}
	if (e.mask) {
		let r = Float32Array.from({ length: i }, (t, n) => e.mask[e.mask.length === i ? n : o?.[n] ?? -1] ?? 0);
		for (let e of rt({
			values: r,
			shape: [i],
			signed: !1,
			full: 1
		}, null, t, n)) if (e.value > .5) {
			let t = {
				x: l(e.from),
				y: 1,
				width: Number(l(e.to)) - Number(l(e.from)),
				height: c - 2,
				fill: "none",
				"vector-effect": "non-scaling-stroke"
			};
			u.append(a("rect", {
				...t,
				stroke: "#ffffff",
				"stroke-width": 4
			}), a("rect", {
				...t,
				stroke: "#000000",
				"stroke-width": 1.8
			}));
		}
	}
	return u;
}
function ct(e, t) {
	return a("line", {
		x1: e,
		x2: e,
		y1: 0,
		y2: t,
		stroke: "#777777",
		"stroke-width": .7,
		"stroke-dasharray": "2 2",
		"vector-effect": "non-scaling-stroke"
	});
}
function lt(e, t, n) {
	let { steps: r } = e, a = i("div", {
		class: "examples-series",
		tabindex: 0,
		role: "group",
		"aria-label": `${e.label}; Shift and arrows read single steps`
	}), o = i("div", {
		class: "examples-cursor",
		hidden: !0
	}), s = () => st(e, ...at(t.zoom, r)), c = () => {
		a.replaceChildren(s(), o), a.classList.toggle("examples-zoomed", t.zoom.scale > 1);
	};
	a.style.height = `${Math.max(34, tt / e.channels) * e.channels}px`;
	let l = !1;
	M(a, () => {
		l = !0, c();
	}), t.add({
		zoomed: () => l && c(),
		pointed: (i) => {
			let a = i && "feature" in i ? i.feature : -1, [s, c] = at(t.zoom, r);
			o.hidden = a < s || a >= c, o.style.left = `${(a + .5 - s) / (c - s) * 100}%`, n(a < 0 ? "" : ut(e, a));
		}
	});
	let u = (e) => {
		let n = a.getBoundingClientRect(), [i, o] = at(t.zoom, r);
		return Math.min(o - 1, Math.max(i, Math.floor(i + (e.clientX - n.left) / n.width * (o - i))));
	}, d = null;
	a.addEventListener("pointerdown", (e) => {
		t.zoom.scale !== 1 && e.button === 0 && (d = e.clientX, a.setPointerCapture(e.pointerId));
	}), a.addEventListener("pointermove", (e) => {
		if (d === null) return t.point({ feature: u(e) });
		t.show({
			...t.zoom,
			x: t.zoom.x + (d - e.clientX) / a.clientWidth / t.zoom.scale
		}, !1), d = e.clientX;
	});
	for (let e of ["pointerup", "pointercancel"]) a.addEventListener(e, () => {
		d !== null && t.finish(), d = null;
	});
	return a.addEventListener("pointerleave", () => d === null && t.point(null)), a.addEventListener("keydown", (e) => {
		let n = {
			ArrowLeft: -1,
			ArrowRight: 1
		}[e.key];
		if (n && e.shiftKey) {
			let e = t.place && "feature" in t.place ? t.place.feature : Math.floor(t.zoom.x * r);
			t.point({ feature: Math.min(r - 1, Math.max(0, e + n)) });
		} else if (e.key === "+" || e.key === "=") t.enlarge(1.5);
		else if (e.key === "-") t.enlarge(1 / 1.5);
		else if (e.key === "0") t.enlarge(0);
		else return;
		e.preventDefault(), e.stopPropagation();
	}), {
		element: a,
		svg: s
	};
}
function ut(e, t) {
	let { channels: n, steps: r } = e, i = Array.from({ length: e.curves.length ? n : 0 }, (n, i) => A(e.curves[i * r + t])), a = i.length > 4 ? [...i.slice(0, 4), "…"] : i, o = e.map ? `: ${A(e.map.values[t])}` : "";
	return `step ${t + 1}${o}${a.length ? ` (series ${a.join(", ")})` : ""}`;
}
// src/examples/list/thumbnail.ts
var dt = 110, ft = class {
	content;
	addresses = /* @__PURE__ */ new Map();
	constructor(e) {
		this.content = e;
	}
	address(e) {
		if (!e.picture) return null;
		let t = this.addresses.get(e.picture);
		return t || this.addresses.set(e.picture, t = this.content.url(e.picture)), t;
	}
	load(e) {
		let t = this.address(e);
		if (!t) return null;
		let n = new Image();
		return new Promise((e) => {
			n.onload = n.onerror = () => e(n), n.src = t;
		});
	}
	forget() {
		for (let e of this.addresses.values()) URL.revokeObjectURL(e);
		this.addresses.clear();
	}
};
function pt(e, t, n, r) {
	let a = n.address(e);
	if (a) return i("img", {
		src: a,
		alt: "",
		class: Math.max(...e.size ?? [Infinity]) < 64 ? "examples-tiny" : null
	});
	if (e.tokens) {
		let t = e.tokens.map((e, t) => e.feature < 0 ? "" : t && !e.joined ? ` ${e.text}` : e.text).join("").trim();
		return i("span", {
			class: "examples-snippet",
			dir: "auto"
		}, t.length > dt ? `${t.slice(0, dt)}…` : t);
	}
	if (e.columns) return i("span", { class: "examples-snippet" }, e.columns.slice(0, 3).map((e) => e.value ? `${e.name} = ${e.value}` : e.name).join(", "));
	if (e.series) {
		let n = st({
			label: "",
			...ot(e, t, null),
			features: null,
			map: null,
			scheme: r,
			mask: null
		}, 0, e.series.steps);
		return n.removeAttribute("role"), n.removeAttribute("aria-label"), n.setAttribute("aria-hidden", "true"), n;
	}
	return null;
}
function mt(e, t, n, r) {
	let a = e.maps[t], { label: o } = n.study.cells[t];
	if (!a) return i("span", {
		class: "examples-mini examples-none",
		title: `${o}: no map`
	});
	let s = n.map(a), c = a.shape.length === 2 ? a.shape : [1, s.length], l = Ge({
		values: s,
		shape: c,
		signed: a.signed,
		full: a.full
	}, r);
	return l.className = c[0] === 1 ? "examples-mini examples-strip" : "examples-mini", l.title = o, l.setAttribute("aria-hidden", "true"), l;
}
// src/examples/maps/stage.ts
var ht = class {
	zoom;
	settled;
	members = /* @__PURE__ */ new Set();
	place = null;
	constructor(e, t) {
		this.zoom = e, this.settled = t;
	}
	add(e) {
		this.members.add(e);
	}
	point(e) {
		this.place = e;
		for (let t of this.members) t.pointed?.(e);
	}
	show(e, t = !0) {
		this.zoom = Be(e);
		for (let e of this.members) e.zoomed?.();
		t && this.settled(this.zoom);
	}
	enlarge(e, t = this.zoom.x, n = this.zoom.y) {
		let r = Be({
			...this.zoom,
			scale: this.zoom.scale * e
		}).scale, i = this.zoom.scale / r;
		this.show({
			scale: r,
			x: t + (this.zoom.x - t) * i,
			y: n + (this.zoom.y - n) * i
		});
	}
	finish() {
		this.settled(this.zoom);
	}
	inside(e, t) {
		return {
			x: this.zoom.x + (e - .5) / this.zoom.scale,
			y: this.zoom.y + (t - .5) / this.zoom.scale
		};
	}
};
// src/examples/panels/bars.ts
function gt(e) {
	let t = e.map((e) => {
		let t = e.reduce((e, t) => Number.isFinite(t) ? Math.max(e, Math.abs(t)) : e, 0);
		return e.map((e) => t > 0 ? Math.abs(e) / t : Math.abs(e));
	}), n = Math.max(0, ...e.map((e) => e.length)), r = Array.from({ length: n }, (e, n) => x(t.map((e) => e[n] ?? NaN)));
	return r.map((e, t) => t).sort((e, t) => (r[t] || 0) - (r[e] || 0));
}
function _t(e, t, n) {
	let r = t > 0 && Number.isFinite(e) ? Math.min(1, Math.abs(e) / t) : 0;
	return n ? {
		start: e < 0 ? 50 - r * 50 : 50,
		length: r * 50
	} : {
		start: 0,
		length: e > 0 ? r * 100 : 0
	};
}
function vt(e) {
	return Array.from(e).reduce((e, t) => Number.isFinite(t) ? Math.max(e, Math.abs(t)) : e, 0);
}
var yt = (e, t, n) => O(Math.sign(e) * .75, t, 1, n);
function bt(e, t, n, r, a) {
	let o = i("tr", null, i("th", { scope: "col" }, a), i("th", { scope: "col" }, i("span", { class: "examples-unseen" }, "bar")), i("th", { scope: "col" }, "attribution")), s = e.map((e) => {
		let { start: a, length: o } = _t(e.attribution, t, n), s = {
			width: `${o.toFixed(2)}%`,
			"margin-left": `${a.toFixed(2)}%`,
			background: yt(e.attribution, n, r)
		};
		return i("tr", { class: e.inside ? "examples-inside" : null }, i("th", { scope: "row" }, i("bdi", null, e.name), e.value !== "" && i("small", null, " = ", i("bdi", null, e.value)), e.inside && i("small", { class: "examples-truth" }, " in the ground truth")), i("td", { class: "examples-track" }, i("div", { class: n ? "examples-bar examples-middle" : "examples-bar" }, i("i", { style: s }))), i("td", { class: "examples-number" }, A(e.attribution)));
	});
	return i("table", { class: "examples-bars" }, i("thead", null, o), i("tbody", null, s));
}
function xt(e, t, n, r, i) {
	let [o, s, c] = [
		22,
		240,
		260
	], l = 30 + o * e.length, u = a("svg", {
		xmlns: "http://www.w3.org/2000/svg",
		width: s + c + 90,
		height: l,
		viewBox: `0 0 ${s + c + 90} ${l}`,
		"font-family": "sans-serif",
		"font-size": 12
	});
	return u.append(a("rect", {
		width: "100%",
		height: "100%",
		fill: "#ffffff"
	}), a("text", {
		x: 8,
		y: 18,
		"font-weight": "bold"
	}, i)), e.forEach((e, i) => {
		let l = 30 + o * i, { start: d, length: f } = _t(e.attribution, t, n), p = `${e.name}${e.value === "" ? "" : ` = ${e.value}`}${e.inside ? " *" : ""}`;
		u.append(a("text", {
			x: s - 8,
			y: l + 14,
			"text-anchor": "end"
		}, p.length > 38 ? `${p.slice(0, 37)}…` : p), a("rect", {
			x: s + d / 100 * c,
			y: l + 3,
			width: f / 100 * c,
			height: o - 8,
			fill: yt(e.attribution, n, r)
		}), a("text", {
			x: s + c + 8,
			y: l + 14
		}, A(e.attribution)));
	}), n && u.append(a("line", {
		x1: s + c / 2,
		x2: s + c / 2,
		y1: 28,
		y2: l,
		stroke: "#666666"
	})), u;
}
// src/examples/panels/image.ts
function St(e, t, n) {
	let r = i("canvas", {
		class: "examples-canvas",
		role: "img",
		"aria-label": e.label,
		tabindex: 0
	});
	r.style.aspectRatio = `${e.size[1]} / ${e.size[0]}`;
	let a = null, o = async () => {
		if (a) return a;
		let t = [];
		if (e.picture && (!e.map || e.veil !== null)) {
			let n = await e.picture;
			t.push(e.map ? qe(n) : n);
		}
		e.map && t.push(Ge(e.map, e.scheme, t.length ? e.veil : null));
		let [n, r] = e.mask?.shape ?? [0, 0];
		return a = {
			images: t,
			edges: e.mask && n && r ? {
				lines: Je(e.mask.values, n, r),
				rows: n,
				columns: r
			} : null,
			mark: null
		};
	}, s = async () => {
		let n = await o(), i = window.devicePixelRatio || 1, a = Math.max(1, Math.round(r.clientWidth * i)), s = Math.max(1, Math.round(a * e.size[0] / e.size[1]));
		(r.width !== a || r.height !== s) && ([r.width, r.height] = [a, s]), Ye(r, {
			...n,
			mark: Tt(t.place, e)
		}, t.zoom, i), r.classList.toggle("examples-zoomed", t.zoom.scale > 1);
	}, c = !1;
	return M(r, () => {
		c = !0, typeof ResizeObserver > "u" ? s() : new ResizeObserver(() => void s()).observe(r);
	}), t.add({
		zoomed: () => c && void s(),
		pointed: (t) => {
			n(Et(t, e)), c && s();
		}
	}), Dt(r, e, t), {
		element: r,
		at: async (n) => {
			let r = document.createElement("canvas");
			return [r.width, r.height] = [n, Math.round(n * e.size[0] / e.size[1])], Ye(r, {
				...await o(),
				mark: null
			}, t.zoom, n / 400), r;
		}
	};
}
function Ct(e) {
	return e.map ? [e.map.shape[0], e.map.shape[1]] : e.size;
}
function wt(e, [t, n]) {
	let r = (e, t) => Math.min(t - 1, Math.max(0, Math.floor(e * t)));
	return [r(e.y, t), r(e.x, n)];
}
function Tt(e, t) {
	if (!e || !("x" in e)) return null;
	let [n, r] = Ct(t), [i, a] = wt(e, [n, r]);
	return {
		x: a / r,
		y: i / n,
		width: 1 / r,
		height: 1 / n
	};
}
function Et(e, t) {
	if (!e || !("x" in e)) return "";
	let [n, r] = wt(e, Ct(t)), i = `row ${n + 1}, column ${r + 1}`;
	return t.map ? `${i}: ${A(t.map.values[n * t.map.shape[1] + r])}` : i;
}
function Dt(e, t, n) {
	let r = null, i = (t) => {
		let n = e.getBoundingClientRect();
		return [(t.clientX - n.left) / n.width, (t.clientY - n.top) / n.height];
	};
	e.addEventListener("pointermove", (e) => {
		let [t, a] = i(e);
		if (!r) return n.point(n.inside(t, a));
		let { zoom: o } = n;
		n.show({
			scale: o.scale,
			x: o.x + (r.x - t) / o.scale,
			y: o.y + (r.y - a) / o.scale
		}, !1), r = {
			x: t,
			y: a
		};
	}), e.addEventListener("pointerleave", () => !r && n.point(null)), e.addEventListener("pointerdown", (t) => {
		if (n.zoom.scale === 1 || t.button !== 0) return;
		let [a, o] = i(t);
		r = {
			x: a,
			y: o
		}, e.setPointerCapture(t.pointerId);
	});
	for (let t of ["pointerup", "pointercancel"]) e.addEventListener(t, () => {
		r && n.finish(), r = null;
	});
	e.addEventListener("wheel", (e) => {
		if (!e.ctrlKey && !e.metaKey) return;
		e.preventDefault();
		let t = n.inside(...i(e));
		n.enlarge(Math.exp(-e.deltaY / 200), t.x, t.y);
	}, { passive: !1 }), e.addEventListener("dblclick", (e) => {
		let t = n.inside(...i(e));
		n.enlarge(2, t.x, t.y);
	}), e.addEventListener("keydown", (e) => {
		Ot(e, t, n) && (e.preventDefault(), e.stopPropagation());
	});
}
function Ot(e, t, n) {
	if (e.ctrlKey || e.metaKey || e.altKey) return !1;
	let r = {
		ArrowLeft: [0, -1],
		ArrowRight: [0, 1],
		ArrowUp: [-1, 0],
		ArrowDown: [1, 0]
	}[e.key];
	if (r && e.shiftKey) {
		let [e, i] = Ct(t), [a, o] = wt(n.place && "x" in n.place ? n.place : {
			x: n.zoom.x,
			y: n.zoom.y
		}, [e, i]), s = {
			x: (Math.min(i - 1, Math.max(0, o + r[1])) + .5) / i,
			y: (Math.min(e - 1, Math.max(0, a + r[0])) + .5) / e
		};
		return n.zoom.scale > 1 && n.show({
			...n.zoom,
			...s
		}), n.point(s), !0;
	}
	if (e.key === "+" || e.key === "=") n.enlarge(1.5);
	else if (e.key === "-") n.enlarge(1 / 1.5);
	else if (e.key === "0") n.enlarge(0);
	else return !1;
	return !0;
}
// src/examples/panels/save.ts
function kt(e, t) {
	return `${e.map((e) => e.normalize("NFKD").replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 60)).filter(Boolean).join("-") || "panel"}.${t}`;
}
function At(e, t) {
	let n = URL.createObjectURL(e), r = document.createElement("a");
	r.href = n, r.download = t, r.click(), setTimeout(() => URL.revokeObjectURL(n), 1e4);
}
function jt(e) {
	return new Blob([new XMLSerializer().serializeToString(e)], { type: "image/svg+xml" });
}
function Mt(e) {
	return new Promise((t, n) => {
		e.toBlob((e) => e ? t(e) : n(/* @__PURE__ */ Error("the browser made no PNG of the panel")), "image/png");
	});
}
async function P(e, t = 2) {
	let n = new Image();
	n.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(e))}`, await n.decode();
	let r = document.createElement("canvas");
	return [r.width, r.height] = [Number(e.getAttribute("width")) * t, Number(e.getAttribute("height")) * t], r.getContext("2d")?.drawImage(n, 0, 0, r.width, r.height), r;
}
// src/examples/panels/shown.ts
function F(e, t, n, r) {
	let [i, a] = e.shape.length === 2 ? [e.shape[0], e.shape[1]] : [1, t.length], o = Pt(n) ? ce(t, i, a, r.block) : t, s = o === t && r.percentile === 99;
	return {
		values: se(o, r.sign),
		shape: e.shape,
		signed: r.sign !== "magnitude" && e.signed,
		full: s ? e.full : oe(o, r.percentile)
	};
}
function I(e, t, n) {
	return e?.units ? "units" : t.tokens ? "tokens" : t.series || n === "series" ? "series" : t.columns || e && e.shape.length !== 2 ? "columns" : "image";
}
function Nt(e, t) {
	let n = e.tokens ?? [], r = n.reduce((e, t) => Math.max(e, t.feature), -1) + 1;
	return t === n.length && t !== r;
}
function Pt(e) {
	return e === "image" || e === "series";
}
// src/examples/panels/tokens.ts
function L(e, t) {
	let n = e.tokens ?? [];
	return Nt(e, t) ? n.map((e, t) => t) : n.map((e) => e.feature < t ? e.feature : -1);
}
function R(e, t) {
	let n = /* @__PURE__ */ new Map();
	return e.tokens?.forEach((e, r) => {
		let i = t[r];
		if (i < 0) return;
		let a = n.get(i);
		n.set(i, a === void 0 ? e.text : a + (e.joined ? "" : " ") + e.text);
	}), n;
}
function Ft(e, t) {
	let n = e.tokens ?? [];
	return n.map((e, r) => (t.length === n.length ? t[r] : t[e.feature] ?? 0) > .5);
}
function It(e, t, n, r, a, o, s) {
	let c = L(t, n?.values.length ?? Infinity), l = R(t, c), u = a ? Ft(t, a) : null, d = /* @__PURE__ */ new Map(), f = i("div", {
		class: "examples-tokens",
		dir: "auto",
		tabindex: 0,
		role: "group",
		"aria-label": e
	}), p = (e) => n && e >= 0 ? `${l.get(e) ?? ""}: ${A(n.values[e])}` : "";
	(t.tokens ?? []).forEach((e, t) => {
		t && !e.joined && f.append(" ");
		let a = c[t], s = e.feature < 0 && a < 0, l = i("span", {
			class: [
				"examples-token",
				s && "examples-special",
				u?.[t] && "examples-inside"
			].filter(Boolean).join(" "),
			title: (s ? "special token: no attribution" : p(a)) || null
		}, e.text);
		if (n && a >= 0) {
			let e = O(n.values[a], n.signed, n.full, r);
			l.style.background = e, l.style.color = ke(e), l.addEventListener("pointerenter", () => o.point({ feature: a })), d.set(a, [...d.get(a) ?? [], l]);
		}
		f.append(l);
	}), f.addEventListener("pointerleave", () => o.point(null)), f.addEventListener("keydown", (e) => {
		let t = {
			ArrowLeft: -1,
			ArrowRight: 1
		}[e.key];
		if (!t || !e.shiftKey || !d.size) return;
		let n = [...d.keys()], r = o.place && "feature" in o.place ? n.indexOf(o.place.feature) : t > 0 ? -1 : n.length;
		o.point({ feature: n[Math.min(n.length - 1, Math.max(0, r + t))] }), e.preventDefault(), e.stopPropagation();
	});
	let m = [];
	return o.add({ pointed: (e) => {
		for (let e of m) e.classList.remove("examples-pointed");
		m = e && "feature" in e ? d.get(e.feature) ?? [] : [];
		for (let e of m) e.classList.add("examples-pointed");
		n && s(m.length && e && "feature" in e ? p(e.feature) : "");
	} }), f;
}
function Lt(e, t) {
	let n = L(e, t.values.length), r = i("tbody"), a = i("details", { class: "examples-table" }, i("summary", null, "Values as a table"));
	return a.addEventListener("toggle", () => {
		if (a.open && !r.childElementCount) {
			for (let [a, o] of R(e, n)) r.append(i("tr", null, i("th", {
				scope: "row",
				dir: "auto"
			}, o), i("td", null, A(t.values[a]))));
			a.append(i("table", null, i("thead", null, i("tr", null, i("th", { scope: "col" }, "token"), i("th", { scope: "col" }, "attribution"))), r));
		}
	}), a;
}
// src/examples/panels/tokens_svg.ts
var Rt = "http://www.w3.org/2000/svg";
function zt(e, t) {
	let n = e.getBoundingClientRect(), r = n.top - e.scrollTop, i = getComputedStyle(e), o = parseFloat(i.fontSize) || 14, [s, c] = [Math.ceil(n.width) + 16, Math.ceil(e.scrollHeight) + 40], l = a("svg", {
		xmlns: Rt,
		width: s,
		height: c,
		viewBox: `0 0 ${s} ${c}`,
		"font-family": "sans-serif",
		"font-size": o
	});
	l.append(a("rect", {
		width: s,
		height: c,
		fill: "#ffffff"
	}), a("text", {
		x: 8,
		y: 20,
		"font-weight": "bold"
	}, t));
	for (let t of e.querySelectorAll(".examples-token")) {
		let e = [...t.getClientRects()];
		for (let i of e) {
			let e = {
				x: i.left - n.left + 8,
				y: i.top - r + 32,
				width: i.width,
				height: i.height
			};
			t.style.background && l.append(a("rect", {
				...e,
				rx: 2,
				fill: t.style.background
			})), t.classList.contains("examples-inside") && l.append(a("line", {
				x1: e.x,
				x2: e.x + e.width,
				y1: e.y + e.height,
				y2: e.y + e.height,
				stroke: "#000000",
				"stroke-width": 2
			}));
		}
		let i = e[0];
		if (!i) continue;
		let o = t.classList.contains("examples-special") ? "#6a6a6a" : t.style.color || "#000000", s = a("text", {
			x: i.left - n.left + 8,
			y: i.top - r + 32 + i.height * .76,
			fill: o
		}, t.textContent);
		e.length === 1 && (s.setAttribute("textLength", String(i.width)), s.setAttribute("lengthAdjust", "spacingAndGlyphs")), l.append(s);
	}
	return l;
}
// src/examples/panels/panel.ts
function z(e, t) {
	let n = i("p", { class: "examples-said" }, "\xA0"), r = Ht(e, t, (e) => n.textContent = e || "\xA0"), a = (n) => kt([
		e.values.study.name,
		e.example.name,
		t.title
	], n), o = i("span", { class: "examples-save" }), s = (e, n) => o.append(i("button", {
		type: "button",
		"aria-label": `Save ${t.title} as ${e.toUpperCase()}`,
		onclick: () => void n().then((t) => At(t, a(e)))
	}, e.toUpperCase()));
	return s("png", async () => Mt(await r.png())), r.svg && s("svg", async () => jt(r.svg())), i("figure", { class: "examples-panel" }, i("figcaption", null, Bt(t.title), o), i("div", null, r.element), i("div", null, n, t.caption && i("p", { class: "examples-caption" }, t.caption), t.note && i("p", { class: "examples-caption" }, t.note), t.scores.length > 0 && Vt(t)));
}
function Bt(e) {
	return i("bdi", null, e.split(/(?<=[_/])/).flatMap((e, t) => t ? [i("wbr"), e] : [e]));
}
function Vt(e) {
	let t = e.scores.map(([e, t]) => i("tr", null, i("th", { scope: "row" }, e), i("td", { class: "examples-number" }, A(t))));
	return i("table", { class: "examples-scores" }, i("caption", { class: "examples-unseen" }, `scores of ${e.title} on this example`), i("tbody", null, t));
}
function Ht(e, t, n) {
	let { example: r, display: a, scheme: o, stage: s, values: c } = e, { shown: l, title: u } = t, d = I(t.map, r, c.study.modality), f = a.mask && r.mask ? {
		values: c.array(r.mask.values),
		shape: r.mask.shape
	} : null, p = l ? `attributions of ${u} for ${r.name}` : `the input ${r.name}`;
	if (d === "tokens") {
		let e = It(p, r, l, o, f?.values ?? null, s, n), t = () => zt(e, u);
		return {
			element: l ? [e, Lt(r, l)] : [e],
			png: () => P(t()),
			svg: t
		};
	}
	if (d === "series") {
		let e = lt({
			label: p,
			...ot(r, c, l),
			features: r.steps,
			map: l,
			scheme: o,
			mask: f?.values ?? null
		}, s, n);
		return {
			element: e.element,
			png: () => P(e.svg()),
			svg: e.svg
		};
	}
	if (d === "image") {
		let t = St({
			label: p,
			size: r.size ?? (l ? [l.shape[0], l.shape[1]] : [1, 1]),
			picture: e.picture,
			map: l,
			scheme: o,
			veil: a.overlay && e.picture ? a.opacity : null,
			mask: f
		}, s, n);
		return {
			element: t.element,
			png: () => t.at(800),
			svg: null
		};
	}
	let m = d === "units", h = l ? Ut(r, t.map?.units ?? null, l, m ? null : f?.values ?? null) : [], g = m ? h.map((e, t) => t) : e.order.filter((e) => e < h.length), _ = (a.all || m ? g : g.slice(0, 12)).map((e) => h[e]), v = l ? vt(l.values) : 0, y = l?.signed ?? !0, b = () => xt(_, v, y, o, u), ee = h.length - _.length;
	return {
		element: [bt(_, v, y, o, m ? "unit" : "column"), ...ee ? [i("p", { class: "examples-caption" }, `${ee} more in the same order`)] : []],
		png: () => P(b()),
		svg: b
	};
}
function Ut(e, t, n, r) {
	return Array.from(n.values, (n, i) => ({
		name: t?.[i] ?? e.columns?.[i]?.name ?? `feature ${i}`,
		value: t ? "" : e.columns?.[i]?.value ?? "",
		attribution: n,
		inside: r ? r[i] > .5 : null
	}));
}
// src/live/results.ts
var Wt = /* @__PURE__ */ new WeakMap();
function Gt(e, t) {
	let n = Wt.get(e);
	n || Wt.set(e, n = /* @__PURE__ */ new Map());
	let r = n.get(t.id);
	return r || (r = Kt(e, t.id), r.catch(() => n.delete(t.id)), n.set(t.id, r)), r;
}
async function Kt(e, r) {
	let i = await e.ask(`/document/${encodeURIComponent(r)}`);
	if (!i.ok) throw Error(`the result could not be read (${i.status})`);
	return t(await n(new Uint8Array(await i.arrayBuffer())));
}
function qt(e, t, n) {
	let r = t.document.studies[0], i = r.cells.findIndex((t) => t.label === e.result), a = r.examples.filter((e) => !n || e.id === n.id), o = a.find((e) => e.target === n?.target) ?? a[0];
	if (i < 0 || !o?.maps[i]) return null;
	let s = n && o.target === n.target ? "" : `explained: ${o.target_name}`;
	return {
		title: Jt(e),
		caption: s,
		content: t,
		study: r,
		example: o,
		cell: i
	};
}
function Jt(e) {
	return e.changes.map(([e, t]) => `${e} ${t}`).join(", ") || "unchanged";
}
var Yt = class {
	context;
	element = i("div");
	pictures = [];
	constructor(e) {
		this.context = e;
	}
	show(e, t) {
		this.forget();
		let n = Le(this.context.state), r = new ht({
			scale: 1,
			x: .5,
			y: .5
		}, () => void 0), i = e.map((e) => {
			let t = new _e(e.content, e.study), r = e.example.maps[e.cell], i = I(r, e.example, e.study.modality);
			return {
				one: e,
				values: t,
				map: r,
				domain: i,
				shown: F(r, t.map(r), i, n)
			};
		}), a = gt(i.flatMap((e) => e.domain === "columns" ? [e.shown.values] : [])), o = i.flatMap(({ one: e, values: i, map: o, domain: s, shown: c }, l) => {
			let u = new ft(e.content);
			this.pictures.push(u);
			let d = u.load(e.example), f = {
				values: i,
				example: e.example,
				display: n,
				scheme: E(n.colours),
				stage: r,
				picture: d,
				order: a
			}, p = [e.caption, `full colour: ${A(c.full)}`].filter(Boolean).join("; "), m = {
				title: e.title,
				map: o,
				shown: c,
				caption: p,
				note: o.note,
				scores: []
			};
			return [...t && l === 0 && s !== "columns" && (e.example.picture || e.example.tokens || e.example.series) ? [z(f, {
				title: "input",
				map: null,
				shown: null,
				caption: "",
				note: "",
				scores: []
			})] : [], z(f, m)];
		});
		this.element.className = `examples-panels examples-of-${i[0]?.domain ?? "image"}`, this.element.replaceChildren(...o);
	}
	forget() {
		for (let e of this.pictures) e.forget();
		this.pictures = [];
	}
}, Xt = 300, Zt = class extends HTMLElement {
	context;
	study;
	cell = "";
	current = null;
	jobs = /* @__PURE__ */ new Map();
	form = null;
	own = "";
	chosen = "";
	end = null;
	waiting;
	planned = !1;
	panels = null;
	ownPanels = null;
	picker = i("select", { onchange: () => this.choose(this.picker.value) });
	place = i("div");
	ownPlace = i("div");
	said = i("p", {
		class: "live-said",
		role: "status"
	});
	progress = i("progress", {
		"aria-label": "passes",
		hidden: !0
	});
	stop = i("button", {
		type: "button",
		hidden: !0,
		onclick: () => void this.halt()
	}, "Stop");
	go = i("button", {
		type: "button",
		class: "live-go",
		onclick: () => void this.explain("")
	}, "Explain again");
	command = i("code");
	copied = i("span", {
		class: "live-hint",
		role: "status"
	});
	name = i("input", {
		type: "text",
		autocomplete: "off",
		spellcheck: "false",
		"aria-label": "name of the preset",
		placeholder: "name"
	});
	saved = i("span", {
		class: "live-hint",
		role: "status"
	});
	results = i("div", { class: "live-results" });
	ownResults = i("div", { class: "live-results" });
	set example(e) {
		this.current = e, this.plan();
	}
	get example() {
		return this.current;
	}
	connectedCallback() {
		this.classList.add("live"), this.replaceChildren(i("h3", null, "Change and explain again"), i("label", { class: "live-choice" }, "cell ", this.picker), this.place, i("div", { class: "live-actions" }, this.go, this.stop, this.progress, this.said), this.results, i("details", { class: "live-more" }, i("summary", null, "The equivalent command line"), i("pre", null, this.command), i("div", { class: "live-actions" }, i("button", {
			type: "button",
			onclick: () => void this.copy()
		}, "Copy"), this.copied)), i("details", { class: "live-more" }, i("summary", null, "Save as a preset of this project"), i("div", { class: "live-actions" }, this.name, i("button", {
			type: "button",
			onclick: () => void this.save()
		}, "Save"), this.saved)), this.ownPlace, this.ownResults), this.end = this.context.live.events((e) => this.hear(e)), this.plan();
	}
	disconnectedCallback() {
		this.end?.(), clearTimeout(this.waiting), this.panels?.forget(), this.ownPanels?.forget();
	}
	plan() {
		!this.planned && this.isConnected && (this.planned = !0, queueMicrotask(() => {
			this.planned = !1, this.isConnected && this.current && this.refresh();
		}));
	}
	refresh() {
		let e = this.study.cells.filter((e) => e.status === "done").map((e) => e.label);
		this.picker.options.length !== e.length && this.picker.replaceChildren(...e.map((e) => i("option", { value: e }, e)));
		let t = `${this.number}|${this.cell}`;
		this.offered === t ? this.show() : (this.offered = t, this.choose(e.includes(this.cell) ? this.cell : e[0] ?? ""));
	}
	offered = "";
	get number() {
		return Math.max(0, this.context.content.document.studies.indexOf(this.study));
	}
	choose(e) {
		this.picker.value = e, this.chosen = e, this.load(e), this.show();
	}
	async load(e) {
		this.form = null, this.own = "";
		let t = new URLSearchParams({
			study: String(this.number),
			cell: e
		}), n = await this.ask(`/parameters?${t}`);
		if (!n || this.chosen !== e || !this.current) return;
		let r = n;
		this.form = new b(r, this.study.classes, () => this.typed()), this.place.replaceChildren(this.form.element), this.ownPlace.replaceChildren(), r.own && this.ownPlace.append(new te(this.context.live, r, this.number, this.current, (e) => void this.explain(e)).element), this.typed(0);
	}
	change(e) {
		return !this.form || !this.current ? null : {
			study: this.number,
			cell: this.chosen,
			example: this.current.id,
			...this.form.asked,
			input: e
		};
	}
	typed(e = Xt) {
		clearTimeout(this.waiting), this.waiting = setTimeout(() => {
			let e = this.change("");
			e && this.ask("/command", e).then((e) => {
				e && (this.command.textContent = String(e.command));
			});
		}, e);
	}
	async explain(e) {
		let t = this.change(e);
		if (!t) return;
		clearTimeout(this.waiting), this.own = e || this.own;
		let n = await this.ask("/explain", t);
		n && this.keep(n.job);
	}
	async halt() {
		let e = this.running;
		e && await this.ask("/stop", { job: e.id });
	}
	async copy() {
		this.copied.textContent = await l(this.command.textContent ?? "");
	}
	async save() {
		let e = this.change("");
		if (!e) return;
		let t = await this.ask("/preset", {
			...e,
			name: this.name.value
		}, this.saved);
		t && (this.saved.textContent = `saved as ${t.file}: ${t.command}`);
	}
	async ask(e, t, n = this.said) {
		let r = null;
		try {
			let i = await this.context.live.ask(e, t);
			if (i.ok) return this.form?.refuse(null), n.classList.contains("live-error") && this.say(n, ""), await i.json();
			r = i.status === 422 ? await i.json() : {
				error: await i.text(),
				where: ""
			};
		} catch {
			r = {
				error: "the server does not answer; start it again: xaiexp view DIR",
				where: ""
			};
		}
		return this.form?.refuse(null), this.form?.refuse(r) && n === this.said || this.say(n, r.error, !0), null;
	}
	say(e, t, n = !1) {
		e.textContent = t, e.classList.toggle("live-error", n);
	}
	hear(e) {
		if (e.kind === "lost") return this.say(this.said, "the server does not answer; start it again: xaiexp view DIR", !0);
		let t = e.kind === "jobs" ? e.jobs : e.kind === "job" ? [e.job] : [];
		e.kind === "jobs" && this.jobs.clear();
		for (let e of t) this.keep(e, !1);
		this.follow(), t.some((e) => e.state === "done") && this.show();
	}
	keep(e, t = !0) {
		let n = this.jobs.get(e.id);
		(!n || ["queued", "running"].includes(n.state)) && (this.jobs.set(e.id, e), t && this.follow());
	}
	get running() {
		let e = [...this.jobs.values()].filter((e) => e.state === "running" || e.state === "queued");
		return e.find((e) => e.state === "running") ?? e[0] ?? null;
	}
	follow() {
		let e = this.running;
		if (this.stop.hidden = this.progress.hidden = !e, e) {
			e.total ? Object.assign(this.progress, {
				max: e.total,
				value: e.done
			}) : this.progress.removeAttribute("value");
			let t = e.total ? `${e.done.toLocaleString("en")} of about ${e.total.toLocaleString("en")} passes` : e.state === "queued" ? "waiting" : "starting";
			return this.say(this.said, `${e.cell}, ${Jt(e)}: ${t}`);
		}
		let t = [...this.jobs.values()].at(-1);
		t && (t.state === "done" ? this.say(this.said, `${t.cell}, ${Jt(t)}: explained in ${t.seconds.toFixed(1)} s`) : this.say(this.said, t.state === "stopped" ? `${t.cell}: stopped` : t.message, t.state === "failed"));
	}
	async show() {
		let e = this.current;
		if (!e) return;
		let t = [...this.jobs.values()].filter((e) => e.state === "done" && e.study === this.number && e.cell === this.chosen), n = t.filter((e) => !e.own).slice(-3), r = t.filter((e) => e.own).slice(-3), a = this.study.cells.findIndex((e) => e.label === this.chosen), o = `${this.chosen}|${e.id}|${e.target}|${n.concat(r).map((e) => e.id).join(",")}`;
		this.latest = o;
		let [s, c] = await Promise.all([this.maps(n, e), this.maps(r, null)]);
		if (this.latest !== o || !this.isConnected) return;
		let l = a >= 0 && e.maps[a] ? [{
			title: "in the study",
			caption: "",
			content: this.context.content,
			study: this.study,
			example: e,
			cell: a
		}] : [], u = n.length - s.length;
		this.panels ??= new Yt(this.context), this.panels.show(s.length ? [...l, ...s] : [], !1), this.results.replaceChildren(...s.length ? [i("h4", null, i("bdi", null, this.chosen), " on ", i("bdi", null, e.name)), this.panels.element] : [], ...u ? [i("p", { class: "live-hint" }, `${u} of the results do not hold this example: explain again.`)] : []), this.ownPanels ??= new Yt(this.context), this.ownPanels.show(c, !0), this.ownResults.replaceChildren(...c.length ? [i("h4", null, "Your input"), this.ownPanels.element] : []);
	}
	latest = "";
	async maps(e, t) {
		return (await Promise.all(e.map((e) => Gt(this.context.live, e).catch(() => null)))).flatMap((n, r) => {
			let i = n && qt(e[r], n, t);
			return i ? [i] : [];
		});
	}
};
customElements.get("xai-live") || customElements.define("xai-live", Zt);
// src/live/server.ts
var Qt = "X-Xaiexp-Token", $t = "xaiexp-token", en = 1500;
function tn(e, t) {
	let n = new URLSearchParams(e.hash.slice(1)), r = n.get("token");
	if (!r) return t?.getItem($t) ?? "";
	n.delete("token");
	let i = n.toString();
	return history.replaceState(null, "", e.pathname + e.search + (i ? `#${i}` : "")), t?.setItem($t, r), r;
}
var nn = class {
	token;
	constructor(e) {
		this.token = e;
	}
	ask(e, t, n) {
		let r = { [Qt]: this.token };
		if (t === void 0) return fetch(e, {
			headers: r,
			signal: n ?? null,
			cache: "no-store"
		});
		let i = t instanceof Blob;
		return r["Content-Type"] = i ? "application/octet-stream" : "application/json", fetch(e, {
			method: "POST",
			headers: r,
			body: i ? t : JSON.stringify(t),
			signal: n ?? null
		});
	}
	events(e) {
		let t = new AbortController();
		return (async () => {
			for (; !t.signal.aborted;) {
				try {
					let n = await this.ask("/events", void 0, t.signal);
					if (!n.ok || !n.body) throw Error(String(n.status));
					for await (let t of rn(n.body)) t.startsWith("data: ") && e(JSON.parse(t.slice(6)));
				} catch {}
				if (t.signal.aborted) return;
				e({ kind: "lost" }), await new Promise((e) => setTimeout(e, en));
			}
		})(), () => t.abort();
	}
};
async function* rn(e) {
	let t = e.getReader(), n = new TextDecoder(), r = "";
	for (;;) {
		let { done: e, value: i } = await t.read();
		if (e) return;
		let a = (r + n.decode(i, { stream: !0 })).split("\n");
		r = a.pop(), yield* a;
	}
}
// src/notebook.ts
var an = [
	"section",
	"metric",
	"measure",
	"example"
];
function on(e) {
	let t = {};
	e.get("study") && (t.study = Number(e.get("study"))), e.get("cells") && (t.cells = e.list("cells"));
	for (let n of an) e.get(n) && (t[n] = e.get(n));
	return t;
}
function sn(e) {
	let t = Object.fromEntries(an.map((t) => [t, e[t] ?? null]));
	return t.study = e.study ? String(e.study) : null, t.cells = e.cells?.length ? S.joined(e.cells) : null, t;
}
function cn() {
	let { body: e, documentElement: t } = document;
	return e.dataset.jpThemeLight ? e.dataset.jpThemeLight === "true" ? "light" : "dark" : e.classList.contains("vscode-dark") || t.getAttribute("theme") === "dark" ? "dark" : e.classList.contains("vscode-light") ? "light" : "";
}
function ln(e) {
	return { async render({ model: t, el: n }) {
		let r = new S();
		r.set({
			theme: cn() || null,
			...sn(t.get("selection"))
		});
		let a = () => JSON.stringify(on(r)) === JSON.stringify(on(un(t.get("selection")))), o = r.on(() => {
			a() || (t.set("selection", on(r)), t.save_changes());
		}), s = () => void (a() || r.set(sn(t.get("selection"))));
		t.on("change:selection", s);
		try {
			let { buffer: i, byteOffset: a, byteLength: o } = t.get("document");
			(await e(n, new Uint8Array(i, a, o), r)).setAttribute("data-place", "notebook");
		} catch (e) {
			n.replaceChildren(i("p", { role: "alert" }, `The study could not be shown: ${e instanceof Error ? e.message : String(e)}`));
		}
		return () => {
			o(), t.off("change:selection", s), n.replaceChildren();
		};
	} };
}
function un(e) {
	let t = new S();
	return t.set(sn(e)), t;
}
// src/styles.ts
var dn = ":host{--ink:#1c1e21;--ink-soft:#545a63;--paper:#fff;--paper-raised:#f4f5f7;--line:#d5d9df;--accent:#0b5cad;--warn:#9a3d00;--good:#0a6b3d;--focus:#b2480a;--heat:11, 92, 173;--radius:6px;--space:1rem;background:var(--paper);min-height:100vh;color:var(--ink);--lightningcss-light:initial;--lightningcss-dark: ;color-scheme:light;font:16px/1.5 system-ui,-apple-system,Segoe UI,sans-serif;display:block}@media (prefers-color-scheme:dark){:host(:not([data-theme=light])){--ink:#e7e9ec;--ink-soft:#a9b0ba;--paper:#15181c;--paper-raised:#1f242a;--line:#3a424c;--accent:#7db8f2;--warn:#f0a56b;--good:#66c794;--focus:#ffb87a;--heat:90, 160, 235;--lightningcss-light: ;--lightningcss-dark:initial;color-scheme:dark}}:host([data-theme=dark]){--ink:#e7e9ec;--ink-soft:#a9b0ba;--paper:#15181c;--paper-raised:#1f242a;--line:#3a424c;--accent:#7db8f2;--warn:#f0a56b;--good:#66c794;--focus:#ffb87a;--heat:90, 160, 235;--lightningcss-light: ;--lightningcss-dark:initial;color-scheme:dark}:host([data-place=notebook]){border:1px solid var(--line);border-radius:var(--radius);min-height:0}:host([data-place=notebook]) header{position:static}*,:before,:after{box-sizing:border-box}:focus-visible{outline:2px solid var(--focus);outline-offset:2px}main:focus{outline:none}.body *{scroll-margin-top:7rem}a{color:var(--accent)}h1{overflow-wrap:anywhere;margin:0;font-size:1.35rem;font-weight:650;line-height:1.25}h2{margin:2rem 0 .5rem;font-size:1.15rem}h3{margin:1.25rem 0 .25rem;font-size:1rem}p{max-width:48rem;margin:.5rem 0}.soft{color:var(--ink-soft);font-size:.875rem}.lead{font-size:1.05rem}header{z-index:3;background:var(--paper);border-bottom:1px solid var(--line);padding:.75rem clamp(.75rem,3vw,2.5rem) 0;position:sticky;top:0}header .title{flex-wrap:wrap;align-items:baseline;gap:1rem;display:flex}header .title h1{flex:16rem}header nav{gap:.25rem;margin-top:.5rem;display:flex;overflow-x:auto}.tab{color:var(--ink);white-space:nowrap;border-bottom:3px solid #0000;padding:.4rem .75rem;text-decoration:none}.tab:hover{background:var(--paper-raised)}.tab[aria-current]{border-bottom-color:var(--accent);font-weight:600}.body{max-width:110rem;margin:0 auto;padding:.5rem clamp(.75rem,3vw,2.5rem) 3rem}footer{border-top:1px solid var(--line);color:var(--ink-soft);margin-top:3rem;font-size:.875rem}button,select,input{font:inherit;color:var(--ink);background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);max-width:100%;padding:.25rem .6rem}button{cursor:pointer}button.quiet{background:0 0;border-color:#0000}button:hover,select:hover{border-color:var(--ink-soft)}button[aria-pressed=true]{background:var(--accent);color:var(--paper);border-color:var(--accent)}.picker select{max-width:22rem}.scroll{max-width:100%;overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}caption{clip-path:inset(50%);width:1px;height:1px;position:absolute;overflow:hidden}th,td{text-align:left;border-bottom:1px solid var(--line);vertical-align:baseline;padding:.3rem .6rem}thead th{border-bottom-color:var(--ink-soft);font-weight:600}tbody th{white-space:nowrap;font-weight:400}.n{text-align:right}th.n,td.n{white-space:nowrap}.tag{border:1px solid var(--line);border-radius:var(--radius);color:var(--ink-soft);margin-left:.4rem;padding:0 .3rem;font-size:.75rem}tr.control th{font-style:italic}.heat td{--shade:0;background:rgba(var(--heat), calc(var(--shade) * .3))}.heat td span{margin-left:.15rem}.heat td .mean{margin-left:0}.heat .letters{font-weight:600}.heat .ranks,.heat .few{color:var(--ink);font-size:.85em}.heat tbody th{background:var(--paper);position:sticky;left:0}dl{margin:.5rem 0}dl.facts,dl.verdicts{grid-template-columns:minmax(8rem,max-content) minmax(0,1fr);gap:.3rem 1rem;display:grid}dl.facts dt,dl.verdicts dt{font-weight:600}dd{overflow-wrap:anywhere;margin:0}dl.verdicts dd .part{color:var(--ink-soft);display:block}dl.verdicts dd .part.first{color:var(--ink)}dl.glossary dt{margin-top:.4rem;font-weight:600}.part{display:block}pre{background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);white-space:pre-wrap;overflow-wrap:anywhere;max-height:30rem;padding:.75rem;font-size:.85rem;overflow:auto}details{margin:.5rem 0}summary{cursor:pointer;font-weight:600}.problem.severe>summary{color:var(--warn)}.problem dl{margin-left:1.1rem}@media (width<=40rem){header{position:static}dl.facts,dl.verdicts{grid-template-columns:1fr;gap:0}dl.facts dd,dl.verdicts dd{margin-bottom:.5rem}}@media (prefers-reduced-motion:no-preference){.tab{transition:border-color .12s}}@media print{:host{--paper:#fff;--ink:#000;--ink-soft:#333;min-height:0}header{position:static}header nav,button,.picker{display:none}.scroll{overflow:visible}}\n.table{min-width:0}.table-scroll{overflow-x:auto}.table-long{max-height:36rem;overflow-y:auto}.table-long thead th{background:var(--paper);position:sticky;top:0}@media print{.table-long{max-height:none;overflow:visible}}.table-scroll:focus-visible{outline:2px solid var(--focus);outline-offset:2px}.table table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:min(100%,36rem)}.table caption{clip-path:none;text-align:left;width:auto;height:auto;color:var(--ink-soft);padding-bottom:calc(var(--space) / 2);max-width:75ch;font-size:.875rem;position:static;overflow:visible}.table th,.table td{text-align:left;border-bottom:1px solid var(--line);vertical-align:baseline;padding:.25rem .75rem .25rem 0}.table tbody th{font-weight:400}.table .table-number,.table .table-number button{text-align:right;white-space:nowrap}.table .table-best{font-weight:650}.table thead button{font:inherit;color:inherit;cursor:pointer;text-align:left;background:0 0;border:0;min-height:24px;padding:.15rem 0;font-weight:600}.table thead button:focus-visible{outline:2px solid var(--focus)}.table thead th[aria-sort=ascending] button:after{content:\" ▲\";font-size:.7em}.table thead th[aria-sort=descending] button:after{content:\" ▼\";font-size:.7em}.table-tools{margin-top:calc(var(--space) / 2);align-items:baseline;gap:.25rem;display:flex}\n.chart{min-width:0;margin:0}.chart-scroll{overflow-x:auto}.chart-scroll:focus-visible{outline:2px solid var(--focus);outline-offset:2px}.chart-stage{min-height:6rem}.chart-stage svg{max-width:none;display:block}.chart-agreement .chart-stage,.chart-signed_agreement .chart-stage{cursor:pointer}.chart figcaption{gap:calc(var(--space) / 2) var(--space);color:var(--ink-soft);margin-top:calc(var(--space) / 2);flex-wrap:wrap;justify-content:space-between;align-items:baseline;font-size:.875rem;display:flex}.chart-caption{flex:18rem}.chart-tools{flex-wrap:wrap;align-items:baseline;gap:.25rem;display:inline-flex}.chart-tools button,.table-tools button{font:inherit;min-height:24px;color:var(--ink-soft);border:1px solid var(--line);border-radius:var(--radius);cursor:pointer;background:0 0;padding:.2rem .5rem;font-size:.75rem}.chart-tools button:hover,.table-tools button:hover{color:var(--ink);border-color:var(--ink-soft)}.chart-tools button:focus-visible,.table-tools button:focus-visible{outline:2px solid var(--focus);outline-offset:1px}.chart-status,.table-status{font-size:.75rem}.chart-failed{color:var(--warn)}@media print{.chart-tools,.table-tools{display:none}.chart{break-inside:avoid}.chart-scroll{overflow:visible}}\nxai-metrics{display:block}.metrics-picker{margin:0 0 var(--space);align-items:baseline;gap:.5rem;display:flex}.metrics-picker select{font:inherit;color:var(--ink);background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);min-width:0;max-width:min(100%,24rem);padding:.25rem .5rem}.metrics-picker select:focus-visible{outline:2px solid var(--focus);outline-offset:1px}.metrics-summary:first-letter{text-transform:uppercase}.metrics-summary,.metrics-note{color:var(--ink-soft);max-width:80ch}.metrics-verdict{border-left:3px solid var(--accent);max-width:80ch;padding-left:.75rem}.metrics-refused{border-left-color:var(--warn)}.metrics-grid{gap:calc(var(--space) * 2);margin-top:calc(var(--space) * 2);grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr));display:grid}.metrics-card{min-width:0}.metrics-critical_difference{grid-column:1/-1}.metrics-card h3{margin:0 0 calc(var(--space) / 2);font-size:1rem}@media print{.metrics-grid{display:block}.metrics-card{break-inside:avoid;margin-bottom:var(--space)}.metrics-picker{display:none}}\nxai-agreement{display:block}.agreement-picker{margin:0 0 var(--space);flex-wrap:wrap;align-items:baseline;gap:.5rem;display:flex}.agreement-picker select{font:inherit;color:var(--ink);background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);min-width:0;max-width:min(100%,24rem);padding:.25rem .5rem}.agreement-picker select:focus-visible{outline:2px solid var(--focus);outline-offset:1px}.agreement-summary:first-letter{text-transform:uppercase}.agreement-summary{color:var(--ink-soft);max-width:80ch}.agreement-pair{margin-top:var(--space)}.agreement-pair h3{margin:var(--space) 0 calc(var(--space) / 2);font-size:1rem}.agreement-wrong{color:var(--warn)}.agreement .chart{margin-bottom:var(--space)}@media print{.agreement-picker{display:none}}\n.examples{color:var(--ink);display:block}.examples *,.examples :before{box-sizing:border-box}.examples h2{overflow-wrap:anywhere;margin:0;font-size:1.15rem}.examples button,.examples select,.examples input{font:inherit;color:inherit}.examples button,.examples select,.examples input[type=search],.examples input[type=number]{background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius,6px);max-width:100%;min-height:2rem;padding:.25rem .55rem}.examples button{cursor:pointer}.examples button:hover{border-color:var(--ink-soft)}.examples :focus-visible{outline:2px solid var(--focus);outline-offset:2px}.examples summary{cursor:pointer;width:fit-content;padding:.3rem 0;font-weight:600}.examples details{margin:0}.examples [hidden]{display:none}.examples-unseen{clip-path:inset(50%);white-space:nowrap;width:1px;height:1px;position:absolute;overflow:hidden}.examples-caption,.examples-small{color:var(--ink-soft);overflow-wrap:anywhere;margin:.15rem 0;font-size:.85rem}.examples-wrong{color:var(--warn);font-size:.85rem;font-weight:600}.examples-layout{grid-template-columns:minmax(15rem,19rem) minmax(0,1fr);align-items:start;gap:1.5rem;display:grid}.examples-side{top:var(--sticky-top,6.2rem);max-height:calc(100vh - .5rem - var(--sticky-top,6.2rem));grid-template-rows:auto auto minmax(0,1fr);gap:.5rem;min-width:0;display:grid;position:sticky}.examples-form{gap:.4rem;min-width:0;display:grid}.examples-form input[type=search]{width:100%}.examples-filters[open]{max-height:45vh;padding:0 .2rem .3rem;overflow:hidden auto}.examples-filters .examples-field{gap:.1rem;margin-bottom:.4rem;display:grid}.examples-filters .examples-field:has(input[type=checkbox]){flex-direction:row-reverse;justify-content:start;display:flex}.examples-count{margin:0;font-size:.9rem;font-weight:600}.examples-options{flex-wrap:wrap;align-items:center;gap:.4rem .9rem;margin:.3rem 0;display:flex}.examples-field{flex-wrap:wrap;align-items:center;gap:.4rem;min-width:0;max-width:100%;font-size:.88rem;display:flex}.examples-field select{text-overflow:ellipsis;min-width:0;max-width:17rem}.examples-range{gap:.4rem;display:flex}.examples-range input{width:6rem}.examples-slider{align-items:center;gap:.4rem;display:inline-flex}.examples-slider input{accent-color:var(--accent);width:8rem}.examples-slider output{font-variant-numeric:tabular-nums;min-width:3.2rem}.examples input[type=checkbox]{accent-color:var(--accent);width:1.15rem;height:1.15rem;margin:0}.examples-list{align-content:start;gap:.3rem;min-height:8rem;margin:0;padding:3px;list-style:none;display:grid;position:relative;overflow-y:auto}.examples-list li{min-width:0}.examples-list button{text-align:start;background:0 0;grid-template-columns:auto minmax(0,1fr);align-items:center;gap:.2rem .6rem;width:100%;min-height:3.4rem;padding:.3rem .4rem;display:grid}.examples-list button[aria-current]{background:var(--paper-raised);border-color:var(--accent);box-shadow:inset 3px 0 0 var(--accent)}.examples-thumbnail{width:3rem;display:block}.examples-thumbnail img{object-fit:contain;background:#fff;width:3rem;height:3rem;display:block}.examples-thumbnail svg{width:3rem;height:2.4rem;display:block}.examples-thumbnail:has(.examples-snippet){grid-area:2/1/auto/-1;width:auto}.examples-snippet{-webkit-line-clamp:2;color:var(--ink-soft);overflow-wrap:anywhere;-webkit-box-orient:vertical;font-size:.82rem;display:-webkit-box;overflow:hidden}.examples-tiny,.examples-mini{image-rendering:pixelated}.examples-words{flex-wrap:wrap;align-items:baseline;gap:0 .5rem;min-width:0;display:flex}.examples-name{text-overflow:ellipsis;white-space:nowrap;flex-basis:100%;font-size:.9rem;overflow:hidden}.examples-list .examples-small{text-overflow:ellipsis;white-space:nowrap;max-width:100%;margin:0;font-size:.78rem;overflow:hidden}.examples-minis{flex-wrap:wrap;grid-column:1/-1;gap:3px;display:flex}.examples-mini{border:1px solid var(--line);background:#fff;max-width:4rem;height:2.8rem;display:inline-block}.examples-mini.examples-strip{width:100%;max-width:none;height:.8rem}.examples-none{width:2.8rem}.examples-large{grid-template-columns:minmax(0,1fr);gap:.5rem;min-width:0;display:grid}.examples-facts{flex-wrap:wrap;gap:.1rem 1.3rem;margin:.2rem 0;font-size:.9rem;display:flex}.examples-facts div{gap:.4rem;min-width:0;display:flex}.examples-facts dt{color:var(--ink-soft)}.examples-facts dd{overflow-wrap:anywhere;margin:0;font-weight:600}.examples-chips{flex-wrap:wrap;align-items:center;gap:.3rem;max-height:11.5rem;padding:3px;display:flex;overflow-y:auto}.examples .examples-chip{text-overflow:ellipsis;white-space:nowrap;border-radius:99px;max-width:100%;padding:.15rem .7rem;font-size:.86rem;overflow:hidden}.examples-chip small{color:var(--ink-soft)}.examples .examples-chip[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--on-accent,var(--paper))}.examples-chip[aria-pressed=true] small{color:inherit}.examples-legends{flex-wrap:wrap;align-items:center;gap:.2rem 1.5rem;display:flex}.examples-legends p{flex-basis:100%;max-width:60rem}.examples-legend{font-size:.85rem}.examples-scale{border:1px solid var(--line);vertical-align:middle;width:8rem;height:.8rem;margin:0 .3rem;display:inline-block}.examples-panels{grid-template-columns:repeat(auto-fill,minmax(min(13rem,100%),1fr));align-items:start;gap:0 1rem;display:grid}.examples-panels.examples-of-image{grid-template-columns:repeat(auto-fit,minmax(min(10.4rem,44vw),1fr))}.examples-panels.examples-of-tokens,.examples-panels.examples-of-series,.examples-panels.examples-of-columns{grid-template-columns:repeat(auto-fill,minmax(min(24rem,100%),1fr))}.examples-panel{grid-row:span 3;grid-template-rows:subgrid;break-inside:avoid;align-items:start;min-width:0;margin:0 0 1.2rem;display:grid}.examples-of-image .examples-panel{max-width:24rem}.examples-panel>div{min-width:0}.examples-display{flex-wrap:wrap;align-items:center;gap:.3rem 1.1rem;display:flex}.examples-display details[open]{flex-basis:100%}.examples-panel figcaption,.examples-pair figcaption{overflow-wrap:anywhere;justify-content:space-between;align-items:center;gap:.5rem;margin-bottom:.25rem;font-size:.9rem;font-weight:600;display:flex}.examples-save{flex:none;gap:.2rem;display:inline-flex}.examples .examples-save button{min-height:1.6rem;color:var(--ink-soft);padding:0 .4rem;font-size:.72rem;font-weight:400}.examples-later{grid-row:span 3;min-height:22rem}.examples-canvas{touch-action:pan-y;cursor:crosshair;width:100%;image-rendering:pixelated;background:#fff;display:block}.examples-zoomed{touch-action:none;cursor:grab}.examples-said{font-variant-numeric:tabular-nums;overflow-wrap:anywhere;min-height:1.3em;margin:.15rem 0;font-size:.85rem}div.examples-tokens{color:#111;border:1px solid var(--line);border-radius:var(--radius,6px);overflow-wrap:anywhere;background:#fff;max-height:30rem;margin:0;padding:.5rem;line-height:1.75;overflow-y:auto}.examples-token{border-radius:2px;padding:.08em 0}.examples-special{color:#6a6a6a;font-size:.82em}.examples-continued{flex-wrap:wrap;align-items:baseline;gap:.5rem;margin:.5rem 0;display:flex}.examples-continued-text{white-space:pre-wrap;border:1px solid var(--line);border-radius:var(--radius,6px);color:#111;background:#fff;padding:.25rem .5rem;line-height:1.75}.examples-continued .examples-continued-token{all:unset;white-space:pre-wrap;border-bottom:3px solid #0000}.examples-continued .examples-continued-token.examples-for{border-bottom-color:#b2182b}.examples-continued .examples-continued-token.examples-against{border-bottom-color:#2166ac}.examples-continued button.examples-continued-token{cursor:pointer}.examples-continued button.examples-continued-token:focus-visible{outline-offset:2px;outline:2px solid #0b5cad}.examples-continued button.examples-continued-token[aria-pressed=true]{background:#fdeecb}.examples-matrix{margin:1rem 0}.examples-matrix figcaption{margin-bottom:.35rem;font-weight:600}.examples-matrix>div{overflow-x:auto}.examples-matrix table{border-collapse:collapse;font-size:.8rem}.examples-matrix th{white-space:nowrap;padding:.15rem .35rem;font-weight:400}.examples-matrix td{text-align:right;font-variant-numeric:tabular-nums;padding:.15rem .35rem}.examples-token.examples-inside{text-underline-offset:3px;text-decoration:underline;text-decoration-thickness:2px}.examples-pointed{outline-offset:1px;outline:2px solid #0a7d28}.examples-table table,.examples-scores,.examples-bars{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%;font-size:.85rem}.examples-table th,.examples-table td,.examples-scores th,.examples-scores td,.examples-bars th,.examples-bars td{text-align:start;border-bottom:1px solid var(--line);overflow-wrap:anywhere;padding:.15rem .4rem .15rem 0;font-weight:400}.examples-number{white-space:nowrap;text-align:end!important}.examples-bars thead th{color:var(--ink-soft);overflow-wrap:normal}.examples-bars thead th:nth-child(n+3){text-align:end}.examples-bars small{color:var(--ink-soft)}.examples-bars tr.examples-inside th{font-weight:700}.examples-bars .examples-truth{color:var(--good)}.examples-track{width:46%;min-width:5rem}.examples-bar{background:#fff;height:.9rem;position:relative}.examples-bar i{height:100%;display:block}.examples-middle:before{content:\"\";border-inline-start:1px solid #777;position:absolute;inset:-2px auto -2px 50%}.examples-series{touch-action:pan-y;cursor:crosshair;position:relative}.examples-series svg{width:100%;height:100%;display:block}.examples-cursor{pointer-events:none;background:#0a7d28;width:2px;margin-inline-start:-1px;position:absolute;inset-block:0}.examples-importance{border-top:1px solid var(--line);margin-top:2rem;padding-top:1rem}.examples-pair{grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));align-items:start;gap:1.5rem;display:grid}.examples-pair figure{min-width:0;margin:0}.examples-scroll{overflow-x:auto}.examples-swarm{min-width:26rem;max-width:100%;height:auto}.examples-swarm circle{cursor:pointer}.examples-swarm .examples-ink{fill:var(--ink)}@media (width<=56rem){.examples-layout{grid-template-columns:minmax(0,1fr);gap:1rem}.examples-side{grid-template-rows:none;max-height:none;position:static}.examples-list{grid-auto-columns:minmax(9rem,11rem);grid-auto-flow:column;min-height:0;overflow:auto hidden}.examples-list li{display:grid}.examples-panels.examples-of-image{grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr))}}@media (width<=30rem){.examples-track{width:28%;min-width:3.5rem}}@media print{.examples-side,.examples-save,.examples-cells,.examples-display,.examples-said,.examples-heading button{display:none}.examples-layout{display:block}.examples-canvas,.examples-token,.examples-bar i,.examples-scale{-webkit-print-color-adjust:exact;print-color-adjust:exact}}@media (forced-colors:active){.examples-token,.examples-bar i,.examples-scale{forced-color-adjust:none}}\n.panel{margin-top:2rem}.panel-failed{overflow-wrap:anywhere}.panel-html{overflow-x:auto}.panel-html table{border-collapse:collapse}.panel-html th,.panel-html td{text-align:left;padding:.2rem .6rem}\n.live{border-top:1px solid var(--line);margin-top:1.5rem;padding-top:.5rem;display:block}.live h3{margin:.5rem 0}.live h4{overflow-wrap:anywhere;margin:.9rem 0 .4rem;font-size:.95rem}.live-form{grid-template-columns:repeat(auto-fit,minmax(min(17rem,100%),1fr));gap:.75rem;margin:.6rem 0;display:grid}.live-group{border:1px solid var(--line);border-radius:var(--radius);min-width:0;margin:0;padding:.4rem .75rem .6rem}.live-group legend{overflow-wrap:anywhere;padding:0 .3rem;font-size:.9rem;font-weight:600}.live-fields{gap:.5rem;display:grid}.live-field{gap:.15rem;min-width:0;display:grid}.live-field label,.live-choice{font-size:.9rem;font-weight:600}.live-field input[type=text],.live-field select{width:100%}.live-choice{flex-wrap:wrap;align-items:center;gap:.4rem;margin:.3rem 0;display:flex}.live-choice select{min-width:0;font-weight:400}.live-hint{color:var(--ink-soft);overflow-wrap:anywhere;margin:0;font-size:.8rem}.live-error{color:var(--warn);white-space:pre-wrap;overflow-wrap:anywhere;margin:.1rem 0;font-size:.85rem}.live [aria-invalid=true]{border-color:var(--warn);outline:1px solid var(--warn)}.live-actions{flex-wrap:wrap;align-items:center;gap:.5rem .75rem;margin:.5rem 0;display:flex}.examples .live-go{background:var(--accent);color:var(--on-accent,var(--paper));border-color:var(--accent);font-weight:600}.live-said{font-variant-numeric:tabular-nums;overflow-wrap:anywhere;margin:0;font-size:.9rem}.live progress{width:10rem;accent-color:var(--accent)}.live-own textarea{width:100%;max-width:48rem;font:inherit;color:var(--ink);background:var(--paper-raised);border:1px solid var(--line);border-radius:var(--radius);padding:.4rem}.live-row{max-height:22rem;margin:.4rem 0;overflow-y:auto}.live-own>button,.live-own>.live-hint{margin:.4rem 0}@media (prefers-reduced-motion:no-preference){.live progress{transition:width .12s}}@media print{.live-form,.live-actions,.live-more,.live-own,.live-choice{display:none}}";
// src/define.ts
function B(e, t) {
	let n = e;
	for (let t = 2; customElements.get(n); t++) n = `${e}-${t}`;
	customElements.define(n, t);
}
// src/section.ts
var V = class extends HTMLElement {
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
// src/tables/markup.ts
function fn(e, t) {
	return [e, ...t].map((e) => e.map(pn).join(",")).join("\r\n") + "\r\n";
}
function pn(e) {
	if (e === null || Number.isNaN(e)) return "";
	let t = String(e);
	return /[",\r\n]/.test(t) ? `"${t.replaceAll("\"", "\"\"")}"` : t;
}
function mn(e, t, n = "") {
	let r = (e) => `| ${e.join(" | ")} |`, i = t.map((e) => r(e.map((e) => gn(hn(e))))), a = `|---|${"---:|".repeat(Math.max(0, e.length - 1))}`;
	return [
		r(e.map(gn)),
		a,
		...i,
		...n ? ["", gn(n)] : [],
		""
	].join("\n");
}
function hn(e) {
	return e === null || Number.isNaN(e) ? "–" : String(e);
}
function gn(e) {
	return e.replace(/[\\`*_[\]<>|~#]/g, "\\$&").replace(/\s+/g, " ");
}
var _n = {
	"\\": "\\textbackslash{}",
	"{": "\\{",
	"}": "\\}",
	"&": "\\&",
	"%": "\\%",
	$: "\\$",
	"#": "\\#",
	_: "\\_",
	"~": "\\textasciitilde{}",
	"^": "\\textasciicircum{}",
	"<": "\\textless{}",
	">": "\\textgreater{}",
	"|": "\\textbar{}",
	"\"": "\\textquotedbl{}",
	"–": "--",
	"∞": "$\\infty$",
	"↑": "$\\uparrow$",
	"↓": "$\\downarrow$"
};
function vn(e) {
	return [...e.replace(/\s+/g, " ")].map((e) => _n[e] ?? (/[\x20-\x7eÀ-ž]/.test(e) ? e : "?")).join("");
}
function yn(e, t, n = "") {
	let r = (e) => `${e.join(" & ")} \\\\`;
	return [
		"% needs \\usepackage{booktabs}",
		"\\begin{table}",
		"\\centering",
		"\\small",
		...n ? [`\\caption{${vn(n)}}`] : [],
		`\\begin{tabular}{l${"r".repeat(Math.max(0, e.length - 1))}}`,
		"\\toprule",
		r(e.map(vn)),
		"\\midrule",
		...t.map((e) => r(e.map((e) => bn(hn(e))))),
		"\\bottomrule",
		"\\end{tabular}",
		"\\end{table}",
		""
	].join("\n");
}
function bn(e) {
	let t = /^(-?[\d.]+)e([+-]?\d+)$/.exec(e);
	return t ? `$${t[1]} \\times 10^{${Number(t[2])}}$` : /^-[\d.]+$/.test(e) ? `$${e}$` : vn(e);
}
// src/tables/tools.ts
function xn(e, t, n) {
	let r = i("span", {
		class: "table-status",
		"aria-live": "polite"
	});
	return i("div", { class: "table-tools" }, [
		["CSV", () => fn(e, t().exact)],
		["Markdown", () => mn(e, t().shown, n)],
		["LaTeX", () => yn(e, t().shown, n)]
	].map(([e, t]) => i("button", {
		type: "button",
		title: `copy the table as ${e}`,
		onclick: () => void l(t()).then((e) => r.textContent = e)
	}, e)), r);
}
// src/answer/heat_table.ts
function Sn(e, t) {
	if (e.higher === null || t.mean === null) return null;
	let n = e.means.flatMap((e) => e.mean === null ? [] : [e.mean]), [r, i] = [Math.min(...n), Math.max(...n)];
	if (r === i) return null;
	let a = (t.mean - r) / (i - r);
	return e.higher ? a : 1 - a;
}
function Cn(e) {
	let t = e.cells.map(() => []);
	for (let n of e.metrics) for (let e of n.means) {
		let r = Sn(n, e);
		r !== null && t[e.cell].push(r);
	}
	let n = t.map((e) => e.length ? e.reduce((e, t) => e + t) / e.length : -1);
	return e.cells.map((e, t) => t).filter((t) => e.cells[t].status === "done").sort((e, t) => n[t] - n[e] || e - t);
}
function wn(e, t) {
	if (!e.metrics.length) return i("p", null, "This study has no scores.");
	let n = i("table", { class: "heat" }, i("caption", null, "Means of all cells"), i("thead", null, i("tr", null, i("th", { scope: "col" }, "method / baseline"), e.metrics.map((e) => Dn(e, t)))), i("tbody", null, Cn(e).map((t) => On(e, t)))), r = e.made.families === "all" ? "over all metrics" : "within one metric, not over metrics";
	return i("section", { class: "answer-table" }, i("h2", null, "Methods and metrics"), i("div", {
		class: "scroll",
		tabindex: "0",
		role: "region",
		"aria-label": "means of all cells"
	}, n), xn(Tn(e), () => En(e), "Means of all cells, with letters"), i("p", { class: "soft" }, `Letters: two cells of a metric that share no letter differ significantly (paired tests, 5 % family-wise ${r}); cells that share one are not shown to be equal. `, "In brackets: the ranks that the tests leave possible; ★ where rank 1 is among them. Shade: the mean between the worst (none) and the best (full) of its metric. The order of the rows is for reading and not tested."));
}
function Tn(e) {
	return ["method / baseline", ...e.metrics.flatMap((e) => [e.name, `${e.name} letters`])];
}
function En(e) {
	let t = (t) => Cn(e).map((n) => [e.cells[n].label, ...e.metrics.flatMap((e) => {
		let r = e.means.find((e) => e.cell === n);
		return r ? [t(r), r.letters] : [null, ""];
	})]);
	return {
		exact: t((e) => e.mean),
		shown: t((e) => A(e.mean))
	};
}
function Dn(e, t) {
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
	}, e.name), n && i("span", {
		role: "img",
		"aria-label": r
	}, n));
}
function On(e, t) {
	let n = e.cells[t];
	return i("tr", { class: n.control ? "control" : "" }, i("th", { scope: "row" }, n.label, n.control ? i("span", { class: "tag" }, "control") : null), e.metrics.map((e) => {
		let r = e.means.find((e) => e.cell === t);
		if (!r || r.mean === null) return i("td", {
			class: "n undefined",
			title: "undefined"
		}, "–");
		let a = Sn(e, r), o = r.ranks ? ` [${r.ranks[0] === r.ranks[1] ? r.ranks[0] : `${r.ranks[0]} to ${r.ranks[1]}`}]` : "", s = r.low === null ? "" : `; 95 % interval of this mean ${A(r.low)} to ${A(r.high)}; n ${r.n}`;
		return i("td", {
			class: "n",
			style: a === null ? {} : { "--shade": a.toFixed(3) },
			title: `${n.label}, ${e.name}: ${A(r.mean)}${s}`
		}, i("span", { class: "mean" }, A(r.mean)), " ", i("span", { class: "letters" }, r.letters), " ", i("span", { class: "ranks" }, o.trim(), r.best ? " ★" : ""), r.undefined > 0 ? [" ", i("span", { class: "few" }, `n ${r.n}`)] : null);
	}));
}
// src/answer/section.ts
var kn = class extends V {
	keys = [];
	draw() {
		let { answer: e, problems: t } = this.study;
		this.replaceChildren(i("p", { class: "lead" }, e.asked), e.performance ? i("p", null, i("strong", null, "Model: "), e.performance, " on the explained examples.") : "", this.study.clusters ? i("p", null, this.study.clusters) : "", e.claim ? i("p", { class: "claim" }, e.claim) : "", this.verdicts(), wn(this.study, this.context.state), e.hints.length ? i("section", null, i("h2", null, "What to do next"), i("ul", null, e.hints.map((e) => i("li", null, e)))) : "", t.length ? jn(this.study) : "");
	}
	verdicts() {
		let { verdicts: e } = this.study.answer;
		return e.length ? i("section", null, i("h2", null, "What the tests show"), i("dl", { class: "verdicts" }, e.flatMap((e) => [i("dt", null, i("a", {
			href: "#",
			onclick: (t) => this.open_metric(t, e.metric)
		}, e.metric)), i("dd", { class: e.refused ? "refused" : "" }, An(e.brief))]))) : i("p", null, "This study has no metric that ranks its cells.");
	}
	open_metric(e, t) {
		e.preventDefault(), this.context.state.set({
			section: "metrics",
			metric: t
		});
	}
};
function An(e) {
	return e.split("; ").map((t, n) => i("span", { class: n ? "part" : "part first" }, t + (n === e.split("; ").length - 1 ? "." : ";")));
}
function jn(e) {
	return i("section", { class: "problems" }, i("h2", null, "Notes and problems"), e.problems.map((e) => i("details", {
		class: e.severe ? "problem severe" : "problem",
		open: e.severe || e.title === "Read this first"
	}, i("summary", null, e.title), e.rows.filter(([e]) => !e).map(([, e]) => i("p", null, e)), i("dl", null, e.rows.filter(([e]) => e).flatMap(([e, t]) => [i("dt", null, e), i("dd", null, t)])), e.tracebacks.map(([e, t]) => i("details", null, i("summary", null, e), i("pre", { tabindex: "0" }, t))))));
}
B("xai-answer", kn);
// src/tables/table.ts
var Mn = 40;
function H({ caption: e, columns: t, rows: n }) {
	let r = i("tbody", null, n.map(Nn)), a = null, o = t.map((e, t) => i("th", {
		scope: "col",
		"aria-sort": "none",
		title: e.title,
		class: t && n.some((e) => typeof U(e[t] ?? null) == "number") ? "table-number" : null
	}, i("button", {
		type: "button",
		onclick: () => s(t)
	}, e.name))), s = (e) => {
		let t = a?.column !== e || !a.up;
		a = {
			column: e,
			up: t
		}, o.forEach((n, r) => n.setAttribute("aria-sort", r === e ? t ? "ascending" : "descending" : "none")), r.replaceChildren(...Fn(n, e, t).map(Nn));
	}, c = t.map((e) => e.name), l = () => (a ? Fn(n, a.column, a.up) : n).map((e) => e.map(Pn));
	return i("div", { class: "table" }, i("div", {
		class: n.length > Mn ? "table-scroll table-long" : "table-scroll",
		tabindex: 0,
		role: "group",
		"aria-label": e
	}, i("table", null, i("caption", null, e), i("thead", null, i("tr", null, o)), r)), xn(c, () => ({
		exact: n.map((e) => e.map(U)),
		shown: l()
	}), e));
}
function Nn(e) {
	return i("tr", null, e.map((e, t) => {
		let n = typeof e == "object" && e ? e : null, r = n?.node ?? String(Pn(e)), a = [(typeof U(e) == "number" || U(e) === null) && t ? "table-number" : "", n?.class ?? ""].join(" ").trim();
		return t ? i("td", { class: a || null }, r) : i("th", {
			scope: "row",
			class: a || null
		}, r);
	}));
}
function U(e) {
	return typeof e == "object" && e ? e.value : e;
}
function Pn(e) {
	if (typeof e == "object" && e && e.text !== void 0) return e.text;
	let t = U(e);
	return typeof t == "string" ? t : A(t);
}
function Fn(e, t, n) {
	let r = n ? 1 : -1;
	return [...e].sort((e, n) => {
		let [i, a] = [U(e[t] ?? null), U(n[t] ?? null)], [o, s] = [i === null || Number.isNaN(i), a === null || Number.isNaN(a)];
		return o || s ? Number(o) - Number(s) : typeof i == "number" && typeof a == "number" ? r * (i - a) : r * String(i).localeCompare(String(a), "en", { numeric: !0 });
	});
}
var W = {
	$schema: "https://vega.github.io/schema/vega-lite/v6.4.1.json",
	config: {
		axis: {
			domainColor: { expr: "line" },
			gridColor: { expr: "line" },
			labelColor: { expr: "ink" },
			labelFontSize: 12,
			tickColor: { expr: "line" },
			titleColor: { expr: "soft" },
			titleFontSize: 12,
			titleFontWeight: "normal"
		},
		axisY: { labelLimit: 260 },
		background: { expr: "paper" },
		font: "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
		header: {
			labelColor: { expr: "ink" },
			labelFontSize: 12,
			labelFontWeight: "bold",
			labelLimit: 300,
			titleColor: { expr: "soft" },
			titleFontSize: 12,
			titleFontWeight: "normal"
		},
		legend: {
			gradientLength: 160,
			labelColor: { expr: "ink" },
			labelFontSize: 12,
			titleColor: { expr: "soft" },
			titleFontSize: 12,
			titleFontWeight: "normal",
			titleLimit: 360
		},
		padding: 4,
		range: { category: [
			"#0072b2",
			"#d55e00",
			"#009e73",
			"#cc79a7",
			"#e69f00",
			"#56b4e9",
			"#7f7f7f"
		] },
		title: {
			anchor: "start",
			color: { expr: "ink" },
			fontSize: 13
		},
		view: {
			continuousHeight: 260,
			continuousWidth: 420,
			stroke: null
		}
	},
	params: [
		{
			name: "ink",
			value: "#1b1f24"
		},
		{
			name: "soft",
			value: "#5b6570"
		},
		{
			name: "line",
			value: "#d5dae0"
		},
		{
			name: "paper",
			value: "#ffffff"
		},
		{
			name: "accent",
			value: "#0072b2"
		},
		{
			name: "warn",
			value: "#b3470a"
		},
		{
			name: "good",
			value: "#00795a"
		},
		{
			name: "low",
			value: "#b3470a"
		},
		{
			name: "middle",
			value: "#f4f4f2"
		},
		{
			name: "high",
			value: "#0a5a9c"
		}
	],
	charts: /* @__PURE__ */ JSON.parse("{\"intervals\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":22},\"layer\":[{\"encoding\":{\"tooltip\":[{\"field\":\"cell\",\"title\":\"control\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"}],\"x\":{\"field\":\"mean\",\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"warn\"},\"strokeDash\":[4,3],\"strokeWidth\":1.3,\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.control\"}]},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.best\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"},{\"field\":\"letters\",\"type\":\"nominal\"}],\"x\":{\"field\":\"low\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"high\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"strokeWidth\":2,\"type\":\"rule\"}},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.best\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"shape\":{\"condition\":{\"test\":\"datum.best\",\"value\":\"diamond\"},\"value\":\"circle\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"},{\"field\":\"letters\",\"type\":\"nominal\"}],\"x\":{\"axis\":{\"tickCount\":6},\"field\":\"mean\",\"scale\":{\"padding\":8,\"zero\":false},\"title\":\"mean and marginal 95 % interval\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":75,\"strokeWidth\":1.5,\"type\":\"point\"}},{\"encoding\":{\"text\":{\"field\":\"letters\",\"type\":\"nominal\"},\"x\":{\"field\":\"edge\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"align\":\"left\",\"color\":{\"expr\":\"ink\"},\"dx\":7,\"fontSize\":12,\"type\":\"text\"}}],\"width\":420},\"intervals_by_metric\":{\"columns\":2,\"data\":{\"name\":\"rows\"},\"facet\":{\"field\":\"metric\",\"sort\":null,\"title\":null,\"type\":\"nominal\"},\"resolve\":{\"scale\":{\"x\":\"independent\",\"y\":\"independent\"}},\"spec\":{\"height\":{\"step\":20},\"layer\":[{\"encoding\":{\"tooltip\":[{\"field\":\"cell\",\"title\":\"control\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"}],\"x\":{\"field\":\"mean\",\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"warn\"},\"strokeDash\":[4,3],\"strokeWidth\":1.3,\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.control\"}]},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.best\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"},{\"field\":\"letters\",\"type\":\"nominal\"}],\"x\":{\"field\":\"low\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"high\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"strokeWidth\":2,\"type\":\"rule\"}},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.best\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"shape\":{\"condition\":{\"test\":\"datum.best\",\"value\":\"diamond\"},\"value\":\"circle\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"},{\"field\":\"letters\",\"type\":\"nominal\"}],\"x\":{\"axis\":{\"tickCount\":6},\"field\":\"mean\",\"scale\":{\"padding\":8,\"zero\":false},\"title\":\"mean and marginal 95 % interval\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":75,\"strokeWidth\":1.5,\"type\":\"point\"}},{\"encoding\":{\"text\":{\"field\":\"letters\",\"type\":\"nominal\"},\"x\":{\"field\":\"edge\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"align\":\"left\",\"color\":{\"expr\":\"ink\"},\"dx\":7,\"fontSize\":12,\"type\":\"text\"}}],\"width\":300}},\"groups\":{\"data\":{\"name\":\"rows\"},\"encoding\":{\"color\":{\"field\":\"group\",\"legend\":{\"columns\":2,\"labelLimit\":300,\"orient\":\"top\",\"title\":null},\"scale\":{\"range\":[\"#0072b2\",\"#d55e00\",\"#009e73\",\"#cc79a7\",\"#e69f00\",\"#56b4e9\",\"#7f7f7f\"]},\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"shape\":{\"field\":\"group\",\"legend\":{\"columns\":2,\"labelLimit\":300,\"orient\":\"top\",\"title\":null},\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"group\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"tickCount\":6},\"field\":\"mean\",\"scale\":{\"padding\":8,\"zero\":false},\"title\":\"mean\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"scale\":{\"paddingInner\":0.35},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"yOffset\":{\"field\":\"group\",\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"height\":{\"for\":\"position\",\"step\":26},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":55,\"type\":\"point\"},\"width\":420},\"group_means\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":24},\"layer\":[{\"encoding\":{\"color\":{\"field\":\"mean\",\"legend\":{\"orient\":\"bottom\",\"title\":\"mean\"},\"scale\":{\"interpolate\":\"rgb\",\"range\":[{\"expr\":\"middle\"},{\"expr\":\"high\"}],\"zero\":false},\"type\":\"quantitative\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"group\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"group\",\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"stroke\":{\"expr\":\"paper\"},\"type\":\"rect\"}},{\"encoding\":{\"text\":{\"field\":\"label\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"group\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"group\",\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"!isValid(datum['mean']) ? ink : luminance(scale('color', datum['mean'])) > 0.179 ? '#000000' : '#ffffff'\"},\"fontSize\":11,\"type\":\"text\"}}],\"padding\":{\"bottom\":4,\"left\":4,\"right\":120,\"top\":4},\"width\":420},\"across\":{\"data\":{\"name\":\"rows\"},\"height\":{\"for\":\"offset\",\"step\":11},\"layer\":[{\"encoding\":{\"color\":{\"field\":\"group\",\"legend\":null,\"scale\":{\"range\":[\"#0072b2\",\"#d55e00\",\"#009e73\",\"#cc79a7\",\"#e69f00\",\"#56b4e9\",\"#7f7f7f\"]},\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"x\":{\"field\":\"low\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"high\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"scale\":{\"paddingInner\":0.35},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"yOffset\":{\"field\":\"group\",\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"strokeWidth\":1.6,\"type\":\"rule\"}},{\"encoding\":{\"color\":{\"field\":\"group\",\"legend\":{\"columns\":2,\"labelLimit\":300,\"orient\":\"top\",\"title\":null},\"scale\":{\"range\":[\"#0072b2\",\"#d55e00\",\"#009e73\",\"#cc79a7\",\"#e69f00\",\"#56b4e9\",\"#7f7f7f\"]},\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"shape\":{\"field\":\"group\",\"legend\":{\"columns\":2,\"labelLimit\":300,\"orient\":\"top\",\"title\":null},\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"group\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"tickCount\":6},\"field\":\"mean\",\"scale\":{\"padding\":8,\"zero\":false},\"title\":\"mean and marginal 95 % interval\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"scale\":{\"paddingInner\":0.35},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"yOffset\":{\"field\":\"group\",\"sort\":{\"field\":\"group_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":55,\"type\":\"point\"}}],\"resolve\":{\"scale\":{\"color\":\"independent\",\"shape\":\"independent\"}},\"width\":420},\"win_rates\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":24},\"layer\":[{\"encoding\":{\"color\":{\"field\":\"share\",\"legend\":{\"format\":\".0%\",\"orient\":\"bottom\",\"title\":\"row better, share of examples\"},\"scale\":{\"domain\":[0,0.5,1],\"interpolate\":\"rgb\",\"range\":[{\"expr\":\"low\"},{\"expr\":\"middle\"},{\"expr\":\"high\"}]},\"type\":\"quantitative\"},\"tooltip\":[{\"field\":\"row\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"compared with\",\"type\":\"nominal\"},{\"field\":\"share\",\"format\":\".0%\",\"title\":\"row better\",\"type\":\"quantitative\"},{\"field\":\"wins\",\"title\":\"examples, row better\",\"type\":\"quantitative\"},{\"field\":\"ties\",\"title\":\"examples, equal\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"},{\"field\":\"p\",\"format\":\".2~g\",\"title\":\"p of the means, adjusted\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"stroke\":{\"expr\":\"paper\"},\"type\":\"rect\"}},{\"encoding\":{\"text\":{\"field\":\"share\",\"format\":\".0%\",\"type\":\"quantitative\"},\"tooltip\":[{\"field\":\"row\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"compared with\",\"type\":\"nominal\"},{\"field\":\"share\",\"format\":\".0%\",\"title\":\"row better\",\"type\":\"quantitative\"},{\"field\":\"wins\",\"title\":\"examples, row better\",\"type\":\"quantitative\"},{\"field\":\"ties\",\"title\":\"examples, equal\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"},{\"field\":\"p\",\"format\":\".2~g\",\"title\":\"p of the means, adjusted\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"!isValid(datum['share']) ? ink : luminance(scale('color', datum['share'])) > 0.179 ? '#000000' : '#ffffff'\"},\"fontSize\":11,\"type\":\"text\"}}],\"padding\":{\"bottom\":4,\"left\":4,\"right\":120,\"top\":4},\"width\":420},\"letters\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":22},\"layer\":[{\"encoding\":{\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"letter\",\"type\":\"nominal\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":0,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"letter\",\"sort\":null,\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"scale\":{\"paddingInner\":0,\"paddingOuter\":0.1},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"accent\"},\"type\":\"rect\",\"width\":{\"band\":0.55}}},{\"encoding\":{\"text\":{\"field\":\"letter\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"letter\",\"type\":\"nominal\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":0,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"letter\",\"sort\":null,\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"cell\",\"scale\":{\"paddingInner\":0,\"paddingOuter\":0.1},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"paper\"},\"fontSize\":12,\"fontWeight\":\"bold\",\"type\":\"text\"}}],\"width\":{\"step\":46}},\"differences\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":20},\"layer\":[{\"encoding\":{\"x\":{\"field\":\"below\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"margin\"}},\"mark\":{\"color\":{\"expr\":\"good\"},\"opacity\":0.15,\"type\":\"rect\"},\"transform\":[{\"aggregate\":[{\"as\":\"margin\",\"field\":\"margin\",\"op\":\"max\"}]},{\"as\":\"below\",\"calculate\":\"-datum.margin\"}]},{\"encoding\":{\"x\":{\"datum\":0}},\"mark\":{\"color\":{\"expr\":\"ink\"},\"strokeWidth\":1,\"type\":\"rule\"},\"transform\":[{\"aggregate\":[{\"as\":\"pairs\",\"op\":\"count\"}]}]},{\"encoding\":{\"color\":{\"field\":\"shown\",\"legend\":{\"orient\":\"top\",\"symbolSize\":80,\"title\":null},\"scale\":{\"domain\":[\"different\",\"equal\",\"unknown\"],\"range\":[{\"expr\":\"accent\"},{\"expr\":\"good\"},{\"expr\":\"soft\"}]},\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"pair\",\"type\":\"nominal\"},{\"field\":\"difference\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"p\",\"format\":\".2~g\",\"title\":\"p, adjusted\",\"type\":\"quantitative\"},{\"field\":\"shown\",\"type\":\"nominal\"}],\"x\":{\"field\":\"low\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"high\"},\"y\":{\"axis\":{\"domain\":false,\"ticks\":false,\"title\":null},\"field\":\"pair\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"strokeWidth\":2,\"type\":\"rule\"}},{\"encoding\":{\"color\":{\"field\":\"shown\",\"legend\":{\"orient\":\"top\",\"symbolSize\":80,\"title\":null},\"scale\":{\"domain\":[\"different\",\"equal\",\"unknown\"],\"range\":[{\"expr\":\"accent\"},{\"expr\":\"good\"},{\"expr\":\"soft\"}]},\"type\":\"nominal\"},\"shape\":{\"field\":\"shown\",\"scale\":{\"domain\":[\"different\",\"equal\",\"unknown\"],\"range\":[\"circle\",\"square\",\"triangle-up\"]},\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"pair\",\"type\":\"nominal\"},{\"field\":\"difference\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"p\",\"format\":\".2~g\",\"title\":\"p, adjusted\",\"type\":\"quantitative\"},{\"field\":\"shown\",\"type\":\"nominal\"}],\"x\":{\"axis\":{\"tickCount\":6},\"field\":\"difference\",\"scale\":{\"zero\":true},\"title\":\"difference of the means, simultaneous 95 % interval\",\"type\":\"quantitative\"},\"y\":{\"axis\":{\"domain\":false,\"ticks\":false,\"title\":null},\"field\":\"pair\",\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":60,\"type\":\"point\"}}],\"width\":420},\"critical_difference\":{\"data\":{\"name\":\"rows\"},\"height\":220,\"layer\":[{\"encoding\":{\"x\":{\"axis\":{\"domainColor\":{\"expr\":\"ink\"},\"format\":\"d\",\"grid\":false,\"labelExpr\":\"datum.value < 1 || datum.value > cells ? '' : datum.label\",\"orient\":\"top\",\"tickMinStep\":1},\"field\":\"rank\",\"scale\":{\"nice\":false,\"padding\":190,\"zero\":false},\"title\":\"mean rank, 1 is best\",\"type\":\"quantitative\"},\"y\":{\"axis\":null,\"field\":\"axis\",\"type\":\"quantitative\"},\"y2\":{\"field\":\"level\"}},\"mark\":{\"color\":{\"expr\":\"soft\"},\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.kind == 'cell'\"},{\"as\":\"axis\",\"calculate\":\"0\"}]},{\"encoding\":{\"x\":{\"axis\":{\"domainColor\":{\"expr\":\"ink\"},\"format\":\"d\",\"grid\":false,\"labelExpr\":\"datum.value < 1 || datum.value > cells ? '' : datum.label\",\"orient\":\"top\",\"tickMinStep\":1},\"field\":\"rank\",\"scale\":{\"nice\":false,\"padding\":190,\"zero\":false},\"title\":\"mean rank, 1 is best\",\"type\":\"quantitative\"},\"x2\":{\"value\":0},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"soft\"},\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.kind == 'cell'\"},{\"filter\":\"datum.side == 'left'\"}]},{\"encoding\":{\"text\":{\"field\":\"name\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"rank\",\"format\":\".3f\",\"title\":\"mean rank\",\"type\":\"quantitative\"}],\"x\":{\"value\":0},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"align\":\"left\",\"baseline\":\"bottom\",\"color\":{\"expr\":\"ink\"},\"dy\":-2,\"fontSize\":12,\"limit\":240,\"type\":\"text\"},\"transform\":[{\"filter\":\"datum.kind == 'cell'\"},{\"filter\":\"datum.side == 'left'\"},{\"as\":\"name\",\"calculate\":\"datum.cell + '  ' + format(datum.rank, '.2f')\"}]},{\"encoding\":{\"x\":{\"axis\":{\"domainColor\":{\"expr\":\"ink\"},\"format\":\"d\",\"grid\":false,\"labelExpr\":\"datum.value < 1 || datum.value > cells ? '' : datum.label\",\"orient\":\"top\",\"tickMinStep\":1},\"field\":\"rank\",\"scale\":{\"nice\":false,\"padding\":190,\"zero\":false},\"title\":\"mean rank, 1 is best\",\"type\":\"quantitative\"},\"x2\":{\"value\":\"width\"},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"soft\"},\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.kind == 'cell'\"},{\"filter\":\"datum.side == 'right'\"}]},{\"encoding\":{\"text\":{\"field\":\"name\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"rank\",\"format\":\".3f\",\"title\":\"mean rank\",\"type\":\"quantitative\"}],\"x\":{\"value\":\"width\"},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"align\":\"right\",\"baseline\":\"bottom\",\"color\":{\"expr\":\"ink\"},\"dy\":-2,\"fontSize\":12,\"limit\":240,\"type\":\"text\"},\"transform\":[{\"filter\":\"datum.kind == 'cell'\"},{\"filter\":\"datum.side == 'right'\"},{\"as\":\"name\",\"calculate\":\"format(datum.rank, '.2f') + '  ' + datum.cell\"}]},{\"encoding\":{\"x\":{\"field\":\"start\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"end\"},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"ink\"},\"strokeCap\":\"butt\",\"strokeWidth\":4,\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.kind == 'group'\"}]},{\"encoding\":{\"x\":{\"field\":\"start\",\"type\":\"quantitative\"},\"x2\":{\"field\":\"end\"},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"warn\"},\"strokeCap\":\"butt\",\"strokeWidth\":2.5,\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.kind == 'critical'\"}]},{\"encoding\":{\"text\":{\"field\":\"name\",\"type\":\"nominal\"},\"x\":{\"field\":\"start\",\"type\":\"quantitative\"},\"y\":{\"axis\":null,\"field\":\"level\",\"scale\":{\"domainMin\":0,\"nice\":false,\"reverse\":true},\"type\":\"quantitative\"}},\"mark\":{\"align\":\"left\",\"baseline\":\"bottom\",\"color\":{\"expr\":\"warn\"},\"dy\":-5,\"fontSize\":11,\"type\":\"text\"},\"transform\":[{\"filter\":\"datum.kind == 'critical'\"},{\"as\":\"name\",\"calculate\":\"'critical difference ' + format(datum.end - datum.start, '.2f')\"}]}],\"params\":[{\"name\":\"cells\",\"value\":1000}],\"width\":640},\"cost\":{\"data\":{\"name\":\"rows\"},\"height\":320,\"layer\":[{\"encoding\":{\"tooltip\":[{\"field\":\"cell\",\"title\":\"control\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"}],\"y\":{\"field\":\"mean\",\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"warn\"},\"strokeDash\":[4,3],\"strokeWidth\":1.3,\"type\":\"rule\"},\"transform\":[{\"filter\":\"datum.control\"}]},{\"encoding\":{\"order\":{\"field\":\"at\",\"type\":\"quantitative\"},\"x\":{\"axis\":{\"format\":\"~s\",\"grid\":false,\"tickCount\":4},\"field\":\"at\",\"scale\":{\"nice\":false,\"padding\":24,\"type\":\"log\"},\"title\":\"passes for an example, forward and backward\",\"type\":\"quantitative\"},\"y\":{\"field\":\"mean\",\"scale\":{\"padding\":16,\"zero\":false},\"title\":\"mean\",\"type\":\"quantitative\"}},\"mark\":{\"color\":{\"expr\":\"accent\"},\"interpolate\":\"step-after\",\"strokeWidth\":1.5,\"type\":\"line\"},\"transform\":[{\"filter\":\"datum.front\"}]},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.front\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"x\":{\"axis\":{\"format\":\"~s\",\"grid\":false,\"tickCount\":4},\"field\":\"at\",\"scale\":{\"nice\":false,\"padding\":24,\"type\":\"log\"},\"title\":\"passes for an example, forward and backward\",\"type\":\"quantitative\"},\"y\":{\"field\":\"low\",\"type\":\"quantitative\"},\"y2\":{\"field\":\"high\"}},\"mark\":{\"strokeWidth\":1.5,\"type\":\"rule\"},\"transform\":[{\"filter\":\"!datum.control\"}]},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.front\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"shape\":{\"condition\":{\"test\":\"datum.control\",\"value\":\"cross\"},\"value\":\"circle\"},\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"passes\",\"format\":\".4~g\",\"title\":\"passes for an example\",\"type\":\"quantitative\"},{\"field\":\"forward\",\"format\":\".4~g\",\"type\":\"quantitative\"},{\"field\":\"backward\",\"format\":\".4~g\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"format\":\"~s\",\"grid\":false,\"tickCount\":4},\"field\":\"at\",\"scale\":{\"nice\":false,\"padding\":24,\"type\":\"log\"},\"title\":\"passes for an example, forward and backward\",\"type\":\"quantitative\"},\"y\":{\"field\":\"mean\",\"scale\":{\"padding\":16,\"zero\":false},\"title\":\"mean\",\"type\":\"quantitative\"}},\"mark\":{\"filled\":true,\"opacity\":1,\"size\":80,\"type\":\"point\"}},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.front\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"text\":{\"field\":\"cell\",\"type\":\"nominal\"},\"x\":{\"axis\":{\"format\":\"~s\",\"grid\":false,\"tickCount\":4},\"field\":\"at\",\"scale\":{\"nice\":false,\"padding\":24,\"type\":\"log\"},\"title\":\"passes for an example, forward and backward\",\"type\":\"quantitative\"},\"y\":{\"field\":\"name_at\",\"type\":\"quantitative\"}},\"mark\":{\"align\":\"left\",\"dx\":8,\"dy\":-8,\"fontSize\":11,\"limit\":190,\"type\":\"text\"},\"transform\":[{\"joinaggregate\":[{\"as\":\"least\",\"field\":\"at\",\"op\":\"min\"},{\"as\":\"most\",\"field\":\"at\",\"op\":\"max\"}]},{\"as\":\"right\",\"calculate\":\"datum.at > sqrt(datum.least * datum.most)\"},{\"filter\":\"!datum.right\"}]},{\"encoding\":{\"color\":{\"condition\":{\"test\":\"datum.front\",\"value\":{\"expr\":\"accent\"}},\"value\":{\"expr\":\"soft\"}},\"text\":{\"field\":\"cell\",\"type\":\"nominal\"},\"x\":{\"axis\":{\"format\":\"~s\",\"grid\":false,\"tickCount\":4},\"field\":\"at\",\"scale\":{\"nice\":false,\"padding\":24,\"type\":\"log\"},\"title\":\"passes for an example, forward and backward\",\"type\":\"quantitative\"},\"y\":{\"field\":\"name_at\",\"type\":\"quantitative\"}},\"mark\":{\"align\":\"right\",\"dx\":-8,\"dy\":-8,\"fontSize\":11,\"limit\":190,\"type\":\"text\"},\"transform\":[{\"joinaggregate\":[{\"as\":\"least\",\"field\":\"at\",\"op\":\"min\"},{\"as\":\"most\",\"field\":\"at\",\"op\":\"max\"}]},{\"as\":\"right\",\"calculate\":\"datum.at > sqrt(datum.least * datum.most)\"},{\"filter\":\"datum.right\"}]}],\"width\":480},\"curves\":{\"data\":{\"name\":\"rows\"},\"height\":300,\"layer\":[{\"encoding\":{\"fill\":{\"field\":\"cell\",\"legend\":null,\"scale\":{\"range\":[\"#0072b2\",\"#d55e00\",\"#009e73\",\"#cc79a7\",\"#e69f00\",\"#56b4e9\",\"#7f7f7f\"]},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"x\":{\"axis\":{\"format\":\".0%\",\"tickCount\":6},\"field\":\"share\",\"scale\":{\"nice\":false},\"title\":\"share of the features\",\"type\":\"quantitative\"},\"y\":{\"field\":\"low\",\"type\":\"quantitative\"},\"y2\":{\"field\":\"high\"}},\"mark\":{\"opacity\":0.14,\"type\":\"area\"}},{\"encoding\":{\"color\":{\"field\":\"cell\",\"legend\":{\"columns\":2,\"labelLimit\":260,\"orient\":\"bottom\",\"symbolSize\":300,\"symbolType\":\"stroke\",\"title\":null},\"scale\":{\"range\":[\"#0072b2\",\"#d55e00\",\"#009e73\",\"#cc79a7\",\"#e69f00\",\"#56b4e9\",\"#7f7f7f\"]},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"strokeDash\":{\"field\":\"cell\",\"legend\":{\"columns\":2,\"labelLimit\":260,\"orient\":\"bottom\",\"symbolSize\":300,\"symbolType\":\"stroke\",\"title\":null},\"scale\":{\"range\":[[1,0],[1,0],[1,0],[1,0],[1,0],[1,0],[1,0],[6,3],[6,3],[6,3],[6,3],[6,3],[6,3],[6,3],[2,2],[2,2],[2,2],[2,2],[2,2],[2,2],[2,2],[8,3,2,3],[8,3,2,3],[8,3,2,3],[8,3,2,3],[8,3,2,3],[8,3,2,3],[8,3,2,3]]},\"sort\":{\"field\":\"place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"x\":{\"axis\":{\"format\":\".0%\",\"tickCount\":6},\"field\":\"share\",\"scale\":{\"nice\":false},\"title\":\"share of the features\",\"type\":\"quantitative\"},\"y\":{\"field\":\"mean\",\"scale\":{\"zero\":false},\"title\":\"mean and pointwise 95 % band\",\"type\":\"quantitative\"}},\"mark\":{\"strokeWidth\":2,\"type\":\"line\"}},{\"encoding\":{\"tooltip\":[{\"field\":\"cell\",\"type\":\"nominal\"},{\"field\":\"share\",\"format\":\".1%\",\"type\":\"quantitative\"},{\"field\":\"mean\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"low\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"high\",\"format\":\".3~g\",\"type\":\"quantitative\"},{\"field\":\"n\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"format\":\".0%\",\"tickCount\":6},\"field\":\"share\",\"scale\":{\"nice\":false},\"title\":\"share of the features\",\"type\":\"quantitative\"},\"y\":{\"field\":\"mean\",\"scale\":{\"zero\":false},\"title\":\"mean and pointwise 95 % band\",\"type\":\"quantitative\"}},\"mark\":{\"filled\":true,\"opacity\":0,\"size\":60,\"type\":\"point\"}}],\"resolve\":{\"legend\":{\"color\":\"independent\",\"fill\":\"independent\",\"strokeDash\":\"independent\"}},\"width\":480},\"agreement\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":24},\"layer\":[{\"encoding\":{\"color\":{\"field\":\"value\",\"legend\":{\"orient\":\"bottom\",\"title\":\"mean agreement\"},\"scale\":{\"domainMax\":{\"expr\":\"limit\"},\"domainMin\":0,\"interpolate\":\"rgb\",\"range\":[{\"expr\":\"middle\"},{\"expr\":\"high\"}]},\"type\":\"quantitative\"},\"tooltip\":[{\"field\":\"row\",\"title\":\"cell\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"and\",\"type\":\"nominal\"},{\"field\":\"value\",\"format\":\".3~g\",\"title\":\"mean agreement\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"cursor\":\"pointer\",\"stroke\":{\"expr\":\"paper\"},\"type\":\"rect\"}},{\"encoding\":{\"text\":{\"field\":\"label\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"row\",\"title\":\"cell\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"and\",\"type\":\"nominal\"},{\"field\":\"value\",\"format\":\".3~g\",\"title\":\"mean agreement\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"!isValid(datum['value']) ? ink : luminance(scale('color', datum['value'])) > 0.179 ? '#000000' : '#ffffff'\"},\"cursor\":\"pointer\",\"fontSize\":11,\"type\":\"text\"}}],\"padding\":{\"bottom\":4,\"left\":4,\"right\":120,\"top\":4},\"params\":[{\"name\":\"limit\",\"value\":1}],\"width\":420},\"signed_agreement\":{\"data\":{\"name\":\"rows\"},\"height\":{\"step\":24},\"layer\":[{\"encoding\":{\"color\":{\"field\":\"value\",\"legend\":{\"orient\":\"bottom\",\"title\":\"mean agreement\"},\"scale\":{\"domainMax\":{\"expr\":\"limit\"},\"domainMid\":0,\"domainMin\":{\"expr\":\"-limit\"},\"interpolate\":\"rgb\",\"range\":[{\"expr\":\"low\"},{\"expr\":\"middle\"},{\"expr\":\"high\"}]},\"type\":\"quantitative\"},\"tooltip\":[{\"field\":\"row\",\"title\":\"cell\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"and\",\"type\":\"nominal\"},{\"field\":\"value\",\"format\":\".3~g\",\"title\":\"mean agreement\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"cursor\":\"pointer\",\"stroke\":{\"expr\":\"paper\"},\"type\":\"rect\"}},{\"encoding\":{\"text\":{\"field\":\"label\",\"type\":\"nominal\"},\"tooltip\":[{\"field\":\"row\",\"title\":\"cell\",\"type\":\"nominal\"},{\"field\":\"column\",\"title\":\"and\",\"type\":\"nominal\"},{\"field\":\"value\",\"format\":\".3~g\",\"title\":\"mean agreement\",\"type\":\"quantitative\"},{\"field\":\"n\",\"title\":\"examples\",\"type\":\"quantitative\"}],\"x\":{\"axis\":{\"domain\":false,\"labelAngle\":-40,\"labelLimit\":190,\"orient\":\"top\",\"ticks\":false,\"title\":null},\"field\":\"column\",\"sort\":{\"field\":\"column_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"},\"y\":{\"axis\":{\"domain\":false,\"grid\":false,\"ticks\":false,\"title\":null},\"field\":\"row\",\"sort\":{\"field\":\"row_place\",\"op\":\"min\",\"order\":\"ascending\"},\"type\":\"nominal\"}},\"mark\":{\"color\":{\"expr\":\"!isValid(datum['value']) ? ink : luminance(scale('color', datum['value'])) > 0.179 ? '#000000' : '#ffffff'\"},\"cursor\":\"pointer\",\"fontSize\":11,\"type\":\"text\"}}],\"padding\":{\"bottom\":4,\"left\":4,\"right\":120,\"top\":4},\"params\":[{\"name\":\"limit\",\"value\":1}],\"width\":420}}")
}, In = .42;
function Ln(e, t) {
	if (typeof e.height == "number") return e.height;
	let { step: n = 24, for: r } = e.height ?? { step: 24 }, i = [e, ...e.layer ?? []].map((e) => e.encoding?.y?.field).find((e) => e !== void 0 && typeof t[0]?.[e] == "string"), a = (e) => new Set(t.map((t) => t[e])).size;
	return n * (i ? a(i) : 1) * (r === "offset" ? a("group") + 1 : 1);
}
function Rn(e, t) {
	let n = W.params.map((e) => ({
		...e,
		value: t.theme.colours[e.name] ?? e.value
	})), r = "mark" in e || "layer" in e;
	return {
		$schema: W.$schema,
		...e,
		...r && typeof e.width != "number" && t.width !== null ? {
			width: t.width,
			autosize: {
				type: "fit-x",
				contains: "padding"
			}
		} : {},
		config: {
			...W.config,
			...e.config ?? {},
			aria: !1
		},
		params: [...n, ...e.params ?? []]
	};
}
function zn(e, t, n) {
	let r = W.charts[e], i = {
		...n.theme.colours,
		...n.parameters
	}, a = [...W.params, ...r.params ?? []].map((e) => ({
		...e,
		value: i[e.name] ?? e.value
	})), o = typeof r.width == "number" && n.width !== null, s = W.config, c = Math.min(300, Math.max(90, Math.floor((n.width ?? 640) * In)));
	return {
		$schema: W.$schema,
		...r,
		...o ? {
			width: n.width,
			autosize: {
				type: "fit-x",
				contains: "padding"
			}
		} : {},
		...o ? { height: n.height ?? Ln(r, t) } : {},
		config: {
			...s,
			aria: !1,
			axisY: {
				...s.axisY,
				labelLimit: c
			}
		},
		params: a,
		datasets: { rows: t }
	};
}
// src/charts/theme.ts
var Bn = {
	ink: "--ink",
	soft: "--ink-soft",
	line: "--line",
	paper: "--paper",
	accent: "--accent",
	warn: "--warn",
	good: "--good"
}, Vn = {
	light: {
		low: "#b3470a",
		middle: "#f4f4f2",
		high: "#0a5a9c"
	},
	dark: {
		low: "#e8894a",
		middle: "#2a2f36",
		high: "#5fa8e6"
	}
};
function Hn(e) {
	let t = document.createElement("span");
	t.hidden = !0, e.append(t);
	let n = {};
	for (let [e, r] of Object.entries(Bn)) t.style.color = "", getComputedStyle(t).getPropertyValue(r).trim() && (t.style.color = `var(${r})`, n[e] = getComputedStyle(t).color);
	t.remove();
	let r = Un(n.paper ?? "rgb(255, 255, 255)");
	return {
		colours: {
			...n,
			...Vn[r ? "dark" : "light"]
		},
		dark: r
	};
}
function Un(e) {
	let [t = 255, n = 255, r = 255] = (e.match(/[\d.]+/g) ?? []).map(Number);
	return .2126 * t + .7152 * n + .0722 * r < 128;
}
var Wn = /* @__PURE__ */ new Set(), Gn = !1;
function Kn(e, t) {
	Wn.add(t);
	let n = () => {
		for (let e of [...Wn]) e() || Wn.delete(e);
	};
	Gn || (Gn = !0, globalThis.matchMedia?.("(prefers-color-scheme: dark)").addEventListener("change", n), Jn(document.documentElement, n));
	let r = e.getRootNode();
	if (r instanceof ShadowRoot && !qn.has(r)) {
		qn.add(r), Jn(r.host, n);
		for (let e of r.children) Jn(e, n);
	}
}
var qn = /* @__PURE__ */ new WeakSet();
function Jn(e, t) {
	new MutationObserver(t).observe(e, {
		attributes: !0,
		attributeFilter: ["data-theme"]
	});
}
// src/charts/chart.ts
var Yn = "400px", Xn = 1, Zn = 24;
function Qn(e, t, n, r) {
	let a = i("div", {
		class: "chart-stage",
		role: "img",
		"aria-label": r.label
	}), o = r.file ?? t, s = i("figure", { class: `chart chart-${t}` });
	if (!e.vega) return s.append(nr(r.caption ?? r.label, n)), s;
	let u = i("span", {
		class: "chart-status",
		"aria-live": "polite"
	}), d = new $n(e.vega, a, t, n, r), f = (e, t, n) => i("button", {
		type: "button",
		title: t,
		onclick: () => void n().then((e) => u.textContent = e)
	}, e);
	return s.append(i("div", {
		class: "chart-scroll",
		tabindex: r.fewest ? 0 : null,
		role: r.fewest ? "group" : null,
		"aria-label": r.fewest ? r.label : null
	}, a), i("figcaption", null, r.caption ? i("span", { class: "chart-caption" }, r.caption) : null, i("span", { class: "chart-tools" }, f("SVG", `save the chart as ${o}.svg`, async () => c(`${o}.svg`, await d.svg(), "image/svg+xml")), f("PNG", `save the chart as ${o}.png`, async () => c(`${o}.png`, await d.png(), "image/png")), f("CSV", "copy the numbers of the chart", () => l(fn(...er(n)))), u))), d.whenSeen(), s;
}
var $n = class {
	embed;
	stage;
	name;
	rows;
	options;
	drawn = 0;
	round = 0;
	view = null;
	end = null;
	constructor(e, t, n, r, i) {
		this.embed = e, this.stage = t, this.name = n, this.rows = r, this.options = i;
	}
	whenSeen() {
		let { stage: e } = this, t = () => void (e.isConnected ? this.draw() : removeEventListener("beforeprint", t));
		if (addEventListener("beforeprint", t), typeof IntersectionObserver > "u") {
			queueMicrotask(() => void this.draw());
			return;
		}
		let n = new IntersectionObserver((t) => {
			t.some((e) => e.isIntersecting) && (n.disconnect(), this.draw(), new ResizeObserver(() => void (this.drawn && Math.abs(this.room() - this.drawn) > Zn && this.draw())).observe(e.parentElement), Kn(e, () => (e.isConnected && this.draw(!0), e.isConnected)));
		}, { rootMargin: Yn });
		n.observe(e);
	}
	room() {
		let { fewest: e = 0, most: t = 760 } = this.options;
		return Math.max(e, Math.min(t, (this.stage.parentElement?.clientWidth ?? 0) || 640));
	}
	async draw(e = !1) {
		let t = this.room();
		if (this.drawn === t && !e) return;
		this.drawn = t;
		let n = ++this.round, r = Hn(this.stage), { height: a = null, parameters: o = {}, onclick: s } = this.options, c = zn(this.name, this.rows, {
			theme: r,
			width: t,
			height: a,
			parameters: o
		}), l = i("div"), u = { theme: r.dark ? "dark" : "light" };
		try {
			let e = await this.embed(l, c, {
				ast: !0,
				renderer: "svg",
				actions: !1,
				defaultStyle: !1,
				tooltip: u,
				logLevel: Xn
			});
			if (n !== this.round) return e.finalize();
			this.end?.(), this.end = () => e.finalize(), this.view = e.view, s && e.view.addEventListener("click", (e, t) => void (t?.datum && s(t.datum))), l.firstElementChild?.setAttribute("aria-hidden", "true"), this.stage.replaceChildren(l);
		} catch (e) {
			this.stage.replaceChildren(i("p", { class: "chart-failed" }, `This chart cannot be drawn: ${String(e)}`));
		}
	}
	async ready() {
		if (this.view || await this.draw(!0), !this.view) throw Error("the chart could not be drawn");
		return this.view;
	}
	async svg() {
		return (await this.ready()).toSVG();
	}
	async png() {
		let e = await (await this.ready()).toCanvas(2);
		return new Promise((t, n) => e.toBlob((e) => e ? t(e) : n(/* @__PURE__ */ Error("the picture is empty"))));
	}
};
function er(e) {
	let t = [...new Set(e.flatMap((e) => Object.keys(e)))].filter((e) => !/(^|_)place$|^edge$|^label$/.test(e));
	return [t, e.map((e) => t.map((t) => tr(e[t])))];
}
function tr(e) {
	return typeof e == "boolean" ? e ? "yes" : "no" : e ?? null;
}
function nr(e, t) {
	let [n, r] = er(t);
	return H({
		caption: e,
		columns: n.map((e) => ({ name: e })),
		rows: r
	});
}
// src/across/rows.ts
var rr = [
	"model",
	"dataset",
	"seed"
];
function ir(e) {
	return rr.filter((t) => new Set(e.map((e) => e[t])).size > 1);
}
function ar(e, t) {
	let n = /* @__PURE__ */ new Map();
	return e.forEach((e, r) => {
		let i = t ? e[t] : "";
		n.set(i, [...n.get(i) ?? [], r]);
	}), [...n];
}
function or(e, t, n) {
	let r = ir(n.map((t) => e[t])), i = r.map((n) => n === "seed" ? `seed ${e[t].seed}` : e[t][n]).join(", ");
	return n.filter((n) => r.every((r) => e[n][r] === e[t][r])).length > 1 ? `${i ? `${i}, ` : ""}study ${t + 1}` : i || `study ${t + 1}`;
}
function sr(e, t, n, r) {
	let i = /* @__PURE__ */ new Map();
	for (let n of r) {
		let r = e.rows.filter((e) => typeof e.means[n] == "number");
		r.sort((e, r) => (t ? -1 : 1) * (e.means[n] - r.means[n])), r.forEach((e, t) => i.set(e.cell, [...i.get(e.cell) ?? [], t]));
	}
	let a = (e) => i.get(e).reduce((e, t) => e + t, 0) / i.get(e).length, o = [...i.keys()].sort((e, t) => a(e) - a(t));
	return e.rows.flatMap((e) => r.flatMap((t, i) => typeof e.means[t] == "number" ? [{
		cell: e.cell,
		place: o.indexOf(e.cell),
		group: or(n, t, r),
		group_place: i,
		mean: e.means[t],
		low: e.lows[t] ?? null,
		high: e.highs[t] ?? null,
		n: null
	}] : []));
}
// src/across/section.ts
var cr = 8, lr = class extends V {
	keys = ["metric", "across.facet"];
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
			"study",
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
		].map((e) => i("td", null, e || "–")), i("td", { class: "n" }, e.cells.filter((e) => e.status === "done").length), i("td", null, e.answer.performance || "–"))))))), n ? this.charts(n) : "", n ? this.comparison(n) : i("p", null, "These studies have no scores."), e.pooled.length ? i("section", null, i("h2", null, "Over seeds"), i("p", { class: "soft" }, "Studies that differ in their seeds alone. The value of an example is its mean over the seeds; intervals are for other examples and other seeds."), e.pooled.map((e) => i("details", { open: e.metric.startsWith(`${n?.metric},`) }, i("summary", null, e.metric), i("p", null, An(e.sentence)), ur(e.metric, [
			"method / baseline",
			"mean",
			"95 % interval"
		], e.rows)))) : "", ...e.agreement.map((e) => i("section", null, i("h2", null, `Agreement across ${e.differ}`), i("p", { class: "soft" }, `Rank correlation of the maps of each cell with its own maps in studies that differ in their ${e.differ} alone; mean over examples with its 95 % interval.`), ur(`agreement across ${e.differ}`, [
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
	charts(e) {
		let { across: t, studies: n } = this.context.content.document, { state: r } = this.context, a = ir(n), o = a.find((e) => e === r.get("across.facet")) ?? null, s = e.direction.startsWith("higher") ? !0 : !e.direction.startsWith("lower") && null, c = i("select", { onchange: (e) => r.set({ metric: e.target.value }) }, t.comparisons.map((t) => i("option", {
			value: t.metric,
			".selected": t === e
		}, t.metric))), l = i("select", { onchange: (e) => r.set({ "across.facet": e.target.value || null }) }, i("option", { value: "" }, "nothing"), a.map((e) => i("option", {
			value: e,
			".selected": e === o
		}, e)));
		return i("section", null, i("h2", null, `${e.metric} in all studies`), i("p", null, i("label", null, "Metric ", c), " ", a.length ? i("label", null, "Panels by ", l) : null), ar(n, o).map(([t, r]) => r.length > cr ? i("p", null, `${t ? `${o} ${t}: ` : ""}${r.length} studies are too many for one chart; the table below has them all.`) : i("div", { class: "across-panel" }, t ? i("h3", null, `${o} ${t}`) : null, Qn(this.context, "across", sr(e, s, n, r), {
			label: `Means of ${e.metric} for every cell in ${r.length} studies${t ? ` with ${o} ${t}` : ""}`,
			caption: "Mean over examples with its marginal 95 % interval, which is for other examples of the same study. Overlap of intervals is no test.",
			most: 900,
			file: `across_${e.metric}${t ? `_${t}` : ""}`
		}))));
	}
	comparison(e) {
		let { studies: t } = this.context.content.document;
		return i("section", null, i("h2", null, "Means by study"), i("p", null, `${e.metric}, ${e.direction}. ★: no cell of this study is significantly better.`), H({
			caption: `${e.metric} by study`,
			columns: [
				{ name: "method / baseline" },
				...t.map((e, t) => ({
					name: String(t + 1),
					title: e.name
				})),
				{ name: "★ in" }
			],
			rows: e.rows.map((e) => [
				e.cell,
				...e.means.map((t, n) => ({
					value: t,
					text: `${A(t)}${e.best[n] ? " ★" : ""}`
				})),
				`${e.best.filter(Boolean).length} of ${e.means.length}`
			])
		}));
	}
};
function ur(e, t, n) {
	return H({
		caption: e,
		columns: t.map((e) => ({ name: e })),
		rows: n.map((e) => e.map((e, t) => t ? dr(e) : e))
	});
}
function dr(e) {
	let t = e === "–" ? null : Number(e);
	return t === null || e !== "" && !Number.isNaN(t) ? {
		value: t,
		text: e || "–"
	} : e || "–";
}
B("xai-across", lr);
// src/agreement/rows.ts
function fr(e, t, n, r) {
	let [i, a] = [e.numbers(n.matrix), e.numbers(n.defined)], o = n.cells.length, s = (e) => t.cells[n.cells[e]].label;
	return r.flatMap((e, t) => r.flatMap((n, r) => {
		if (e === n) return [];
		let c = i[e * o + n];
		return [{
			row: s(e),
			row_place: t,
			column: s(n),
			column_place: r,
			value: Number.isNaN(c) ? null : c,
			label: pr(c),
			n: a[e * o + n]
		}];
	}));
}
function pr(e) {
	return Number.isNaN(e) ? A(null) : e.toFixed(2).replace(/^-0\.00$/, "0.00");
}
function mr(e, t) {
	let [n, r] = e.bounds, i = Array.from(t).filter(Number.isFinite), a = [n, r].filter((e) => e !== null && Number.isFinite(e)).map(Math.abs);
	return {
		signed: n === null && r === null ? i.some((e) => e < 0) : n === null || n < 0,
		limit: Math.max(...a.length ? a : i.map(Math.abs), 0) || 1
	};
}
function hr(e, t, n) {
	return e * n - e * (e + 1) / 2 + (t - e - 1);
}
function gr(e, t, n, r, i) {
	if (!t.values || n === r) return [];
	let a = e.numbers(t.values), o = hr(Math.min(n, r), Math.max(n, r), t.cells.length) * i;
	return Array.from({ length: i }, (e, t) => ({
		row: t,
		value: a[o + t]
	})).filter(({ value: e }) => Number.isFinite(e)).sort((e, t) => e.value - t.value || e.row - t.row);
}
// src/agreement/section.ts
var G = 40, _r = 44, vr = 270, yr = 10, br = class extends V {
	keys = [
		"measure",
		"agreement_pair",
		"cells"
	];
	draw(e) {
		this.classList.add("agreement");
		let { agreements: t } = this.study, n = t.find((e) => e.name === this.context.state.get("measure")) ?? t[0];
		if (!n) {
			this.replaceChildren(i("p", null, "This study compares no cells by a measure of agreement."));
			return;
		}
		if (e.size && !e.has("measure") && (e.has("agreement_pair") || n.cells.length <= G)) {
			e.has("agreement_pair") && this.querySelector(".agreement-pair")?.replaceWith(this.pair(n));
			return;
		}
		let r = e.size ? this.querySelector(":focus")?.id ?? "" : "", a = n.cells.length > 1 ? [
			this.matrix(n),
			this.pickers(n),
			this.pair(n)
		] : [];
		this.replaceChildren(this.picker(n), i("h2", null, n.name), this.words(n), ...a), r && this.querySelector(`#${CSS.escape(r)}`)?.focus();
	}
	picker(e) {
		let t = (e) => this.context.state.set({ measure: e.target.value }), n = this.study.agreements.map((t) => i("option", {
			value: t.name,
			".selected": t === e
		}, t.name));
		return i("p", { class: "agreement-picker" }, i("label", { for: "agreement-measure" }, "Measure "), i("select", {
			id: "agreement-measure",
			onchange: t
		}, n));
	}
	words(e) {
		let t = e.joint ? ` ${e.joint} Mean over ${this.study.unit}; in brackets its marginal 95 % interval for other ${this.study.unit}.` : "";
		return i("p", { class: "agreement-summary" }, `${e.summary}${/[.!?]$/.test(e.summary) || !e.summary ? "" : "."}${t}`);
	}
	matrix(e) {
		let { context: t, study: n } = this, { kept: r, left: i } = this.kept(e), a = fr(t.content, n, e, r), { signed: o, limit: s } = mr(e, t.content.numbers(e.matrix)), c = a.map((e) => Number(e.n)), l = `Mean agreement over ${Math.min(...c) === Math.max(...c) ? String(c[0]) : `${Math.min(...c)} to ${Math.max(...c)}`} examples. Cells that agree stand side by side (average linkage). Click a pair for the examples on which it disagrees most.${i}`;
		return Qn(t, o ? "signed_agreement" : "agreement", a, {
			label: `${e.name} of all pairs of ${j(r.length, "cell")}. ${l}`,
			caption: l,
			file: `${n.name} ${e.name}`,
			fewest: vr + r.length * _r,
			most: vr + Math.max(5, r.length) * 80,
			parameters: { limit: s },
			onclick: (e) => t.state.set({ agreement_pair: S.joined([String(e.row), String(e.column)]) })
		});
	}
	kept(e) {
		let { order: t } = e;
		if (t.length <= G) return {
			kept: t,
			left: ""
		};
		let n = new Set(this.context.state.list("cells")), r = t.filter((t) => n.has(this.label(e, t)));
		if (r.length > 1) return {
			kept: r.slice(0, G),
			left: ` ${r.length} chosen of ${t.length} cells.`
		};
		let i = new Set([...t].sort((e, t) => e - t).slice(0, G));
		return {
			kept: t.filter((e) => i.has(e)),
			left: ` The first ${G} of ${t.length} cells.`
		};
	}
	label(e, t) {
		return this.study.cells[e.cells[t]].label;
	}
	chosen(e) {
		let t = this.context.state.list("agreement_pair"), n = e.cells.map((t, n) => this.label(e, n)), [r, i] = t.map((e) => n.indexOf(e));
		return r !== void 0 && i !== void 0 && r >= 0 && i >= 0 && r !== i ? [r, i] : this.least(e);
	}
	least(e) {
		let t = this.context.content.numbers(e.matrix), n = e.cells.length, r = e.cells.map((e, t) => t), i = r.filter((t) => !this.study.cells[e.cells[t]].control), a = i.length > 1 ? i : r, [o, s] = [[a[0], a[1]], Infinity];
		for (let e of a) for (let r of a) e < r && t[e * n + r] < s && ([o, s] = [[e, r], t[e * n + r]]);
		return o;
	}
	pickers(e) {
		let t = (t) => (n) => {
			let r = this.chosen(e);
			r[t] = Number(n.target.value), r[0] === r[1] && (r[1 - t] = e.cells.findIndex((e, n) => n !== r[t])), this.context.state.set({ agreement_pair: S.joined(r.map((t) => this.label(e, t))) });
		}, n = this.chosen(e), r = (r) => i("select", {
			id: `agreement-${"ab"[r]}`,
			"aria-label": r ? "second cell" : "first cell",
			onchange: t(r)
		}, e.order.map((t) => i("option", {
			value: t,
			".selected": t === n[r]
		}, this.label(e, t))));
		return i("p", { class: "agreement-picker" }, i("span", null, "Pair "), r(0), i("span", null, " and "), r(1));
	}
	pair(e) {
		let [t, n] = this.chosen(e);
		[t, n].forEach((e, t) => {
			let n = this.querySelector(`#agreement-${"ab"[t]}`);
			n && (n.value = String(e));
		});
		let [r, a] = [this.label(e, t), this.label(e, n)], o = i("h3", null, `${r} and ${a}: ${A(this.context.content.numbers(e.matrix)[t * e.cells.length + n] ?? NaN)} on average`);
		if (!e.values) return i("section", { class: "agreement-pair" }, o, i("p", null, "This page leaves out the values by example."));
		let s = gr(this.context.content, e, t, n, this.study.rows.example.length), c = s.filter(({ row: e }) => this.exampleOf(e) !== null), l = s.slice(0, yr), u = l.some(({ row: e }) => this.exampleOf(e) !== null) ? [] : c.slice(0, 3), d = [...l, ...u].map(({ row: e, value: t }) => this.line(e, t, [r, a])), f = [
			{ name: "example" },
			{ name: "agreement" },
			{ name: "label" },
			{ name: "predicted" }
		], p = `The examples on which ${r} and ${a} agree least by ${e.name}. Links show the maps of both; examples without a link have none on this page.`;
		return i("section", {
			class: "agreement-pair",
			"aria-live": "polite"
		}, o, d.length ? H({
			caption: p,
			columns: f,
			rows: d
		}) : i("p", null, "The measure is undefined for every example of this pair."));
	}
	exampleOf(e) {
		return this.study.examples.find((t) => t.row === e)?.id ?? null;
	}
	line(e, t, n) {
		let { rows: r, classes: i } = this.study, a = this.exampleOf(e), o = r.name[e] || r.example[e], s = (e) => e === void 0 || e < 0 ? A(null) : i[e] ?? A(null);
		return [
			a === null ? o : {
				value: o,
				node: this.link(o, a, n)
			},
			t,
			s(r.label[e]),
			{
				value: s(r.predicted[e]),
				class: r.wrong[e] === 1 ? "agreement-wrong" : ""
			}
		];
	}
	link(e, t, n) {
		let r = {
			section: "examples",
			example: t,
			cells: S.joined(n)
		};
		return i("a", {
			href: `#${new URLSearchParams({
				...this.context.state.all(),
				...r
			}).toString()}`,
			onclick: (e) => {
				e.ctrlKey || e.metaKey || e.shiftKey || (e.preventDefault(), this.context.state.set(r));
			}
		}, e);
	}
};
B("xai-agreement", br);
// src/examples/chips.ts
var xr = 16, Sr = class {
	state;
	element;
	chips = /* @__PURE__ */ new Map();
	chosen = [];
	order;
	summary = i("span", { class: "examples-caption" });
	constructor(e, t, n) {
		this.state = e;
		let r = me(t);
		this.order = r ? `ordered by mean ${r.name}` : "in the order of the study";
		for (let e of n) {
			let { label: n, control: r } = t.cells[e], a = i("button", {
				type: "button",
				class: "examples-chip",
				"aria-pressed": "false",
				onclick: () => this.toggle(n)
			}, i("bdi", null, n), r && i("small", null, " control"));
			this.chips.set(n, a);
		}
		let a = t.cells.length - n.length, o = i("input", {
			type: "search",
			placeholder: "Search cells",
			"aria-label": "Search cells",
			oninput: () => this.narrow(o.value)
		});
		this.element = i("div", {
			class: "examples-cells",
			role: "group",
			"aria-label": "Cells side by side"
		}, i("div", { class: "examples-options" }, i("strong", null, "Cells"), this.summary, n.length > xr && o, i("button", {
			type: "button",
			onclick: () => e.set({ cells: null })
		}, "First four"), i("button", {
			type: "button",
			onclick: () => e.set({ cells: S.joined(this.chips.keys()) })
		}, "All"), a > 0 && i("span", { class: "examples-caption" }, `${j(a, "cell")} without maps: skipped or failed`)), i("div", { class: "examples-chips" }, [...this.chips.values()]));
	}
	show(e) {
		this.chosen = e;
		for (let [t, n] of this.chips) n.setAttribute("aria-pressed", String(e.includes(t)));
		this.summary.textContent = `${e.length} of ${this.chips.size} shown, ${this.order}`;
	}
	toggle(e) {
		let t = this.chosen.filter((t) => t !== e), n = t.length < this.chosen.length ? t : [...this.chosen, e];
		n.length && this.state.set({ cells: S.joined(n) });
	}
	narrow(e) {
		let t = e.toLowerCase().split(/\s+/);
		for (let [e, n] of this.chips) n.hidden = !t.every((t) => e.toLowerCase().includes(t));
	}
};
// src/examples/fields.ts
function K(e, t, n, r = "") {
	let a = i("select", { onchange: () => e.set({ [t]: a.value === r ? null : a.value }) }), o = (e) => a.replaceChildren(...e.map(([e, t]) => i("option", {
		value: e,
		dir: "auto"
	}, t)));
	o(n);
	let s = () => {
		a.value = e.get(t, r), a.selectedIndex < 0 && (a.value = r);
	};
	return {
		element: a,
		sync: s,
		options: (e) => (o(e), s())
	};
}
function Cr(e, t, n) {
	let r = ["from", "to"].map((a) => i("input", {
		type: "number",
		step: "any",
		"aria-label": `${n} ${a}`,
		placeholder: a,
		onchange: () => e.set({ [t]: He(r[0].value, r[1].value) })
	}));
	return {
		element: i("span", { class: "examples-range" }, r),
		sync: () => {
			let n = e.list(t);
			r.forEach((e, t) => e.value = n[t] ?? "");
		}
	};
}
function q(e, t, n = !1) {
	let r = i("input", {
		type: "checkbox",
		onchange: () => e.set({ [t]: r.checked === n ? null : r.checked ? "1" : "0" })
	});
	return {
		element: r,
		sync: () => r.checked = e.get(t, n ? "1" : "0") === "1"
	};
}
function wr(e, t, n, r, a) {
	let o = i("output"), s = i("input", {
		type: "range",
		...a,
		oninput: () => o.textContent = `${s.value}${r}`,
		onchange: () => e.set({ [t]: Number(s.value) === n ? null : s.value })
	});
	return {
		element: i("span", { class: "examples-slider" }, s, o),
		sync: () => {
			s.value = e.get(t, String(n)), o.textContent = `${s.value}${r}`;
		}
	};
}
function J(e, t) {
	let n = t.element.classList.contains("examples-range");
	return i(n ? "div" : "label", {
		class: "examples-field",
		...n ? {
			role: "group",
			"aria-label": e
		} : {}
	}, i("span", null, e), t.element);
}
// src/examples/display.ts
var Tr = class {
	state;
	element;
	fields = [];
	ends;
	constructor(e, t, n, r, a = []) {
		this.state = e;
		let o = (e, t) => (this.fields.push(t), J(e, t)), s = n.map((e) => t.cells[e].label);
		this.ends = ["Difference: first map", "Difference: second map"].map((e) => {
			let t = [i("option", { value: "" }, "none"), ...s.map((e) => i("option", { value: e }, e))];
			return i("select", {
				"aria-label": e,
				onchange: () => this.choose()
			}, t);
		}), this.element = i("div", { class: "examples-display" }, r.overlay && o("Over the input", q(e, "ex.overlay")), r.overlay && o("Opacity", wr(e, "ex.opacity", 80, " %", {
			min: 0,
			max: 100,
			step: 5
		})), r.mask && o("Ground truth", q(e, "ex.mask", !0)), r.bars && o("All columns", q(e, "ex.all")), ...a, i("details", { open: Me.some((t) => e.get(t)) || !!e.get("ex.minus") }, i("summary", null, "More display options"), i("div", { class: "examples-options" }, o("Sign", K(e, "ex.sign", [
			["", "all"],
			["positive", "positive only"],
			["negative", "negative only"],
			["magnitude", "magnitude"]
		])), o("Colours", K(e, "ex.colours", T.map((e, t) => [t ? e.name : "", e.label]))), !r.bars && o("Full colour at percentile", K(e, "ex.percentile", [
			["90", "90"],
			["95", "95"],
			["98", "98"],
			["", "99"],
			["99.5", "99.5"],
			["100", "100 (largest)"]
		])), r.smooth && o("Mean over blocks", K(e, "ex.block", [["", "none"], ...[
			"2",
			"4",
			"8",
			"16",
			"32"
		].map((e) => [e, `${e} × ${e}`])])), n.length > 1 && i("div", {
			class: "examples-field",
			role: "group",
			"aria-label": "Difference of two maps"
		}, i("span", null, "Difference"), this.ends[0], i("span", null, "minus"), this.ends[1])), r.smooth && i("p", { class: "examples-caption" }, "The mean over blocks is a display option: scores and agreements belong to the maps without it.")));
	}
	sync() {
		for (let e of this.fields) e.sync();
		let e = this.state.list("ex.minus");
		this.ends.forEach((t, n) => {
			t.value = e[n] ?? "", t.selectedIndex < 0 && (t.value = "");
		});
	}
	choose() {
		let e = this.ends.map((e) => e.value);
		this.state.set({ "ex.minus": e.some(Boolean) ? S.joined(e) : null });
	}
};
// src/examples/importance/importance.ts
function Er(e) {
	let t = /* @__PURE__ */ new Map();
	for (let { example: n, map: r, values: i } of e) r.units || n.columns?.forEach((e, r) => {
		let a = i[r] ?? NaN;
		if (!Number.isFinite(a)) return;
		let o = t.get(e.name) ?? [];
		o.push({
			id: n.id,
			name: n.name,
			attribution: a,
			value: e.value,
			share: null
		}), t.set(e.name, o);
	});
	return [...t].map(([e, t]) => ({
		name: e,
		points: Dr(t),
		meanMagnitude: x(t.map((e) => Math.abs(e.attribution))),
		meanAttribution: x(t.map((e) => e.attribution))
	})).sort((e, t) => t.meanMagnitude - e.meanMagnitude);
}
function Dr(e) {
	let t = e.map((e) => e.value.trim() === "" ? NaN : Number(e.value)), [n, r] = [Math.min(...t), Math.max(...t)];
	return !t.every(Number.isFinite) || r <= n ? e : e.map((e, i) => ({
		...e,
		share: (t[i] - n) / (r - n)
	}));
}
function Or(e, t) {
	let n = /* @__PURE__ */ new Map();
	e.forEach((e, r) => {
		let i = Math.round(e / t);
		n.set(i, [...n.get(i) ?? [], r]);
	});
	let r = Array(e.length).fill(0), i = Math.max(1, ...[...n.values()].map((e) => e.length));
	for (let e of n.values()) e.forEach((e, t) => {
		let n = t % 2 ? Math.ceil(t / 2) : 0 - t / 2;
		r[e] = 2 * n / Math.max(i, 8);
	});
	return r;
}
var kr = (e) => /[\p{L}\p{N}]/u.test(e);
function Ar(e) {
	let t = [], n = -1;
	return e.forEach((e, r) => {
		if (e.feature < 0) return;
		let i = t.at(-1);
		i && e.joined && n === r - 1 && kr(e.text) && kr(i.text) ? (i.text += e.text, i.tokens.push(r)) : t.push({
			text: e.text,
			tokens: [r]
		}), n = r;
	}), t;
}
function jr(e, t = 2) {
	let n = /* @__PURE__ */ new Map();
	for (let { example: t, map: r, values: i } of e) {
		if (!t.tokens || r.units) continue;
		let e = L(t, i.length);
		for (let r of Ar(t.tokens)) {
			let a = new Set(r.tokens.map((t) => e[t]).filter((e) => e >= 0)), o = [...a].reduce((e, t) => e + i[t], 0), s = r.text.trim().toLowerCase();
			if (!a.size || !Number.isFinite(o) || !kr(s)) continue;
			let c = n.get(s) ?? {
				attributions: [],
				examples: /* @__PURE__ */ new Set()
			};
			c.attributions.push(o), c.examples.add(t.id), n.set(s, c);
		}
	}
	return [...n].filter(([, e]) => e.examples.size >= t).map(([e, { attributions: t, examples: n }]) => ({
		word: e,
		mean: x(t),
		occurrences: t.length,
		examples: n.size
	})).sort((e, t) => t.mean - e.mean);
}
// src/examples/importance/beeswarm.ts
var Mr = 560, Y = 34, Nr = 150, Pr = [
	0,
	95,
	168
], Fr = [
	154,
	141,
	147
], Ir = [
	213,
	74,
	0
];
function Lr(e) {
	if (e === null) return "#777777";
	let [t, n, r] = e < .5 ? [
		Pr,
		Fr,
		e * 2
	] : [
		Fr,
		Ir,
		e * 2 - 1
	];
	return `#${t.map((e, t) => Math.round(e + (n[t] - e) * r).toString(16).padStart(2, "0")).join("")}`;
}
var Rr = `linear-gradient(to right, ${[
	0,
	.5,
	1
].map(Lr).join(", ")})`;
function zr(e, t, n) {
	let r = e.length * Y + 34, i = Math.max(0, ...e.flatMap((e) => e.points.map((e) => Math.abs(e.attribution)))) || 1, o = e.some((e) => e.points.some((e) => e.attribution < 0)), s = o ? -i : 0, c = (e) => 158 + (e - s) / (i - s) * 374, l = a("svg", {
		xmlns: "http://www.w3.org/2000/svg",
		viewBox: `0 0 ${Mr} ${r}`,
		width: Mr,
		height: r,
		role: "img",
		"aria-label": t,
		class: "examples-swarm",
		"font-family": "sans-serif",
		"font-size": 12
	});
	l.append(a("line", {
		x1: c(0),
		x2: c(0),
		y1: 4,
		y2: r - 26,
		stroke: "#888888"
	})), e.forEach((e, t) => {
		let r = t * Y + Y / 2 + 4, i = e.name.length > 22 ? `${e.name.slice(0, 21)}…` : e.name, o = a("text", {
			x: 142,
			y: r + 4,
			"text-anchor": "end",
			class: "examples-ink"
		}, i, a("title", null, e.name));
		l.append(o, a("line", {
			x1: Nr,
			x2: 540,
			y1: r,
			y2: r,
			stroke: "#888888",
			"stroke-opacity": .3
		}));
		let s = e.points.map((e) => c(e.attribution)), u = Or(s, 5);
		e.points.forEach((t, i) => {
			let o = `${t.name}: ${e.name} = ${t.value}, attribution ${A(t.attribution)}`;
			l.append(a("circle", {
				cx: s[i].toFixed(1),
				cy: (r + u[i] * (Y / 2 - 4)).toFixed(1),
				r: 3.2,
				fill: Lr(t.share),
				"fill-opacity": .85,
				onclick: () => n(t.id)
			}, a("title", null, o)));
		});
	});
	for (let e of o ? [
		-i,
		0,
		i
	] : [0, i]) l.append(a("text", {
		x: c(e),
		y: r - 10,
		"text-anchor": "middle",
		class: "examples-ink"
	}, A(e)));
	return l;
}
// src/examples/importance/view.ts
var X = 15, Br = class {
	context;
	values;
	element = i("section", {
		class: "examples-importance",
		"aria-label": "Importance over the examples"
	});
	body = i("div");
	fields;
	seen = !1;
	entries = [];
	listed = [];
	cell = -1;
	constructor(e, t, n) {
		this.context = e, this.values = t;
		let r = n.map((e) => t.study.cells[e].label), a = K(e.state, "ex.over", [["", "all examples of the page"], ["listed", "the examples that the filters leave"]]), o = K(e.state, "ex.important", [["", "the first chosen cell"], ...r.map((e) => [e, e])]);
		this.fields = [o, a], this.element.append(i("h2", null, "Importance over the examples"), i("div", { class: "examples-options" }, J("Cell", o), J("Over", a)), this.body), M(this.element, () => {
			this.seen = !0, this.fill();
		});
	}
	show(e, t, n) {
		[this.entries, this.listed] = [e, t];
		let r = this.context.state.get("ex.important"), i = this.values.study.cells.findIndex((e) => e.label === r);
		this.cell = i >= 0 ? i : n;
		for (let e of this.fields) e.sync();
		this.seen && this.fill();
	}
	fill() {
		let e = this.context.state.get("ex.over") === "listed" ? this.listed : this.entries, t = e.flatMap(({ targets: [e] }) => {
			let t = e.maps[this.cell];
			return t && !t.units ? [{
				example: e,
				map: t,
				values: this.values.map(t)
			}] : [];
		}), n = this.values.study.cells[this.cell];
		if (!n || !t.length) {
			this.body.replaceChildren(i("p", { class: "examples-caption" }, "This cell has no attributions of features with names on these examples."));
			return;
		}
		let r = e.some((e) => e.targets.length > 1), a = new Set(t.map(({ example: e }) => e.target)), o = n.signed && a.size > 1 ? [i("p", { class: "examples-caption" }, "Evidence is for or against what is explained of each example, which is not the same class everywhere. Filter by prediction, and choose the examples that the filters leave, to see one class alone.")] : [], s = `${n.label}, over ${j(t.length, "example")}${r ? ", the first target of each" : ""}`, c = E(this.context.state.get("ex.colours")), l = t.some(({ example: e }) => e.tokens);
		this.body.replaceChildren(...o, ...l ? this.words(t, n.signed, s, c) : this.columns(t, s, c));
	}
	columns(e, t, n) {
		let r = Er(e), a = r.slice(0, X), o = zr(a, `attributions of each column: ${t}`, (e) => this.context.state.set({
			example: e,
			"ex.target": null
		})), s = a.map((e) => ({
			name: e.name,
			value: "",
			attribution: e.meanMagnitude,
			inside: null
		})), c = vt(a.map((e) => e.meanMagnitude));
		return [i("p", null, `${t}${r.length - a.length ? `; the ${a.length} of ${r.length} columns with the largest mean magnitude` : ""}.`), i("div", { class: "examples-pair" }, i("figure", null, i("figcaption", null, "Attribution of each example", this.saver("beeswarm", () => Hr(o))), i("div", {
			class: "examples-scroll",
			tabindex: 0,
			role: "group",
			"aria-label": "beeswarm"
		}, o), Vr()), i("figure", null, i("figcaption", null, "Mean magnitude", this.saver("magnitude", () => xt(s, c, !1, n, `mean magnitude: ${t}`))), bt(s, c, !1, n, "column")))];
	}
	words(e, t, n, r) {
		let a = jr(e);
		if (!a.length) return [i("p", { class: "examples-caption" }, `${n}: no word occurs in at least 2 examples.`)];
		let o = vt(a.map((e) => e.mean)), s = t ? [["Words for the explained class", a.filter((e) => e.mean > 0)], ["Words against it", a.filter((e) => e.mean < 0).reverse()]] : [["Words of the largest attribution", a]];
		return [i("p", null, `Mean attribution of each word that occurs in at least 2 examples: ${n}. A word's attribution is the sum over its tokens.`), i("div", { class: "examples-pair" }, s.map(([e, a]) => {
			let s = a.slice(0, X).map((e) => ({
				name: e.word,
				value: "",
				attribution: e.mean,
				inside: null
			})), c = bt(s, o, t, r, "word");
			c.querySelector("thead tr").append(i("th", { scope: "col" }, "examples"), i("th", { scope: "col" }, "times")), c.querySelectorAll("tbody tr").forEach((e, t) => {
				e.append(i("td", { class: "examples-number" }, A(a[t].examples)), i("td", { class: "examples-number" }, A(a[t].occurrences)));
			});
			let l = a.length > X && i("p", { class: "examples-caption" }, `${a.length - X} more words`);
			return i("figure", null, i("figcaption", null, e, this.saver(e, () => xt(s, o, t, r, `${e}: ${n}`))), a.length ? c : i("p", { class: "examples-caption" }, "none"), l);
		}))];
	}
	saver(e, t) {
		let n = kt([
			this.values.study.name,
			this.values.study.cells[this.cell].label,
			e
		], "svg");
		return i("span", { class: "examples-save" }, i("button", {
			type: "button",
			"aria-label": `Save ${e} as SVG`,
			onclick: () => At(jt(t()), n)
		}, "SVG"));
	}
};
function Vr() {
	return i("p", { class: "examples-caption examples-legend" }, "small value of the column ", i("span", {
		class: "examples-scale",
		style: { background: Rr }
	}), " large value; grey: a level, or the same value everywhere. Click a point to open its example.");
}
function Hr(e) {
	let t = e.cloneNode(!0);
	return t.querySelectorAll(".examples-ink").forEach((e) => e.setAttribute("fill", "#111111")), t;
}
// src/examples/keyboard.ts
var Ur = "input, select, textarea, [contenteditable], [role=slider], [role=tab], [role=grid]";
function Wr(e, t) {
	if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return null;
	let n = e.composedPath()[0];
	return n instanceof Element && n.closest(Ur) ? null : e.key === "ArrowLeft" ? () => t.step(-1) : e.key === "ArrowRight" ? () => t.step(1) : e.key === "/" ? t.search : null;
}
function Gr(e, t) {
	let n = e.getRootNode(), r = (r) => {
		let i = r.composedPath()[0], a = (i === document.body || i === document.documentElement || i instanceof Node && i.getRootNode() === n) && Kr(e) ? Wr(r, t) : null;
		a && (r.preventDefault(), a());
	};
	return document.addEventListener("keydown", r), () => document.removeEventListener("keydown", r);
}
function Kr(e) {
	let t = e.getBoundingClientRect();
	return e.isConnected && t.bottom >= 0 && t.top <= window.innerHeight && (t.width > 0 || t.height > 0);
}
// src/examples/panels/continued.ts
function qr(e, t) {
	return e.find(({ continued: e }) => e?.weights[0]?.every((e, n) => e === Number(n === t)) ?? !1) ?? null;
}
function Jr(e) {
	return e > 0 ? "for" : e < 0 ? "against" : "none";
}
function Yr(e, t, n) {
	let { continued: r } = e;
	if (!r) return null;
	let a = r.texts.length > 1, o = r.texts.map((a, o) => {
		let s = i("span", {
			class: "examples-continued-text",
			dir: "auto"
		});
		return a.forEach((i, a) => s.append(Zr(i, r.weights[o][a], o ? null : qr(t, a), e, n))), s;
	});
	return i("div", {
		class: "examples-continued",
		role: "group",
		"aria-label": "Continuation"
	}, i("span", { class: "examples-caption" }, a ? Xr(r) ? "log-odds of two texts: for the first, against the second" : "candidates" : "goes on with"), o);
}
function Xr(e) {
	return e.weights.some((e) => e.some((e) => e < 0));
}
function Zr(e, t, n, r, a) {
	let o = `examples-continued-token examples-${Jr(t)}`, s = e.replace(/\n/g, "↵");
	if (!n || Qr(r)) return i("span", { class: o }, s);
	let c = i("button", {
		type: "button",
		class: o,
		"aria-pressed": String(n === r),
		"aria-label": `explain ${e.trim() || e}`
	}, s), l = () => n !== r && a(n);
	return c.addEventListener("pointerenter", l), c.addEventListener("click", l), c;
}
function Qr(e) {
	return (e.continued?.weights.flat().filter((e) => e !== 0).length ?? 0) !== 1;
}
function $r(e, t, n, r) {
	let a = e.flatMap((e) => {
		let n = t(e);
		return n && e.continued && !Qr(e) ? [{
			target: e,
			map: n
		}] : [];
	});
	if (a.length < 2) return null;
	let [{ target: o, map: s }] = a, c = R(o, L(o, s.values.length)), l = Math.max(...a.map(({ map: e }) => e.full)), u = i("tr", null, i("td", null), [...c.values()].map((e) => i("th", { scope: "col" }, i("bdi", null, e)))), d = a.map(({ target: e, map: t }) => i("tr", null, i("th", { scope: "row" }, i("bdi", null, e.target_name || "↵")), [...c.keys()].map((e) => ei(t, e, l, n))));
	return i("figure", { class: "examples-matrix" }, i("figcaption", null, `${r}: prompt by continuation`), i("div", {
		tabindex: 0,
		role: "group",
		"aria-label": "matrix"
	}, i("table", null, i("thead", null, u), i("tbody", null, d))), i("p", { class: "examples-caption" }, `one scale for all rows; full colour: ${A(l)}`));
}
function ei(e, t, n, r) {
	let a = e.values[t], o = O(a, e.signed, n, r);
	return i("td", {
		title: A(a),
		style: {
			background: o,
			color: ke(o)
		}
	}, A(a));
}
// src/examples/large.ts
var ti = 13, ni = class {
	context;
	values;
	pictures;
	step;
	element = i("div", { class: "examples-large" });
	heading = i("div", { class: "examples-heading" });
	legend = i("div", { class: "examples-legends" });
	panels = i("div", { class: "examples-panels" });
	matrix = i("div");
	options = i("div");
	hint = i("p", { class: "examples-caption" }, "Drag to move an enlarged panel; double-click, or Ctrl and the wheel, to enlarge; Shift and arrows read single values of a panel in focus, + and − enlarge it.");
	live = null;
	stage;
	constructor(e, t, n, r, a) {
		this.context = e, this.values = t, this.pictures = n, this.step = a, this.stage = this.newStage(), this.element.append(this.heading, r, this.options, this.legend, this.panels, this.matrix, this.hint), e.live && this.element.append(this.live = i("div", { class: "examples-live" }));
	}
	zoom() {
		let e = Re(this.context.state);
		ze(e) !== ze(this.stage.zoom) && this.stage.show(e, !1);
	}
	show(e, t, n, r) {
		this.stage = this.newStage();
		let i = Le(this.context.state), a = E(i.colours), o = this.pictures.load(t), { study: s } = this.values, c = I(null, t, s.modality), l = /* @__PURE__ */ new Map(), u = /* @__PURE__ */ new Set([...n, ...this.ends()]);
		for (let e of u) {
			let n = t.maps[e];
			if (!n) continue;
			let r = I(n, t, s.modality);
			l.set(e, {
				map: n,
				domain: r,
				shown: F(n, this.values.map(n), r, i)
			});
		}
		let d = gt(n.flatMap((e) => l.get(e)?.domain === "columns" ? [l.get(e).shown.values] : [])), f = {
			values: this.values,
			example: t,
			display: i,
			scheme: a,
			stage: this.stage,
			picture: o,
			order: d
		}, p = n.map((e) => this.ofCell(e, t, l.get(e) ?? null, i)), m = {
			title: "input",
			map: null,
			shown: null,
			caption: ai(t, i),
			note: "",
			scores: []
		}, h = c !== "columns" && (t.picture || t.tokens || t.series), g = this.difference(l);
		this.head(e, t, r), this.explain([...l.values()], i), this.panels.className = `examples-panels examples-of-${c}`;
		let _ = [
			...h ? [m] : [],
			...p,
			...g ? [g] : []
		];
		this.panels.replaceChildren(..._.map((e) => _.length > ti ? ri(() => ii(f, e)) : ii(f, e))), this.matrix.replaceChildren(...this.matrices(e, n, i)), this.mount(t, n);
	}
	nothing(e) {
		this.heading.replaceChildren(i("p", null, e)), this.legend.replaceChildren(), this.panels.replaceChildren(), this.matrix.replaceChildren();
	}
	newStage() {
		let { state: e } = this.context;
		return new ht(Re(e), (t) => e.set({ "ex.zoom": ze(t) }));
	}
	ends() {
		let e = this.context.state.list("ex.minus").map((e) => this.values.study.cells.findIndex((t) => t.label === e));
		return e.length === 2 && e.every((e) => e >= 0) ? e : [];
	}
	ofCell(e, t, n, r) {
		let { label: i } = this.values.study.cells[e], a = this.values.scores(e, t.row);
		if (!n) return {
			title: i,
			map: null,
			shown: null,
			caption: "",
			note: "no map of this example",
			scores: a
		};
		let { full: o, values: s } = n.shown, c = s.reduce((e, t) => e + Number(!Number.isFinite(t)), 0), l = c === s.length ? "undefined" : o > 0 ? `full colour: ${A(o)}${c ? "; grey: undefined" : ""}` : "zero everywhere", u = n.domain === "columns" || n.domain === "units", d = r.block > 1 && n.map.shape.length === 2 ? `mean over blocks of ${r.block} × ${r.block}` : "";
		return {
			title: i,
			map: n.map,
			shown: n.shown,
			caption: [u && o > 0 ? "" : l, d].filter(Boolean).join("; "),
			note: n.map.note,
			scores: a
		};
	}
	difference(e) {
		let [t, n] = this.ends();
		if (t === void 0 || n === void 0) return null;
		let [r, i] = [t, n].map((e) => this.values.study.cells[e].label), a = `${r} minus ${i}`, [o, s] = [e.get(t), e.get(n)], c = o && s && !!o.map.units == !!s.map.units && !o.map.units ? ue(o.shown, s.shown) : null;
		if (!c) return {
			title: a,
			map: null,
			shown: null,
			caption: "",
			note: "these two maps have no places in common",
			scores: []
		};
		let l = o.shown.signed && s.shown.signed ? "" : " of magnitudes, since one of them has no sign";
		return {
			title: a,
			map: {
				...o.map,
				shape: c.shape
			},
			shown: c,
			caption: `difference${l}, each map scaled to its full colour`,
			note: "",
			scores: []
		};
	}
	head(e, t, n) {
		let r = (e, t, n) => i("button", {
			type: "button",
			"aria-label": t,
			"aria-keyshortcuts": e < 0 ? "ArrowLeft" : "ArrowRight",
			onclick: () => this.step(e)
		}, n), a = e.targets.length > 1 && this.targets(e, t), o = t.facts.map(([e, t]) => i("div", null, i("dt", null, e), i("dd", null, i("bdi", null, t)))), s = Pt(I(null, t, this.values.study.modality)), c = oi(this.heading);
		this.heading.replaceChildren(i("div", { class: "examples-options" }, r(-1, "previous example", "←"), r(1, "next example", "→"), i("h2", null, i("bdi", null, t.name)), t.wrong && i("span", { class: "examples-wrong" }, "misclassified"), i("span", {
			class: "examples-caption",
			role: "status"
		}, n)), i("dl", { class: "examples-facts" }, o));
		let l = Yr(t, e.targets, (t) => this.pick(e, t.target));
		l ? this.heading.append(l) : a && this.heading.append(a), this.hint.hidden = !s, c && this.heading.querySelector(`[aria-label="${c}"]`)?.focus();
	}
	pick(e, t) {
		this.context.state.set({
			example: e.id,
			"ex.target": t === e.targets[0].target ? null : String(t)
		});
	}
	matrices(e, t, n) {
		let [r] = t;
		if (r === void 0 || !e.targets[0].continued) return [];
		let i = $r(e.targets, (e) => {
			let t = e.maps[r];
			return t ? F(t, this.values.map(t), I(t, e, this.values.study.modality), n) : null;
		}, E(n.colours), this.values.study.cells[r].label);
		return i ? [i] : [];
	}
	targets(e, t) {
		let n = (t) => this.pick(e, t), r = e.targets.map((e) => i("button", {
			type: "button",
			class: "examples-chip",
			"aria-pressed": String(e === t),
			"aria-label": `target ${e.target}: ${e.target_name}`,
			onclick: () => n(e.target)
		}, i("bdi", null, e.target_name || `target ${e.target}`)));
		return i("div", {
			class: "examples-chips",
			role: "group",
			"aria-label": "Target"
		}, i("span", { class: "examples-caption" }, "explained target"), r);
	}
	zoomButtons() {
		let e = (e, t, n) => i("button", {
			type: "button",
			"aria-label": e,
			onclick: () => this.stage.enlarge(n)
		}, t);
		return i("div", {
			class: "examples-field",
			role: "group",
			"aria-label": "Zoom of all panels"
		}, i("span", null, "Zoom"), e("enlarge all panels", "+", 1.5), e("reduce all panels", "−", 1 / 1.5), i("button", {
			type: "button",
			title: "show all of it",
			onclick: () => this.stage.enlarge(0)
		}, "whole"));
	}
	explain(e, t) {
		let n = E(t.colours), r = (e) => i("span", {
			class: "examples-scale",
			style: { background: Ae(n, e) }
		}), a = (t) => e.some((e) => e.shown.signed === t), o = e.some(({ map: e }) => e.values.kind === "int8" || e.values.kind === "uint8"), s = e.length > 0 && e.every(({ shown: e }) => e.shape.length === 1) && this.values.study.modality === "table", c = s ? "The columns have one order for all cells: by mean magnitude over the chosen cells, each on its own scale. Compare columns within a cell, not lengths between cells." : `White is zero. Each cell has its own scale, whose full colour is ${t.percentile === 100 ? "the largest magnitude" : `the ${t.percentile}th percentile of the magnitudes`} on this example: compare places within a cell, not colours between cells.`;
		this.legend.replaceChildren(...a(!0) && !s ? [i("span", { class: "examples-legend" }, "evidence against ", r(!0), " evidence for the explained output")] : [], ...a(!1) && !s ? [i("span", { class: "examples-legend" }, "zero ", r(!1), " large magnitude")] : [], i("p", { class: "examples-caption" }, c, t.overlay ? " Over the input, a value is as opaque as it is large, and the picture has no colours." : "", o ? " Values of maps are rounded on this page to 1/127 of the largest." : ""));
	}
	mount(e, t) {
		if (!this.live || !customElements.get("xai-live")) return;
		let n = this.live.firstElementChild ?? document.createElement("xai-live");
		Object.assign(n, {
			context: this.context,
			study: this.values.study,
			example: e,
			cell: this.values.study.cells[t[0] ?? -1]?.label ?? ""
		}), n.isConnected || this.live.append(n);
	}
};
function ri(e) {
	let t = i("div", { class: "examples-later" }), n = null;
	return M(t, () => {
		n = e(), t.replaceWith(n);
	}), n ?? t;
}
function ii(e, t) {
	return t.shown || t.title === "input" ? z(e, t) : i("figure", { class: "examples-panel" }, i("figcaption", null, Bt(t.title)), i("p", { class: "examples-caption" }, t.note));
}
function ai(e, t) {
	return !e.mask || !t.mask ? "" : e.tokens ? "underlined: the ground truth" : "outlined: the ground truth";
}
function oi(e) {
	let t = e.getRootNode().activeElement;
	return t && e.contains(t) ? t.getAttribute("aria-label")?.replace(/["\\]/g, "\\$&") ?? null : null;
}
// src/examples/list/filter.ts
function si(e, t) {
	let n = li(e.words);
	return li(t.query).split(/\s+/).every((e) => n.includes(e)) && (!t.label || e.label === t.label) && (!t.predicted || e.predicted === t.predicted) && (!t.outcome || e.wrong === (t.outcome === "wrong")) && Z(e.confidence, t.confidence) && Z(e.agreement, t.agreement) && Z(e.value, t.value);
}
function Z(e, [t, n]) {
	return t === null && n === null || e !== null && (t === null || e >= t) && (n === null || e <= n);
}
function ci(e, t, n) {
	if (t === "study") return n ? e.toReversed() : e;
	let r = {
		confidence: "confidence",
		metric: "value",
		agreement: "agreement"
	}, i = (e) => e.candidate[r[t]];
	return e.toSorted((e, t) => {
		let [r, a] = [i(e), i(t)];
		return r === null || a === null ? r === a ? 0 : r === null ? 1 : -1 : n ? a - r : r - a;
	});
}
function li(e) {
	return e.normalize("NFKC").toLowerCase().trim();
}
// src/examples/list/filters.ts
var ui = class {
	state;
	examples;
	element;
	search;
	count = i("p", {
		class: "examples-count",
		role: "status"
	});
	clear;
	order;
	fields = [];
	more;
	constructor(e, t, n, r, a) {
		this.state = e, this.examples = a, this.search = i("input", {
			type: "search",
			placeholder: "Search examples ( / )",
			"aria-label": "Search examples: names, classes, words, columns",
			"aria-keyshortcuts": "/",
			oninput: () => e.set({ "ex.q": this.search.value || null })
		}), this.search.addEventListener("keydown", (e) => {
			e.key === "Escape" && (e.preventDefault(), e.stopPropagation(), this.search.blur());
		}), this.clear = i("button", {
			type: "button",
			onclick: () => e.set(Ue())
		}, "Clear");
		let o = r ? `agreement of the chosen cells (${r.name})` : "agreement of the chosen cells (cosine)", s = (e, t) => (this.fields.push(t), J(e, t)), c = (e) => [["", "any"], ...[...new Set(e)].map((e) => be(t, e)).filter(Boolean).sort().map((e) => [e, e])], l = (e) => e.some((e) => e >= 0), { rows: u } = t, d = t.metrics.map((e) => [e.name, e.name]), f = n.map((e) => [t.cells[e].label, t.cells[e].label]), p = d.length > 0 && f.length > 0, m = [
			[
				"study:",
				"order of the study",
				!0
			],
			[
				"agreement:",
				`most disagreement first: ${o}`,
				n.length > 1
			],
			[
				"agreement:1",
				"most agreement first",
				n.length > 1
			],
			[
				"confidence:",
				"lowest probability first",
				u.probability.some((e) => e !== null)
			],
			[
				"confidence:1",
				"highest probability first",
				u.probability.some((e) => e !== null)
			],
			[
				"metric:",
				"lowest score first",
				p
			],
			[
				"metric:1",
				"highest score first",
				p
			]
		];
		this.order = i("select", { onchange: () => this.sort() }, m.filter(([, , e]) => e).map(([e, t]) => i("option", { value: e }, t))), this.more = i("details", { class: "examples-filters" }, i("summary", null, "Filters and order"), l(u.label) && s("Label", K(e, "ex.label", c(u.label))), l(u.predicted) && s("Prediction", K(e, "ex.predicted", c(u.predicted))), u.wrong.some((e) => e >= 0) && s("Right or wrong", K(e, "ex.outcome", [
			["", "any"],
			["right", "right"],
			["wrong", "wrong"]
		])), u.probability.some((e) => e !== null) && s("Probability", Cr(e, "ex.confidence", "probability")), n.length > 1 && s(o.replace(/^a/, "A"), Cr(e, "ex.agreement", o)), p && s("Score: metric", K(e, "ex.metric", [["", d[0][1]], ...d.slice(1)])), p && s("Score: cell", K(e, "ex.cell", [["", "the first chosen cell"], ...f])), p && s("Score", Cr(e, "ex.value", "score")), i("label", { class: "examples-field" }, i("span", null, "Order"), this.order), s("Maps in the list (up to 12 cells)", q(e, "ex.maps"))), this.more.open = this.isFiltered() || !!e.get("ex.sort"), this.element = i("div", {
			class: "examples-form",
			role: "search",
			"aria-label": "Examples"
		}, this.search, i("div", { class: "examples-options" }, this.count, this.clear), this.more);
	}
	sync(e) {
		this.search.value !== this.state.get("ex.q") && (this.search.value = this.state.get("ex.q"));
		for (let e of this.fields) e.sync();
		this.order.value = `${this.state.get("ex.sort", "study")}:${this.state.get("ex.down")}`, this.order.selectedIndex < 0 && (this.order.value = "study:"), this.count.textContent = `${e} of ${this.examples} ${this.examples === 1 ? "example" : "examples"}`, this.clear.hidden = !this.isFiltered() && !this.state.get("ex.sort");
	}
	isFiltered() {
		return k.some((e) => this.state.get(e));
	}
	sort() {
		let [e, t] = this.order.value.split(":");
		this.state.set({
			"ex.sort": e === "study" ? null : e,
			"ex.down": t || null
		});
	}
}, di = class {
	values;
	pictures;
	open;
	element = i("ol", {
		class: "examples-list",
		"aria-label": "Examples"
	});
	buttons = /* @__PURE__ */ new Map();
	forget = [];
	constructor(e, t, n) {
		this.values = e, this.pictures = t, this.open = n;
	}
	show(e, t) {
		for (let e of this.forget) e();
		this.forget = [], this.buttons.clear(), this.element.classList.toggle("examples-with-maps", t.cells.length > 0);
		let n = E(t.colours);
		this.element.replaceChildren(...e.map((e) => i("li", null, this.button(e, t, n)))), e.length || this.element.append(i("li", { class: "examples-caption" }, "No example passes the filters."));
	}
	mark(e) {
		for (let [t, n] of this.buttons) t === e ? n.setAttribute("aria-current", "true") : n.removeAttribute("aria-current");
		let t = this.buttons.get(e);
		if (!t) return;
		let { offsetTop: n, offsetHeight: r, offsetLeft: i, offsetWidth: a } = t, o = this.element;
		(n < o.scrollTop || n + r > o.scrollTop + o.clientHeight) && (o.scrollTop = n - o.clientHeight / 3), (i < o.scrollLeft || i + a > o.scrollLeft + o.clientWidth) && (o.scrollLeft = i - o.clientWidth / 3);
	}
	button(e, t, n) {
		let { entry: r, example: a, candidate: o } = e, s = i("span", { class: "examples-thumbnail" }), c = i("span", { class: "examples-minis" }), l = {
			study: null,
			confidence: o.confidence,
			metric: o.value,
			agreement: o.agreement
		}[t.sort], u = r.targets.length > 1 && `${r.targets.length} targets`, d = [o.predicted && `predicted ${o.predicted}`, u].filter(Boolean).join(" · "), f = i("button", {
			type: "button",
			onclick: () => this.open(e),
			title: r.name
		}, s, i("span", { class: "examples-words" }, i("bdi", { class: "examples-name" }, r.name), d && i("span", { class: "examples-small" }, i("bdi", null, d)), o.wrong && i("span", { class: "examples-wrong" }, "wrong"), l !== null && i("span", { class: "examples-small" }, A(l))), t.cells.length > 0 && c);
		return this.buttons.set(r.id, f), this.forget.push(M(f, () => {
			let e = pt(a, this.values, this.pictures, n);
			e ? s.append(e) : s.remove(), c.append(...t.cells.map((e) => mt(a, e, this.values, n)));
		})), f;
	}
}, fi = 12, pi = class extends V {
	keys = [
		...k,
		...je,
		...Me,
		...Ne,
		...Pe,
		"ex.zoom",
		"ex.maps"
	];
	parts = null;
	items = [];
	shown = null;
	deaf = null;
	connectedCallback() {
		super.connectedCallback();
		let e = () => et(this), t = Gr(this, {
			step: (e) => this.step(e),
			search: () => this.parts?.filters.search.focus()
		});
		window.addEventListener("beforeprint", e), this.deaf = () => {
			t(), window.removeEventListener("beforeprint", e);
		};
	}
	disconnectedCallback() {
		super.disconnectedCallback(), this.deaf?.(), this.deaf = null, this.parts?.pictures.forget(), this.parts = null, this.replaceChildren();
	}
	draw(e) {
		if (!this.isConnected) return;
		if (!this.study.examples.length) {
			this.replaceChildren(i("p", null, "This page holds no single examples of the study."));
			return;
		}
		let t = this.parts === null, n = this.parts ??= this.build(), r = (n) => t || n.some((t) => e.has(t)), a = ge(this.study, this.context.state.list("cells")), o = r([
			...k,
			...je,
			"cells",
			"ex.maps",
			"ex.colours"
		]);
		o && this.relist(n, a);
		let s = this.view(), c = this.placeOf(s?.entry);
		(r([...Ne, ...Me]) || s?.example !== this.shown?.example || c !== this.shown?.place) && (this.shown = {
			example: s?.example,
			place: c
		}, n.chips.show(a.map((e) => this.study.cells[e].label)), n.display.sync(), s ? n.large.show(s.entry, s.example, a, c) : n.large.nothing(this.missing())), s && n.list.mark(s.entry.id), n.large.zoom(), (o || r(Pe)) && n.importance?.show(n.entries, this.items.map((e) => e.entry), a[0] ?? -1);
	}
	build() {
		let { study: e, context: t } = this, n = new _e(t.content, e), r = new ft(t.content), a = pe(e.examples), o = he(e), s = new ui(t.state, e, o, ye(e, t.state.get("measure")), a.length), c = new di(n, r, (e) => this.choose(e)), l = new Sr(t.state, e, o), [u] = e.examples, d = e.examples.some((e) => e.picture), f = e.examples.some((e) => !e.tokens && !e.columns), p = new ni(t, n, r, l.element, (e) => this.step(e)), m = {
			overlay: d,
			smooth: f,
			mask: e.examples.some((e) => e.mask),
			bars: !!u?.columns
		}, h = new Tr(t.state, e, o, m, f ? [p.zoomButtons()] : []);
		p.options.append(h.element);
		let g = e.examples.some((e) => e.columns || e.tokens) ? new Br(t, n, o) : null;
		return this.classList.add("examples"), this.replaceChildren(i("div", { class: "examples-layout" }, i("div", { class: "examples-side" }, s.element, this.leftOut(), c.element), p.element), ...g ? [g.element] : []), {
			values: n,
			pictures: r,
			entries: a,
			cells: o,
			filters: s,
			list: c,
			chips: l,
			display: h,
			large: p,
			importance: g
		};
	}
	leftOut() {
		let e = new Set(this.study.rows.example).size, t = new Set(this.study.examples.map((e) => e.id)).size;
		return t < e && i("p", { class: "examples-caption" }, `${t} of the study's ${e.toLocaleString("en")} examples have their maps on this page.`);
	}
	relist(e, t) {
		let { state: n } = this.context, r = Fe(n), { sort: i, down: a } = Ie(n), o = ye(this.study, n.get("measure")), s = i === "agreement" || r.agreement.some((e) => e !== null), c = n.get("ex.metric", this.study.metrics[0]?.name ?? ""), l = this.study.cells.findIndex((e) => e.label === n.get("ex.cell")), u = l >= 0 ? l : t[0] ?? -1, d = e.entries.flatMap((n) => {
			let i = n.targets.map((r) => {
				let i = s ? e.values.agreement(o, t, r) : null;
				return {
					entry: n,
					example: r,
					candidate: xe(e.values, r, i, c, u)
				};
			}).find(({ candidate: e }) => si(e, r));
			return i ? [i] : [];
		});
		this.items = ci(d, i, a), e.filters.sync(this.items.length), e.list.show(this.items, {
			cells: n.get("ex.maps") === "1" ? t.slice(0, fi) : [],
			colours: n.get("ex.colours"),
			sort: i
		});
	}
	view() {
		let { state: e } = this.context, t = e.get("example"), [n] = this.items, r = t ? this.parts?.entries.find((e) => e.id === t) : n?.entry;
		if (!r) return null;
		let i = e.get("ex.target"), a = t ? r.targets[0] : n.example;
		return {
			entry: r,
			example: r.targets.find((e) => String(e.target) === i) ?? a
		};
	}
	placeOf(e) {
		let t = this.items.findIndex((t) => t.entry === e);
		return t < 0 ? "not among the examples that the filters leave" : `${t + 1} of ${this.items.length}`;
	}
	missing() {
		let e = this.context.state.get("example");
		return e ? this.study.rows.example.includes(e) ? `The example ${e} has scores, but its maps are not on this page. ${this.context.content.document.omitted.join(" ")}` : `This study has no example ${e}.` : "No example passes the filters.";
	}
	choose({ entry: e, example: t }) {
		this.context.state.set({
			example: e.id,
			"ex.target": t === e.targets[0] ? null : String(t.target)
		});
	}
	step(e) {
		if (!this.items.length) return;
		let t = this.view()?.entry.id, n = this.items.findIndex((e) => e.entry.id === t), r = this.items[n < 0 ? 0 : Math.min(this.items.length - 1, Math.max(0, n + e))];
		this.choose(r);
	}
};
B("xai-examples", pi);
// src/made/section.ts
var mi = class extends V {
	keys = [];
	draw() {
		let { made: e, cells: t } = this.study;
		this.replaceChildren(e.command ? i("section", null, i("h2", null, "The command that repeats it"), i("pre", { tabindex: "0" }, e.command)) : "", i("section", null, i("h2", null, "Facts"), i("dl", { class: "facts" }, e.facts.flatMap(([e, t]) => [i("dt", null, e), i("dd", null, t)]))), this.study.problems.length ? jn(this.study) : "", i("details", { open: !0 }, i("summary", null, "Cost of each cell"), H({
			caption: "What the attributions of each cell cost",
			columns: [
				"method / baseline",
				"status",
				"examples",
				"forward passes",
				"backward passes",
				"seconds",
				"peak memory in MiB",
				"from the store"
			].map((e) => ({ name: e })),
			rows: t.map((e) => [
				e.label,
				e.reason ? `${e.status}: ${e.reason}` : e.status,
				...[
					e.examples,
					e.forward,
					e.backward
				].map((e) => ({
					value: e,
					text: e === null ? "–" : e.toLocaleString("en")
				})),
				e.seconds,
				e.memory ? {
					value: e.memory / 2 ** 20,
					text: (e.memory / 2 ** 20).toFixed(1)
				} : null,
				e.cached ? "yes" : "no"
			])
		})), i("details", null, i("summary", null, "Methods, baselines, metrics and agreements"), e.glossary.map(({ kind: e, entries: t }) => i("section", null, i("h3", null, e), i("dl", { class: "glossary" }, t.flatMap((e) => [i("dt", null, e.label), i("dd", null, e.summary, e.details ? i("span", { class: "soft" }, ` ${e.details}.`) : null, e.source ? i("cite", { class: "soft" }, ` ${e.source}`) : null)]))))), i("details", null, i("summary", null, "Configuration"), e.config ? i("pre", { tabindex: "0" }, e.config) : i("p", null, "config.yaml is missing.")));
	}
};
B("xai-made", mi);
// src/document/types.ts
var hi = [
	"unknown",
	"different",
	"equal"
];
// src/document/access.ts
function gi(e, t) {
	let n = t.pairs, [r, i, a, o, s, c, l] = [
		n.a,
		n.b,
		n.difference,
		n.low,
		n.high,
		n.p,
		n.shown
	].map((t) => e.numbers(t));
	return Array.from(r, (e, t) => ({
		a: e,
		b: i[t],
		difference: a[t],
		low: o[t],
		high: s[t],
		p: c[t],
		shown: hi[l[t]] ?? "unknown"
	}));
}
// src/metrics/cost.ts
var _i = .5;
function vi(e) {
	let { forward: t, backward: n, examples: r, cached: i } = e;
	return t === null || n === null || !r || i && t + n === 0 ? null : {
		forward: t / r,
		backward: n / r
	};
}
function yi(e, t) {
	let n = t ? 1 : -1;
	return e.map((t) => e.every((e) => e.passes > t.passes || n * e.mean < n * t.mean || e.passes === t.passes && e.mean === t.mean));
}
function bi(e, t, n) {
	let r = t.flatMap((t) => {
		let n = e[t.cell], r = vi(n);
		return r && t.mean !== null ? [{
			cell: n,
			mean: t,
			...r,
			total: r.forward + r.backward
		}] : [];
	}), i = r.filter(({ cell: e }) => !e.control), a = yi(i.map(({ total: e, mean: t }) => ({
		passes: e,
		mean: t.mean
	})), n), o = Si(r.map(({ mean: e }) => e.mean), xi);
	return r.map((e, t) => ({
		cell: e.cell.label,
		passes: e.total,
		at: Math.max(_i, e.total),
		forward: e.forward,
		backward: e.backward,
		mean: e.mean.mean,
		low: e.mean.low,
		high: e.mean.high,
		front: a[i.indexOf(e)] ?? !1,
		control: e.cell.control,
		name_at: o[t]
	}));
}
var xi = .06;
function Si(e, t) {
	let n = t * (Math.max(...e) - Math.min(...e)), r = [...e], i = Infinity;
	for (let t of e.map((e, t) => t).sort((t, n) => e[n] - e[t])) r[t] = Math.min(e[t], i - n), i = r[t];
	return r;
}
function Ci(e, t, n) {
	let r = /* @__PURE__ */ new Map(), i = n.map((e) => r.get(e) ?? (r.set(e, r.size), r.size - 1)), a = n.length;
	return Array.from({ length: t }, (t, n) => {
		let [o, s] = [new Float64Array(r.size), new Float64Array(r.size)];
		for (let t = 0; t < a; t++) {
			let r = e[n * a + t];
			Number.isFinite(r) && (o[i[t]] += r, s[i[t]] += 1);
		}
		return o.map((e, t) => s[t] ? e / s[t] : NaN);
	});
}
function wi(e, t) {
	let n = e[0]?.length ?? 0;
	return Array.from({ length: n }, (e, t) => t).filter((n) => t.every((t) => Number.isFinite(e[t][n])));
}
function Ti(e, t, n, r) {
	let i = {
		n: 0,
		wins: 0,
		ties: 0
	};
	for (let a of r) {
		let [r, o] = [e[a], t[a]];
		Number.isFinite(r) && Number.isFinite(o) && (i.n += 1, Math.abs(r - o) <= 1e-6 * Math.max(Math.abs(r), Math.abs(o)) ? i.ties += 1 : r > o === n && (i.wins += 1));
	}
	return i;
}
// src/metrics/curves.ts
var Ei = 1.959964;
function Di(e) {
	let t = Array.from(e).filter(Number.isFinite), n = t.length, r = t.reduce((e, t) => e + t, 0) / n;
	if (n < 2) return {
		mean: r,
		low: null,
		high: null,
		n
	};
	let i = Math.sqrt(t.reduce((e, t) => e + (t - r) ** 2, 0) / (n - 1) / n);
	return {
		mean: r,
		low: r - Ei * i,
		high: r + Ei * i,
		n
	};
}
function Oi(e, t, n, r, i) {
	if (!n.curves) return [];
	let { shares: a, values: o } = n.curves, s = e.numbers(o), [c, l] = [i.length, a.length];
	return r.flatMap((e, n) => a.flatMap((r, a) => {
		let { mean: o, low: u, high: d, n: f } = Di(Ci(Float32Array.from({ length: c }, (t, n) => s[(e * c + n) * l + a]), 1, i)[0]);
		return f ? [{
			cell: t.cells[e].label,
			place: n,
			share: r,
			mean: o,
			low: u,
			high: d,
			n: f
		}] : [];
	}));
}
// src/metrics/groups.ts
function ki(e) {
	return [{
		name: "right",
		is: 0
	}, {
		name: "wrong",
		is: 1
	}].map(({ name: t, is: n }) => ji(e, t, (t) => e.wrong[t] === n)).filter((e) => e.n > 0);
}
function Ai(e) {
	let { rows: t, classes: n } = e, r = t.label.some((e) => e >= 0), i = r ? t.label : t.predicted;
	return {
		groups: n.map((e, n) => ji(t, e, (e) => i[e] === n)).filter((e) => e.n > 0),
		by: r ? "label" : "predicted class"
	};
}
function ji(e, t, n) {
	let r = e.example.map((e, t) => t).filter(n);
	return {
		name: t,
		rows: r,
		n: new Set(r.map((t) => e.example[t])).size
	};
}
function Mi(e, t, n, r) {
	let i = n.example.length, a = new Float32Array(t * r.rows.length);
	for (let n = 0; n < t; n++) r.rows.forEach((t, o) => a[n * r.rows.length + o] = e[n * i + t]);
	return Ci(a, t, r.rows.map((e) => n.example[e])).map((e) => {
		let t = e.filter(Number.isFinite);
		return {
			mean: t.length ? t.reduce((e, t) => e + t, 0) / t.length : NaN,
			n: t.length
		};
	});
}
// src/metrics/rows.ts
function Ni(e) {
	return e.rows.cluster ?? e.rows.example;
}
function Pi(e, t, n) {
	return n.flatMap((n, r) => {
		let i = t.means.find((e) => e.cell === n);
		if (!i || i.mean === null) return [];
		let { label: a, control: o } = e.cells[n], { low: s, high: c, n: l, letters: u, best: d } = i;
		return [{
			cell: a,
			place: r,
			mean: i.mean,
			low: s,
			high: c,
			edge: Math.max(i.mean, c ?? i.mean),
			n: l,
			letters: u,
			best: d,
			control: o
		}];
	});
}
function Fi(e, t, n) {
	return n.flatMap((n, r) => Ii(t.means.find((e) => e.cell === n)?.letters ?? "").map((t) => ({
		cell: e.cells[n].label,
		place: r,
		letter: t
	})));
}
function Ii(e) {
	return e.match(/\.*[a-z]/gi) ?? [];
}
function Li(e, t, n, r) {
	let i = new Map(r.map((e, t) => [e, t])), a = n.filter(({ a: e, b: t, low: n }) => i.has(e) && i.has(t) && !Number.isNaN(n)).map((e) => i.get(e.a) < i.get(e.b) ? e : {
		...e,
		a: e.b,
		b: e.a,
		difference: -e.difference,
		low: -e.high,
		high: -e.low
	});
	return a.sort((e, t) => i.get(e.a) - i.get(t.a) || i.get(e.b) - i.get(t.b)), a.map(({ a: n, b: r, difference: i, low: a, high: o, p: s, shown: c }, l) => ({
		pair: `${e.cells[n].label} – ${e.cells[r].label}`,
		a: e.cells[n].label,
		b: e.cells[r].label,
		place: l,
		difference: i,
		low: a,
		high: o,
		p: s,
		shown: c,
		margin: t.margin ?? 0
	}));
}
function Ri(e, t, n, r, i) {
	if (n.higher === null) return [];
	let a = n.higher, o = Ci(e.numbers(n.scores), t.cells.length, Ni(t)), s = new Map(r.flatMap((e) => [[`${e.a} ${e.b}`, e.p], [`${e.b} ${e.a}`, e.p]])), [c, l] = [wi(o, [...new Set(r.flatMap(({ a: e, b: t }) => [e, t]))]), wi(o, [])];
	return i.flatMap((e, n) => i.flatMap((r, i) => {
		if (e === r) return [];
		let u = s.get(`${e} ${r}`), d = Ti(o[e], o[r], a, u === void 0 ? l : c);
		return d.n ? [{
			row: t.cells[e].label,
			row_place: n,
			column: t.cells[r].label,
			column_place: i,
			share: d.wins / d.n,
			...d,
			p: u === void 0 || Number.isNaN(u) ? null : u
		}] : [];
	}));
}
function zi(e, { cells: t, mean: n, critical: r }) {
	let i = t.map((t, r) => ({
		label: e.cells[t].label,
		rank: n[r]
	})).sort((e, t) => e.rank - t.rank), a = Math.ceil(i.length / 2), o = i.map(({ label: e, rank: t }, n) => ({
		kind: "cell",
		cell: e,
		rank: t,
		level: n < a ? n + 1 : i.length - n,
		side: n < a ? "left" : "right"
	})), s = Bi(i.map(({ rank: e }) => e), r), c = s.map(([e, t], n) => ({
		kind: "group",
		start: i[e].rank,
		end: i[t].rank,
		level: (n + 1) / (s.length + 1)
	}));
	return [
		...o,
		...c,
		{
			kind: "critical",
			start: 1,
			end: 1 + r,
			level: a + .9
		}
	];
}
function Bi(e, t) {
	let n = [];
	return e.forEach((r, i) => {
		let a = e.findLastIndex((e) => e - r <= t);
		a > i && !n.some(([e, t]) => e <= i && a <= t) && n.push([i, a]);
	}), n;
}
function Vi(e, t, n, r, i) {
	let a = e.numbers(n.scores);
	return i.flatMap((e, n) => {
		let i = Mi(a, t.cells.length, t.rows, e);
		return r.flatMap((r, a) => {
			let { mean: o, n: s } = i[r];
			return s ? [{
				cell: t.cells[r].label,
				place: a,
				group: `${e.name} (${e.n})`,
				group_place: n,
				mean: o,
				label: A(o, 2),
				n: s
			}] : [];
		});
	});
}
function Hi(e, t, n, r) {
	let i = ki(t.rows);
	return i.length > 1 ? Vi(e, t, n, r, i) : [];
}
function Ui(e, t, n, r) {
	let { groups: i, by: a } = Ai(t);
	return {
		rows: i.length > 1 ? Vi(e, t, n, r, i) : [],
		by: a
	};
}
// src/metrics/section.ts
var Q = 40, Wi = 6, Gi = 35, $ = 270, Ki = class extends V {
	keys = [
		"metric",
		"metrics_pairs",
		"cells"
	];
	draw(e) {
		let { metrics: t, cells: n } = this.study;
		this.classList.add("metrics");
		let r = t.find((e) => e.name === this.context.state.get("metric")) ?? t[0];
		if (!r) {
			this.replaceChildren(i("p", null, "This study has no scores."));
			return;
		}
		if (e.size && !e.has("metric") && !e.has("metrics_pairs") && n.length <= Q) return;
		let a = e.size ? this.querySelector(":focus")?.id ?? "" : "";
		this.replaceChildren(this.picker(r), i("h2", null, `${r.name}${Ji(r)}`), ...this.words(r), this.means(r), this.charts(r)), a && this.querySelector(`#${CSS.escape(a)}`)?.focus();
	}
	picker(e) {
		let { state: t } = this.context;
		return i("p", { class: "metrics-picker" }, i("label", { for: "metrics-metric" }, "Metric "), i("select", {
			id: "metrics-metric",
			onchange: (e) => t.set({ metric: e.target.value })
		}, this.study.metrics.map((t) => i("option", {
			value: t.name,
			".selected": t === e
		}, `${t.name}${Ji(t)}`))));
	}
	words(e) {
		let t = [
			e.summary,
			Yi(e),
			Xi(e),
			e.unit && `in ${e.unit}`
		], n = this.study.removals.find((t) => e.name === t.metric || e.name.startsWith(`${t.metric}@`));
		return [
			i("p", { class: "metrics-summary" }, t.filter(Boolean).join("; ") + "."),
			...e.verdict ? [i("p", { class: e.refused ? "metrics-verdict metrics-refused" : "metrics-verdict" }, An(e.verdict))] : [],
			...e.shift ? [i("p", { class: "metrics-note" }, e.shift)] : [],
			...n ? [i("p", { class: "metrics-note" }, `${n.sentence} Distance to the data: ${n.distances.map(([e, t]) => `${e} ${t}`).join(", ")}.`)] : []
		];
	}
	means(e) {
		let { unit: t, cells: n } = this.study, r = e.means.some((e) => e.letters), i = e.means.some((e) => e.undefined > 0), a = [
			{ name: "method / baseline" },
			{ name: "mean" },
			{
				name: "95 % interval",
				title: `marginal: of this mean alone, for other ${t}`
			},
			...r ? [{
				name: "letters",
				title: "cells that share no letter differ significantly"
			}, {
				name: "ranks",
				title: "that the tests leave possible"
			}] : [],
			{
				name: "n",
				title: t
			},
			...i ? [{
				name: "undefined",
				title: "scores left out, and the mean if they were all the worst or all the best"
			}] : []
		], o = e.means.map((e) => [
			{
				value: n[e.cell].label,
				class: e.best ? "table-best" : ""
			},
			{
				value: e.mean,
				class: e.best ? "table-best" : ""
			},
			{
				value: e.low,
				text: Ze(e.low, e.high)
			},
			...r ? [e.letters || "–", {
				value: e.ranks?.[0] ?? null,
				text: Zi(e)
			}] : [],
			e.n,
			...i ? [{
				value: e.undefined,
				text: Qi(e)
			}] : []
		]), s = r ? " Cells that share no letter differ significantly; sharing a letter does not show that two are equal. Bold: no cell is shown to be better." : "";
		return H({
			caption: `${e.name}: means over ${t}, each with its own 95 % interval for other ${t}.${s}`,
			columns: a,
			rows: o
		});
	}
	order(e) {
		let t = e.means.filter((e) => e.mean !== null).map((e) => e.cell);
		if (t.length <= Q) return {
			order: t,
			left: ""
		};
		let n = new Set(this.context.state.list("cells")), r = t.filter((e) => n.has(this.study.cells[e].label));
		return r.length > 1 ? {
			order: r.slice(0, Q),
			left: ` ${r.length} chosen of ${t.length} cells.`
		} : {
			order: t.slice(0, Q),
			left: ` The ${Q} of ${t.length} cells with the best means.`
		};
	}
	charts(e) {
		let { study: t, context: n } = this, { content: r } = n, { order: a, left: o } = this.order(e), s = gi(r, e), c = t.unit, l = i("div", { class: "metrics-grid" }), u = (r, a, s, c, u = {}, ...d) => {
			if (!s.length) return;
			let f = `${t.name} ${e.name} ${a}`, p = `${r}, ${e.name}. ${c}`, m = Qn(n, a, s, {
				label: p,
				caption: c + o,
				file: f,
				...u
			});
			l.append(i("section", { class: `metrics-card metrics-${a}` }, i("h3", null, r), ...d, m));
		}, d = {
			fewest: $ + a.length * Gi,
			most: $ + Math.max(5, a.length) * 80
		}, f = Pi(t, e, a), p = f.some((e) => e.control) ? " Dashed: the means of controls, which every explanation should be better than." : "";
		u("Means", "intervals", f, `Mean over ${c} with its marginal 95 % interval, for other ${c}.${f.some((e) => e.best) ? " Blue diamonds: no cell is shown to be better." : ""}${p}`);
		let m = Fi(t, e, a);
		u("Letters", "letters", m, "A bar for each letter over the cells that carry it. Cells that share no letter differ significantly; sharing a letter does not show that two are equal.", { fewest: $ + 46 * new Set(m.map((e) => e.letter)).size });
		let h = Ri(r, t, e, s, a);
		if (u("Win rates", "win_rates", h, `Share of ${j(Math.max(0, ...h.map((e) => Number(e.n))), $i(c), c)} on which the cell of the row is better than that of the column; equal scores are no win.`, d), this.differences(e, s, a, u), this.cost(e, u), u("Curves", "curves", Oi(r, t, e, a, Ni(t)), `Mean ${e.curves?.unit ?? "score"} over the share of ${e.curves?.over ?? "features"}, with pointwise normal 95 % bands of the mean for other ${c}.`), this.groups(e, a, u), e.ranks && e.ranks.cells.length <= Q) {
			let n = 46 + 24 * (Math.ceil(e.ranks.cells.length / 2) + 1);
			u("Another test: Nemenyi's critical difference", "critical_difference", zi(t, e.ranks), "Mean ranks; cells that a bar joins do not differ by Nemenyi's test. This is another test than that of the letters: it is of ranks, not of means.", {
				height: n,
				fewest: 640,
				most: 900,
				parameters: { cells: e.ranks.cells.length }
			});
		}
		return l;
	}
	differences(e, t, n, r) {
		let a = Li(this.study, e, t, n);
		if (!a.length) return;
		let { state: o } = this.context, s = this.study.cells[n.find((e) => t.some(({ a: t, b: n }) => t === e || n === e)) ?? 0].label, c = o.get("metrics_pairs") || (a.length > Wi ? s : "all"), l = c === "all" ? a.slice(0, 300) : a.filter((e) => e.a === c || e.b === c).map((e) => qi(e, c)), u = [...new Set(a.flatMap((e) => [String(e.a), String(e.b)]))], d = i("p", { class: "metrics-picker" }, i("label", { for: "metrics-pairs" }, "Pairs "), i("select", {
			id: "metrics-pairs",
			onchange: (e) => o.set({ metrics_pairs: e.target.value })
		}, i("option", {
			value: "all",
			".selected": c === "all"
		}, `all ${a.length}`), u.map((e) => i("option", {
			value: e,
			".selected": c === e
		}, `with ${e}`)))), f = e.margin ? ` Equal: within the band of ±${A(e.margin)}.` : "", p = `${c === "all" ? "Difference of the means of two cells, the better mean first," : `Mean of ${c} less that of each other cell,`} with 95 % intervals that hold for all pairs at once.${f} Unknown: neither is shown.`;
		r("Differences", "differences", l.map((e, t) => ({
			...e,
			place: t
		})), p, {}, ...a.length > 1 ? [d] : []);
	}
	cost(e, t) {
		if (e.higher === null) return;
		let n = bi(this.study.cells, e.means, e.higher);
		if (n.filter((e) => !e.control).length < 2) return;
		let r = e.means.filter((e) => e.mean !== null).length - n.length;
		t("Quality and cost", "cost", n, [
			"Mean over the passes that the attributions of a cell took. The line joins the Pareto front: no cell has as good a mean for fewer passes.",
			n.some((e) => !e.passes) ? " Cells at the left edge had no passes of their own: they need none, or shared those of other cells." : "",
			r ? ` ${j(r, "cell")} came from the store, so that no passes were counted.` : ""
		].join(""));
	}
	groups(e, t, n) {
		let { study: r } = this, { content: i } = this.context, a = "Plain means over the examples of each group, without a test.";
		n("By right or wrong prediction", "groups", Hi(i, r, e, t), `${a} The number of examples is in brackets.`);
		let { rows: o, by: s } = Ui(i, r, e, t), c = new Set(o.map((e) => e.group)).size, l = {
			fewest: $ + c * Gi,
			most: $ + Math.max(4, c) * 80
		};
		c <= Q && n("By class", "group_means", o, `${a} Groups are by ${s}; the number of examples is in brackets.`, l);
	}
};
function qi(e, t) {
	if (e.a === t) return {
		...e,
		pair: e.b
	};
	let [n, r, i] = [
		e.difference,
		e.high,
		e.low
	].map((e) => -Number(e));
	return {
		...e,
		pair: e.a,
		a: t,
		b: e.a,
		difference: n,
		low: r,
		high: i
	};
}
function Ji(e) {
	return e.higher === null ? "" : e.higher ? " ↑" : " ↓";
}
function Yi(e) {
	return e.higher === null ? "descriptive, not ranked" : e.higher ? "higher is better" : "lower is better";
}
function Xi({ bounds: [e, t] }) {
	return e === null && t === null ? "unbounded" : `${e === null ? "-∞" : A(e)} to ${t === null ? "∞" : A(t)}`;
}
function Zi(e) {
	if (!e.ranks) return "–";
	let [t, n] = e.ranks;
	return t === n ? String(t) : `${t} to ${n}`;
}
function Qi(e) {
	return e.range && e.undefined ? `${e.undefined} (mean ${A(e.range[0])} to ${A(e.range[1])})` : String(e.undefined);
}
function $i(e) {
	return e.replace(/s$/, "");
}
B("xai-metrics", Ki);
// src/panels/panels.ts
var ea = 760, ta = 1, na = {
	load: (e) => Promise.reject(/* @__PURE__ */ Error(`panels load nothing: ${e}`)),
	sanitize: (e) => Promise.reject(/* @__PURE__ */ Error(`panels link to nothing: ${e}`)),
	http: (e) => Promise.reject(/* @__PURE__ */ Error(`panels load nothing: ${e}`)),
	file: (e) => Promise.reject(/* @__PURE__ */ Error(`panels load nothing: ${e}`))
};
function ra(e, t, n) {
	return t.panels.filter((e) => e.section === n).map((t) => ia(e, t));
}
function ia(e, { label: t, title: n, plugin: r, html: a, chart: o, caption: s, error: c }) {
	let l = r ? i("p", { class: "panel-from soft" }, `panel ${t}, of ${r}`) : null, u;
	return c ? u = aa(c) : o ? u = oa(e, o, n, s) : (u = i("div", { class: "panel-html" }), u.innerHTML = a), i("section", {
		class: "panel",
		"aria-label": n
	}, i("h2", null, n), u, l);
}
function aa(e) {
	return i("p", {
		class: "panel-failed",
		role: "note"
	}, e);
}
function oa(e, t, n, r) {
	let a = i("div", {
		class: "chart-stage",
		role: "img",
		"aria-label": r ? `${n}. ${r}` : n
	}), o = i("figure", { class: "chart panel-chart" }, i("div", {
		class: "chart-scroll",
		tabindex: 0,
		role: "group",
		"aria-label": n
	}, a), r ? i("figcaption", null, i("span", { class: "chart-caption" }, r)) : null);
	if (!e.vega) return aa("The chart library is not here.");
	let s = null, c = async () => {
		let n = Hn(a), r = i("div");
		try {
			let i = Math.min(ea, a.parentElement?.clientWidth || ea), o = Rn(JSON.parse(t), {
				theme: n,
				width: i
			}), c = {
				ast: !0,
				renderer: "svg",
				actions: !1,
				defaultStyle: !1,
				loader: na,
				tooltip: { theme: n.dark ? "dark" : "light" },
				logLevel: ta
			}, l = await e.vega(r, o, c);
			s?.(), s = () => l.finalize(), r.firstElementChild?.setAttribute("aria-hidden", "true"), a.replaceChildren(r);
		} catch (e) {
			a.replaceChildren(aa(`This chart cannot be drawn: ${String(e).split("\n")[0]}`));
		}
	};
	return queueMicrotask(() => {
		c(), Kn(a, () => (a.isConnected && c(), a.isConnected));
	}), o;
}
// src/viewer.ts
var sa = [
	{
		name: "answer",
		title: "Answer",
		make: () => new kn()
	},
	{
		name: "metrics",
		title: "Metrics",
		make: () => new Ki()
	},
	{
		name: "agreement",
		title: "Agreement",
		make: () => new br()
	},
	{
		name: "examples",
		title: "Examples",
		make: () => new pi()
	},
	{
		name: "across",
		title: "Across studies",
		make: () => new lr()
	},
	{
		name: "made",
		title: "How it was made",
		make: () => new mi()
	}
], ca = class extends HTMLElement {
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
		return sa.filter((t) => e || t.name !== "across");
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
		}) }), e.studies.forEach((t, n) => this.picker.append(i("option", { value: n }, `${n + 1}. ${la(e.studies, n)}`))), r = i("label", { class: "picker" }, "study ", this.picker));
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
		e ? this.setAttribute("data-theme", e) : this.removeAttribute("data-theme"), this.ownerDocument.querySelector("#xaiexp-document, meta[name=\"xaiexp-live\"]") !== null && (document.documentElement.style.colorScheme = e || "light dark");
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
		}, n, ...ra(this.context, this.study, t.name));
		this.body.replaceChildren(r, this.footer()), e && r.focus({ preventScroll: !0 });
	}
	footer() {
		let { document: e } = this.context.content, t = e.omitted.map((e) => i("li", null, e));
		return i("footer", null, t.length ? [i("p", null, "This page leaves out:"), i("ul", null, t)] : null, i("p", null, `xaiexp ${e.version}`));
	}
};
function la(e, t) {
	let { name: n, folder: r } = e[t];
	return e.filter((e) => e.name === n).length > 1 ? `${n} (${r})` : n;
}
B("xai-page", ca);
// src/main.ts
function ua(e, t, n) {
	return {
		content: e,
		state: t,
		vega: window.vegaEmbed ?? null,
		live: n
	};
}
function da(e, t, n) {
	let r = new ca();
	return r.open(ua(e, t, n), dn), r;
}
async function fa(e, r, i, a = null) {
	let o = da(t(await n(r)), i, a);
	return e.replaceChildren(o), o;
}
async function pa(e) {
	let t = await e.ask("/document");
	if (!t.ok) throw Error(t.status === 403 ? "open the address that xaiexp view printed, with its token" : `the server answers ${t.status}`);
	return new Uint8Array(await t.arrayBuffer());
}
function ma() {
	try {
		return window.sessionStorage;
	} catch {
		return null;
	}
}
async function ha() {
	let e = document.getElementById("xaiexp-document"), t = document.querySelector("meta[name=\"xaiexp-live\"]") !== null;
	if (!e && !t) return;
	let n = document.getElementById("xaiexp-summary"), a = i("div");
	try {
		let i = t ? new nn(tn(window.location, ma())) : null, o = await fa(a, i ? await pa(i) : r(e?.textContent ?? ""), new S(window.location), i);
		i && (document.title = o.shadowRoot?.querySelector("h1")?.textContent || "xaiexp"), n?.replaceWith(a);
	} catch (e) {
		n?.prepend(i("p", { role: "alert" }, `The page could not be opened: ${e instanceof Error ? e.message : String(e)}`));
	}
}
var ga = ln(fa);
ha();
export { ga as default, fa as show };
