/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths in records: the names from the leaf to the root of the file system. */
#ifndef BZ_PATH_H
#define BZ_PATH_H

#define PATH_STEPS 48

/* Writes the names from this dentry to the root, and the file system they are on. */
__noinline int write_path(struct bz_event *event, __u64 from, __u32 exe)
{
	struct dentry *dentry = (struct dentry *)from, *parent;
	__u32 at = 0, i;
	long len;

	if (!event || !dentry)
		return 0;
	for (i = 0; i < PATH_STEPS; i++) {
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry && (i || BPF_CORE_READ(dentry, d_sb, s_root) == dentry))
			return at;
		if (exe) {
			if (at >= BZ_EXE)
				break;
			len = bpf_probe_read_kernel_str(&event->exe[at & (BZ_EXE - 1)], BZ_COMPONENT,
							BPF_CORE_READ(dentry, d_name.name));
		} else {
			if (at >= BZ_PATH)
				break;
			len = bpf_probe_read_kernel_str(&event->path[at & (BZ_PATH - 1)], BZ_COMPONENT,
							BPF_CORE_READ(dentry, d_name.name));
		}
		if (len <= 0)
			break;
		at += len;
		if (parent == dentry) {
			event->marks |= BZ_MARK_LOOSE << (exe ? 1 : 0);
			return at;
		}
		dentry = parent;
	}
	event->marks |= BZ_MARK_CUT << (exe ? 1 : 0);
	return at;
}

#endif
