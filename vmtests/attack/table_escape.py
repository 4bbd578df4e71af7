# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Leaving the service for the host, and asking the kernel for what undoes all else."""

import os
import pathlib

import scene
from preparing import here, mounted, unmounted
from scenario import Scenario

CGROUPS = "/sys/fs/cgroup"
WRITE = os.O_WRONLY


def operation(technique, title, act, name, **more):
    return Scenario(technique, title, act, "PRIVILEGED_PROCESSES.operate", f"performing {name}", **more)


def cage(name):
    return lambda: pathlib.Path(CGROUPS, name).mkdir(exist_ok=True)


def open_cage(name):
    return lambda: pathlib.Path(CGROUPS, name).rmdir()


ROWS = [
    operation("T1611", "mount", ["mount_tmpfs", here("tmpfs")], f"mount on {here('tmpfs')}", after=unmounted(here("tmpfs"))),
    operation("T1611", "umount", ["unmount", here("tmpfs")], f"umount on {here('tmpfs')}", before=mounted(here("tmpfs")),
              after=unmounted(here("tmpfs"))),
    operation("T1611", "remount", ["remount", here("tmpfs")], f"mount on {here('tmpfs')}", before=mounted(here("tmpfs")),
              after=unmounted(here("tmpfs"))),
    operation("T1611", "pivot_root", ["change_root", here("root")], "pivot_root"),
    operation("T1611", "chroot", ["chroot", here("root")], "chroot"),
    operation("T1611", "a user namespace of its own", ["user_namespace"], "user_namespace"),
    Scenario("T1611", "the kernel's program for crashes", ["write", "/proc/sys/kernel/core_pattern", "core"], "PRIVILEGED_PROCESSES.write",
             "writing /proc/sys/kernel/core_pattern"),
    Scenario("T1611", "the kernel's program for modules", ["write", "/proc/sys/kernel/modprobe", "/sbin/modprobe"],
             "PRIVILEGED_PROCESSES.write", "writing /proc/sys/kernel/modprobe"),
    Scenario("T1685", "addresses no longer random", ["write", "/proc/sys/kernel/randomize_va_space", "2"], "HOSTS_CONFIG.write",
             "writing /proc/sys/kernel/randomize_va_space", older="T1562.001"),
    operation("T1547.006", "a kernel module", lambda: ["module", scene.module_used[0]], "module", before=scene.use_module,
              after=scene.unload),
    # The kernel asks first whether the caller may reboot.
    operation("T1014", "another kernel by kexec", ["kexec"], "reboot"),
    operation("T1014", "a BPF map", ["bpf_map"], "bpf"),
    operation("T1014", "a BPF program", ["bpf_program"], "bpf"),
    operation("T1529", "asking for a reboot by Ctrl-Alt-Del", ["ask_reboot"], "reboot"),
    Scenario("T1561.001", "the disk below the file system", ["opened", "/dev/vda", WRITE], "PRIVILEGED_PROCESSES.write",
             "writing /dev/vda"),
    operation("T1068", "I/O ports", ["ports"], "raw_io"),
    Scenario("T1571", "a connection to where it may not", ["connect", "AF_INET", "SOCK_STREAM", "203.0.113.7", 4444], "outbound",
             "outbound connection to 203.0.113.7:4444/tcp"),
    Scenario("T1036.004", "a child that is born in another cgroup", ["from_cgroup", f"{CGROUPS}/attack-cage"], "escape", "attack-cage",
             answers=("ok",), verdict="audit", before=cage("attack-cage"), after=open_cage("attack-cage")),
    Scenario("T1565.001", "a change from within the other cgroup",
             ["from_cgroup", f"{CGROUPS}/attack-cage-2", "opened", "/etc/hosts", WRITE], "HOSTS_CONFIG.write",
             "writing /etc/hosts", before=cage("attack-cage-2"), after=open_cage("attack-cage-2")),
    Scenario("T1569.003", "leaving by systemd-run --scope",
             ["said", "/usr/bin/systemd-run", "-q", "--scope", "--unit=attack-scope", "/usr/bin/true"], "escape",
             "attack-scope.scope", answers=("ok",), verdict="audit", by="hijacked-shell"),
]
