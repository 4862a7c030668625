"""The package as a whole: what it exports, what it imports early and late, and its exceptions."""

import copy
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tingting_async
from tingting_async import errors


@pytest.mark.parametrize(
    "name",
    [
        "tingting_async",
        "tingting_async.classic",
        "tingting_async.v1",
        "tingting_async.sandbox",
    ],
)
def test_all(name: str) -> None:
    """`__all__` lists every public name of a package, once, and nothing else."""
    module = import_module(name)
    seen = {
        attribute
        for attribute in dir(module)
        if not attribute.startswith("_")
        and type(value := getattr(module, attribute)).__name__ != "module"
        and getattr(value, "__module__", "") != "typing"
        and attribute != "TYPE_CHECKING"
    }
    assert seen == set(module.__all__) - {"__version__"}
    assert len(module.__all__) == len(set(module.__all__))


@pytest.mark.parametrize(
    "module",
    [
        "tingting_async",
        "tingting_async.v1",
        "tingting_async.auth.stores.file",
        "tingting_async.auth.stores.postgres",
        "tingting_async.auth.stores.redis",
        "tingting_async.http.rate_limits.postgres",
        "tingting_async.http.rate_limits.redis",
    ],
)
def test_late_imports(module: str) -> None:
    """A package does not import extras, what only one store needs, or what decodes the first response."""
    late = {"cattrs", "msgspec", "opentelemetry", "redis", "filelock", "sqlite3", "psycopg", "openpyxl", "rich"}
    program = f"import sys; before = {{*sys.modules}}; import {module}; print({late} & (sys.modules.keys() - before))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("generation", ["v1", "classic"])
def test_resources_are_imported_late(generation: str) -> None:
    """A session imports a resource on first use, so that a program does not pay for those that it does not need."""
    program = f"""
import sys
from tingting_async.{generation} import TingTing
names = {{f"tingting_async.{generation}.{{each}}" for each in ("accounts", "campaigns", "contacts", "numbers", "otp")}}
session = TingTing(api_token="token")
print(names & sys.modules.keys())
session.otp
print(names & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    used = {f"tingting_async.{generation}.otp"}
    assert done.stdout == f"{set()}\n{used}\n"


@pytest.mark.parametrize("generation", ["v1", "classic"])
def test_resource_that_cannot_be_imported(generation: str) -> None:
    """If a resource cannot be imported, for lack of file descriptors, its use says so, and works later."""
    program = f"""
import resource
from functools import cached_property
from tingting_async import NotSentError
from tingting_async.{generation} import TingTing
session = TingTing(api_token="token")
names = [name for name, part in vars(TingTing).items() if isinstance(part, cached_property)]
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
refused = []
for name in names:
    try:
        getattr(session, name)
    except NotSentError as error:
        if str(error).startswith(f"`{{name}}` cannot be loaded ("):
            refused.append(error.operation)
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
print(refused == names, len({{type(getattr(session, name)) for name in names}}) == len(names) > 4)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_resource_whose_import_fails() -> None:
    """A resource whose import raises an `AttributeError` says so, and does not seem to be missing."""
    program = """
import sys
from importlib.abc import MetaPathFinder
from tingting_async import NotSentError
from tingting_async.v1 import TingTing
class Hidden(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tingting_async.v1.contacts":
            raise AttributeError("module 'numbers' has no attribute 'Number'")
sys.meta_path.insert(0, Hidden())
try:
    TingTing(api_token="token").contacts
except NotSentError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("`contacts` cannot be loaded (AttributeError: module 'numbers' has no attribute")


def test_one_generation_alone() -> None:
    """Importing the package or the v1 API does not import the classic API, whose names are imported on first use."""
    program = """
import sys, tingting_async.v1
assert "tingting_async.classic" not in sys.modules
assert tingting_async.TingTing is sys.modules["tingting_async.classic"].TingTing
from tingting_async import *
assert Campaign is tingting_async.classic.Campaign
try:
    tingting_async.Campagne
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (
        "module 'tingting_async' has no attribute 'Campagne'. Did you mean 'Campaign'?\n",
        "",
    )


@pytest.mark.parametrize("generation", ["v1", "classic"])
@pytest.mark.parametrize("name", ["CampaignJob", "TingTingError"])
def test_a_name_that_both_generations_share(generation: str, name: str) -> None:
    """An error about a name that a generation lacks says if the package has it, and suggests no other name."""
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'\. Import it from 'tingting_async'$"):
        getattr(import_module(f"tingting_async.{generation}"), name)


@pytest.mark.parametrize("name", ["Number", "Login", "__version__"])
def test_a_name_that_the_generations_do_not_share(name: str) -> None:
    """An error about a name of the classic API, or a private one, does not send a user of v1 to it."""
    with pytest.raises(AttributeError, match=f"no attribute '{name}'") as caught:
        getattr(import_module("tingting_async.v1"), name)
    assert "Import it" not in str(caught.value)


def test_hints_cost_no_error_and_no_import() -> None:
    """Asking v1 for an unknown name does not import the classic API, and is an `AttributeError` even if that fails."""
    program = """
import sys, tingting_async.v1
assert not hasattr(tingting_async.v1, "Nothing")
assert "tingting_async.classic" not in sys.modules
sys.modules["tingting_async.classic"] = None  # An import fails.
assert not hasattr(tingting_async.v1, "TingTingError")
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def error_classes() -> list[type[errors.TingTingError]]:
    """Return every exception, in the order of the tree."""
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.TingTingError)
    ]


def test_tree_of_errors() -> None:
    """The docstring of `errors` draws the tree as it is, and the package exports all of it."""
    assert errors.__doc__
    drawn = [
        line
        for line in errors.__doc__.splitlines()
        if "Error" in line and ("─" in line or line.strip() == "TingTingError")
    ]
    tree = [(line.strip(" │├└─").split()[0], (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1) for line in drawn]
    depths = [sum(issubclass(base, errors.TingTingError) for base in kind.__mro__) - 1 for kind in error_classes()]
    assert tree == [(kind.__name__, depth) for kind, depth in zip(error_classes(), depths, strict=True)]
    assert {name for name, _ in tree} <= set(tingting_async.__all__)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(errors.UsageError, ValueError), (errors.MisuseError, TypeError), (errors.WaitTimeoutError, TimeoutError)],
)
def test_built_in_bases(kind: type[errors.TingTingError], builtin: type[Exception]) -> None:
    """Some exceptions are also the built-in exception that Python raises in such cases."""
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", error_classes())
def test_copying_and_pickling(kind: type[errors.TingTingError]) -> None:
    """An exception survives copying and pickling with all its attributes."""
    error = kind("text")
    error.__dict__["status"] = 7
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is kind
        assert (str(other), vars(other)) == ("text", vars(error))


@pytest.mark.parametrize(
    ("extra", "module", "use"),
    [
        ("postgres", "psycopg", "import tingting_async as t; t.PostgresLedger('')"),
        ("postgres", "psycopg", "import tingting_async as t; t.PostgresRateLimit('', per_second=1)"),
        ("postgres", "psycopg", "import tingting_async as t; t.PostgresTokenStore('')"),
        ("redis", "redis", "import tingting_async as t; t.RedisRateLimit('redis://localhost', per_second=1)"),
        ("redis", "redis", "import tingting_async as t; t.RedisTokenStore('redis://localhost', key='k')"),
        ("otel", "opentelemetry", "import tingting_async as t; t.OpenTelemetryListener()"),
        ("sandbox", "openpyxl", "from tingting_async.sandbox import sheets; sheets.read_sheet(b'PK', 'file')"),
        ("demo", "rich", "import runpy; runpy.run_path('examples/main_job.py', run_name='__main__')"),
    ],
)
def test_missing_extra(extra: str, module: str, use: str, tmp_path: Path) -> None:
    """If what an extra installs is missing, the error says why, and how to install it."""
    (tmp_path / f"{module}.py").write_text("raise ImportError('canary')")
    program = f"""
import sys; sys.path.insert(0, sys.argv[1])
try:
    {use}
except BaseException as error:
    sys.stdout.write(f"{{error}} {{vars(error)}}")
"""
    command = [sys.executable, "-P", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    advice = f"Install it: `pip install 'tingting-async[{extra}]'`, or `pip install '.[{extra}]'` in a clone of the"
    assert "cannot be imported (canary)" in done.stdout
    assert advice in done.stdout
