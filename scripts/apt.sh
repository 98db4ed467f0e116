# shellcheck shell=bash
# Sourced by the other scripts: installs Debian packages that they cannot do without.

# apt_install WHAT PACKAGE...: says in one line that WHAT is missing and installs the packages; where that cannot be,
# fails with a sentence on what to do. A subshell, so that its trap is its own.
apt_install() (
    what=$1
    shift
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "$what is missing: install the package $* (as root, with Debian: apt-get install $*)" >&2
        exit 1
    fi
    echo "$what is missing: installing $*" >&2
    exec 8</var/lib/dpkg # one at a time: a second one would take the guard below for the machine's own
    flock 8
    guard=/usr/sbin/policy-rc.d
    log=$(mktemp)
    ours=("$log")
    trap 'rm -f -- "${ours[@]}"' EXIT
    # No package shall start a service here. Where the machine has a policy for that already, it holds.
    if [[ ! -e $guard ]]; then
        ours+=("$guard")
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
    fi
    _apt_get() {
        DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
    }
    # First with the package lists that are here. A bare machine has none; old ones name files that are gone, or versions
    # that do not go with what is installed ("held broken packages"). An update fails for any source that is not to be
    # reached, and may have brought what is needed all the same.
    _apt_get install --no-install-recommends "$@" ||
        { _apt_get update || true && _apt_get install --no-install-recommends "$@"; } ||
        { tail -n 15 "$log" >&2 && echo "apt-get could not install $*" >&2 && exit 1; }
)
