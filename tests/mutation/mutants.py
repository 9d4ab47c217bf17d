"""Which mutants there are, by the operators of cosmic-ray and one more, and a sample of them that follows the code.

A mutant's key is made of the line it changes and of what is done to it, not of its file or place: code that moves
to another file keeps its mutants, and a run before a restructuring can be compared with one after it.
"""

import difflib
import re
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Keyword

# Of each comparison its opposite and its neighbour, of each sum its opposite: what notices them notices the rest.
_COMPARISON = "Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt"
_BINARY = "Add_Sub|Sub_Add|Mul_FloorDiv|FloorDiv_Mul|Mod_FloorDiv|BitAnd_BitOr|LShift_RShift|RShift_LShift"
_KEYWORD = "TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak"
_CHOSEN = re.compile(
    rf"core/(Replace(ComparisonOperator_({_COMPARISON})|BinaryOperator_({_BINARY})|UnaryOperator_Delete_\w+|{_KEYWORD})"
    r"|AddNot|ExceptionReplacer|NumberReplacer|ZeroIterationForLoop)"
)


class RemoveStatement:
    """Puts ``pass`` in the place of a statement that acts: a call, a raise, a del, a change of what is there already.

    A new local name stays, since without it another line fails by itself; log messages stay too.
    """

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:  # noqa: ANN401
        """Yield where such a statement begins and ends, if ``node`` is one."""
        if node.type != "simple_stmt":
            return
        statement = node.children[0]
        if statement.type == "expr_stmt":
            target, sign = statement.children[:2]
            acts = target.type in ("atom_expr", "power") or getattr(sign, "value", "=") != "="
        else:
            logs = statement.get_code(include_prefix=False).startswith(("log.", "self._log.", "structlog."))
            acts = statement.type in ("atom_expr", "raise_stmt", "del_stmt") and not logs
        if acts:
            yield statement.start_pos, statement.end_pos

    def mutate(self, node: Any, _index: int) -> Any:  # noqa: ANN401
        """Replace the statement."""
        first = node.children[0].get_first_leaf()
        node.children[0] = Keyword("pass", first.start_pos, first.prefix)
        return node


OPERATORS = {name.partition("/")[2]: get_operator(name)() for name in operator_names() if _CHOSEN.fullmatch(name)}
OPERATORS["RemoveStatement"] = RemoveStatement()


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file; ``path`` is relative to the tree."""

    key: str
    path: Path
    line: int
    operator: str
    occurrence: int

    def code(self, source: str) -> str | None:
        """Return the file with the change, or ``None`` if that would be no Python at all."""
        try:
            changed: str = mutate_code(source, OPERATORS[self.operator], self.occurrence)
        except AttributeError:
            return None  # cosmic-ray replaces no exception whose name has a dot
        try:
            compile(changed, self.path, "exec", dont_inherit=True)
        except SyntaxError:
            return None
        return changed

    def diff(self, source: str) -> str:
        """Return the change as a unified diff."""
        changed = (self.code(source) or "").splitlines(keepends=True)
        return "".join(difflib.unified_diff(source.splitlines(keepends=True), changed, str(self.path), "mutant", n=2))


def mutants(path: Path, source: str) -> Iterator[Mutant]:
    """Yield all mutants of a file."""
    lines = source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    seen: Counter[str] = Counter()
    for name, operator in OPERATORS.items():
        places = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(places):
            text = lines[line - 1].lstrip()
            identity = f"{name} {column - len(lines[line - 1]) + len(text)} {text}"
            seen[identity] += 1  # a line that is there twice, or two changes of one number
            key = sha256(f"{identity} {seen[identity]}".encode()).hexdigest()[:16]
            yield Mutant(key, path, line, name, occurrence)


def sample(
    path: Path, source: str, share: float, least: int, *, lines: str = "", also: Container[str] = ()
) -> list[Mutant]:
    """Return the mutants of a file whose key is in the lowest ``share`` of all keys, and those ``also`` wanted.

    They are ``least`` at the fewest, and change ``lines`` only, a regular expression. A key knows nothing of files:
    moved code brings its part of the sample along.
    """
    texts = source.splitlines()
    chosen: list[Mutant] = []
    for mutant in sorted(mutants(path, source), key=lambda one: one.key):
        low = int(mutant.key, 16) < share * (1 << 64) or len(chosen) < least
        wanted = (low and re.search(lines, texts[mutant.line - 1])) or mutant.key in also
        if wanted and mutant.code(source) is not None:
            chosen.append(mutant)
    return chosen
