# Shared by the scripts: where the project is, what it needs, how to build it.  Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '==> %s\n' "$*" >&2; }

packages=(build-essential cmake ninja-build pkg-config python3 llvm-19-dev libyaml-dev libjansson-dev libsqlite3-dev
    libxxhash-dev libpcre2-dev libutf8proc-dev libsodium-dev libhwloc-dev libcmocka-dev)

package_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# Any LLVM from 16 on will do when 19 is not to be had.
choose_llvm() {
    local version
    for version in 19 20 18 17 16; do
        if package_installed "llvm-$version-dev"; then
            packages=("${packages[@]/llvm-19-dev/llvm-$version-dev}")
            return
        fi
    done
    command -v apt-cache >/dev/null || return 0
    for version in 19 20 18 17 16; do
        if apt-cache show "llvm-$version-dev" >/dev/null 2>&1; then
            packages=("${packages[@]/llvm-19-dev/llvm-$version-dev}")
            return
        fi
    done
}

# Installs the Debian packages that are missing; asks for root only then, and only for apt-get.
install_packages() {
    choose_llvm
    local missing=() package as_root=()
    for package in "${packages[@]}" "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null; then
        say "please install with your package manager: ${missing[*]}"
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "run as root once: apt-get install ${missing[*]}"; exit 1; }
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq || say "the package lists could not be refreshed; trying with the old ones"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# Those of these Debian packages that are installed or can be.
available_packages() {
    local package
    for package in "$@"; do
        if package_installed "$package" || apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; fi
    done
}

# build PRESET [TARGET...]: configures and builds into build/PRESET; everything, or the targets alone.
build() {
    local preset=$1
    shift
    say "building ($preset)"
    mkdir -p build
    cmake --preset "$preset" >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
    cmake --build --preset "$preset" ${1:+--target "$@"} >>"build/$preset.log" 2>&1 || { tail -40 "build/$preset.log" >&2; exit 1; }
}
