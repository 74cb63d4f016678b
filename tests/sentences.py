"""Every sentence that the source gives to an error, read from its syntax: a template with `{}` where values stand.

A sentence may pass through constructors and functions on its way to the error; it is followed from where it is written.
What is put into a sentence as a word ("loop", in "There is no loop 12.") is found as well.
"""

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Choices within one sentence multiply: of more, only the values' places are known.
_MOST_FORMS = 12

# What stands in a sentence where something is filled in: the name of the parameter, or None for any other value.
Hole = tuple[str | None]
Text = tuple[str | Hole, ...]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Sentence:
    """`template` as a catalogue has it; `is_word` for what only becomes a part of other sentences."""

    template: str
    path: str
    line: int
    is_word: bool = False


@dataclass(frozen=True, slots=True)
class _Scope:
    """A function, or a module outside of its functions; `owner` is the class whose constructor it is."""

    name: str
    owner: str | None
    parameters: Sequence[str]
    calls: Sequence[ast.Call]
    assigned: Mapping[str, Sequence[ast.expr]]


@dataclass(slots=True)
class _Module:
    path: str
    name: str
    imported: Mapping[str, str]
    classes: Mapping[str, ast.ClassDef]
    constants: Mapping[str, Sequence[ast.expr]]
    scopes: Sequence[_Scope]

    def called(self, function: ast.expr) -> str:
        """The full name of what is called, as far as imports tell."""
        match function:
            case ast.Name(name):
                return self.imported.get(name, f"{self.name}.{name}")
            case ast.Attribute(ast.Name(name), attribute):
                return f"{self.imported.get(name, name)}.{attribute}"
        return ""


@dataclass(slots=True)
class _Taken:
    """A parameter that ends in an error: as the sentence itself, or as a word in it."""

    position: int
    name: str
    is_word: bool


@dataclass(slots=True)
class Source:
    """Modules that were read together: a sentence is followed from one into another."""

    modules: Mapping[str, _Module]
    # What takes sentences, by full name.
    takers: dict[str, list[_Taken]]
    found: set[Sentence] = field(default_factory=set)
    # Where a sentence is given that nobody can read from the source.
    opaque: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def read(cls, *folders: str, takers: Sequence[tuple[str, int, str]]) -> "Source":
        """The sentences under some folders that reach `takers`: (full name, place and name of a parameter)."""
        modules = [_module(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
        source = cls({module.name: module for module in modules}, {})
        for name, place, parameter in takers:
            source.takers.setdefault(name, []).append(_Taken(place, parameter, is_word=False))
        # Each round follows the sentences through one more constructor or function.
        known = -1
        while known != sum(map(len, source.takers.values())):
            known = sum(map(len, source.takers.values()))
            for module in source.modules.values():
                source._inherit(module)
                for scope in module.scopes:
                    source._look(module, scope)
        return source

    def _inherit(self, module: _Module) -> None:
        """Classes without a constructor of their own take what their parent takes."""
        for name, node in module.classes.items():
            if any(isinstance(each, ast.FunctionDef) and each.name == "__init__" for each in node.body):
                continue
            for base in node.bases:
                if taken := self.takers.get(module.called(base)):
                    self.takers.setdefault(f"{module.name}.{name}", taken)

    def _look(self, module: _Module, scope: _Scope) -> None:
        for call in scope.calls:
            wanted = self.takers.get(module.called(call.func), [])
            if scope.owner is not None and _is_super_init(call):
                bases = module.classes[scope.owner].bases
                wanted = [taken for base in bases for taken in self.takers.get(module.called(base), [])]
            for taken in wanted:
                given = _argument(call, taken)
                if given is not None:
                    for text in self._texts(given, module, scope):
                        self._keep(module, scope, text, given, taken.is_word)

    def _texts(self, node: ast.expr, module: _Module, scope: _Scope, depth: int = 0) -> Sequence[Text]:
        """Every form that an expression can take."""

        def inner(part: ast.expr) -> Sequence[Text]:
            return self._texts(part, module, scope, depth + 1)

        match node:
            case ast.Constant(str(text)):
                return [(text,)]
            case ast.JoinedStr(parts):
                return _product([inner(part) for part in parts])
            case ast.FormattedValue(value, _, spec):
                is_local = isinstance(value, ast.Name) and value.id in (*scope.assigned, *scope.parameters)
                kept = spec is None and (is_local or isinstance(value, ast.IfExp | ast.Call))
                return inner(value) if kept else [((None,),)]
            case ast.BinOp(left, ast.Add(), right):
                return _product([inner(left), inner(right)])
            case ast.IfExp(_, body, other):
                return [*inner(body), *inner(other)]
            case ast.BoolOp(ast.Or(), values):
                return [text for value in values for text in inner(value)]
            case ast.Name(name) if name in scope.assigned and depth < 8:
                forms = [text for value in scope.assigned[name] for text in inner(value)]
                if name in scope.parameters:
                    forms.append(((name,),))
                return forms if len(forms) <= _MOST_FORMS else [((None,),)]
            case ast.Name(name) if name in scope.parameters:
                return [((name,),)]
            case ast.Name(name) | ast.Attribute(ast.Name(), name) if depth < 8:
                return [text for value in self._constant(module, node) for text in inner(value)] or [
                    ((None,),)
                ]
            # One of a table's texts.
            case ast.Subscript(value) | ast.Call(ast.Attribute(value, "get")):
                tables = [each for each in self._constant(module, value) if isinstance(each, ast.Dict)]
                values = [each for table in tables for each in table.values]
                others = node.args[1:] if isinstance(node, ast.Call) else []
                return [text for each in (*values, *others) for text in inner(each)] or [((None,),)]
            case ast.Call(ast.Attribute(ast.Constant(str(text)), "format")):
                return [tuple(itertools.chain.from_iterable(_cut(text)))]
            # A template that is filled in here, and a field as a sentence says it.
            case ast.Call(ast.Attribute(ast.Name() as value, "format")):
                return inner(value)
            case ast.Call(ast.Attribute(value, "capitalize")):
                return inner(value)
            case ast.Call(ast.Name("said") | ast.Attribute(_, "said"), [value]):
                return inner(value)
        return [((None,),)]

    def _constant(self, module: _Module, node: ast.expr) -> Sequence[ast.expr]:
        """What a module's constant stands for, here or where it is imported from."""
        owner, _, name = module.called(node).rpartition(".")
        return self.modules[owner].constants.get(name, ()) if owner in self.modules else ()

    def _keep(self, module: _Module, scope: _Scope, text: Text, given: ast.expr, is_word: bool) -> None:
        holes = [part[0] for part in text if isinstance(part, tuple)]
        whole = len(text) == 1 and bool(holes)
        for hole in holes:
            if hole is None:
                continue
            # A method's own `self` is not given to it.
            place = scope.parameters.index(hole) - (scope.parameters[0] == "self")
            taken = _Taken(place, hole, is_word=is_word or not whole)
            takes = self.takers.setdefault(f"{module.name}.{scope.owner or scope.name}", [])
            if taken not in takes:
                takes.append(taken)
        if not whole:
            template = "".join("{}" if isinstance(part, tuple) else part for part in text)
            self.found.add(Sentence(template, module.path, given.lineno, is_word))
        elif holes == [None] and not is_word:
            self.opaque.add((module.path, given.lineno))


def _module(path: Path) -> _Module:
    relative = path.relative_to(ROOT)
    tree = ast.parse(path.read_text())
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(parent), names=names):
                imported |= {each.asname or each.name: f"{parent}.{each.name}" for each in names}
            case ast.Import(names=names):
                imported |= {each.asname or each.name: each.name for each in names}
    return _Module(
        str(relative),
        ".".join(relative.with_suffix("").parts).removesuffix(".__init__"),
        imported,
        {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)},
        _assigned(tree),
        list(_scopes(tree)),
    )


def _scopes(tree: ast.Module) -> Iterator[_Scope]:
    """Everything that holds calls."""
    yield _Scope("", None, (), list(_calls(tree)), _assigned(tree))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                owner = node.name if isinstance(node, ast.ClassDef) and child.name == "__init__" else None
                names = [each.arg for each in _arguments(child)]
                yield _Scope(child.name, owner, names, list(_calls(child)), _assigned(child))


def _arguments(function: Function) -> Sequence[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What is inside a function, but not inside of functions in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, Function):
            yield from _own(child)


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    return (node for node in _own(function) if isinstance(node, ast.Call))


def _assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    """What a function's local names may stand for."""
    values: dict[str, list[ast.expr]] = {}
    for node in _own(function):
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                values.setdefault(name, []).append(value)
            case ast.Assign(targets=[ast.Tuple(names)], value=ast.Tuple(parts)):
                for target, value in zip(names, parts, strict=False):
                    if isinstance(target, ast.Name):
                        values.setdefault(target.id, []).append(value)
    return values


def _is_super_init(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(ast.Call(ast.Name("super")), "__init__"):
            return True
    return False


def _argument(call: ast.Call, taken: _Taken) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == taken.name:
            return keyword.value
    return call.args[taken.position] if taken.position < len(call.args) else None


def _cut(template: str) -> Iterator[Sequence[str | Hole]]:
    """The parts of a template of str.format, and a hole between each two."""
    for number, part in enumerate(template.split("{}")):
        yield (part,) if number == 0 else ((None,), part)


def _product(choices: Sequence[Sequence[Text]]) -> Sequence[Text]:
    forms = list(itertools.product(*choices))
    if len(forms) > _MOST_FORMS:
        forms = [tuple(each[0] if len(each) == 1 else ((None,),) for each in choices)]
    return [_joined([part for text in form for part in text]) for form in forms]


def _joined(parts: Sequence[str | Hole]) -> Text:
    """Neighbouring pieces of text as one."""
    whole: list[str | Hole] = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif part != "":
            whole.append(part)
    return tuple(whole)
