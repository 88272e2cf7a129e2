"""Fail where a source file leaves the project's habits; print each place.

    * no file has more than 500 lines
    * no two files of the tree have one name (operators' folders and tests included)
    * memory comes from arenas: malloc and its family are called in base/ only (tests and examples excepted)
    * LLVM instructions are built in codegen/cpu/ only; emitters use its short names

usage: check_habits.py ROOT
"""
import collections
import pathlib
import re
import subprocess
import sys

MAXIMUM_LINES = 500
ROOMS = ("base", "ir", "codegen", "runtime", "ops", "models", "tuner", "planner", "engine", "cli", "include", "emulator")
SOURCES = (".c", ".h", ".cu", ".cuh", ".def", ".py", ".cmake", ".yaml")
ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|strndup|free)\s*\(")
INSTRUCTION = re.compile(r"\bLLVMBuild\w+\s*\(")
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def list_files(root):
    """Tracked files, or, in a copy without git, all files outside build/."""
    try:
        names = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True,
                               capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return [pathlib.PurePosixPath(name) for name in sorted(set(names))
            if (root / name).is_file() and name.split("/")[0] not in ("build", ".git")]


def without_comments(text):
    """The text with comments and literals emptied; lines keep their numbers."""
    return NOT_CODE.sub(lambda match: "\n" * match[0].count("\n"), text)


def find_places(path, text, pattern, complaint):
    for number, line in enumerate(text.splitlines(), 1):
        match = pattern.search(line)
        if match:
            yield f"{path}:{number}: {match[0].rstrip('( ')}: {complaint}"


def check_file(path, text):
    lines = text.count("\n")
    if lines > MAXIMUM_LINES:
        yield f"{path}:{MAXIMUM_LINES + 1}: {lines} lines; no file has more than {MAXIMUM_LINES}"
    room = path.parts[0]
    if path.suffix not in (".c", ".h") or room not in ROOMS:
        return
    code = without_comments(text)
    if room != "base":
        yield from find_places(path, code, ALLOCATION, "memory comes from an arena (base/memory.h)")
    if path.parts[:2] != ("codegen", "cpu"):
        yield from find_places(path, code, INSTRUCTION, "instructions are built in codegen/cpu/ only")


def main():
    root = pathlib.Path(sys.argv[1])
    sources = [path for path in list_files(root) if path.suffix in SOURCES or path.parts[0] == "scripts"]
    complaints = []
    for path in sources:
        complaints += check_file(path, (root / path).read_text())
    homes = collections.defaultdict(list)
    for path in sources:
        homes[path.name].append(str(path))
    complaints += [f"{places[0]}: has the name of {', '.join(places[1:])}"
                   for places in homes.values() if len(places) > 1]
    print("\n".join(complaints + [f"{len(sources)} files, {len(complaints)} complaints"]))
    sys.exit(bool(complaints))


main()
