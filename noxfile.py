"""The checks, each by its name: `nox -s lint`. `scripts/test` runs the first four of them at once.

Every session installs the same requirements-development.txt; `scripts/test` runs them with
`--no-venv --no-install` in the one environment it made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "docs", "tests"]

PROJECTS = [*Path().glob("*/pyproject.toml"), *Path().glob("plugins/*/pyproject.toml")]
DISTRIBUTIONS = sorted(path.parent for path in PROJECTS)
PLUGINS = [folder for folder in DISTRIBUTIONS if folder.parent.name == "plugins"]
# it wants SQLAlchemy 2, and Rasa 1.4
NOT_BESIDE_RASA = Path("plugins/sql_broker")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


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
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadgroup", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Provoke every fault at full length, and write the matrix into docs/reliability.md."""
    _install(session)
    session.run(
        "python", "-m", "pytest", "tests/faults", "tests/spool", "--faults", "-n", "2",
        "--dist", "loadgroup", *session.posargs,
    )  # fmt: skip


@nox.session
def isolation(session: nox.Session) -> None:
    """Install the wheels of the core alone and of each plugin alone, and use what is there."""
    _install(session)
    session.run("python", "-m", "pytest", "tests/distributions/test_isolation.py", *session.posargs)


@nox.session
def rasa(session: nox.Session) -> None:
    """Resolve what goes into the environment of a real Rasa, together with it."""
    _install(session)
    wanted = Path(session.create_tmp()) / "requirements.in"
    plugins = [str(folder.absolute()) for folder in PLUGINS if folder != NOT_BESIDE_RASA]
    packages = ["rasa==3.6.21", f"{Path('core').absolute()}[cli]", *plugins]
    wanted.write_text("\n".join(packages), encoding="utf-8")
    session.run("uv", "pip", "compile", "--quiet", "--python-version", "3.10", str(wanted))


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


def _install(session: nox.Session) -> None:
    editable = [f"--editable={folder.absolute()}" for folder in DISTRIBUTIONS]
    session.install("-r", "requirements-development.txt", *editable)
