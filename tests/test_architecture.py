"""The package keeps its shape: the folders, the direction of imports, the length of files."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tingting_async

ROOT = Path(tingting_async.__file__).parent
PACKAGE = ROOT.name
MODULES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}

ORDER = (
    ("suggestions",),
    ("_version", "redaction", "tracebacks", "postgres", "redis", "rows"),
    ("persistence",),
    ("quantities",),
    ("outcomes",),
    ("errors",),
    ("late_imports",),
    ("http",),
    ("auth", "decoding", "pagination", "ledger", "observability", "recipients"),
    ("client",),
    ("resources",),
    ("classic", "v1"),
    ("jobs",),
    ("sandbox",),
)
"""The folders and modules of the package. Each may import only those of the rows above it."""
RANK = {name: rank for rank, row in enumerate(ORDER) for name in row}


def imported_names(path: Path) -> Iterator[str]:
    """Yield every module, and every name of a module, that a file imports: in functions and for typing, too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    found = {name for name in imported_names(MODULES[module]) if name in MODULES}
    # `from a.b import c` names the folder `a.b` only to reach the module `a.b.c`.
    reached = {name for name in found if any(other.startswith(f"{name}.") for other in found)}
    return found - reached - {module}


def folder(module: str) -> str:
    """Return the folder or module directly below the package to which a module belongs."""
    return module.split(".")[1]


INNER = sorted(MODULES.keys() - {PACKAGE})

TREE = {
    "auth": "cooldown flow refresh stored stores stores.codec stores.file stores.postgres stores.redis tokens",
    "classic": "accounts additions auth campaigns creations decoding models numbers otp pages phone_numbers reach"
    " session",
    "client": "core environment guards hints options pipeline retries session suppression",
    "decoding": "api_errors audio decoder envelopes fast fast.codegen fast.pages fast.plan fields hooks payload"
    " refusals scalars",
    "http": "attempts base_url bodies causes clocks deadlines download json messages rate_limits rate_limits.local"
    " rate_limits.postgres rate_limits.queue rate_limits.redis rate_limits.shared throttle timeouts transport",
    "jobs": "campaign_job checks comparison job_result outcomes preview row_files selection steps",
    "ledger": "claiming claims creations digests duplicates ensure_sent evidence expected file forget jobs ledger"
    " marks owners postgres postgres_database postgres_session postgres_statements schema sqlite turns writer",
    "observability": "emitter events opentelemetry",
    "pagination": "exact iterators links page paginator passes prefetch repetition stream styles",
    "recipients": "builder columns files formulas header_rows headers iterators legacy_fonts number_reader number_set"
    " numbers options problems python_rows recipient_list records rejects row_checker rows spellings spreadsheets"
    " tables texts values",
    "resources": "add_many add_progress add_results additions arguments base checker concurrency evidence given_rows"
    " keyed_additions models named reach results",
    "v1": "accounts additions auth campaign_fields campaign_lists campaigns contact_files contacts creations dashboard"
    " decoding"
    " method_fallback models models.accounts models.campaigns models.common models.contacts models.otp models.reports"
    " models.surveys otp pages phone_numbers preflight progress reach reconcile report_rows reports schedule"
    " session survey_templates surveys uploads voices watching",
}
"""The modules of each folder of the client, as docs/architecture.md describes them."""


def test_every_folder_has_its_place() -> None:
    """The folders and modules below the package are those of the ordered list."""
    assert set(RANK) == {folder(module) for module in INNER}


def test_tree() -> None:
    """Each folder of the client has the modules that are listed for it, and no others."""
    for name, expected in TREE.items():
        prefix = f"{PACKAGE}.{name}."
        assert set(expected.split()) == {module.removeprefix(prefix) for module in MODULES if module.startswith(prefix)}


def test_tests_mirror_the_folders() -> None:
    """`tests/` has a folder for each folder of the package."""
    tests = Path(__file__).parent
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert set() == {name for name in folders if not any((tests / name).rglob("test_*.py"))}


@pytest.mark.parametrize("module", INNER)
def test_imports_point_one_way(module: str) -> None:
    """A module imports from its own folder, or from folders above its own in the list; the sandbox only the version."""
    assert PACKAGE not in imports(module), "The package itself imports everything else."
    own = folder(module)
    others = {folder(name) for name in imports(module)} - {own}
    if own == "sandbox":
        assert others <= {"_version"}
    else:
        assert {name for name in others if RANK[name] >= RANK[own]} == set()


def test_no_circle() -> None:
    """No module imports itself by way of others."""
    graph = {module: imports(module) for module in MODULES if module != PACKAGE}
    finished: set[str] = set()
    circles: set[tuple[str, ...]] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            circles.add(path[path.index(module) :])
        elif module not in finished:
            for other in sorted(graph[module]):
                visit(other, (*path, module))
            finished.add(module)

    for module in sorted(graph):
        visit(module, ())
    assert circles == set()


@pytest.mark.parametrize("module", sorted(name for name in INNER if folder(name) != "sandbox"))
def test_one_module_imports_aiohttp(module: str) -> None:
    """The transport is the client's only import of aiohttp, for typing as well."""
    users = any(name.partition(".")[0] == "aiohttp" for name in imported_names(MODULES[module]))
    assert users == (module == f"{PACKAGE}.http.transport")


@pytest.mark.parametrize("module", INNER)
def test_only_the_decoder_imports_the_fast_path(module: str) -> None:
    """`decoding/fast/` is imported by `decoding/decoder.py` alone, so that it can be removed."""
    fast = f"{PACKAGE}.decoding.fast"
    users = any(name == fast or name.startswith(f"{fast}.") for name in imports(module))
    if not module.startswith(fast):
        assert users == (module == f"{PACKAGE}.decoding.decoder")


def strings(path: Path) -> Iterator[str]:
    """Yield every string of a file, and every part of an f-string, but no docstrings."""
    tree = ast.parse(path.read_bytes())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_only_the_generations_know_endpoints() -> None:
    """Paths of the service are in both generations and in the sandbox, and nowhere else."""
    knowing = {folder(module) for module in INNER if any("/api/" in text for text in strings(MODULES[module]))}
    assert knowing == {"classic", "v1", "sandbox"}


SCOPES = {"TaskGroup", "create_task_group", "CancelScope", "timeout", "timeout_at"} | {
    f"{verb}_{when}" for verb in ("move_on", "fail") for when in ("after", "at")
}
"""The functions of asyncio and anyio that return a task group or a cancel scope."""


def opens_scope(node: ast.AST) -> bool:
    """Return whether a statement is a `with` block of a task group or a cancel scope."""
    if not isinstance(node, ast.With | ast.AsyncWith):
        return False
    opened = (item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call))
    return any(getattr(each, "attr", getattr(each, "id", None)) in SCOPES for each in opened)


def yields_in(node: ast.AST, *, in_scope: bool = False) -> Iterator[int]:
    """Yield the line of each `yield` inside a task group or cancel scope of its own function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Yield | ast.YieldFrom) and in_scope:
            yield child.lineno
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from yields_in(child)
        else:
            yield from yields_in(child, in_scope=in_scope or opens_scope(child))


@pytest.mark.parametrize(
    "scope",
    ["async with asyncio.timeout(1):", "async with a, create_task_group() as tasks:", "with anyio.move_on_after(1):"],
)
def test_a_yield_in_a_scope_is_found(scope: str) -> None:
    """The next test can fail; a function that is defined inside a scope may yield."""
    lines = (
        "async def f():",
        f"    {scope}",
        "        def g():",
        "            yield 1",
        "        if g:",
        "            yield 2",
    )
    shown = "\n".join(lines)
    assert [6] == list(yields_in(ast.parse(shown)))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_yield_in_a_scope(module: str) -> None:
    """No generator yields inside a `with` block of a task group or a cancel scope (PEP 789)."""
    assert [] == list(yields_in(ast.parse(MODULES[module].read_bytes())))


def test_no_file_is_too_long() -> None:
    """No file has more than 400 lines."""
    long = {name: count for name, path in MODULES.items() if (count := len(path.read_text().splitlines())) > 400}
    assert long == {}
