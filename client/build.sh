#!/bin/sh
# The package: what other projects import as imageserver/client, one file of JavaScript with its types and an example, in
# dist/client (or in $1). npm pack calls this.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist/client}
rm -rf "$out"
./node_modules/.bin/bun build client/index.ts --target=node --format=esm --outfile "$out/index.js" >/dev/null
./node_modules/.bin/tsc -p client/tsconfig.json --outDir "$out"
sed "s|'./index.ts'|'imageserver/client'|" client/example.ts >"$out/example.ts"
