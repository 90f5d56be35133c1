"""Small changes ("mutants") of a Python source, made from its syntax tree, one at a time.

Left alone: docstrings, annotations, imports, decorators, ``__all__``, what only type checkers read, formatted strings,
the arguments of raised errors and all other texts (a string counts as a name, and is changed, if it consists of word
characters and dots).
"""

from __future__ import annotations

import ast
import copy
import re
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAME = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class Mutant:
    """One change of a source."""

    line: int
    column: int
    mutation: str
    """What is changed, in words."""
    lines: range
    """From the begin of the statement to the end of what is changed: a test that executes one of them may notice."""
    at_import: bool
    """Whether the statement is executed when the module is imported, not when a function is called."""
    original: str
    place: tuple[int, int]
    """The bytes of the source that are exchanged."""
    text: str

    @property
    def source(self) -> str:
        """The changed source."""
        whole = self.original.encode()
        return (whole[: self.place[0]] + self.text.encode() + whole[self.place[1] :]).decode()


def mutants(source: str) -> list[Mutant]:
    """All mutants of a source, in the order of its lines."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return [finder.found[place] for place in sorted(finder.found)]


def _of_text(node: ast.expr) -> bool:
    """Whether an operation joins texts or parts of a path, so that any other operator raises at once."""
    if isinstance(node, ast.BinOp):
        return _of_text(node.left) or _of_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


class _Finder(ast.NodeVisitor):
    """Collects mutants."""

    def __init__(self, source: str) -> None:
        self.found: dict[tuple[int, int, str], Mutant] = {}
        self._source = source
        self._starts = [0]  # of lines, in bytes, as columns of syntax trees
        for line in source.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._statement = 1
        self._at_import = True

    def add(self, node: ast.expr | ast.stmt, replacement: ast.expr | ast.stmt, words: str) -> None:
        if ast.dump(node) == ast.dump(replacement):
            return
        last, last_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        text = ast.unparse(replacement)
        if isinstance(replacement, ast.expr) and not isinstance(replacement, ast.Constant | ast.Name):
            text = f"({text})"
        self.found[node.lineno, node.col_offset, words] = Mutant(
            node.lineno,
            node.col_offset,
            words,
            range(self._statement, last + 1),
            self._at_import,
            self._source,
            (self._starts[node.lineno - 1] + node.col_offset, self._starts[last - 1] + last_column),
            text,
        )

    def visit(self, node: ast.AST) -> None:
        outer = self._statement
        if isinstance(node, ast.stmt):
            self._statement = node.lineno
        super().visit(node)
        self._statement = outer

    # Statements

    def visit_Module(self, node: ast.Module) -> None:
        self._body(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._body(node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        outer, self._at_import = self._at_import, False
        self._body(node.body)
        self._at_import = outer

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):  # a docstring
                self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        """Left alone."""

    visit_ImportFrom = visit_Import  # type: ignore[assignment]  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._remove(node, "assignment removed")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._remove(node, "assignment removed")
        if type(node.op) in ARITHMETIC:
            changed = copy.deepcopy(node)
            changed.op = ARITHMETIC[type(node.op)]()
            self.add(node, changed, f"{ast.unparse(node)} -> {ast.unparse(changed)}")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._remove(node, "call removed")
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._remove(node, "raise removed")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._remove(node, "continue removed")

    def visit_Break(self, node: ast.Break) -> None:
        self._remove(node, "break removed")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._remove(node, "del removed")

    def _remove(self, node: ast.stmt, words: str) -> None:
        self.add(node, ast.Pass(), words)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._remove(node, "return removed")
            return
        empty: ast.expr = ast.Constant(None)
        if isinstance(node.value, ast.List | ast.ListComp):
            empty = ast.List([], ast.Load())
        elif isinstance(node.value, ast.Dict | ast.DictComp):
            empty = ast.Dict([], [])
        if ast.dump(node.value) != ast.dump(empty):
            self.add(node, ast.Return(empty), f"{ast.unparse(ast.Return(empty))} in place of its value")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if node.orelse:
            self._negate(node.test)  # the branches swapped
        else:
            self.add(node.test, ast.Constant(False), "if removed with its body")
            self.add(node.test, ast.Constant(True), "if removed, its body kept")
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    # Expressions

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.add(test, ast.Constant(True), "condition of a comprehension removed")
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        self.add(test, ast.UnaryOp(ast.Not(), test), "condition negated")

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self.add(node, node.operand, f"{ast.unparse(node)} -> {ast.unparse(node.operand)}")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.add(node, ast.BoolOp(other, node.values), "and -> or" if isinstance(node.op, ast.And) else "or -> and")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            if type(operator) in COMPARISONS:
                changed = copy.deepcopy(node)
                changed.ops[place] = COMPARISONS[type(operator)]()
                self.add(node, changed, f"{ast.unparse(node)} -> {ast.unparse(changed)}")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC and not _of_text(node):
            changed = ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
            self.add(node, changed, f"{ast.unparse(node)} -> {ast.unparse(changed)}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        for place, keyword in enumerate(node.keywords):
            changed = copy.deepcopy(node)
            del changed.keywords[place]
            named = f"{keyword.arg}=" if keyword.arg else "**"
            self.add(node, changed, f"argument {named} of {ast.unparse(node.func)} removed")
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, ast.Constant):
                more = ast.BinOp(bound, ast.Add(), ast.Constant(1))
                self.add(bound, more, f"bound {ast.unparse(bound)} -> {ast.unparse(more)}")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Left alone: a text, and Python 3.11 does not place its parts."""

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        other: object
        if isinstance(value, bool):
            other = not value
        elif isinstance(value, int | float):
            other = value + 1
        elif isinstance(value, str) and NAME.fullmatch(value):
            other = f"{value}X"
        else:
            return
        self.add(node, ast.Constant(other), f"{value!r} -> {other!r}")  # type: ignore[arg-type]
