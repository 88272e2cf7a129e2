#!/usr/bin/env bash
# Proves the two commands on a machine where nothing was installed by hand: a fresh Debian in a folder of its own.
#
#   sudo tests/packaging/clean_machine.sh FOLDER [SUITE [MIRROR]]     (bookworm, http://deb.debian.org/debian)
#
# Needs root, debootstrap and a network; FOLDER is made, or used again when it holds such a system already.
# In it: an ordinary user without packages is told what to do; scripts/demo as root, twice; scripts/demo and scripts/test
# as an ordinary user; a build with LLVM 16 and its tests of code generation.
set -euo pipefail
source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
machine=${1:?usage: clean_machine.sh FOLDER [SUITE [MIRROR]]} suite=${2:-bookworm} mirror=${3:-http://deb.debian.org/debian}
log=$(mktemp)
trap '[ $? -eq 0 ] || { echo "FAILED; the last lines:"; tail -40 "$log"; }' EXIT

# inside USER COMMAND: in the new machine, in its user's clone.
inside() {
    unshare --mount --propagation private bash -c '
        mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"
        exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 su "$1" -c "cd && cd hone && $2"' \
        "$machine" "$1" "$2" >"$log" 2>&1
}

# proves TEXT USER COMMAND: one line with the time it took.
proves() {
    local start=$SECONDS
    inside "$2" "$3"
    printf 'ok   %-70s %5d s\n' "$1" $((SECONDS - start))
}

clone_for() {
    rm -rf "${machine:?}$2/hone"
    git clone -q "$source_folder" "$machine$2/hone"
    chroot "$machine" chown -R "$1:" "$2/hone"
}

if [ ! -x "$machine/usr/bin/apt-get" ]; then
    debootstrap --variant=minbase "$suite" "$machine" "$mirror" >"$log" 2>&1
fi
chroot "$machine" id someone >/dev/null 2>&1 || chroot "$machine" useradd -m someone
clone_for root /root
clone_for someone /home/someone

if ! chroot "$machine" dpkg-query -W cmake >/dev/null 2>&1; then
    if inside someone "scripts/demo"; then echo "scripts/demo did not say that packages are missing"; exit 1; fi
    grep -q "run as root once: apt-get install" "$log"
    echo "ok   an ordinary user without packages and sudo is told what to install"
fi
proves "scripts/demo as root, nothing installed" root "scripts/demo && scripts/demo"
grep -q " 0 compiled now" "$log" || { echo "the second demo compiled kernels"; exit 1; }
proves "scripts/demo as an ordinary user" someone "scripts/demo"
proves "scripts/test as an ordinary user" someone "scripts/test"
tail -1 "$log"
chroot "$machine" apt-get install -y -qq --no-install-recommends llvm-16-dev >"$log" 2>&1
proves "LLVM 16 builds, its kernels are right" someone \
    "cmake --preset dev -B build/llvm16 -DHONE_LLVM_VERSION=16 && cmake --build build/llvm16 &&
     ctest --test-dir build/llvm16 --output-on-failure -R 'variants|oracle|engine|tune'"
