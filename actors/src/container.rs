//! Which container a process is in, by what the engines call its cgroup. A service that makes cgroups of its own may call
//! them so, too: the name says where a process is, and nothing is decided by it.

use compact_str::CompactString;

/// What engines put before the id in the name of a scope: Docker, Podman, CRI-O, and containerd for Kubernetes.
const SCOPES: [&str; 5] = ["docker-", "libpod-", "crio-", "cri-containerd-", "nerdctl-"];
/// Digits of an id, hexadecimal.
const ID: usize = 64;

/// The container of these cgroups, nearest first: the engine's id of it, or the name of a machine.
pub fn of(cgroup: &[CompactString]) -> Option<String> {
    cgroup.iter().find_map(|name| id(name).or_else(|| machine(name)))
}

fn id(name: &str) -> Option<String> {
    let plain = name.strip_suffix(".scope").unwrap_or(name);
    let id = SCOPES.iter().find_map(|engine| plain.strip_prefix(engine)).unwrap_or(plain);
    (id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// systemd-nspawn and whoever else enters machines with systemd-machined; LXC.
fn machine(name: &str) -> Option<String> {
    let scope = name.strip_suffix(".scope").and_then(|name| name.strip_prefix("machine-"));
    let service = || name.strip_suffix(".service").and_then(|name| name.strip_prefix("systemd-nspawn@"));
    if let Some(escaped) = scope.or_else(service) {
        return Some(unescaped(escaped));
    }
    name.strip_prefix("lxc.payload.").map(str::to_owned)
}

/// systemd.unit(5), "String Escaping for Inclusion in Unit Names"; what is not escaped so stays as it is.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| *first == b'\\' && digits.starts_with(b"x"));
        let escaped = digits.and_then(|digits| std::str::from_utf8(digits.get(1..)?).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_name_their_containers() {
        let long = "0123456789abcdef".repeat(4);
        let found = |names: &[&str]| of(&names.iter().copied().map(CompactString::from).collect::<Vec<_>>());
        for name in [
            format!("docker-{long}.scope"),
            format!("libpod-{long}.scope"),
            format!("cri-containerd-{long}.scope"),
            format!("libpod-{long}"),
            long.clone(),
        ] {
            assert_eq!(found(&[&name, "system.slice"]).as_ref(), Some(&long), "{name}");
        }
        assert_eq!(found(&["container", &format!("libpod-{long}.scope"), "machine.slice"]).as_ref(), Some(&long));
        assert_eq!(found(&["web.service", "system.slice", "payload", "machine-a\\x2db.scope"]).as_deref(), Some("a-b"));
        assert_eq!(found(&["payload", "systemd-nspawn@deb.service"]).as_deref(), Some("deb"));
        assert_eq!(found(&["lxc.payload.box"]).as_deref(), Some("box"));
        for none in ["web.service", "session-3.scope", &format!("libpod-conmon-{long}.scope"), "docker-12.scope", ""] {
            assert_eq!(found(&[none, "system.slice"]), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for (text, plain) in [("a\\x2db", "a-b"), ("a\\x2", "a\\x2"), ("\\xzz", "\\xzz"), ("\\", "\\")] {
            assert_eq!(unescaped(text), plain);
        }
    }
}
