#!/usr/bin/env bash
# Installs a build into a prefix, moves the prefix, and uses what lies there as its users would: the command, the library
# through pkg-config, the code generator module, the man page and the completions.
#
# usage: test_install.sh BUILD_FOLDER SOURCE_FOLDER SCRATCH_FOLDER COMPILER
set -euo pipefail
build=$1 source=$2 scratch=$3 compiler=$4
tiny=$source/tests/oracle/vectors/models/llama/llama-q8_0.gguf

current=start
trap '[ $? -eq 0 ] || echo "FAILED while: $current"' EXIT
checking() { current=$1; echo "checking: $1"; }
fail() { echo "$*"; exit 1; }

rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
export XDG_CACHE_HOME=$scratch/cache XDG_CONFIG_HOME=$scratch/config LC_ALL=C
unset HONE_MODULE_PATH LD_LIBRARY_PATH

checking "a prefix can be moved"
cmake --install "$build" --prefix "$scratch/first" >"$scratch/install.log"
mv "$scratch/first" "$scratch/moved"
prefix=$scratch/moved
hone=$prefix/bin/hone
[[ $("$hone" --version) == "hone "* ]]
library=$(ldd "$hone" | sed -n 's/.*libhone\.so\.0 => \([^ ]*\).*/\1/p')
[[ $(realpath "$library") == "$prefix"/* ]] || fail "bin/hone uses $library"

checking "the installed command compiles kernels with the installed module"
run_tiny() { "$hone" run "$tiny" --token-ids 1,15,27 --tokens 2 --temperature 0 --quiet --json --cache "" "$@"; }
run_tiny >"$scratch/compiled.json"
python3 - "$scratch/compiled.json" <<'PYTHON'
import json, sys
result = json.load(open(sys.argv[1]))
assert result["kernels_compiled"] > 0, result
PYTHON

checking "without the module: references run, compiling says what is missing"
module=$(find "$prefix" -name libhone_codegen_cpu.so)
mv "$module" "$scratch/"
run_tiny --references >"$scratch/references.json"
if run_tiny >"$scratch/without.out" 2>"$scratch/without.err"; then fail "ran without the module"; fi
grep -q "libhone_codegen_cpu.so" "$scratch/without.err" || fail "$(cat "$scratch/without.err")"
[ "$(wc -l <"$scratch/without.err")" -eq 1 ] || fail "not one line: $(cat "$scratch/without.err")"
mv "$scratch/libhone_codegen_cpu.so" "$module"

checking "without libLLVM: references run, compiling names the package"
mkdir "$scratch/broken"
llvm=$(ldd "$module" | sed -n 's/^\s*\(libLLVM[^ ]*\) => .*/\1/p')
: >"$scratch/broken/$llvm"
LD_LIBRARY_PATH=$scratch/broken run_tiny --references >"$scratch/references.json"
if LD_LIBRARY_PATH=$scratch/broken run_tiny >"$scratch/without.out" 2>"$scratch/without.err"; then fail "ran without libLLVM"; fi
grep -q "install the package libllvm" "$scratch/without.err" || fail "$(cat "$scratch/without.err")"

checking "pkg-config, and the example of the C interface"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name hone.pc)")
[ "$(pkg-config --modversion hone)" = "$("$hone" --version | cut -d' ' -f2)" ]
libdir=$(realpath "$(pkg-config --variable=libdir hone)")
[[ $libdir == "$prefix"/* ]] || fail "pkg-config names $libdir"
example=$(find "$prefix" -name complete.c)
read -ra flags <<<"$(pkg-config --cflags --libs hone)"
"$compiler" -std=c17 -Wall -Wextra -Werror "$example" "${flags[@]}" -Wl,-rpath,"$libdir" -o "$scratch/complete"
model=$source/models/demo/demo-dense.gguf
if [ ! -f "$model" ]; then
    model=$scratch/synthetic.gguf
    "$hone" synth tinyllama-1.1b --layers 1 --type q4_0 -o "$model" --quiet >/dev/null
fi
"$scratch/complete" "$model" "Once upon a time" >"$scratch/complete.out"
[[ $(wc -c <"$scratch/complete.out") -gt 30 ]]

# The linker prefers a program's functions to a library's.  None of Hone may be replaced that way.
checking "a program may have functions of the names that are inside the library and the module"
cat >"$scratch/clash.c" <<'C'
#include <stdlib.h>
#define CLASH(name) void name(void); void name(void) { abort(); }
CLASH(fail) CLASH(fail_memory) CLASH(arena_create) CLASH(arena_allocate) CLASH(arena_text) CLASH(arena_print)
CLASH(text_append) CLASH(file_join) CLASH(hash_bytes) CLASH(graph_verify) CLASH(element_of) CLASH(config_value)
CLASH(problem_dimension) CLASH(object_block_make) CLASH(image_encode) CLASH(yaml_parse)
C
sed 's/static int fail(/static int complain(/; s/\bfail(error)/complain(error)/; s/return fail(/return complain(/' "$example" \
    >"$scratch/clashing.c"
"$compiler" -std=c17 "$scratch/clashing.c" "$scratch/clash.c" "${flags[@]}" -Wl,-rpath,"$libdir" -Wl,--export-dynamic \
    -o "$scratch/clashing"
XDG_CACHE_HOME=$scratch/other "$scratch/clashing" "$model" "Once upon a time" >"$scratch/clashing.out"
cmp "$scratch/complete.out" "$scratch/clashing.out"

checking "libhone shows every function of hone.h, and none else, as its interface"
sed -n 's/^[a-z].*[ *]\(hone_[a-z_]*\)(.*/\1/p' "$prefix/include/hone/hone.h" | sort >"$scratch/declared"
nm -D --defined-only --with-symbol-versions "$library" | sed -n 's/.* T \(.*\)@@HONE_0$/\1/p' | sort >"$scratch/shown"
diff "$scratch/declared" "$scratch/shown"

checking "hardening"
for file in "$hone" "$library" "$module"; do
    readelf -lW "$file" | grep -q GNU_RELRO || fail "$file: no RELRO"
    readelf -lW "$file" | grep -q 'GNU_STACK.* RW ' || fail "$file: executable stack"
    readelf -dW "$file" | grep -Eq 'BIND_NOW|NOW' || fail "$file: lazy binding"
done
readelf -h "$hone" | grep -q 'DYN' || fail "$hone is at a fixed address"

checking "man page and completions"
grep -q '^\.TH HONE 1' "$prefix/share/man/man1/hone.1" || fail "$(head -3 "$prefix/share/man/man1/hone.1")"
if command -v man >/dev/null; then
    warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$prefix/share/man/man1/hone.1" 2>&1 >/dev/null)
    [ -z "$warnings" ] || fail "$warnings"
fi
bash -c 'source "$1" && complete -p hone' - "$prefix/share/bash-completion/completions/hone" >/dev/null
head -1 "$prefix/share/zsh/site-functions/_hone" | grep -q '^#compdef hone' || fail "_hone is no zsh completion"
command -v zsh >/dev/null && zsh -n "$prefix/share/zsh/site-functions/_hone"
command -v fish >/dev/null && fish -n "$prefix/share/fish/vendor_completions.d/hone.fish"
grep -q -- '-c hone' "$prefix/share/fish/vendor_completions.d/hone.fish"

# The best of 20, because other work on the machine only adds to it.
checking "hone starts within 10 ms"
python3 - "$hone" <<'PYTHON'
import subprocess, sys, time
def start():
    begin = time.perf_counter()
    subprocess.run([sys.argv[1], "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
best = min(start() for _ in range(20))
print(f"hone --version takes {best * 1e3:.1f} ms")
assert best < 0.010
PYTHON
echo "the installed tree works"
