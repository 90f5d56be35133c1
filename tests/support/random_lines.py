"""Command lines and files of configuration as people mistype them: real words, wrong values and marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args, get_origin

from hypothesis import strategies as st

from xaiexp.config.schema import LISTS, SINGLES
from xaiexp.contract.registry import installed
from xaiexp.core.parameters import hints
from xaiexp.plan.settings import Settings, Tracking

__all__ = ["Request", "requests"]

BASE = {
    "model": "digits_mlp",
    "examples": "4",
    "method": "[saliency,random]",
    "baseline": "[zero]",
    "metric": "[sparseness]",
    "agreement": "[]",
    "effort": "draft",
    "null_draws": "0",
    "tracking.uri": "off",
    "report": "false",
}
"""A study that costs next to nothing."""

PLACED = ("store", "hydra.run.dir", "hydra.sweep.dir")
"""Keys that name a folder."""

FETCHED = {"torchvision", "timm", "transformers", "hf_dataset", "torchvision_dataset"}
"""Components that look for files elsewhere."""

# Numbers that some parameter takes for a count: they are planned, since nobody would wait for the study.
HUGE = ("99999999", "1e9", "99999999999999999999", "1e400")
ODD = (
    "", "null", "true", "off", "-1", "0", "0.5", "nan", "inf", "-inf", "1_0", "0x10", "01", "1e-9", *HUGE,
    "[]", "[[]]", "[null]", "[1]", "[a,a]", "[1,2", "1]", "{}", "{a:1}", "{a:{b:[1]}}", "{a:", "{1:2}", "{null:1}",
    "'", '"', "''", '""', "'a", "a'b", r"\'", "\\", "a b", " ", "a=b", "=", "a,b", ",", "(1)", "a;b", "#", "%s", "@",
    "é", "数", "\u202e", "\x1b[2J", "\t", "\n", "\r", "\u00a0", "\ud800", "..", "../..", ".", "/", "a/b", "~",
    "*", "C:\\x",
    "${seed}", "${nope}", "${", "}", "${seed", "${oc.env:HOME}", "${oc.env:NOPE_OF_OURS}", "${oc.decode:1}",
    "${oc.create:{a:1}}", "${xaiexp_effort:1}", "${xaiexp_effort:1,2,3}", "${now:%Y}", "${hydra:job.name}", "${.x}",
    "${examples}", "${method}", "${oc.dict.keys:method}", "${a${b}}", "???", "!!python/name:os.system",
    "1,2", "range(2)", "range(0)", "range(1,2,0)", "choice(1,2)", "choice()", "interval(0,1)", "glob(*)", "sort(2,1)",
    "shuffle(1)", "int(x)", "float(1)", "str([1])", "bool(maybe)", "json_str({})", "tag(a,1)", "extend_list(1)",
    "x" * 3000, "[" * 300, "[" * 300 + "]" * 300, "1," * 50 + "1",
)  # fmt: skip
"""Values that hardly any key takes."""

HYDRA = (
    "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.verbose", "hydra.job.name", "hydra.job.chdir",
    "hydra.output_subdir", "hydra.mode", "hydra.searchpath", "hydra.launcher", "hydra.launcher.n_jobs",
    "hydra.launcher._target_", "hydra.sweeper", "hydra.sweeper.params", "hydra.sweeper.max_batch_size",
    "hydra.sweeper.params.seed", "hydra.job.env_set.A", "hydra.job.env_copy", "hydra.job.num", "hydra.job", "hydra",
    "hydra.callbacks.a._target_", "hydra.job_logging", "hydra.job_logging.root.level", "hydra.help.template",
    "hydra.runtime.cwd", "hydra.runtime.output_dir", "hydra.nope", "hydra/launcher", "hydra/sweeper",
    "hydra/job_logging", "hydra/hydra_logging", "hydra/help", "hydra/nope", "hydra/sweeper/sampler", "hydra.overrides",
)  # fmt: skip
HYDRA_VALUES = (
    "outputs/mine", "outputs/a b", "outputs/é", "outputs/${seed}", "outputs/${nope}", "mine", "basic", "none",
    "default",
    "disabled", "colorlog", "ray", "slurm", "optuna", "nope", "MULTIRUN", "RUN", "multirun", "[file://conf]",
    "[pkg://os]", "file://nope", "DEBUG", "[a,b]", "os.system", "${hydra.job.num}", "{seed: '1,2'}",
)  # fmt: skip
FLAGS = (
    ["--info"], ["--info", "config"], ["--info", "defaults"], ["--info", "nope"], ["--cfg", "job"], ["--cfg", "hydra"],
    ["--cfg", "all"], ["--cfg", "nope"], ["--cfg"], ["--cfg", "job", "--resolve"], ["--resolve"],
    ["--cfg", "job", "--package", "method"], ["--cfg", "job", "--package", "nope"], ["--package", "x"], ["-p", "a.b.c"],
    ["--hydra-help"], ["--shell-completion", "install=nope"], ["-sc"], ["--config-name", "x"], ["--config-path", "/"],
    ["--config-dir", "nope"], ["--experimental-rerun", "nope"], ["--help"], ["-h"], ["--version"], ["--nope"], ["-x"],
    ["-m"], ["-m", "-m"], ["--multirun"], ["--run"], ["--"], [""], ["-"], ["- "], ["=="], ["\udcff"],
    ["-m", "--cfg", "job"],
    ["-m", "--help"], ["--cfg=job"], ["--run", "-m"],
)  # fmt: skip
TOOLS = (
    ["plan"], ["plan", "-m"], ["plan", "--power"], ["plan", "--power", "0.1"],
    ["plan", "--power", "nan", "--pilot", "."],
    ["plan", "--power", "0.1", "--pilot", "nope"], ["plan", "--pilot", "."], ["plan", "--metric", "x"],
    ["plan", "--nope"],
    ["plan", "--power", "1", "--pilot", "outputs", "--metric", "\x1b"], ["plan", "--help"], ["plan", "plan"],
    ["plugins"], ["plugins", "--json"], ["plugins", "nope"], ["plugins", "new"], ["plugins", "new", "a b"],
    ["plugins", "new", "../x"], ["plugins", "new", ""], ["plugins", "new", "é"],
    ["plugins", "new", "mine", "--dir", "outputs"], ["plugins", "new", "mine", "--dir", "a/b.txt"],
    ["plugins", "new", "x" * 300, "--dir", "outputs"], ["plugins", "new", "saliency", "--dir", "outputs"],
    ["plugins", "check", "nope"], ["plugins", "check", "", ""], ["plugins", "check", "--nope"],
    ["report"], ["report", "nope"], ["report", "."], ["report", "a/b.txt"], ["report", "outputs", "--out"],
    ["report", "outputs", "--out", "outputs/nope/x.html"], ["report", "outputs", "--out", "outputs"], ["report", ""],
    ["report", "\udcff"],
    ["export"], ["export", "nope"], ["export", "outputs", "--latex", "--out", "a/b.txt"], ["export", ".", "--csv"],
    ["export", "outputs", "--nope"], ["export", "a/b.txt", "--bibtex"], ["export", "outputs", "--markdown"],
    ["store"], ["store", "verify"], ["store", "prune"], ["store", "prune", "--damaged"], ["store", "nope"],
    ["store", "prune", "--older-than", "nan"], ["store", "prune", "--older-than", "inf", "--yes"],
    ["store", "prune", "--older-than", "-1"], ["store", "prune", "--older-than", "x"], ["store", "verify", "--yes"],
    ["store", "verify", "--store", "nope"], ["store", "--store", "a/b.txt"], ["store", "--store", "x" * 300],
    ["store", "prune", "--older-than", "1e400", "--yes"], ["store", "prune", "--all", "--damaged"],
    ["repair", "tracking.uri=off"], ["repair", "nope"], ["repair", "tracking.uri="], ["repair", "tracking.uri=x://y"],
    ["repair", "tracking.uri=[1]"], ["repair", "tracking.uri=sqlite:///nope/x.db"], ["repair", "seed=x"],
    ["repair", "-m"],
    ["track"], ["track", "nope"], ["track", "outputs"], ["track", "a/b.txt"], ["track", "outputs", "--uri"],
    ["track", "outputs", "--uri", "x://y"], ["track", "outputs", "--uri", ""],
    ["ui", "--port", "x"], ["ui", "nope"], ["ui", "--port"], ["ui"],
    ["nope"], ["Plan"], ["plan "], ["é"], ["x" * 3000], ["\x1b[2J"], ["help"], ["plans"], ["run"],
)  # fmt: skip
YAML = (
    "seed: 1", "examples: 4", "seed: x", "seed: [1]", "seed: {a: 1}", "seed: null", "seed: 1.5", "seed: -1",
    "seed: .nan",
    "seed: 0o17", "seed: 99999999999999999999", "seed: 2020-01-01", "seed: !!binary aGk=", "seed: !!set {a}",
    "seed: !!python/object/apply:os.getcwd []", "seed: !!timestamp x", "seed: yes", "seed: ???", "seed: ${seed}",
    "seed: ${nope}", "seed: ${", "seed: '${a${b}}'", "seed: ${oc.env:HOME}", "seed:", "seed", "seed: [", "seed: {",
    "seed: '", "seed: \"\\x\"", "seed: |\n  1", "seed: >-\n 1", "\tseed: 1", "seed:\t1", "seed: 1\n\texamples: 4",
    "seed: 1\n  examples: 4", "seed: 1\nseed: 2", "- seed", "[]", "{}", "null", "1", "text", "''", "# nothing", "---",
    "---\nseed: 1\n---\nseed: 2", "...", "%YAML 9.9\n---\nseed: 1", "\ufeffseed: 1", "seed: \x00",
    "seed: \x07", "a\x85b: 1",
    "a: &x [1]\nseed: *x", "a: &x {b: *x}", "a: *nope", "<<: {seed: 1}", "<<: [1]", "<<: *x", "? [a]\n: 1",
    "? {a: b}\n: 1",
    "null: 1", "1: 2", "true: 1", "1.5: 1", "'': 1", "' ': 1", "a.b: 1", "a b: 1", "é: 1", "\"\\e[2J\": 1", "'${x}': 1",
    "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(9)),
    "[" * 400 + "]" * 400, "a: " * 3 + "1", "a: " + "[" * 150 + "]" * 150, "x" * 20000 + ": 1",
    "defaults: theirs", "defaults: {}", "defaults:", "defaults: [1]", "defaults: [null]", "defaults: [[a]]",
    "defaults: [{}]", "defaults: [{a: b, c: d}]", "defaults: [theirs]", "defaults: [nope]",
    "defaults: [_self_, _self_]",
    "defaults: [{/experiment: theirs}]", "defaults: [{override /model: nope}]",
    "defaults: [{override /model: digits_mlp}]",
    "defaults: [{override /nope: x}]", "defaults: [{/model: digits_mlp}]", "defaults: [{override model: [a]}]",
    "defaults: [{override /method: saliency}]", "defaults: [{override /method: [saliency, saliency]}]",
    "defaults: [{override /method: {a: b}}]", "defaults: [{override /method: [nope]}]",
    "defaults: [{override /method: }]",
    "defaults: [{override /method: [1, null]}]", "defaults: [{/method@method.b: saliency}]",
    "defaults: [{'/method@': saliency}]",
    "defaults: [{override hydra/launcher: joblib}]", "defaults: [{override hydra/launcher: nope}]", "defaults: [../x]",
    "defaults: [{override /hydra/sweeper: basic}]", "defaults: [{optional /model: nope}]", "defaults: ['${seed}']",
    "defaults: [{/model: '${nope}'}]", "defaults: [{override /model: '???'}]",
    "defaults: ['@', '/', 'a@b@c', 'override']",
    "model: 3", "model: [1]", "model: null", "model: digits_cnn", "model: {}", "model: {name: nope}",
    "model: {name: [1]}",
    "model: {name: digits_mlp, nope: 1}", "model: {name: digits_mlp, seed: x}", "dataset: {name: digits, held_out: x}",
    "method: 3", "method: [saliency]", "method: {saliency: 3}", "method: {saliency: null}",
    "method: {saliency: {nope: 1}}",
    "method: {a: {name: saliency}}", "method: {a: {name: [1]}}", "method: {'a b': {name: saliency}}",
    "method: {1: {name: random}}",
    "method: {null: {name: random}}", "method: {'': {name: random}}", "method: {a.b: {name: random}}", "method: null",
    "method: {saliency: {name: random}}", "method: {a: {name: integrated_gradients, n_steps: x}}", "metric: {a: {}}",
    "metric: {a: {name: deletion, removal: 3}}", "baseline: {a: {name: blur, sigma: .nan}}", "agreement: []",
    "tracker: {}",
    "tracker: {a: {name: mlflow}}", "tracker: 3", "tracking: 3", "tracking: {uri: 3}", "tracking: {uri: x}",
    "tracking: null",
    "tracking: {experiment: [1]}", "claim: 3", "claim: {}", "claim: {metric: 3}", "margin: 3",
    "margin: {a: b}", "margin: {1: 2}",
    "hydra: 3", "hydra: null", "hydra: []", "hydra: {run: 3}", "hydra: {run: {dir: 3}}", "hydra: {launcher: [1]}",
    "hydra: {sweeper: {params: 3}}", "hydra: {sweeper: {params: {seed: 1}}}", "hydra: {mode: 3}",
    "hydra: {verbose: {a: 1}}",
    "hydra: {sweep: {subdir: 3}}", "hydra: {job: 3}", "hydra: {searchpath: [x]}", "hydra: {1: 2}", "store: 3",
    "store: []",
    "store: outputs/x", "store: ''", "target: [[1]]", "target: {a: 1}", "target: []", "target: 99",
    "trust: 3", "trust: [x]",
    "examples: .inf", "examples: 0", "device: 3", "device: x", "device: cuda:99", "precision: x",
    "cluster: x", "effort: 3",
    "removal: 3", "removal: [x]", "removal: [x, x]", "until: decided", "shards: 3", "shard: 0",
    "objective: x", "resume: x",
    "zip: {seed: [1]}", "features: grid", "features: {name: grid, size: 0}", "output: {name: nope}",
    "output: 3", "nope: 1",
)  # fmt: skip
HEADERS = (
    "",
    "# @package _global_\n",
    "# @package nope\n",
    "# @package _global_.hydra\n",
    "# @package a b\n",
    "# @package\n",
)
BYTES = (b"\xff\xfe\x00", b"seed: \xe9\n", b"\x00", b"", b"seed: 1\r\n", "seed: 1\n".encode("utf-16"), b"\x80\x04.")
PLACES = (
    "experiment/theirs", "config", "method/theirs", "model/theirs", "dataset/theirs", "metric/theirs", "tracker/theirs",
    "hydra/launcher/theirs", "hydra/sweeper/theirs", "hydra/theirs", "theirs", "experiment/sub/theirs",
    "features/theirs",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is asked of the program.

    Args:
        words: of the command line.
        files: content of files by their paths; None for a folder of that name.
    """

    words: tuple[str, ...]
    files: dict[str, bytes | None] = field(default_factory=dict)


def of(*values):
    return st.sampled_from(values)


def _values(hint):
    """Values for a key of this type, right ones among them."""
    base = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    right = list(map(str, get_args(base))) if get_origin(base) is Literal else ["1", "2", "0.25", "true", "a", "[1,2]"]
    return st.one_of(of(*right), of(*ODD))


def _settings():
    """KEY=VALUE with a root key."""
    known = {k: v for k, v in hints(Settings).items() if k != "tracking"}
    known |= {f"tracking.{k}": v for k, v in hints(Tracking).items()}
    return of(*known).flatmap(lambda key: _values(known[key]).map(lambda value: (key, value)))


@st.composite
def _parameters(draw):
    """KEY=VALUE with a parameter of a component that the study may have or not."""
    component = draw(of(*installed().classes()))
    known = hints(component) or {"nope": str}
    key = draw(of(*known, "nope", "name", ""))
    where = f"{component.kind}.{component.name}" if component.kind in LISTS else component.kind
    return f"{where}.{key}", draw(_values(known.get(key, str)))


@st.composite
def _choices(draw):
    """A group and the options that are chosen."""
    group = draw(of(*LISTS, *SINGLES, "experiment", "nope"))
    names = [name for name in installed().names(group)] if group in (*LISTS, *SINGLES) else ["photos", "theirs"]  # noqa: C416
    name = of(*(set(names) - FETCHED), "nope", "salliency", "").filter(lambda each: True)
    one = draw(st.one_of(name, of(*ODD)))
    if group in LISTS and draw(st.booleans()):
        two = draw(st.lists(name, max_size=3))
        one = f"[{','.join(two)}]"
    package = draw(of("", "", "", "@method.b", "@model", "@_global_", "@hydra", "@", "@a b", "@method.a.b", "@x:y"))
    return f"{group}{package}", one


@st.composite
def _hydra(draw):
    return draw(of(*HYDRA)), draw(st.one_of(of(*HYDRA_VALUES), of(*ODD)))


def _odd_keys():
    keys = ("", " ", "a", "a.b", "a..b", ".a", "a.", "é", "a b", "method", "method.", "method.saliency",
    "zip", "zip.a", "model.",
            "tracking", "claim", "margin", "margin.deletion", "claim.metric", "1", "null", "a[0]",
    "method.saliency[0]", "a@b",
            "seed.a", "examples.x", "report.b", "$x", "${seed}", "a:b", "x" * 2000, "[a]", "xaiexp_schema")  # fmt: skip
    return st.tuples(of(*keys), of(*ODD, "{seed: [1,2]}", "{seed: [1], examples: [1,2]}", "{deletion: 0.1}"))


def _written(pair, mark, form):
    key, value = pair
    if key in PLACED and value[:1] not in ("", "[", "{", "'", '"'):
        value = f"outputs/{value.replace('..', 'up')}"  # the command line may name any folder
    return {
        "=": f"{mark}{key}={value}",
        "": f"{mark}{key}",
        ":": f"{mark}{key}: {value}",
        "'": f"{mark}{key}='{value}'",
    }[form]


@st.composite
def _lines(draw):
    """The words of a study or a sweep in which something is wrong, mostly."""
    pairs = draw(
        st.lists(st.one_of(_settings(), _parameters(), _choices(), _hydra(), _odd_keys()), min_size=1, max_size=3)
    )
    marks = of("", "", "", "", "+", "++", "~", "~~", "+ ")
    words = [_written(pair, draw(marks), draw(of("=", "=", "=", "=", "'", "", ":"))) for pair in pairs]
    keys = {key.partition("@")[0] for key, _ in pairs} if draw(of(True, True, True, False)) else set()
    base = [f"{key}={value}" for key, value in BASE.items() if key not in keys]
    line = [*base, *words] if draw(st.booleans()) else [*words, *base]
    if any(value in HUGE for _, value in pairs) or FETCHED & {key.split(".")[-2] for key, _ in pairs if "." in key}:
        return ["plan", *line]
    return [*draw(of([], [], [], ["-m"], ["plan"], ["plan", "-m"])), *line]


@st.composite
def _files(draw):
    """Files of configuration in the working folder, and words that read them."""
    place = draw(st.one_of(of("experiment/theirs"), of(*PLACES)))
    text = draw(of(*HEADERS)) + "\n".join(draw(st.lists(of(*YAML), min_size=1, max_size=2)))
    content = draw(st.one_of(of(text.encode("utf-8", "surrogatepass")), of(text.encode()), of(*BYTES, None)))
    path = f"conf/{place}.yaml"
    group, _, name = place.rpartition("/")
    base = [f"{key}={value}" for key, value in BASE.items() if key != group]
    reads = {"": [], "method": ["method=[theirs]"], "metric": ["metric=[theirs]"], "hydra": []}
    words = reads.get(group, [f"{group}={name}"])
    if place == "theirs" or draw(of(False, False, False, True)):
        words = [f"+{place}"] if draw(st.booleans()) else [f"+{group or 'experiment'}={name}"]
    return Request((*draw(of([], [], ["-m"], ["plan"])), *base, *words), {path: content})


def requests():
    """Requests of all kinds."""
    tools = st.tuples(of(*TOOLS), st.one_of(st.just(["seed=1"]), _lines(), st.just([]))).map(
        lambda parts: [*parts[0], *([] if parts[0][0] != "plan" else parts[1])]
    )
    flags = st.tuples(of(*FLAGS), _lines()).map(
        lambda parts: [*parts[0], *(w for w in parts[1] if w not in ("plan", "-m"))]
    )
    lines = st.one_of(_lines(), _lines(), _lines(), tools, flags).map(lambda words: Request(tuple(words)))
    return st.one_of(lines, lines, _files())
