"""The checks, each by its name: `nox -s lint`. `scripts/test` runs the first four of them at once.

Every session installs the same requirements-development.txt; `scripts/test` runs them with
`--no-venv --no-install` in the one environment it made.
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "docs", "tests"]

DISTRIBUTIONS = (
    "assistant", "core", "plugins/kafka_broker", "plugins/pika_broker", "plugins/sql_broker",
)  # fmt: skip
# the plugin for SQL wants SQLAlchemy 2, and Rasa 1.4
BESIDE_RASA = ("core[cli]", "plugins/kafka_broker", "plugins/pika_broker")


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
    packages = [f"{Path(folder).absolute()}" for folder in BESIDE_RASA]
    wanted.write_text("\n".join(["rasa==3.6.21", *packages]), encoding="utf-8")
    session.run("uv", "pip", "compile", "--quiet", "--python-version", "3.10", str(wanted))


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive and the wheel of every distribution into dist/."""
    _install(session)
    for folder in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--outdir", "dist", folder)


def _install(session: nox.Session) -> None:
    session.install("-r", "requirements-development.txt")
