#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Process 1 of a guest under scripts/vm --icount: mounts, runs /job/command, and sends what it said through the ports.
set -u

mounted() { mountpoint -q "$2" || { mkdir -p "$2" && mount -t "$1" "$1" "$2"; }; }
mounted proc /proc
mounted sysfs /sys
mounted devtmpfs /dev
mounted devpts /dev/pts
mounted tmpfs /dev/shm
mounted tmpfs /run
mounted tmpfs /tmp
mounted bpf /sys/fs/bpf
mounted cgroup2 /sys/fs/cgroup
mounted securityfs /sys/kernel/security
mounted tracefs /sys/kernel/tracing
chmod 1777 /tmp /dev/shm
hostname bartizan-guest
ip link set lo up

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8
cd /root || exit

port() {
	for entry in /sys/class/virtio-ports/*; do
		[ "$(cat "$entry/name")" != "$1" ] || echo "/dev/${entry##*/}"
	done
}

get() {
	tar -C "$(dirname "$2")" -cf "$(port "get$1")" "$(basename "$2")" || echo "$1" >>/job/answer
}

# There is no systemd to start a service: Bartizan is installed, and the command starts what it needs.
if [ -d /job/programs ] && ! SYSTEMD_OFFLINE=1 /job/programs/scripts/install --from /job/programs; then
	echo install >/job/answer
else
	status=0
	/bin/bash -c "$(cat /job/command)" </dev/null >"$(port stdout)" 2>"$(port stderr)" || status=$?
	echo "$status" >/job/answer
	# shellcheck source=/dev/null
	. /job/gets
fi
echo end >>/job/answer
cat /job/answer >"$(port status)"
# The runner ends the guest when it has read the answer.
while :; do sleep 3600; done
