#!/bin/sh
# Gets what the pages need from npm packages of fixed versions and hashes:
# fetch.sh charts puts the chart library into lib/, fetch.sh axe the
# accessibility checker of the tests into testdata/axe/. Needs npm, openssl, tar.
set -eu
cd "$(dirname "$0")"

# get NAME VERSION SHA-512 FOLDER FILE…: files of a package into a folder.
get() {
  name=$1 version=$2 want=$3 folder=$4
  shift 4
  mkdir -p "$folder"
  cd "$folder"
  [ -e "$name.$version" ] && return
  file=$name-$version.tgz
  npm pack --silent "$name@$version" >/dev/null
  if [ "$(openssl dgst -sha512 -binary "$file" | openssl base64 -A)" != "$want" ]; then
    rm -f "$file"
    echo "fetch.sh: $file is not the file that it should be; nothing was changed" >&2
    exit 1
  fi
  tar -xzf "$file" "$@"
  for each in "$@"; do mv "$each" .; done
  rm -r package "$file"
  : >"$name.$version"
}

case "${1-}" in
charts)
  get echarts 6.1.0 'q0yaFPggC9FUdsWH4blavRWFmxdrIodbkoKNAjJudAI6CA9gNPxHtV2RcZNEepZVlk4yvBYkOkbk6HIVpIyHZA==' \
    lib package/dist/echarts.min.js package/LICENSE package/NOTICE
  ;;
axe)
  get axe-core 4.14.1 'FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==' \
    testdata/axe package/axe.min.js package/LICENSE
  ;;
*)
  echo 'usage: fetch.sh charts|axe' >&2
  exit 2
  ;;
esac
