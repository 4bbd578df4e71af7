#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Runs once inside the image while it is built: what a guest needs beyond its packages.
set -eu

for file in /boot/*.version; do
	name=$(basename "$file" .version)
	version=$(cat "$file")
	printf 'MODULES=list\nCOMPRESS=gzip\n' >/etc/initramfs-tools/conf.d/bartizan
	printf 'virtio_pci\nvirtio_blk\nvirtio_net\nvirtio_console\nvirtio_rng\next4\n' >/etc/initramfs-tools/modules
	depmod "$version"
	mkinitramfs -o "/boot/initrd-$name" "$version"
	rm "$file"
done

echo bartizan-guest >/etc/hostname
# mmdebstrap leaves them as programs.
chmod 644 /etc/hostname /etc/resolv.conf
printf '127.0.0.1 localhost bartizan-guest\n::1 localhost\n' >/etc/hosts
echo 'LANG=C.UTF-8' >/etc/default/locale
: >/etc/machine-id
printf '/dev/vda / ext4 rw 0 1\n' >/etc/fstab

# QEMU's user network always looks the same, so there is no need to wait for DHCP.
mkdir -p /etc/systemd/network /etc/systemd/system/ssh.service.d
printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n' \
	>/etc/systemd/network/10-guest.network
systemctl enable systemd-networkd
for unit in systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
	e2scrub_reap.service man-db.timer fstrim.timer dpkg-db-backup.timer getty@tty1.service \
	serial-getty@ttyS0.service systemd-timesyncd.service systemd-pcrphase.service logrotate.timer \
	apparmor.service auditd.service fapolicyd.service; do
	systemctl mask "$unit" 2>/dev/null || true
done

mkdir -p /root/.ssh
chmod 700 /root/.ssh
mv /guest_key.pub /root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
printf 'UseDNS no\nPrintMotd no\nMaxSessions 50\nMaxStartups 50\n' >/etc/ssh/sshd_config.d/guest.conf
sed -i '/pam_motd/d' /etc/pam.d/sshd
rm -f /setup.sh
