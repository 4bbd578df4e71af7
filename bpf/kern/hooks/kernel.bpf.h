/* SPDX-License-Identifier: GPL-2.0-only */
/* What is asked of the kernel itself: modules, another kernel, its log, the clock, BPF, new namespaces. */
#ifndef BZ_HOOK_KERNEL_H
#define BZ_HOOK_KERNEL_H

static __always_inline int check_operation(__u32 operation, struct dentry *dentry)
{
	__u32 service = governed();

	return service ? judge_operation(service, operation, dentry) : 0;
}

#define IS(type, id, name) ((id) == bpf_core_enum_value(enum type, name))

static __always_inline int check_kernel_read(struct file *file, enum kernel_read_file_id id)
{
	struct dentry *dentry = file ? file->f_path.dentry : 0;

	/* Seen on 7.3: what is compressed has a number of its own. */
	if (IS(kernel_read_file_id, id, READING_MODULE) ||
	    (bpf_core_enum_value_exists(enum kernel_read_file_id, READING_MODULE_COMPRESSED) &&
	     IS(kernel_read_file_id, id, READING_MODULE_COMPRESSED)))
		return check_operation(BZ_OP_MODULE, dentry);
	if (IS(kernel_read_file_id, id, READING_KEXEC_IMAGE) ||
	    IS(kernel_read_file_id, id, READING_KEXEC_INITRAMFS))
		return check_operation(BZ_OP_KEXEC, dentry);
	return 0;
}

static __always_inline int check_kernel_load(enum kernel_load_data_id id)
{
	if (IS(kernel_load_data_id, id, LOADING_MODULE))
		return check_operation(BZ_OP_MODULE, 0);
	if (IS(kernel_load_data_id, id, LOADING_KEXEC_IMAGE) ||
	    IS(kernel_load_data_id, id, LOADING_KEXEC_INITRAMFS))
		return check_operation(BZ_OP_KEXEC, 0);
	return 0;
}

/* Input for whoever reads from a terminal: TIOCSTI types it, TIOCLINUX pastes it. */
static __always_inline int check_terminal(struct file *file, unsigned int command)
{
	if (command != TIOCSTI && command != TIOCLINUX)
		return 0;
	return check_operation(BZ_OP_TERMINAL, file->f_path.dentry);
}

/* Asking for the size of the log tells nothing. */
static __always_inline int check_syslog(int type)
{
	return type == SYSLOG_ACTION_SIZE_BUFFER ? 0 : check_operation(BZ_OP_KERNEL_LOG, 0);
}

/*
 * Some operations have no hook of their own (reboot, ioperm), or have one that another system call passes by
 * (clock_adjtime and settime): they all ask for a Linux capability. A question that is asked on the quiet
 * refuses nothing.
 */
static __always_inline int check_capable(int capability, unsigned int options)
{
	if (options & CAP_OPT_NOAUDIT)
		return 0;
	switch (capability) {
	case CAP_SYS_TIME:
		return check_operation(BZ_OP_CLOCK, 0);
	case CAP_SYS_BOOT:
		return check_operation(BZ_OP_REBOOT, 0);
	case CAP_SYS_RAWIO:
		return check_operation(BZ_OP_RAW_IO, 0);
	case CAP_AUDIT_CONTROL:
		return check_operation(BZ_OP_AUDIT_CONTROL, 0);
	}
	return 0;
}

#endif
