"""Write tests/data/contract.txt: all that plugins and applications may rely on, a line each.

It is the contract of one version, the one in core/pyproject.toml, and is written once for each, by
`nox -s bump`. Until the next one every change of a line has to stand in the changelog, under
"Unreleased", as a line that begins with its name:

    - `event_brokers.hookspecs.publish`: ...

The line of a class or a module that is new tells of all that is in it.

With --check nothing is written: a change that does not stand there is named, and the program ends
with 1. What there is is read from the sources by griffe; nothing is imported.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

CONTRACT = Path("tests/data/contract.txt")
CHANGELOG = Path("CHANGELOG.md")
SOURCES = Path("core/src")
PACKAGE = "event_brokers"
EXPORTING = ("logging", "metrics", "plugin", "telemetry", "testing")
ANSWERS = f"{PACKAGE}.testing.answers.Answers"  # what authors override in their tests
HOOKS = f"{PACKAGE}.hookspecs"
UNRELEASED = "## [Unreleased]\n"


def main() -> int:
    """Write the contract, or compare it; return the code with which the program ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; name what has changed")
    is_check = parser.parse_args().check
    present, version = dict(contract()), _version()
    recorded, recorded_version = _recorded()
    if not is_check and recorded_version == version:
        sys.stdout.write(f"the contract of {version} is written already\n")
        return 0
    if not is_check:
        lines = [f"# the contract of {version}", *present.values()]
        CONTRACT.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return 0
    problems = list(_problems(recorded, present))
    if recorded_version != version:
        problems.append(f"{CONTRACT} is of {recorded_version}; run scripts/write_contract.py")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def contract() -> Iterator[tuple[str, str]]:
    """Yield all that may be relied on: its name, and a line that says what it is."""
    package = griffe.load(PACKAGE, search_paths=[SOURCES])
    if not isinstance(package, griffe.Module):
        raise SystemExit(f"{SOURCES} holds no package {PACKAGE}")
    for module in [package, *(package.modules[name] for name in EXPORTING)]:
        for name in module.exports or ():
            yield from _exported(package, module, str(name).strip("'\""))
    for module in package["plugin"].modules.values():
        for name, member in module.members.items():
            if not name.startswith("_") and not member.is_alias:
                yield from _described(f"{module.path}.{name}", member)
    yield from _described(ANSWERS, package[ANSWERS.removeprefix(f"{PACKAGE}.")])
    for name, member in package["hookspecs"].members.items():
        if not member.is_alias and member.is_function and member.decorators:
            yield from _described(f"{HOOKS}.{name}", member)


def _exported(
    package: griffe.Module, module: griffe.Module, name: str
) -> Iterator[tuple[str, str]]:
    path = f"{module.path}.{name}"
    if module is not package and name in (package.exports or ()):
        yield path, f"{path}: as {PACKAGE}.{name}"
        return
    member = module.members[name]
    yield from _described(path, member.final_target if isinstance(member, griffe.Alias) else member)


def _described(path: str, member: griffe.Object | griffe.Alias) -> Iterator[tuple[str, str]]:
    if isinstance(member, griffe.Function):
        yield path, path + member.signature().removeprefix(member.name)
    elif isinstance(member, griffe.Attribute):
        annotation = f": {member.annotation}" if member.annotation else ""
        value = f" = {member.value}" if member.value and annotation else ""
        yield path, path + annotation + value
    elif isinstance(member, griffe.Class):
        yield path, f"{path}({', '.join(map(str, member.bases))})"
        for name, inner in member.members.items():
            if not name.startswith("_") or name == "__init__":
                yield from _described(f"{path}.{name}", inner)


def _recorded() -> tuple[dict[str, str], str]:
    if not CONTRACT.exists():
        return {}, ""
    first, *lines = CONTRACT.read_text(encoding="utf-8").splitlines()
    return {re.split(r"[(:\s]", line)[0]: line for line in lines}, first.rpartition(" ")[2]


def _problems(recorded: dict[str, str], present: dict[str, str]) -> Iterator[str]:
    told = _told()
    for name in sorted({*recorded, *present}):
        before, now = recorded.get(name), present.get(name)
        if before == now or name in told or _is_in_what_is_new(name, recorded, told):
            continue
        what = "is new" if before is None else "is gone" if now is None else "has changed"
        yield (
            f"{name} {what}, and {CHANGELOG} does not say so; "
            f"write a line under Unreleased that begins with '- `{name}`: '"
        )


def _is_in_what_is_new(name: str, recorded: dict[str, str], told: set[str]) -> bool:
    """Say whether a line tells of a class or module around a name, of which nothing was there."""
    parts = name.split(".")
    around = {".".join(parts[:count]) for count in range(1, len(parts))}
    return any(
        not any(f"{other}.".startswith(f"{owner}.") for other in recorded)
        for owner in around & told
    )


def _told() -> set[str]:
    """Return the names that the changelog's section of what is unreleased begins lines with."""
    _, _, after = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    section = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"^- `([\w.]+)`: ", section, flags=re.MULTILINE))


def _version() -> str:
    text = (SOURCES.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, flags=re.MULTILINE)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(main())
