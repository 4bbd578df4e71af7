/* SPDX-License-Identifier: GPL-2.0-only */
/* How often each hook refused or permitted what is told: exact, however little of it is. */
#ifndef BZ_VERDICTS_H
#define BZ_VERDICTS_H

/* The verdict on what is permitted and told. What is refused is negative, and nothing else is 0. */
#define AUDITED 1

/* The hooks that may refuse, in the order of bartizan.bpf.c. bpf/src/counts.rs has their names. */
enum bz_hook {
	BZ_HOOK_bprm_check_security,
	BZ_HOOK_bprm_creds_from_file,
	BZ_HOOK_mmap_file,
	BZ_HOOK_file_mprotect,
	BZ_HOOK_file_open,
	BZ_HOOK_file_receive,
	BZ_HOOK_file_ioctl,
	BZ_HOOK_file_ioctl_compat,
	BZ_HOOK_inode_mkdir,
	BZ_HOOK_inode_symlink,
	BZ_HOOK_inode_unlink,
	BZ_HOOK_inode_rmdir,
	BZ_HOOK_inode_create,
	BZ_HOOK_inode_mknod,
	BZ_HOOK_inode_link,
	BZ_HOOK_inode_rename,
	BZ_HOOK_inode_setattr,
	BZ_HOOK_inode_setxattr,
	BZ_HOOK_inode_removexattr,
	BZ_HOOK_inode_set_acl,
	BZ_HOOK_inode_remove_acl,
	BZ_HOOK_inode_file_setattr,
	BZ_HOOK_socket_connect,
	BZ_HOOK_unix_stream_connect,
	BZ_HOOK_sb_mount,
	BZ_HOOK_sb_set_mnt_opts,
	BZ_HOOK_move_mount,
	BZ_HOOK_sb_umount,
	BZ_HOOK_sb_remount,
	BZ_HOOK_sb_pivotroot,
	BZ_HOOK_path_chroot,
	BZ_HOOK_userns_create,
	BZ_HOOK_ptrace_access_check,
	BZ_HOOK_task_kill,
	BZ_HOOK_file_send_sigiotask,
	BZ_HOOK_task_setrlimit,
	BZ_HOOK_task_setscheduler,
	BZ_HOOK_task_setnice,
	BZ_HOOK_kernel_module_request,
	BZ_HOOK_kernel_read_file,
	BZ_HOOK_kernel_load_data,
	BZ_HOOK_bpf,
	BZ_HOOK_bpf_map,
	BZ_HOOK_bpf_prog,
	BZ_HOOK_syslog,
	BZ_HOOK_capable,
	BZ_HOOKS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BZ_HOOKS); /* what was permitted behind what was refused */
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

/* Of two verdicts on one act, of which the first refuses nothing. */
static __always_inline int both(int first, int second)
{
	return second ? second : first;
}

static __always_inline void count_verdict(__u32 index)
{
	__u64 *count = bpf_map_lookup_elem(&verdicts, &index);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/*
 * What a hook returns for a verdict, which is counted. From explicit branches: 6.12 rejected an optimised
 * expression, "R0 should be in [-4095, 0]".
 */
static __always_inline int counted(__u32 hook, int verdict)
{
	if (!verdict)
		return 0;
	if (verdict > 0) {
		count_verdict(hook + BZ_HOOKS);
		return 0;
	}
	count_verdict(hook);
	return -EPERM;
}

#endif
