#!/usr/bin/env bash
# Installs what the tests need and this machine lacks; says what it does; quick when all is there.
#
#   tests/setup.sh            everything
#   tests/setup.sh packages   only the system's packages (the one part that needs root)
#
# System packages come from apt (Debian, Ubuntu). Everything else goes to tests/.tools, which git
# ignores: a Python environment in tests/.tools/venv, packages of Node.js in tests/.tools/node, and
# cargo-deny in tests/.tools/bin.
set -euo pipefail
cd "$(dirname "$0")/.."

RUST_VERSION=1.95
CARGO_DENY_VERSION=0.20.2
PYTHON_TOOLS=(openapi-spec-validator==0.9.0 schemathesis==4.32.5 pymodbus==3.11.3 hl7==0.4.5 pyiso8583==4.0.1 pytest==9.2.0)
# The browser is the system's: playwright-core only drives it, and brings none.
NODE_PACKAGES=(playwright-core@1.61.0 axe-core@4.11.0
    openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9.3 @types/node@20.19.43)
TOOLS="$PWD/tests/.tools"
BROWSERS=(chromium chromium-browser google-chrome google-chrome-stable)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
have_one_of() { local name; for name in "$@"; do have "$name" && return 0; done; return 1; }

# A `docker` whose engine answers, not only a client.
have_engine() { have docker && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Prints the package names that are missing, one a line.
missing_packages() {
    # Debian's other netcat has another command line: the tests speak to the one of OpenBSD.
    { have nc && nc -h 2>&1 | grep -q OpenBSD; } || echo netcat-openbsd
    have socat || echo socat
    have curl || echo curl
    have openssl || echo openssl
    have redis-cli || echo redis-tools
    have strace || echo strace
    have tshark || echo tshark
    have sqlite3 || echo sqlite3
    have mkfs.ext4 || echo e2fsprogs
    have mount || echo mount
    { have script && have logger; } || echo bsdutils
    have unshare || echo util-linux
    have shellcheck || echo shellcheck
    have_one_of "${BROWSERS[@]}" || echo chromium
    have node || echo nodejs
    have npm || echo npm
    have cc || echo gcc
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || printf '%s\n' python3 python3-venv
    have_engine || missing_container_packages
}

# What tests/container.sh needs to build and run an image where no Docker engine answers.
missing_container_packages() {
    local package
    for package in podman buildah runc netavark iptables catatonit mmdebstrap iproute2; do
        dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
    done
}

install_packages() {
    local -a missing
    local log
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || { say "system packages: all there"; return; }
    if ! have apt-get; then
        fail "these are missing and there is no apt-get to install them with: ${missing[*]} (Debian's names). Install them by hand, then run this again."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "these are missing and only root may install them. Run: sudo tests/setup.sh packages   (or: sudo apt-get install ${missing[*]})"
    fi
    say "installing system packages: ${missing[*]}"
    apt-get update -qq </dev/null
    log=$(mktemp)
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "apt-get could not install them (all that it said: $log)"; }
    rm -f "$log"
}

# The toolchain is not installed here: how Rust gets onto a machine is its owner's choice.
check_toolchain() {
    local tool version
    for tool in cargo rustc cargo-clippy cargo-fmt; do
        have "$tool" || fail "$tool is missing. Install Rust $RUST_VERSION or newer with clippy and rustfmt."
    done
    version=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$RUST_VERSION" "$version" | sort -V | head -n 1)" = "$RUST_VERSION" ] ||
        fail "rustc is $version, this needs $RUST_VERSION or newer"
}

# Tests start the browser as `chromium`; where it has another name, it gets this one too.
link_browser() {
    local name
    have chromium && return
    for name in "${BROWSERS[@]}"; do
        have "$name" && ln -sf "$(command -v "$name")" "$TOOLS/bin/chromium" && return
    done
    fail "no browser was found under any of these names: ${BROWSERS[*]}"
}

install_python_tools() {
    local stamp="$TOOLS/venv/.installed"
    if [ "$(cat "$stamp" 2>/dev/null)" = "${PYTHON_TOOLS[*]}" ] && "$TOOLS/venv/bin/python" -c '' 2>/dev/null; then
        say "Python tools: all there"
        return
    fi
    say "installing Python tools into tests/.tools/venv: ${PYTHON_TOOLS[*]}"
    rm -rf "$TOOLS/venv"
    python3 -m venv "$TOOLS/venv"
    "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check "${PYTHON_TOOLS[@]}" </dev/null
    echo "${PYTHON_TOOLS[*]}" >"$stamp"
}

install_node_packages() {
    local stamp="$TOOLS/node/.installed" log
    if [ "$(cat "$stamp" 2>/dev/null)" = "${NODE_PACKAGES[*]}" ] && [ -d "$TOOLS/node/node_modules/playwright-core" ]; then
        say "packages of Node.js: all there"
        return
    fi
    say "installing packages of Node.js into tests/.tools/node: ${NODE_PACKAGES[*]}"
    rm -rf "$TOOLS/node"
    mkdir -p "$TOOLS/node"
    echo '{"private":true}' >"$TOOLS/node/package.json"
    log=$(mktemp)
    npm install --prefix "$TOOLS/node" --no-audit --no-fund --no-package-lock --save-exact "${NODE_PACKAGES[@]}" </dev/null >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "npm could not install them (all that it said: $log)"; }
    rm -f "$log"
    echo "${NODE_PACKAGES[*]}" >"$stamp"
}

# Built without optimisation: it runs for a second, and an optimised build takes minutes more.
install_cargo_deny() {
    if [ "$("$TOOLS/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $CARGO_DENY_VERSION" ]; then
        say "cargo-deny: there"
        return
    fi
    if [ "$(cargo-deny --version 2>/dev/null)" = "cargo-deny $CARGO_DENY_VERSION" ]; then
        say "cargo-deny: the machine has it"
        ln -sf "$(command -v cargo-deny)" "$TOOLS/bin/cargo-deny"
        return
    fi
    say "building cargo-deny $CARGO_DENY_VERSION into tests/.tools (minutes, once)"
    CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root "$TOOLS" \
        --target-dir "$TOOLS/cargo-deny-build" "cargo-deny@$CARGO_DENY_VERSION" </dev/null
    rm -rf "$TOOLS/cargo-deny-build"
}

case ${1:-all} in
packages) install_packages; exit ;;
all) install_packages ;;
*) fail "usage: tests/setup.sh [packages]" ;;
esac
check_toolchain
mkdir -p "$TOOLS/bin"
link_browser
install_python_tools
install_node_packages
install_cargo_deny
say "ready"
