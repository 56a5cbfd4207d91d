#!/bin/sh
# Installs the programs that some tests need, where this machine lets us.
# usage: services.sh FILE   writes what is left out to FILE (for people) and FILE.options (for pytest)
set -eu
FILE=$1
: > "$FILE"
: > "$FILE.options"

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# program, Debian package
PROGRAMS="git:git openssl:openssl dockerd:docker.io docker-registry:docker-registry prometheus:prometheus promtool:prometheus ip:iproute2"

missing=""
for pair in $PROGRAMS; do
    has "${pair%%:*}" || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ] && has apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing for the tests:$missing"
    # Services that packages bring would start at once; the tests start their own.
    printf '#!/bin/sh\nexit 101\n' > "$FILE.policy"
    chmod +x "$FILE.policy"
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { cp "$FILE.policy" "$policy"; trap 'rm -f "$policy"' EXIT; }
    # shellcheck disable=SC2086  # a list of packages
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y install --no-install-recommends $missing; } > "$FILE.log" 2>&1 ||
        { tail -20 "$FILE.log"; echo "Some of it could not be installed."; }
fi

# leave_out WHY PATH...: tell people and pytest
leave_out() {
    why=$1
    shift
    for path; do
        echo "  $path: $why" >> "$FILE"
        echo "--ignore=$path" >> "$FILE.options"
    done
}
for pair in $PROGRAMS; do
    program=${pair%%:*}
    has "$program" && continue
    case $program in
        git | openssl)
            leave_out "needs $program" tests/adapters/git tests/contract/test_sources.py \
                tests/adapters/archive ;;
        docker-registry) leave_out "needs $program" tests/adapters/docker/test_images.py ;;
        *) leave_out "needs $program" tests/acceptance/test_container.py tests/rig \
                tests/acceptance/test_docker.py tests/contract/test_docker_runner.py \
                tests/adapters/docker ;;
    esac
done
if has dockerd && [ "$(id -u)" != 0 ]; then
    leave_out "needs root, to start a docker daemon" tests/acceptance/test_container.py tests/rig \
        tests/acceptance/test_docker.py tests/contract/test_docker_runner.py tests/adapters/docker
fi
# A disk of a test's own needs root, and a machine that lets root mount one.
disk=$(mktemp -d)
if mount -t tmpfs -o size=1m none "$disk" 2>/dev/null; then
    umount "$disk"
else
    leave_out "needs to mount a small disk, as root may" tests/adapters/http/test_full_disk.py
fi
rmdir "$disk"
if [ -s "$FILE" ]; then
    sort -u "$FILE" > "$FILE.sorted"
    { echo "LEFT OUT on this machine:"; cat "$FILE.sorted"; } > "$FILE"
    cat "$FILE"
fi
