# shellcheck shell=bash
# Sourced by the other scripts: the checkout's own Python environment, .venv, with the package installed from the checkout.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
# shellcheck source=scripts/apt.sh
. "$root/scripts/apt.sh"

# venv_ready plain|EXTRA: makes $venv, with that extra of setup.cfg, or makes it anew when Python, the checkout's place
# or what it installs has changed. Says so; says nothing when all is there.
venv_ready() {
    local extra=${1#plain} python=${PYTHON:-python3} made_from target=$root
    command -v "$python" >/dev/null || apt_install python3 python3 python3-venv || return
    made_from=$("$python" -c 'import sys; print(sys.version, sys.base_prefix); sys.exit(sys.version_info < (3, 10))') || {
        echo "snap needs Python 3.10 or newer, which $python is not: name another, such as PYTHON=python3.12" >&2
        return 1
    }
    made_from+=" $root $(cat -- "$root/setup.cfg" "$root/pyproject.toml" | cksum)"
    exec 7<"$root" # one at a time; the folder itself serves as the lock's file
    flock 7
    if [[ $(cat "$venv/made-from" 2>/dev/null) != "$made_from" ]]; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install ensurepip python3-venv || return
        echo "making $venv" >&2
        rm -rf -- "$venv"
        "$python" -m venv "$venv" || return
    elif [[ ! $extra || -e $venv/made-with-$extra ]]; then
        exec 7<&-
        return 0
    fi
    [[ ! $extra ]] || target+="[$extra]"
    _pip_install "$target" || { echo "trying once more" >&2 && sleep 3 && _pip_install "$target"; } || return
    # The stamps come last: what was interrupted is made again.
    [[ ! $extra ]] || touch "$venv/made-with-$extra"
    printf '%s\n' "$made_from" >"$venv/made-from"
    exec 7<&-
}

_pip_install() {
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --root-user-action ignore -e "$1" >&2 7<&-
}
