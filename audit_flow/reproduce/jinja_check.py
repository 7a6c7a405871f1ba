"""Jinja templates of a task file that a harness will render: only those that can't run code.

Harnesses render them without a sandbox, so an attribute or a call is as good as a shell.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.errors import EvidenceError

MAX_TEMPLATE = 20_000
_NODES = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "Filter", "Getattr", "Getitem", "Call",
     "If", "CondExpr", "Compare", "Operand", "Add", "Sub", "Concat", "Not", "And", "Or", "Neg",
     "Slice", "List", "Tuple", "Test", "For", "Assign"}
)  # fmt: skip
_FILTERS = frozenset(
    {"abs", "capitalize", "default", "first", "float", "int", "join", "last", "length", "list",
     "lower", "replace", "reverse", "round", "sort", "string", "title", "tojson", "trim", "upper"}
)  # fmt: skip
# Methods of texts, lists and mappings that return plain data; never `format`.
_METHODS = frozenset(
    {"capitalize", "count", "endswith", "find", "get", "index", "items", "join", "keys", "lower",
     "lstrip", "removeprefix", "removesuffix", "replace", "rfind", "rsplit", "rstrip", "split",
     "splitlines", "startswith", "strip", "title", "upper", "values"}
)  # fmt: skip
_TESTS = frozenset(
    {"defined", "undefined", "none", "number", "string", "mapping", "sequence", "equalto", "eq",
     "ne", "lt", "gt", "le", "ge", "in", "true", "false", "boolean", "integer", "float", "odd",
     "even"}
)  # fmt: skip
_GLOBALS = frozenset(
    {"cycler", "dict", "joiner", "lipsum", "namespace", "range", "self", "super", "caller", "loop",
     "varargs", "kwargs"}
)  # fmt: skip


def check_template(text: str, where: str) -> None:
    """Raise EvidenceError for a template that does more than put an item's fields into a text."""
    import jinja2

    if len(text) > MAX_TEMPLATE:
        raise _refused(f"{len(text)} characters", where)
    try:
        tree = jinja2.Environment(autoescape=False).parse(text)  # noqa: S701  # never rendered
    except (jinja2.TemplateError, ValueError, SyntaxError, RecursionError) as error:
        # Numbers of more digits than Python converts, or of digits that it does not know.
        raise _refused(str(error), where) from None
    for got in _unsafe(tree):
        raise _refused(got, where)


def _refused(got: str, where: str) -> EvidenceError:
    return EvidenceError(
        f"a template with {got[:120]}",
        expected="a template that puts fields of an item into a text",
        remedy="Harnesses render templates without a sandbox: this one is not handed to any",
        where=where,
    )


def _unsafe(node: object) -> Iterator[str]:
    import jinja2.nodes as jinja

    assert isinstance(node, jinja.Node)
    kind = type(node).__name__
    if kind not in _NODES:
        yield f"the part {kind}"
    elif isinstance(node, jinja.Name) and (node.name in _GLOBALS or node.name.startswith("_")):
        yield f"the name {node.name!r}"
    elif isinstance(node, jinja.Getattr) and node.attr.startswith("_"):
        yield f"the attribute {node.attr!r}"
    elif isinstance(node, jinja.Filter) and node.name not in _FILTERS:
        yield f"the filter {node.name!r}"
    elif isinstance(node, jinja.Test) and node.name not in _TESTS:
        yield f"the test {node.name!r}"
    elif isinstance(node, jinja.Call) and not _plain_call(node):
        yield "a call"
    elif isinstance(node, jinja.Getitem) and not _plain_item(node):
        yield "an item by a name that is computed"
    for child in node.iter_child_nodes():
        yield from _unsafe(child)


def _plain_call(node: object) -> bool:
    import jinja2.nodes as jinja

    assert isinstance(node, jinja.Call)
    method = isinstance(node.node, jinja.Getattr) and node.node.attr in _METHODS
    return method and not node.dyn_args and not node.dyn_kwargs


def _plain_item(node: object) -> bool:
    """Jinja falls back from an item to the attribute of that name, and items bring names."""
    import jinja2.nodes as jinja

    assert isinstance(node, jinja.Getitem)
    if isinstance(node.arg, jinja.Const):
        return not (isinstance(node.arg.value, str) and node.arg.value.startswith("_"))
    if isinstance(node.arg, jinja.Slice | jinja.Neg):
        return True
    inner = node.node
    return not (isinstance(inner, jinja.Getitem) and not isinstance(inner.arg, jinja.Const))
