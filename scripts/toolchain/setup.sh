#!/usr/bin/env bash
# Installs what the Makefile's targets need into this folder: Node packages (compiler, chains, linter) into
# node_modules/, Python packages into .venv/. Nothing is written outside the project.
#
# Runs before every target, so it is quick when there is nothing to do: each step leaves a stamp that holds the checksum
# of what it was made from, written last. A step that was interrupted, or whose lock file changed, has no valid stamp
# and is done again from the start.
set -euo pipefail
exec 1>&2 # stdout belongs to the target: `make -s demo JSON=1` prints one JSON object and nothing else
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD

# Another active environment must not leak into this one.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
# Nor must this project's own, should it be the active one: it may be about to be replaced.
PATH=:$PATH: PATH=${PATH//":$root/.venv/bin:"/:} PATH=${PATH#:} PATH=${PATH%:}
unset UV_SYSTEM_PYTHON UV_PYTHON UV_TARGET UV_PREFIX NODE_OPTIONS

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$@"; exit 1; }

# ---- stamps ----------------------------------------------------------------------------------------------------------

# The folder's own path counts, because a virtual environment does not survive being moved.
fingerprint() { printf '%s\n' "$root"; cksum "$@"; }
fresh() { local stamp=$1; shift; [ -f "$stamp" ] && [ "$(<"$stamp")" = "$(fingerprint "$@")" ]; }
stamp() { local stamp=$1; shift; fingerprint "$@" >"$stamp.new" && mv "$stamp.new" "$stamp"; }

node_inputs=(package.json package-lock.json scripts/toolchain/setup.sh)
python_inputs=(requirements.lock scripts/toolchain/setup.sh)
package_inputs=(pyproject.toml requirements.lock scripts/toolchain/setup.sh)

node_ready() { [ -e node_modules/solc/soljson.js ] && fresh node_modules/.makegood-stamp "${node_inputs[@]}"; }
python_ready() { [ -x .venv/bin/python ] && fresh .venv/.makegood-stamp "${python_inputs[@]}"; }
package_ready() { [ -x .venv/bin/makegood ] && fresh .venv/.makegood-package "${package_inputs[@]}"; }
all_ready() { node_ready && python_ready && package_ready; }

# ---- what the system has to provide ----------------------------------------------------------------------------------

debian_install() { # debian_install REASON PACKAGE...
    local reason=$1 sudo=()
    shift
    local by_hand="sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || die "$reason. Install the equivalent of Debian's: $*"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "$reason. Run this, then try again:" "  $by_hand"
        sudo=(sudo -n)
    fi
    say "$reason: installing Debian's $*"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        die "apt-get could not install $*. Run this by hand to see why:" "  $by_hand"
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    return 1
}

need_python() {
    find_python || debian_install "no Python >= 3.11 found" python3 python3-venv
    find_python || die "Python >= 3.11 is needed, found $(python3 --version 2>&1 || echo none)." \
        "Install it and say which one to use: make PYTHON=/path/to/python3.11 ..."
    # Debian ships ensurepip apart from the interpreter.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        local version
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        debian_install "Python $version cannot make virtual environments" "python$version-venv"
    fi
}

need_node() {
    command -v node >/dev/null || die "Node.js >= 20 is needed (compiler and ganache run on it), none found."
    node -e 'process.exit(parseInt(process.versions.node, 10) >= 20 ? 0 : 1)' ||
        die "Node.js >= 20 is needed, found $(node --version)."
    command -v npm >/dev/null || die "npm is needed; Node.js is here, npm is not (Debian: apt-get install npm)."
}

# ---- steps -----------------------------------------------------------------------------------------------------------

install_node() {
    need_node
    say "installing Node packages from package-lock.json (compiler, anvil, ganache, solhint; about 20 s)"
    rm -f node_modules/.makegood-stamp
    # No package here needs its install script, and without them no compiler is needed.
    npm_config_cache=${npm_config_cache:-$root/.cache/npm} \
        npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --no-update-notifier \
        --loglevel=error >/dev/null
    # npm leaves out an optional package without a word.
    if ! node_modules/.bin/anvil --version >/dev/null 2>&1 && ! command -v anvil >/dev/null; then
        die "npm's anvil is built for Linux on x86-64 only, and no other anvil is on PATH." \
            "Install Foundry (https://getfoundry.sh), check that 'anvil --version' works, then try again."
    fi
    stamp node_modules/.makegood-stamp "${node_inputs[@]}"
}

venv_usable() { [ "$(cat .venv/.makegood-root 2>/dev/null)" = "$root" ] && .venv/bin/python -m pip --version >/dev/null 2>&1; }

install_python() {
    local bootstrap
    rm -f .venv/.makegood-stamp .venv/.makegood-package
    if ! venv_usable; then
        need_python
        say "making .venv with $("$python" --version) (about 5 s)"
        "$python" -m venv --clear .venv
        printf '%s\n' "$root" >.venv/.makegood-root
    fi
    # uv resolves and installs in seconds what takes pip a minute; it comes from PyPI under the lock's hash like the rest.
    bootstrap=.venv/bootstrap.txt
    awk '/^[A-Za-z0-9]/ { wanted = /^(packaging|setuptools|uv|wheel)==/ } wanted' requirements.lock >"$bootstrap"
    export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$root/.cache/pip} UV_CACHE_DIR=${UV_CACHE_DIR:-$root/.cache/uv}
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    .venv/bin/python -m pip install --quiet --require-hashes --no-deps --only-binary :all: \
        -r "$bootstrap" 2>.venv/pip.log || die "pip could not install uv:" "$(tail -n 5 .venv/pip.log)"

    say "installing Python packages from requirements.lock (about 10 s)"
    # eth-brownie's compiled wheel does not work (four places raise TypeError), so it is built from source as plain
    # Python. Builds use the setuptools of the lock, not whatever is newest today, and need no C compiler.
    export BROWNIE_NOCOMPILE=1
    local flags=(--require-hashes --no-build-isolation --no-binary eth-brownie)
    if ! .venv/bin/uv pip sync --quiet --python .venv/bin/python "${flags[@]}" requirements.lock; then
        # uv does not read pip's configuration: behind a mirror or a company's proxy only pip knows the way.
        say "uv did not succeed, trying pip (about a minute)"
        .venv/bin/python -m pip install --quiet "${flags[@]}" -r requirements.lock
    fi
    stamp .venv/.makegood-stamp "${python_inputs[@]}"
}

install_package() {
    # "compat" puts this folder on the path, so packages that appear later are found without a new installation.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
        --config-settings editable_mode=compat --editable .
    stamp .venv/.makegood-package "${package_inputs[@]}"
}

all_ready && exit 0
mkdir -p .cache
if command -v flock >/dev/null; then # two targets started at once: the second waits, then finds everything done
    exec 9>.cache/setup.lock
    flock 9
fi
node_ready || install_node
python_ready || install_python
package_ready || install_package
