# shellcheck shell=bash
# Sourced by scripts/engine: what a private Podman is told, in files of its own.

# podman_settings DIR: writes them below DIR/own/etc/containers, which is bound over /etc/containers, and DIR/helpers.
podman_settings() {
    local etc=$1/own/etc/containers
    mkdir -p -- "$1/helpers" "$1/home" "$1/tmp"
    # The limits: Podman wants to raise them, which is refused inside many a container. cgroupfs and runc work on
    # machines without systemd, and whatever version their cgroups have. MKNOD is one of Docker's defaults that Podman
    # leaves out; with it, device files can be made here as there.
    cat >"$etc/containers.conf" <<END_OF_FILE
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
default_capabilities = [
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
]
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
image_copy_tmp_dir = "storage"
helper_binaries_dir = ["$1/helpers"]

[network]
network_backend = "netavark"
END_OF_FILE
    cat >"$etc/storage.conf" <<END_OF_FILE
[storage]
driver = "overlay"
graphroot = "$1/root"
runroot = "$1/run"
END_OF_FILE
    # As Docker has it: registries on this machine need no TLS, and images no signature.
    cat >"$etc/registries.conf" <<'END_OF_FILE'
unqualified-search-registries = ["docker.io"]

[[registry]]
location = "127.0.0.1"
insecure = true

[[registry]]
location = "localhost"
insecure = true
END_OF_FILE
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$etc/policy.json"
    # In place of the program that makes bridges and firewall rules.
    cat >"$1/helpers/netavark" <<'END_OF_FILE'
#!/bin/sh
echo '{"error": "this engine has no bridge: give --network none or host"}'
exit 1
END_OF_FILE
    chmod 755 "$1/helpers/netavark"
}
