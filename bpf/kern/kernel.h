/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's structures, as far as we read them: CO-RE finds each field by name in the running kernel's
 * BTF, so neither order nor padding matters here. A field that moves into an anonymous union (i_nlink; d_name
 * and f_path on recent kernels) is still found.
 */
#ifndef BZ_KERNEL_H
#define BZ_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef unsigned int fmode_t;
typedef unsigned short umode_t;
typedef __u32 dev_t;

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct qstr {
	__u32 hash;
	__u32 len;
	__u64 hash_len;
	const unsigned char *name;
};

struct super_block {
	dev_t s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
};

struct inode {
	umode_t i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	dev_t i_rdev;
	__u32 i_generation;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	fmode_t f_mode;
	unsigned int f_flags;
	struct path f_path;
	struct inode *f_inode;
};

struct linux_binprm {
	struct file *file;
	struct cred *cred;
};

struct iattr {
	unsigned int ia_valid;
	umode_t ia_mode;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};

struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

/* An array of two numbers until 6.2, and one of 64 bits since. */
typedef struct {
	__u64 val;
} kernel_cap_t;

struct cred {
	kuid_t euid;
	kgid_t egid;
	kernel_cap_t cap_permitted;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	/* Only with CONFIG_AUDIT. */
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set *cgroups;
	struct mm_struct *mm;
	const struct cred *cred;
	__u64 self_exec_id;
	struct nsproxy *nsproxy;
};

struct sock {
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct unix_sock {
	struct path path;
};

struct bpf_iter_meta;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* Numbers that move when something is put in between: CO-RE finds them by name. */
enum kernel_read_file_id {
	READING_MODULE = 2,
	READING_KEXEC_IMAGE = 3,
	READING_KEXEC_INITRAMFS = 4,
	READING_MODULE_COMPRESSED = 5,
};

enum kernel_load_data_id {
	LOADING_MODULE = 2,
	LOADING_KEXEC_IMAGE = 3,
	LOADING_KEXEC_INITRAMFS = 4,
};

#pragma clang attribute pop

struct user_namespace;
struct mnt_idmap;

/* Laid out as user space is promised, so CO-RE has nothing to find: kernels spell the second as they like. */
struct sockaddr {
	__u16 sa_family;
	__u8 sa_data[14];
};

struct posix_acl;
struct file_kattr;
struct kernel_siginfo;
struct fown_struct;
struct rlimit;

#define EPERM 1
#define AF_INET 2
#define AF_INET6 10
#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20
#define O_TRUNC 01000
#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFCHR 0020000
#define S_IFLNK 0120000
#define S_IXUGO 00111
#define S_ISUID 04000
#define S_ISGID 02000
#define ATTR_MODE 1
#define PROT_EXEC 4
#define VM_EXEC 4
#define PTRACE_MODE_ATTACH 2
#define SYSLOG_ACTION_SIZE_BUFFER 10
#define TIOCSTI 0x5412
#define TIOCLINUX 0x541c
#define CAP_OPT_NOAUDIT 2
#define CAP_SYS_RAWIO 17
#define CAP_SYS_BOOT 22
#define CAP_SYS_TIME 25
#define CAP_AUDIT_CONTROL 30
#define PF_FORKNOEXEC 0x00000040
/* Flags of mount(2) that change a mount in place: MS_REMOUNT, MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED.
 */
#define MS_CHANGES (1ul << 5 | 0xful << 17)
#define MS_MOVE (1ul << 13)
#define SB_KERNMOUNT (1ul << 22)
#define SB_SUBMOUNT (1ul << 26)
#define SB_NOUSER (1ul << 31)

#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP2_SUPER_MAGIC 0x63677270
#define BPF_FS_MAGIC 0xcafe4a11
#define TRACEFS_MAGIC 0x74726163
#define DEBUGFS_MAGIC 0x64626720
#define BINFMTFS_MAGIC 0x42494e4d
#define SECURITYFS_MAGIC 0x73636673
#define CGROUP_SUPER_MAGIC 0x27e0eb

#endif
