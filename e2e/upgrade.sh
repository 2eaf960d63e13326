#!/usr/bin/env bash
# Takes over a data directory that an older commit wrote under load: e2e/upgrade.sh [COMMIT] [options of the upgrade binary]
# Builds the commit in a work tree of its own below target/upgrade; the result is in target/upgrade.json.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=a4af234
if [ $# -gt 0 ] && [[ $1 != --* ]]; then
    commit=$1
    shift
fi
here=$PWD/target/upgrade
source=$here/source
mkdir -p "$here"
rm -rf "$here/stack"
git worktree prune
if [ ! -e "$source/Cargo.toml" ]; then
    git worktree add --detach "$source" "$commit"
else
    git -C "$source" checkout --quiet --detach "$commit"
fi
# Its own build directory, kept from one run to the next.
(cd "$source" && CARGO_TARGET_DIR=$here/build cargo build --release --locked -p defaultx)
cargo run --release --locked -p e2e --bin upgrade -- --old "$here/build/release/defaultx" --old-root "$source" "$@"
