/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every type that C and Rust share. Rust gets them through the skeleton, which libbpf-cargo generates from
 * the BTF of the compiled object, so there is no second copy to keep in step.
 *
 * "slot" is the low bit of the epoch: each table holds two revisions side by side, and a flip of that one bit
 * makes the other one count.
 */
#ifndef BZ_WIRE_H
#define BZ_WIRE_H

#define BZ_NAME_MAX 56			    /* longest path component that policy may name, bytes */
#define BZ_RING 24			    /* deepest pattern, components */
#define BZ_NODES (1 << 14)		    /* trie nodes per slot */
#define BZ_LABELS (1 << 12)		    /* labels per slot */
#define BZ_SERVICES (1 << 10)		    /* service numbers; 0 is "none" */
#define BZ_SERVICE_OTHERS (BZ_SERVICES - 1) /* shared by all that come when no number is left */
#define BZ_UNIT_MAX 128			    /* longest service name, with its NUL */
#define BZ_SEEN (1 << 14)		    /* distinct acts that are counted at a time */
#define BZ_OBJECTS 4096	 /* distinct objects per service and minute before a flood is declared */
#define BZ_PORTS 16	 /* port ranges per outbound entry */
#define BZ_PATH 1024	 /* bytes of names that a record carries for its object */
#define BZ_EXE 512	 /* the same for the program */
#define BZ_COMPONENT 256 /* room behind the last byte, so that one more name always fits */
#define BZ_COMMAND 512	 /* bytes of a command line that a record carries */
#define BZ_ANCESTORS 8	 /* parents of a process that a record names */
#define BZ_CGROUP 128	 /* bytes of names of cgroups before the last that is added */
#define BZ_CGROUP_NAME 128
#define BZ_COMM 16 /* TASK_COMM_LEN */
#define BZ_ACCESSES 5
#define BZ_OPERATIONS 32
#define BZ_WRITTEN (1 << 16) /* files that are remembered as written by a service */

enum bz_access {
	BZ_EXECUTE = 0,
	BZ_READ = 1,
	BZ_WRITE = 2,
	BZ_CONNECT = 3,
	BZ_OPERATE = 4,
};

enum bz_verdict {
	BZ_ALLOW = 0,
	BZ_AUDIT = 1,
	BZ_DENY = 2,
};

/*
 * What the kernel is asked to do, and kinds of files that are told by what they are and not by their name.
 * The catalogue says which capability each needs; the order is that of OPERATIONS in policy/src/operation.rs.
 */
enum bz_operation {
	BZ_OP_MOUNT = 0,
	BZ_OP_UMOUNT = 1,
	BZ_OP_REMOUNT = 2,
	BZ_OP_PIVOT_ROOT = 3,
	BZ_OP_CHROOT = 4,
	BZ_OP_PTRACE = 5,
	BZ_OP_MODULE = 6,
	BZ_OP_KEXEC = 7,
	BZ_OP_BPF = 8,
	BZ_OP_PRIVILEGE = 9,
	BZ_OP_KERNEL_LOG = 10,
	BZ_OP_CLOCK = 11,
	BZ_OP_REBOOT = 12,
	BZ_OP_RAW_IO = 13,
	BZ_OP_AUDIT_CONTROL = 14,
	BZ_OP_USER_NAMESPACE = 15,
	BZ_OP_SIGNAL = 16,	   /* to Bartizan */
	BZ_OP_SIGNAL_INIT = 17,	   /* to PID 1, which takes many for a command */
	BZ_OP_MODULE_REQUEST = 18, /* the kernel starts modprobe, outside any service */
	BZ_OP_TERMINAL = 19,	   /* input put into a terminal for whoever reads there */
	BZ_OP_LIMITS = 20,	   /* limits and priorities of Bartizan's processes */
	BZ_OP_MEMBERS = 21,	   /* lists of a cgroup's members: who writes there moves processes */
	BZ_KIND_PROGRAM = 24,	   /* what may be executed: to make or change it */
	BZ_KIND_WRITTEN = 25,	   /* what a service wrote that may not install: to execute or map it */
	BZ_KIND_NAMELESS = 26,	   /* what has no name: to execute or map it */
	BZ_KIND_SETID = 27,	   /* set-user-id, set-group-id, file capabilities: to make it so */
	BZ_KIND_DEVICE = 28,	   /* memory and disks: to read or write them past the file system */
	BZ_KIND_EXECUTED = 29,	   /* whatever is started as a program, see struct bz_label */
};

/* Why a record exists. */
enum bz_why {
	BZ_WHY_CAPABILITY = 0,
	BZ_WHY_OUTBOUND = 1,
	BZ_WHY_ESCAPE = 2,
	BZ_WHY_TAMPER = 3,
	BZ_WHY_PROGRAM = 4,
	BZ_WHY_DESTINATION = 5,
	BZ_WHY_SERVICE = 6,
};

/* Which fields of a record name the object. */
enum bz_object {
	BZ_OBJECT_PATH = 0,
	BZ_OBJECT_ADDRESS = 1,
	BZ_OBJECT_OPERATION = 2,
	BZ_OBJECT_CGROUP = 3,
};

enum bz_loss {
	BZ_LOST_VIOLATION = 0,	 /* the ring of violations was full */
	BZ_LOST_OBSERVATION = 1, /* the ring of observations was full */
	BZ_LOST_FLOOD = 2,	 /* the table of floods was full */
	BZ_LOST_SERVICE = 3,	 /* no service number was left */
	BZ_LOST_CGROUP = 4,	 /* the table of cgroups was full */
	BZ_LOST_SUBJECT = 5,	 /* task storage could not be made; the task is known by its pid instead */
	BZ_LOST_WORD = 6,	 /* inode storage could not be made; the label is computed each time */
	BZ_LOST_LINK = 7,	 /* the table of hard links was full */
	BZ_UNLABELLED = 8,	 /* acts of tasks without a label */
	BZ_UNRESOLVED = 9,	 /* acts on objects whose path could not be told */
	BZ_LOST_WRITTEN = 10,	 /* the table of written files was full */
	BZ_LOSSES = 11,
};

/* A task's service, in task storage. */
struct bz_subject {
	__u32 service;
	__u32 flags;
	__u64 starting; /* until when what only a start needs is granted, CLOCK_BOOTTIME in ns; 0: never */
};

/*
 * What a CPU found last: the service (lower 16 bits) and the number of changes of any label up to then, and,
 * so that both words are only ever taken together, the task's address mixed with them.
 */
struct bz_last {
	__u64 word;
	__u64 check;
};

#define BZ_SUBJECT_BORN (1 << 0)      /* forked by PID 1, has not executed anything since */
#define BZ_SUBJECT_PREPARING (1 << 1) /* placed in a unit, still running systemd's own code */
#define BZ_SUBJECT_EXECUTOR (1 << 2)  /* is about to execute systemd-executor */
#define BZ_SUBJECT_SESSION (1 << 3)   /* belongs to a login session */
#define BZ_SUBJECT_LABELLED (1 << 4)  /* has been looked at */
#define BZ_SUBJECT_EXEC_SHIFT 16      /* above: the number of the execution that was looked at last */

/* What a service may do. */
struct bz_policy {
	__u64 granted[BZ_ACCESSES];
	__u64 prevent[BZ_ACCESSES];
	__u64 alert[BZ_ACCESSES];
	__u64 at_start[BZ_ACCESSES]; /* granted as well while the service starts */
	__u32 flags;
	/* No entry of the outbound table is about a port outside of these. */
	__u16 first_port;
	__u16 last_port;
};

#define BZ_POLICY_KNOWN (1 << 0)     /* the revision says something about this service */
#define BZ_POLICY_LEARNING (1 << 1)  /* report what is missing as an observation */
#define BZ_POLICY_EXEMPT (1 << 2)    /* never denied, never recorded */
#define BZ_POLICY_LOGIN (1 << 3)     /* may hand tasks over to login sessions */
#define BZ_POLICY_OUTBOUND (1 << 4)  /* the outbound table has entries for it */
#define BZ_POLICY_SELF (1 << 6)	     /* Bartizan itself: no other service may signal or trace it */
#define BZ_POLICY_OPERATOR (1 << 5)  /* may write Bartizan's own files */
#define BZ_POLICY_ANOMALOUS (1 << 7) /* report which programs it starts, as one may be new */

/* What an object means. */
struct bz_label {
	__u64 need[BZ_ACCESSES];
	__u64 flags;  /* 64 bits, as they are merged atomically */
	__u64 spared; /* of what executing anything needs (BZ_KIND_EXECUTED), what this does not */
};

/* What writing Bartizan's own needs: everything, which nobody is granted whole. */
#define BZ_OWN (~0ull)
#define BZ_LABEL_EXECUTOR (1 << 1) /* systemd-executor */

struct bz_node {
	__u16 label; /* of the object at this path */
	__u16 other; /* node for a name without an edge of its own */
	__u16 below; /* label that holds what everything below needs, for a directory that is moved whole */
	__u16 flags;
};

#define BZ_NODE_PREFIXES (1 << 0)
#define BZ_NODE_SUFFIXES (1 << 1)

/* Key of the edges (len) and, with another meaning of the first field, of the globs (bits). */
struct bz_step {
	__u32 len;  /* edges: bytes of the name; globs: bits of all that follows */
	__u32 node; /* node | slot << 31; globs of suffixes also set bit 30, and their text is reversed */
	__u8 name[BZ_NAME_MAX];
};

/* An inode by number. What services wrote has the generation above the device: a number is used again. */
struct bz_inode_key {
	__u64 dev;
	__u64 ino;
};

/*
 * Its label, as long as the inode is the one that got it: numbers are used again once an inode is gone. 0 as
 * generation: entered by user space, which cannot read it everywhere; the first look-up fills it in. Else bit
 * 32 is set above it.
 */
struct bz_link {
	struct bz_label label;
	__u64 generation;
};

/* A directory, as long as it is called what it is called and nothing has changed (tag, see label.bpf.h). */
struct bz_directory_key {
	__u64 tag;
	__u64 ino;
	__u32 dev;
	__u32 generation;
};

/* One of our maps or programs, by the number that the kernel gave it. */
struct bz_own_key {
	__u32 id;
	__u32 program; /* 0: a map */
};

/* A cgroup of the v2 hierarchy. */
struct bz_cgroup {
	__u32 service; /* 0: no unit's */
	__u32 session; /* 1: a session-*.scope */
	/* Until when the unit starts, CLOCK_BOOTTIME in ns. 0: PID 1 has placed nobody here yet. */
	__u64 starting;
};

#define BZ_STARTED_BEFORE 1 /* the unit was there when the programs were loaded */

struct bz_unit {
	char name[BZ_UNIT_MAX] __attribute__((aligned(8)));
};

struct bz_service {
	__u32 id;
	__u32 flags;
};

#define BZ_SERVICE_EARLIER (1 << 0) /* tasks of it were running when the programs were loaded */

struct bz_outbound_key {
	__u32 bits;    /* of service and address */
	__u32 service; /* service | slot << 31, big endian */
	__u8 address[16];
};

struct bz_ports {
	__u16 first;
	__u16 last;
	__u16 rule;
	__u16 prevent;
};

struct bz_outbound {
	__u32 count;
	struct bz_ports ports[BZ_PORTS];
};

/* `access` BZ_ACCESSES: the rule about programs that an active service never ran, of which no capability
 * knows. */
struct bz_rule_key {
	__u32 service; /* service | slot << 31 */
	__u16 capability;
	__u16 access;
};

/* One kind of act: the first is told, the rest are counted. */
struct bz_seen {
	__u64 count; /* since the first, which is not counted */
	__u32 service;
	__u32 state; /* BZ_SEEN_* */
};

#define BZ_SEEN_TOLD 0	  /* or is being told */
#define BZ_SEEN_RETIRED 1 /* being read for the last time: what comes now is told by itself */
#define BZ_SEEN_UNTOLD 2  /* the ring was full: the next one tries again */

struct bz_flood_key {
	__u32 service;
	__u16 capability; /* 0xffff: an outbound rule */
	__u8 access;
	__u8 verdict;
};

/* Distinct objects of a service in one minute. */
struct bz_novelty {
	__u64 minute;
	__u64 objects;
};

/* State of the whole, in one page. */
struct bz_control {
	__u64 epoch;	     /* low bit: slot; any change makes every cached label stale */
	__u64 generation[2]; /* number of the revision in each slot */
	__u64 salt;	     /* keys the tag of cached labels; random per load */
	__u64 changes;	     /* of labels of tasks: any makes what the CPUs found last stale */
	__u64 start_time;    /* how long a unit starts, ns */
	__u64 apart[2];	     /* what every hook reads and what a flood writes are not in one cache line */
	__u64 recounted; /* raised behind every repeat and every flood: their tables are walked when it has
			    changed */
};

/*
 * What every set of programs goes on counting where the others are, as they share what is counted: two that
 * counted for themselves while one follows the other gave one number to two services.
 */
struct bz_carried {
	__u64 last_service; /* the highest number that was given */
	__u64 unremembered; /* files that services wrote and the table has no room for */
};

/* The rings, as keys of `sequences`: whether it is about observations. */
enum bz_ring {
	BZ_RING_VIOLATIONS = 0,
	BZ_RING_OBSERVATIONS = 1,
	BZ_RINGS = 2,
};

/* How far one CPU has come in one ring. */
struct bz_sequence {
	__u64 number; /* of its last event, whether or not there was room for it */
	__u64 lost;   /* events for which there was no room */
};

#define BZ_MARK_CUT (1 << 0)	       /* there were more names than room */
#define BZ_MARK_LOOSE (1 << 2)	       /* the name of what is in no tree, as a memfd's */
#define BZ_MARK_START (1 << 4)	       /* early in the start of its unit */
#define BZ_MARK_COMMAND_CUT (1 << 5)   /* the command line was longer */
#define BZ_MARK_ANCESTORS_CUT (1 << 6) /* there were more parents */

/* A parent of the acting process. */
struct bz_ancestor {
	__u64 start; /* CLOCK_BOOTTIME, ns */
	__u32 pid;
	__u32 unused;
	__u8 comm[BZ_COMM];
};

/*
 * One record of a ring buffer. Paths are component names from the leaf to the root, each with its NUL. Sets
 * of programs that follow one another share the rings, so fields are only ever added at the end: an event
 * that ends early is an earlier version's (src/stream.rs).
 */
struct bz_event {
	__u64 time; /* CLOCK_BOOTTIME, ns */
	__u64 key;
	__u64 capabilities;
	__u64 generation;
	__u64 dev;
	__u64 magic;
	__u64 exe_dev;
	__u64 exe_magic;
	__u32 service;
	__u32 pid;
	__u32 uid;
	__u16 rule;
	__u16 port;
	__u8 why;
	__u8 access;
	__u8 verdict;
	__u8 object;
	__u8 operation;
	__u8 marks; /* BZ_MARK_*; those of the program's name one bit higher */
	__u16 protocol;
	__u16 path_len;
	__u16 exe_len;
	__u8 address[16];
	__u8 path[BZ_PATH + BZ_COMPONENT];
	__u8 exe[BZ_EXE + BZ_COMPONENT];
	/* Version 2 added what follows. */
	__u32 login_uid; /* 4294967295: nobody has logged in, as for `session` */
	__u32 session;
	__u32 cpu;
	__u64 sequence; /* 0: not numbered */
	__u64 lost;	/* of the ring on this CPU, before this event */
	__u64 ino;	/* of the object */
	__u64 start;	/* of the process, CLOCK_BOOTTIME, ns */
	__u16 command_len;
	__u16 cgroup_len;
	__u32 ancestors_len;
	struct bz_ancestor ancestors[BZ_ANCESTORS]; /* nearest first */
	__u8 command[BZ_COMMAND];		    /* arguments, each with its NUL */
	__u8 cgroup[BZ_CGROUP + BZ_CGROUP_NAME];    /* names, as in a path */
};

/* Contexts of the programs that user space calls. */
struct bz_call_register {
	struct bz_unit unit;
	__u32 id;
	__u32 flags; /* to be added */
};

struct bz_call_flip {
	__u64 generation; /* number of the revision in the other slot */
	__u64 start_time; /* as in struct bz_control */
};

struct bz_call_retire {
	__u64 key;
};

struct bz_call_link {
	struct bz_inode_key key;
	__u64 generation;      /* as in struct bz_link */
	struct bz_label label; /* to be added */
};

struct bz_call_decide {
	struct bz_policy policy;
	struct bz_label label;
	__u64 missing;
	__u64 observed;
	__u32 access;
	__u32 verdict;
	__u32 starting;
	__u32 unused;
};

#endif
