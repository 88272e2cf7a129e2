"""Fail when a file includes a header from a folder that scripts/layers.txt does not allow.

usage: check_layers.py ROOT
"""
import pathlib
import re
import sys


def read_layers(path):
    allowed = {}
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        folder, below = line.split(":")
        unknown = set(below.split()) - set(allowed)
        if unknown:
            sys.exit(f"layers.txt: {folder} is listed before {', '.join(sorted(unknown))}")
        allowed[folder] = {folder, *below.split()}
    return allowed


def main():
    root = pathlib.Path(sys.argv[1])
    allowed = read_layers(root / "scripts/layers.txt")
    errors = files = 0
    for folder in allowed:
        for path in sorted((root / folder).rglob("*.[ch]")):
            files += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                include = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
                if include and include[1] in allowed and include[1] not in allowed[folder]:
                    print(f"{path.relative_to(root)}:{number}: {folder} may not include {include[1]}")
                    errors += 1
    print(f"{files} files, {errors} forbidden includes")
    sys.exit(errors > 0)


main()
