/* SPDX-License-Identifier: GPL-2.0-only */
/* How often each hook refused: exact, however little of it is told. */
#ifndef BZ_REFUSALS_H
#define BZ_REFUSALS_H

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
	__uint(max_entries, BZ_HOOKS);
	__type(key, __u32);
	__type(value, __u64);
} refusals SEC(".maps");

/* The verdict of a hook, counted if it is a refusal. */
static __always_inline int counted(__u32 hook, int verdict)
{
	__u64 *count;

	if (!verdict)
		return 0;
	count = bpf_map_lookup_elem(&refusals, &hook);
	if (count)
		__sync_fetch_and_add(count, 1);
	return verdict;
}

#endif
