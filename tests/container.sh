#!/usr/bin/env bash
# Proves that `docker build` makes the image and `docker run` runs it: published ports, the token
# from the log, an endpoint that answers, the health check, an unprivileged user, a read-only root
# file system, and `docker stop`.
#
#   tests/container.sh            the first of these ways that this machine can do
#   tests/container.sh docker     a Docker engine
#   tests/container.sh podman     podman behind Docker's socket, the base image made on the spot (root, Debian)
#   tests/container.sh chroot     no container: the static binary in an empty directory, an unprivileged user
#
# podman's images stay in tests/.tools/containers as a cache; nothing else is left behind.
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=answerback:under-test
NAME=answerback-under-test-$$
UNPRIVILEGED=65532
ENDPOINT_PORT=8080
STOP_GRACE_SECONDS=10
# The release binary is 8 to 9 MB with SQLite in it; nearly twice that means that something slipped in.
MAX_IMAGE_BYTES=$((16 * 1024 * 1024))
# What the client sends is UTF-8, what it gets is the standard reply in GBK.
REQUEST='hello, 端点'
STANDARD_REPLY='cecacce2d5fdd4dab4a6c0edd6d02e2e2e'
MAX_CACHE_MEGABYTES=6144

STORE="$PWD/tests/.tools/containers"
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/answerback-container.XXXXXX")
SOCKET="$SCRATCH/engine.sock"
NETWORK_PID='' SERVICE_PID='' SERVER_PID='' CREATED='' TOKEN='' WAY=''
PASSED=0 FAILED=0

say() { printf 'container: %s\n' "$*"; }
fail() { printf 'container: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- what is shown, one line each -------------------------------------------------------------

same() { # SENTENCE EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        PASSED=$((PASSED + 1))
        printf 'ok      %s\n' "$1"
    else
        FAILED=$((FAILED + 1))
        printf 'FAILED  %s\n          expected: %s\n          got:      %s\n' "$1" "$2" "$3"
    fi
}

at_most() { # SENTENCE LIMIT ACTUAL
    if [ "$3" -le "$2" ]; then same "$1 ($3, at most $2)" yes yes; else same "$1" "at most $2" "$3"; fi
}

# The value at a path of the JSON on standard input: `json items 0 state`.
json() {
    python3 -c '
import json, sys
try:
    value = json.load(sys.stdin)
    for key in sys.argv[1:]:
        value = value[int(key) if isinstance(value, list) else key]
    print(value if isinstance(value, str) else json.dumps(value))
except (ValueError, LookupError, TypeError) as error:
    print("none:", repr(error))' "$@"
}

# Waits, a minute at most, for a line on one of the two outputs of a command that follows a log. They
# are kept apart, because a log may cut lines where they meet. No pipe: it would wait for its left side.
await_line() { # PATTERN out|err COMMAND…
    local pattern=$1 output=$2
    shift 2
    if [ "$output" = out ]; then
        grep -m 1 -E "$pattern" < <(exec timeout 60 "$@" 2>/dev/null) || true
    else
        grep -m 1 -E "$pattern" < <(exec timeout 60 "$@" 2>&1 >/dev/null) || true
    fi
}

# Waits, a minute at most, until a command succeeds.
await() {
    local deadline=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { say "gave up waiting for: $*" >&2; return 1; }
        sleep 0.1
    done
}

# --- the ways to run it -----------------------------------------------------------------------

# Makes a command of the name, for this run: programs and not functions, so that `timeout` can run them.
command_named() { # NAME WHAT_IT_RUNS
    printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$SCRATCH/bin/$1"
    chmod +x "$SCRATCH/bin/$1"
}

mkdir "$SCRATCH/bin"
PATH="$SCRATCH/bin:$PATH"
# What reaches the published ports: in podman's way they are in a network of their own.
command_named inside env
# The docker client, pointed at whichever engine there is; podman takes its place where it is missing.
command_named engine docker

docker_answers() { have docker && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
podman_possible() {
    local tool
    [ "$(id -u)" -eq 0 ] || return 1
    for tool in podman buildah runc mmdebstrap iptables nsenter unshare ip; do have "$tool" || return 1; done
    grep -q '^ID=debian' /etc/os-release
}

choose_way() { if docker_answers; then echo docker; elif podman_possible; then echo podman; else echo chroot; fi; }

at_most_16384() { if [ "$1" = unlimited ] || [ "$1" -gt 16384 ]; then echo 16384; else echo "$1"; fi; }

# podman with nothing of the machine's own: its storage, its networks, its state. Without systemd
# there is no cgroup manager but the file system, and no journal to write events to.
configure_podman() {
    local files processes
    # podman asks for more than a machine may allow, and then starts nothing.
    files=$(at_most_16384 "$(ulimit -Hn)") processes=$(at_most_16384 "$(ulimit -Hu)")
    mkdir -p "$STORE" "$SCRATCH/networks"
    exec 9>"$STORE/lock"
    flock 9
    cat >"$SCRATCH/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$SCRATCH/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$SCRATCH/networks"
CONF
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$STORE/graph" "$SCRATCH/run" \
        >"$SCRATCH/storage.conf"
    export CONTAINERS_CONF="$SCRATCH/containers.conf" CONTAINERS_STORAGE_CONF="$SCRATCH/storage.conf"
    command_named engine "inside podman"
    ! have docker ||
        command_named engine "env DOCKER_HOST=unix://$SOCKET DOCKER_BUILDKIT=0 DOCKER_CONFIG=$SCRATCH docker"
    # Every build of changed sources leaves its layers behind: at some size the cache starts over.
    if [ "$(du -sm "$STORE" | cut -f1)" -gt "$MAX_CACHE_MEGABYTES" ]; then
        rm -rf "$STORE/graph"
    fi
    # podman refuses a store whose notes name another state directory; the images are not in those notes.
    rm -rf "$STORE/graph/libpod"
}

# The image that the Dockerfile names in FROM: Debian with a C compiler and this machine's own Rust.
make_base_image() {
    local name rust sysroot
    rust=$(rustc --version) sysroot=$(rustc --print sysroot)
    name=$(sed -n 's/^FROM \(rust:[^ ]*\) .*/\1/p' Dockerfile)
    if [ "$(podman image inspect --format '{{.Comment}}' "docker.io/library/$name" 2>/dev/null)" = "$rust" ]; then
        say "base image $name: there"
        return
    fi
    say "making a base image under the name $name, with $rust"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,gcc,libc6-dev \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --customize-hook="copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs" \
        --customize-hook="copy-in $sysroot/bin $sysroot/lib /usr/local" \
        bookworm "$SCRATCH/base.tar" >"$SCRATCH/base.log" 2>&1 || { tail -n 20 "$SCRATCH/base.log" >&2; return 1; }
    podman import --quiet --message "$rust" --change 'ENV CARGO_HOME=/usr/local/cargo' \
        --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        "$SCRATCH/base.tar" "docker.io/library/$name" >/dev/null
}

# Ports are published in a network namespace made for this run, so that no firewall rule and no
# connection tracking is switched on for the machine.
make_network() {
    unshare --net tail -f /dev/null >/dev/null 9>&- &
    NETWORK_PID=$!
    await network_is_new
    command_named inside "nsenter --net=/proc/$NETWORK_PID/ns/net"
    inside ip link set lo up
}

network_is_new() { ! [ "/proc/$NETWORK_PID/ns/net" -ef /proc/self/ns/net ]; }

# podman behind Docker's own protocol.
start_service() {
    inside podman system service --time 0 "unix://$SOCKET" >"$SCRATCH/service.log" 2>&1 9>&- &
    SERVICE_PID=$!
    await test -S "$SOCKET" || { cat "$SCRATCH/service.log" >&2; return 1; }
}

stop_service() {
    [ -n "$SERVICE_PID" ] || return 0
    kill "$SERVICE_PID" 2>/dev/null || true
    wait "$SERVICE_PID" 2>/dev/null || true
    SERVICE_PID=''
    rm -f "$SOCKET"
}

clean_up() {
    local status=$?
    trap - EXIT
    [ -z "$CREATED" ] || engine rm --force --volumes "$NAME" >/dev/null 2>&1 || true
    [ -z "$SERVER_PID" ] || kill -KILL "$SERVER_PID" 2>/dev/null || true
    stop_service
    [ -z "$NETWORK_PID" ] || kill "$NETWORK_PID" 2>/dev/null || true
    if mountpoint -q "$STORE/graph/overlay" 2>/dev/null; then
        # What a build that failed or was interrupted left half way; often that unmounts the store too.
        buildah rm --all >/dev/null 2>&1 || true
        umount "$STORE/graph/overlay" 2>/dev/null || true
    fi
    rm -rf "$SCRATCH"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# --- the image --------------------------------------------------------------------------------

build_image() {
    local -a options=(--tag "$IMAGE" --build-arg VERSION=under-test)
    local started=$SECONDS
    # Without a container network: cargo downloads as it does on the machine itself.
    [ "$WAY" = docker ] || options+=(--network host)
    # podman's own command makes images of another format unless told; that one has no HEALTHCHECK.
    [ "$WAY" = docker ] || have docker || options+=(--format docker)
    say "docker build (a release build: minutes) …"
    engine build "${options[@]}" . >"$SCRATCH/build.log" 2>&1 ||
        { tail -n 40 "$SCRATCH/build.log" >&2; fail "docker build failed"; }
    same "docker build makes the image (in $((SECONDS - started)) s)" yes yes
}

image_says() { engine image inspect --format "{{json $1}}" "$IMAGE"; }

check_image() {
    at_most "the image is small, in bytes" "$MAX_IMAGE_BYTES" "$(engine image inspect --format '{{.Size}}' "$IMAGE")"
    same "it runs as an unprivileged user" "\"$UNPRIVILEGED:$UNPRIVILEGED\"" "$(image_says .Config.User)"
    same "it names the control plane's port" '{"7070/tcp":{}}' "$(image_says .Config.ExposedPorts)"
    same "its state is in /data" '{"/data":{}}' "$(image_says .Config.Volumes)"
    same "its records go there" ANSWERBACK_DATA_DIR=/data \
        "$(image_says .Config.Env | grep -oE 'ANSWERBACK_DATA_DIR=[^"]*' || true)"
    same "it carries its licence as a label" '"MIT"' "$(image_says '(index .Config.Labels "org.opencontainers.image.licenses")')"
}

# --- the container ----------------------------------------------------------------------------

# As locked down as docker can: what works here works anywhere.
run_container() {
    local line
    CREATED=yes
    engine run --detach --name "$NAME" --read-only --cap-drop ALL --security-opt no-new-privileges \
        --publish 127.0.0.1::7070 --publish "127.0.0.1::$ENDPOINT_PORT" "$IMAGE" >/dev/null
    line=$(await_line '^answerback: ' out engine logs --follow "$NAME")
    [ -n "$line" ] || { engine logs "$NAME" >&2; fail "the container did not come up"; }
    same "the container prints where its API is" "answerback: http://0.0.0.0:7070" "$line"
}

check_container() {
    local pid
    # Engines add empty files, to be covered by what they mount.
    same "the binary is the only file in it" answerback \
        "$(engine export "$NAME" | tar -tv | awk '/^-/ && $3 > 0 { sub("^./", "", $6); print $6 }')"
    same "/data belongs to the unprivileged user" "drwx------ $UNPRIVILEGED/$UNPRIVILEGED" \
        "$(engine cp "$NAME:/data" - | tar -tv --numeric-owner | head -n 1 | cut -d' ' -f1,2)"
    same "its health is checked by the binary itself" '["CMD","/answerback","health"]' \
        "$(engine inspect --format '{{json .Config.Healthcheck.Test}}' "$NAME")"
    # As the machine sees it, not as the image says.
    pid=$(engine inspect --format '{{.State.Pid}}' "$NAME")
    same "its process is the unprivileged user's" "$UNPRIVILEGED" "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")"
    same "its process has no capability" "0000000000000000" "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")"
}

# Made beside the running service, which has answered a client by now.
check_backup() {
    same "a backup is made while it runs" '' "$(engine exec "$NAME" /answerback backup /data/backup.db 2>&1 >/dev/null || true)"
    engine cp "$NAME:/data/backup.db" "$SCRATCH/backup.db"
    same "the backup has the client in it" 1 "$(python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM clients").fetchone()[0])' "$SCRATCH/backup.db")"
}

health_is_known() { [ "$(engine inspect --format '{{.State.Health.Status}}' "$NAME")" != starting ]; }

# A Docker engine checks by its own clock, podman when asked; both keep the verdict with the container.
health_status() {
    if [ "$WAY" = podman ]; then inside podman healthcheck run "$NAME" >/dev/null 2>&1 || true; fi
    await health_is_known || true
    engine inspect --format '{{.State.Health.Status}}' "$NAME"
}

stop_container() {
    local started=$SECONDS
    # Without -t podman's socket takes the grace for nought and kills at once.
    engine stop -t "$STOP_GRACE_SECONDS" "$NAME" >/dev/null
    at_most "docker stop ends it within the grace, in seconds" "$((STOP_GRACE_SECONDS - 1))" "$((SECONDS - started))"
    same "docker stop ends it with exit code 0" 0 "$(engine inspect --format '{{.State.ExitCode}}' "$NAME")"
    engine rm --volumes "$NAME" >/dev/null
    CREATED=''
}

# --- what a user does with it -----------------------------------------------------------------

# The API's token as the log gives it, once, in a command that is ready to be pasted.
take_token() { # out|err COMMAND_THAT_FOLLOWS_THE_LOG…
    TOKEN=$(await_line 'Bearer ' "$@" | grep -oE 'Bearer [A-Za-z0-9._~+/=-]+' | cut -d' ' -f2 || true)
    same "the log has the API's token" yes "${TOKEN:+yes}"
}

api() { # METHOD URL [BODY]; prints the body, then the status on a line of its own
    local -a options=(--silent --show-error --max-time 10 --request "$1" --write-out '\n%{http_code}')
    [ -z "$TOKEN" ] || options+=(--header "Authorization: Bearer $TOKEN")
    [ $# -lt 3 ] || options+=(--header 'Content-Type: application/json' --data "$3")
    inside curl "${options[@]}" "$2"
}

# Opens an endpoint through the API, talks to it, and reads its record back.
check_service() { # API_URL PORT_TO_OPEN FUNCTION_THAT_PRINTS_WHERE_IT_IS_REACHED
    local base=$1 port=$2 reached=$3 token=$TOKEN answer endpoint record
    local -a client
    TOKEN=''
    same "without the token the API answers 401" 401 "$(api GET "$base/listeners" | tail -n 1)"
    TOKEN=$token
    answer=$(api POST "$base/listeners" "{\"port\":$port,\"name\":\"gate\"}")
    same "POST /listeners opens a port" 201 "$(tail -n 1 <<<"$answer")"
    endpoint=$("$reached" "$(sed '$d' <<<"$answer" | json port)")
    client=(inside nc -w 5 "${endpoint%:*}" "${endpoint##*:}")
    same "a client on it gets the standard reply" "$STANDARD_REPLY" \
        "$(printf %s "$REQUEST" | "${client[@]}" | od -An -v -tx1 | tr -d ' \n')"
    record=$(api GET "$base/connections" | sed '$d')
    same "GET /connections has the client's bytes" "$(printf %s "$REQUEST" | base64)" "$(json items 0 messages 0 base64 <<<"$record")"
    same "GET /connections has the reply's size" 17 "$(json items 0 sent bytes <<<"$record")"
}

published() { engine port "$NAME" "$1/tcp" | head -n 1; }

show_image() {
    build_image
    if [ "$WAY" = podman ]; then stop_service && make_network && start_service; fi
    check_image
    run_container
    check_container
    take_token err engine logs --follow "$NAME"
    check_service "http://$(published 7070)" "$ENDPOINT_PORT" published
    check_backup
    same "the health check finds it healthy" healthy "$(health_status)"
    [ "$FAILED" -eq 0 ] || engine logs "$NAME" 2>&1
    stop_container
    engine image rm "$IMAGE" >/dev/null 2>&1 || true
}

# --- without containers -----------------------------------------------------------------------

build_static_binary() {
    local target
    target="$(uname -m)-unknown-linux-gnu"
    say "cargo build of the static binary (a release build: minutes) …"
    RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' CARGO_PROFILE_RELEASE_STRIP=debuginfo \
        cargo build --quiet --release --locked --target "$target" </dev/null
    mkdir -p "$SCRATCH/root/data"
    chmod 755 "$SCRATCH" "$SCRATCH/root"
    chmod 700 "$SCRATCH/root/data"
    [ "$(id -u)" -ne 0 ] || chown "$UNPRIVILEGED:$UNPRIVILEGED" "$SCRATCH/root/data"
    install -m 755 "target/$target/release/answerback" "$SCRATCH/root/answerback"
}

start_in_empty_root() {
    local -a enter=(unshare --user --map-current-user --root="$SCRATCH/root" --wd=/)
    [ "$(id -u)" -ne 0 ] || enter=("$(command -v chroot)" --userspec="$UNPRIVILEGED:$UNPRIVILEGED" --groups="$UNPRIVILEGED" "$SCRATCH/root")
    env -i ANSWERBACK_LISTEN=0.0.0.0:0 ANSWERBACK_DATA_DIR=/data "${enter[@]}" /answerback serve >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" &
    SERVER_PID=$!
}

on_loopback() { echo "127.0.0.1:$1"; }

show_static_binary() {
    local line status=0
    build_static_binary
    at_most "the static binary is small, in bytes" "$MAX_IMAGE_BYTES" "$(stat -c %s "$SCRATCH/root/answerback")"
    start_in_empty_root
    line=$(await_line '^answerback: ' out tail -n +1 -f --pid="$SERVER_PID" "$SCRATCH/stdout")
    [ -n "$line" ] || { cat "$SCRATCH/stderr" >&2; fail "the binary did not come up"; }
    same "it prints where its API is" "answerback: http://0.0.0.0:" "${line%"${line##*:}"}"
    take_token out tail -n +1 -f --pid="$SERVER_PID" "$SCRATCH/stderr"
    same "its root is the empty directory" "$SCRATCH/root" "$(readlink "/proc/$SERVER_PID/root")"
    check_service "http://$(on_loopback "${line##*:}")" 0 on_loopback
    [ "$FAILED" -eq 0 ] || cat "$SCRATCH/stderr"
    kill -TERM "$SERVER_PID"
    wait "$SERVER_PID" || status=$?
    SERVER_PID=''
    same "SIGTERM ends it with exit code 0" 0 "$status"
}

# --- which way --------------------------------------------------------------------------------

WAY=${1:-$(choose_way)}
case $WAY in
docker) ;;
podman)
    say "no Docker engine answers: podman behind Docker's socket, with a base image made here"
    configure_podman
    if ! { make_base_image && start_service; }; then
        [ $# -eq 0 ] || fail "podman cannot be used on this machine"
        WAY=chroot
    fi
    ;;
chroot) ;;
*) fail "usage: tests/container.sh [docker|podman|chroot]" ;;
esac

if [ "$WAY" = chroot ]; then
    say "NO CONTAINER WAS BUILT OR RUN: this machine cannot. Shown instead: the static binary in an empty directory." >&2
    show_static_binary
else
    show_image
fi
say "shown with: $WAY"
printf '%s passed, %s failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
