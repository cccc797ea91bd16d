"""What `event-brokers plugins new` writes is ready to publish, as it is.

In an environment with nothing but wheels it passes ruff, mypy and its own tests, which are all the
checks of the conformance kit, against the server that was written with it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from environments import Environment
from wheels import ROOT, Wheel, build_wheel

pytestmark = [pytest.mark.xdist_group("wheels"), pytest.mark.timeout(900)]

TOOLS = ("mypy", "ruff")
# each with every part of the template once at full length
FORMS = {
    "strand": (["--consume"], []),
    "yarn_2": (["--asyncio", "--consume"], []),
    "rope": ([], ["--conformance-short"]),
    "thread": (["--asyncio"], ["--conformance-short"]),
}


@pytest.fixture(scope="module")
def author(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What an author installs: the core with its command line and its kit, and two tools."""
    lines = (ROOT / "requirements-development.txt").read_text(encoding="utf-8").splitlines()
    lines += (ROOT / "requirements-tests.txt").read_text(encoding="utf-8").splitlines()
    tools = [line.partition(" #")[0] for line in lines if line.startswith(TOOLS)]
    core = wheels["event-brokers"].path
    folder = tmp_path_factory.mktemp("author") / "environment"
    return Environment.made(folder, f"{core}[cli,testing]", *tools)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_passes_its_own_checks(
    name: str, author: Environment, tmp_path: Path
) -> None:
    """Style, types, the wheel, what can be said without a server, and the whole contract."""
    options, short = FORMS[name]
    written = author.run("event-brokers", "plugins", "new", name, *options, folder=tmp_path)
    assert (written.returncode, written.stderr) == (0, "")
    (folder,) = tmp_path.iterdir()
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        checked = author.run(*tool, folder=folder)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    author.install(str(build_wheel(folder, tmp_path / "wheel")))
    listed = author.run("event-brokers", "plugins", "check", name)
    assert listed.returncode == 0, listed.stdout
    assert "  wrong " not in listed.stdout
    tested = author.run("python", "-m", "pytest", "-q", *short, folder=folder, timeout=300)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    (proven,) = (line for line in tested.stdout.splitlines() if f"(type '{name}')" in line)
    if "--consume" in options:
        done, _, total = proven.partition("): ")[2].partition(" proven")[0].partition(" of ")
        assert done == total, tested.stdout
