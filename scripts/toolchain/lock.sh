#!/usr/bin/env bash
# Resolves the dependencies again. The locks name versions and hashes but no host, so any mirror of PyPI and npm will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export UV_CACHE_DIR=${UV_CACHE_DIR:-$PWD/.cache/uv} npm_config_cache=${npm_config_cache:-$PWD/.cache/npm}

uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock "$@"
npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error
if grep -nE '^ *(--index|--extra-index|--find-links)|^[^#]*(https?|file)://' requirements.lock ||
    grep -nE '"resolved"' package-lock.json; then
    echo 'lock: a lock file names a host, see above' >&2
    exit 1
fi
