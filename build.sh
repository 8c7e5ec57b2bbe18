#!/bin/sh
# Compiles the one executable: dist/imageserver, and dist/imagetool and dist/objecttool as other names for it.
# Needs the dependencies (npm run build installs them first).
set -eu
cd "$(dirname "$0")"
bun=./node_modules/.bin/bun
[ -x "$bun" ] || node setup.mjs
mkdir -p dist
# Identifiers are not minified: it has broken Elysia's generated handlers. Bytecode, and a part for each program: the
# tool starts in a sixth of the time that reading all of the source took.
"$bun" build --compile --target=bun --format=esm --splitting --bytecode --minify-whitespace --minify-syntax --sourcemap=none \
  --outfile dist/imageserver.new src/main.ts >/dev/null
mv -f dist/imageserver.new dist/imageserver
ln -sf imageserver dist/imagetool
ln -sf imageserver dist/objecttool
ls -l dist/imageserver | awk '{ printf "dist/imageserver, dist/imagetool: %.0f MB\n", $5 / 1048576 }' >&2
