//! What the kernel can be asked to do, and kinds of files that are known by what they are: the words of the catalogue.

/// Operations by their number in wire.h (`enum bz_operation`).
pub const OPERATIONS: [(&str, u8); 22] = [
    ("mount", 0),
    ("umount", 1),
    ("remount", 2),
    ("pivot_root", 3),
    ("chroot", 4),
    ("ptrace", 5),
    ("module", 6),
    ("kexec", 7),
    ("bpf", 8),
    ("privilege", 9),
    ("kernel_log", 10),
    ("clock", 11),
    ("reboot", 12),
    ("raw_io", 13),
    ("audit_control", 14),
    ("user_namespace", 15),
    ("signal", 16),
    ("signal_init", 17),
    ("module_request", 18),
    ("terminal_input", 19),
    ("limits", 20),
    ("move_processes", 21),
];

/// Operations that are only ever aimed at Bartizan itself, so that no capability names them.
pub const OWN: [&str; 2] = ["signal", "limits"];

/// Kinds of files by their number in wire.h.
pub const KINDS: [(&str, u8); 5] = [("program", 24), ("written", 25), ("nameless", 26), ("setid", 27), ("device", 28)];

/// The number of what is started as a program, whatever it is (`BZ_KIND_EXECUTED`): rules name it by `programs.only`.
pub const EXECUTED: u8 = 29;

/// Numbers that operations and kinds have room for (`BZ_OPERATIONS` in wire.h).
pub const ROOM: usize = 32;

/// The name of an operation; numbers that are not given are called so.
pub fn name(number: u8) -> &'static str {
    OPERATIONS.iter().find(|(_, known)| *known == number).map_or("an unknown operation", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Catalogue;

    #[test]
    fn the_catalogue_uses_every_word_and_no_other() {
        let named = |words: fn(&crate::capability::Capability) -> &Vec<String>| -> Vec<&str> {
            let mut all: Vec<&str> = Catalogue::builtin().iter().flat_map(words).map(String::as_str).collect();
            all.sort_unstable();
            all
        };
        let mut operations: Vec<&str> =
            OPERATIONS.iter().map(|(name, _)| *name).filter(|name| !OWN.contains(name)).collect();
        operations.sort_unstable();
        assert_eq!(named(|capability| &capability.operations), operations);
        let mut kinds: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        kinds.sort_unstable();
        assert_eq!(named(|capability| &capability.kinds), kinds);
        assert!(OPERATIONS.iter().chain(&KINDS).all(|(_, number)| usize::from(*number) < ROOM));
    }

    #[test]
    fn operations_are_told_by_name() {
        assert_eq!((name(5), name(16), name(31)), ("ptrace", "signal", "an unknown operation"));
    }
}
