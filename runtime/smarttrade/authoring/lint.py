"""What a strategy's source does that a strategy must not: found by reading it, without running it.

A decision must follow from the events alone, or the standby, a backtest and a replay decide otherwise than
the leader did. So no wall clock, no chance without a fixed seed, no network, no files, no threads, and
nothing that looks at rows which lie in the future. What bites: names are followed through imports and their
aliases only; whoever hides a call from this finds it in the dry run, or in production.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from smarttrade.authoring.findings import Finding

_MODULES = {
    "Network": (
        "socket ssl http urllib.request urllib3 requests httpx aiohttp websockets picows ccxt nats ftplib "
        "smtplib xmlrpc"
    ),
    "Process": "subprocess multiprocessing threading concurrent asyncio signal ctypes _thread sched",
    "Chance": "secrets",
    "File": "shelve sqlite3 pickle tempfile shutil",
}
_CALLS = {
    "WallClock": (
        "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
        "time.localtime time.gmtime time.sleep datetime.datetime.now datetime.datetime.utcnow "
        "datetime.datetime.today datetime.date.today pandas.Timestamp.now pandas.Timestamp.utcnow "
        "pandas.Timestamp.today"
    ),
    "Chance": "uuid.uuid1 uuid.uuid4 os.urandom random.SystemRandom hash id",
    "Process": "os.system os.fork os.popen os.execv os.spawnv os.kill",
    "File": "open pathlib.Path.open os.open os.remove pandas.read_csv pandas.read_parquet numpy.load",
    "Environment": "os.getenv os.environ.get",
    "Hidden": "eval exec compile __import__ importlib.import_module",
}
_ADVICE = {
    "Network": "a strategy decides on the events that it is given",
    "Process": "a handler runs alone and must return; it starts nothing",
    "Chance": "every replica must decide the same: use random.Random(a number) if it must be",
    "File": "nothing outside the container's memory is there after a fail-over: build state from events",
    "WallClock": "use self.now_ms, the time of the event, or a timer",
    "Environment": "declare a Parameter instead",
    "Hidden": "code that cannot be read cannot be checked",
    "LookAhead": "this reads rows which lie in the future of the row it writes",
    "SetOrder": "the order of a set of strings differs between processes: sort it",
}
_SEEDED = ("random.Random", "numpy.random.default_rng", "numpy.random.RandomState")
_CHANCE = ("random.", "numpy.random.")

_module_codes = {name: code for code, names in _MODULES.items() for name in names.split()}
_call_codes = {name: code for code, names in _CALLS.items() for name in names.split()}


def lint(source: str) -> list[Finding]:
    """Findings in the order of their lines; a syntax error is one of them."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [Finding(error.lineno or 0, "Syntax", error.msg)]
    names = _imported_names(tree)
    found = {finding for node in ast.walk(tree) for finding in _examine(node, names)}
    return sorted(found)


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Local name -> what it stands for: `np` -> `numpy`, `now` -> `time.time`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _examine(node: ast.AST, names: dict[str, str]) -> Iterator[Finding]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _module(node, alias.name)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            yield from _module(node, f"{node.module}.{alias.name}")
    elif isinstance(node, ast.Call):
        yield from _call(node, names)
    elif isinstance(node, ast.Subscript) and _dotted(node.value, names) == "os.environ":
        yield _finding(node, "Environment", "os.environ")
    elif isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
        yield _finding(node.iter, "SetOrder", "iterating over a set")


def _module(node: ast.stmt, name: str) -> Iterator[Finding]:
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    code = next((_module_codes[prefix] for prefix in prefixes if prefix in _module_codes), None)
    if code:
        yield _finding(node, code, f"import of {name}")


def _call(node: ast.Call, names: dict[str, str]) -> Iterator[Finding]:
    name = _dotted(node.func, names)
    if name in _call_codes:
        yield _finding(node, _call_codes[name], f"{name}()")
    elif name in _SEEDED:
        if not node.args or not isinstance(node.args[0], ast.Constant) or node.args[0].value is None:
            yield _finding(node, "Chance", f"{name}() without a fixed seed")
    elif name.startswith(_CHANCE):
        yield _finding(node, "Chance", f"{name}()")
    if isinstance(node.func, ast.Attribute):
        yield from _method(node, node.func.attr)


def _method(node: ast.Call, name: str) -> Iterator[Finding]:
    """Methods of data frames by which the future leaks into the past."""
    if name == "shift" and any(_is_negative(value) for value in _values(node, "periods")):
        yield _finding(node, "LookAhead", ".shift() by a negative number")
    if name in ("bfill", "backfill"):
        yield _finding(node, "LookAhead", f".{name}()")
    if name == "fillna" and any(
        _constant(value) in ("bfill", "backfill") for value in _values(node, "method")
    ):
        yield _finding(node, "LookAhead", '.fillna(method="bfill")')
    if name == "rolling" and any(
        keyword.arg == "center" and _constant(keyword.value) is True for keyword in node.keywords
    ):
        yield _finding(node, "LookAhead", ".rolling(center=True)")


def _values(node: ast.Call, keyword: str) -> list[ast.expr]:
    return [*node.args[:1], *(each.value for each in node.keywords if each.arg == keyword)]


def _is_negative(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.UnaryOp)
        and isinstance(value.op, ast.USub)
        and isinstance(value.operand, ast.Constant)
    )


def _constant(value: ast.expr) -> object:
    return value.value if isinstance(value, ast.Constant) else None


def _is_set(node: ast.expr) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return isinstance(node, ast.Set | ast.SetComp) or (
        is_call and node.func.id in ("set", "frozenset")  # type: ignore[attr-defined]
    )


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`np.random.rand` as `numpy.random.rand`; an empty string for anything that is no plain name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _finding(node: ast.stmt | ast.expr, code: str, what: str) -> Finding:
    return Finding(node.lineno, code, f"{what}: {_ADVICE[code]}")
