#!/usr/bin/env bash
# Shows that this version makes the same of the same records as an older commit, byte for byte:
# e2e/recording.sh [COMMIT] [options of `recording prove`]
# Builds the commit in a work tree of its own below target/recorded. Both versions get the models, routes and policies of that commit,
# which the older one knows, unless --documents names others. The recordings are in target/recording, or where --out says.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=dd481b1
if [ $# -gt 0 ] && [[ $1 != --* ]]; then
    commit=$1
    shift
fi
here=$PWD/target/recorded
source=$here/source
mkdir -p "$here"
git worktree prune
if [ ! -e "$source/Cargo.toml" ]; then
    git worktree add --detach "$source" "$commit"
else
    git -C "$source" checkout --quiet --detach "$commit"
fi
# Its own build directory, kept from one run to the next.
(cd "$source" && CARGO_TARGET_DIR=$here/build cargo build --release --locked -p defaultx)
cargo build --release --locked -p defaultx
if [[ " $* " != *" --documents"* ]]; then
    set -- --documents "$source" "$@"
fi
cargo run --release --locked -p e2e --bin recording -- prove \
    --before "$here/build/release/defaultx" --after target/release/defaultx "$@"
