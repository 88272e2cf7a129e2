"""Fail when a header does not compile by itself, as the only thing that a file includes.

Headers that include cuda.h are left out unless a folder with cuda.h is among the compiler options.

usage: check_headers.py ROOT COMPILER [compiler options]
"""
import concurrent.futures
import pathlib
import subprocess
import sys

ROOMS = ("base", "ir", "codegen", "runtime", "ops", "models", "tuner", "planner", "engine", "cli", "include")
OPTIONS = ["-std=c17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c"]


def main():
    root, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]

    def compile_header(path):
        done = subprocess.run([*compiler, *OPTIONS, "-I", root, "-include", path, "/dev/null"],
                              capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""

    has_cuda = any((pathlib.Path(option) / "cuda.h").is_file() for option in compiler)
    headers = sorted(path for room in ROOMS for path in (root / room).rglob("*.h")
                     if has_cuda or path.relative_to(root).parts[:2] != ("runtime", "cuda"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        errors = [error for error in pool.map(compile_header, headers) if error]
    print("".join(errors) + f"{len(headers)} headers, {len(errors)} do not compile alone")
    sys.exit(bool(errors))


main()
