# shellcheck shell=bash
# Sourced by scripts/engine: programs of Debian's newest packages, unpacked beside the machine's own. Nothing is installed.

# sid_programs FOLDER PROGRAM PACKAGE...: fetches the packages of Debian sid, from the mirror that the machine uses, and
# unpacks them into FOLDER. FOLDER is there when all is done, and then left as it is: a later call fetches nothing.
# PROGRAM is the path in it of one that must run here. Prints one line, the reason, and fails where it cannot be done.
sid_programs() (
    folder=$1 program=$2
    shift 2
    [[ ! -d $folder ]] || exit 0
    fail() {
        [[ ! -s ${log:-} ]] || tail -n 5 "$log" >&2
        echo "$*"
        exit 1
    }
    # shellcheck source=/dev/null
    { . /etc/os-release && [[ $ID == debian ]]; } || fail "it comes from Debian's packages, and this is not Debian"
    echo "fetching $* of Debian sid into $folder" >&2
    scratch=$(mkdir -p -- "$(dirname -- "$folder")" && mktemp -d "$folder.XXXXXX") || fail "$folder cannot be made"
    trap 'rm -rf -- "$scratch"' EXIT
    mkdir -p "$scratch"/{lists/partial,cache/archives/partial,packages,root}
    log=$scratch/log

    # Prints the source of sid on the mirror that this Debian's own packages come from. apt says which, from whatever
    # files and in whatever form it is given; but the origin only of lists that it has fetched. Sid is signed with
    # Debian's keys.
    source_of_sid() {
        local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
        # shellcheck disable=SC2016 # apt's own variables
        read -r mirror < <(
            apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
                sed -n "s/^Debian|$VERSION_CODENAME|main|//p"
        ) || return 1
        printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\n' "$mirror"
        [[ ! -e $keys ]] || printf 'Signed-By: %s\n' "$keys"
    }
    source_of_sid >"$scratch/sid.sources" ||
        { apt-get -q update >>"$log" 2>&1 && source_of_sid >"$scratch/sid.sources"; } ||
        fail "apt-get knows no mirror of Debian $VERSION_CODENAME"

    apt_get() { # with lists of its own, so that the machine's apt never hears of sid
        apt-get -q -y -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache" \
            -o Dir::Etc::SourceList="$scratch/sid.sources" -o Dir::Etc::SourceParts=/dev/null \
            -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
            -o APT::Sandbox::User=root -o Acquire::Languages=none "$@" </dev/null >>"$log" 2>&1
    }
    # apt-get passes over a list that it cannot fetch, and then knows no package of it.
    { cd "$scratch/packages" && apt_get update && apt_get download "${@/%//sid}"; } ||
        fail "the packages $* of Debian sid cannot be fetched from this machine's mirror"
    for package in *.deb; do
        dpkg -x "$package" "$scratch/root" || fail "$package cannot be unpacked"
    done
    rm -f -- "$scratch"/root/usr/{,s}bin/runc # it needs a newer libc than the daemons; the machine's own serves
    answer=$("$scratch/root/$program" --version 2>&1) || fail "sid's program does not run here: ${answer%%$'\n'*}"
    chmod 755 "$scratch/root"
    mv -T -- "$scratch/root" "$folder" || fail "$folder cannot be made"
)
