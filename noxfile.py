"""The checks, each by its name: `nox -s lint`. `scripts/test` runs the first four of them at once.

Every session installs the same requirements-development.txt, but for the two that try other
versions; `scripts/test` runs them with `--no-venv --no-install` in the one environment it made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "docs", "tests"]

FOLDERS = ("*", "plugins/*", "integrations/*")
PROJECTS = [path for each in FOLDERS for path in Path().glob(f"{each}/pyproject.toml")]
DISTRIBUTIONS = sorted(path.parent for path in PROJECTS)
EXAMPLES = sorted(path.parent for path in Path().glob("examples/*/pyproject.toml"))
PLUGINS = [folder for folder in DISTRIBUTIONS if folder.parent.name == "plugins"]
# the tests that notice another version of what a distribution needs
NOTICE_VERSIONS = (
    "tests/assistant", "tests/backends", "tests/cli", "tests/core", "tests/integrations",
    "tests/monitor", "tests/plugins", "tests/spool",
)  # fmt: skip
# comes as source alone, which wants the headers of Kerberos
WITHOUT_WHEELS = {"gssapi"}
# it wants SQLAlchemy 2, and Rasa 1.4
NOT_BESIDE_RASA = Path("plugins/sql_broker")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff, and who imports whom with import-linter."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "scripts/check_layers.py")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of everything with mypy in strict mode."""
    _install(session)
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _install(session)
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, in parallel; those that share a server one after the other."""
    _install(session)
    _test(session, "--conformance-short", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Hold every plugin against the whole conformance kit, and the kit against broken plugins."""
    _install(session)
    _test(session, "tests/conformance", "tests/testing", "--faults", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Provoke every fault at full length, and write the matrix into docs/reliability.md."""
    _install(session)
    session.run(
        "python", "-m", "pytest", "tests/faults", "tests/spool", "--faults", "-n", "3",
        "--dist", "loadgroup", *session.posargs,
    )  # fmt: skip


@nox.session
def fuzz(session: nox.Session) -> None:
    """Make up hostile and broken input for a minute a test: nox -s fuzz -- --fuzz 300."""
    _install(session)
    _test(session, "tests/fuzz", "--fuzz", "60", *session.posargs)


@nox.session
def page(session: nox.Session) -> None:
    """Look at the live page in Chromium for as long as it takes, and take its picture for docs/."""
    _install(session)
    session.run("python", "-m", "pytest", "tests/monitor", "--whole-page", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure everything beside what else there is: nox -s bench -- kafka --quick."""
    _install(session, "requirements-tests.txt", "-r", "benchmarks/requirements.txt")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def isolation(session: nox.Session) -> None:
    """Install the wheels of the core alone and of each plugin alone, and use what is there."""
    _install(session)
    names = ("isolation", "example_plugins", "new_plugin")
    files = [f"tests/distributions/test_{name}.py" for name in names]
    session.run("python", "-m", "pytest", *files, *session.posargs)


@nox.session
def rasa(session: nox.Session) -> None:
    """Resolve what goes into the environment of a real Rasa, together with it."""
    _install(session)
    wanted = Path(session.create_tmp()) / "requirements.in"
    plugins = [str(folder.absolute()) for folder in PLUGINS if folder != NOT_BESIDE_RASA]
    packages = ["rasa==3.6.21", f"{Path('core').absolute()}[cli]", *plugins]
    wanted.write_text("\n".join(packages), encoding="utf-8")
    session.run("uv", "pip", "compile", "--quiet", "--python-version", "3.10", str(wanted))


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Test everything with the oldest versions that the distributions allow."""
    wanted, oldest = (Path(session.create_tmp()) / name for name in ("wanted.in", "oldest.txt"))
    wanted.write_text("\n".join(map(_with_every_extra, DISTRIBUTIONS)), encoding="utf-8")
    ours = [f"--no-emit-package={_project(folder)['name']}" for folder in DISTRIBUTIONS]
    session.install("uv")
    session.run(
        "uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", *ours,
        "--output-file", str(oldest), str(wanted),
    )  # fmt: skip
    # without the other tools, which want newer versions of some
    _install(session, "requirements-tests.txt", "--constraint", str(oldest))
    _test(session, *(session.posargs or NOTICE_VERSIONS))


@nox.session(venv_backend="uv")
def newest(session: nox.Session) -> None:
    """Test the plugins with the newest release of every client, also beyond their ranges."""
    _install(session, "requirements-tests.txt")
    clients = sorted({client for folder in PLUGINS for client in _clients(folder)})
    session.install("--upgrade", *clients)
    _test(session, *(session.posargs or ("tests/backends", "tests/conformance", "tests/plugins")))


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive and the wheel of every distribution into dist/."""
    _install(session)
    for folder in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--outdir", "dist", str(folder))


@nox.session(venv_backend="none")
def bump(session: nox.Session) -> None:
    """Give every distribution a new version, and close the changelog: nox -s bump -- 0.2.0."""
    session.run(sys.executable, "scripts/bump_version.py", *session.posargs, external=True)
    session.run(sys.executable, "scripts/write_contract.py", external=True)


def _install(
    session: nox.Session, requirements: str = "requirements-development.txt", *options: str
) -> None:
    folders = [*DISTRIBUTIONS, *EXAMPLES]
    editable = [f"--editable={folder.absolute()}" for folder in folders]
    session.install("-r", requirements, *editable, *options)


def _test(session: nox.Session, *arguments: str) -> None:
    session.run("python", "-m", "pytest", "-n", "3", "--dist", "loadgroup", *arguments)


def _with_every_extra(folder: Path) -> str:
    extras = ",".join(_project(folder).get("optional-dependencies", {}))
    return f"{folder.absolute()}[{extras}]"


def _clients(folder: Path) -> Iterator[str]:
    """Yield what a plugin needs beside the core, with its extras and without its bounds."""
    project = _project(folder)
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    for text in (text for group in groups for text in group):
        need = Requirement(text)
        if not need.name.startswith("event-brokers") and need.name not in WITHOUT_WHEELS:
            extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
            yield need.name + extras


def _project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = nox.project.load_toml(folder / "pyproject.toml")["project"]
    return table
