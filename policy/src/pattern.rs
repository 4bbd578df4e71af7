//! Path patterns of the catalogue.

use std::path::Path;

use crate::compiled::{DEPTH_MAX, NAME_MAX};

/// One component of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Exactly this name.
    Literal(Vec<u8>),
    /// `*`: any one name.
    Any,
    /// `**`, at the end: any number of names, none included, so that `/etc/ssh/**` is also `/etc/ssh` itself.
    AnyDepth,
    /// `syslog*`.
    Prefix(Vec<u8>),
    /// `*.service`.
    Suffix(Vec<u8>),
}

impl Component {
    /// Whether a name fits this component alone.
    pub fn fits(&self, name: &[u8]) -> bool {
        match self {
            Component::Literal(text) => text == name,
            Component::Any | Component::AnyDepth => true,
            Component::Prefix(text) => name.starts_with(text),
            Component::Suffix(text) => name.ends_with(text),
        }
    }
}

/// An absolute path in which components may be globs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(pub Vec<Component>);

impl Pattern {
    /// Reads `/a/b`, `/a/*/c`, `/a/**`, `/a/syslog*`, `/a/*.service`. The error says what was expected.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("expected an absolute path".to_owned());
        };
        let components: Vec<Component> =
            rest.split('/').filter(|part| !part.is_empty()).map(component).collect::<Result<_, _>>()?;
        if components.len() > DEPTH_MAX {
            return Err(format!("expected at most {DEPTH_MAX} components, found {}", components.len()));
        }
        // The kernel reads the first names of a path only, however deep it is: no pattern may begin anew further down.
        if components.iter().rev().skip(1).any(|component| *component == Component::AnyDepth) {
            return Err("expected `**` as the last component only".to_owned());
        }
        Ok(Pattern(components))
    }

    /// A path without globs.
    pub fn literal(path: &Path) -> Pattern {
        Pattern(names(path).into_iter().map(Component::Literal).collect())
    }

    /// Whether a path fits.
    pub fn fits_path(&self, path: &Path) -> bool {
        let names = names(path);
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        self.fits(&names)
    }

    /// Whether a path, given as its names, fits: the definition that the compiled trie is tested against.
    pub fn fits(&self, names: &[&[u8]]) -> bool {
        fits(&self.0, names)
    }
}

/// The names of a path, from the root.
pub fn names(path: &Path) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = path.as_os_str().as_bytes();
    bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

fn fits(pattern: &[Component], names: &[&[u8]]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Component::AnyDepth, rest)), None) => fits(rest, names),
        (Some((Component::AnyDepth, rest)), Some((_, below))) => fits(rest, names) || fits(pattern, below),
        (Some(_), None) => false,
        (Some((first, rest)), Some((name, below))) => first.fits(name) && fits(rest, below),
    }
}

fn component(text: &str) -> Result<Component, String> {
    let literal = |text: &str| {
        if text.contains('*') {
            return Err(format!("expected `*` alone, `**` alone, or at one end of a component, found `{text}`"));
        }
        if text.len() > NAME_MAX {
            return Err(format!("expected components of at most {NAME_MAX} bytes, found {} in `{text}`", text.len()));
        }
        if matches!(text, "." | "..") {
            return Err(format!("expected a path without `{text}`"));
        }
        Ok(text.as_bytes().to_vec())
    };
    match text {
        "*" => Ok(Component::Any),
        "**" => Ok(Component::AnyDepth),
        _ => match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(end), _) => literal(end).map(Component::Suffix),
            (_, Some(start)) => literal(start).map(Component::Prefix),
            _ => literal(text).map(Component::Literal),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        let names: Vec<&[u8]> = path.split('/').filter(|part| !part.is_empty()).map(str::as_bytes).collect();
        Pattern::parse(pattern).unwrap().fits(&names)
    }

    #[test]
    fn patterns_mean_what_they_say() {
        assert!(fits("/etc/ssh/**", "/etc/ssh"));
        assert!(fits("/etc/ssh/**", "/etc/ssh/a/b"));
        assert!(!fits("/etc/ssh/**", "/etc/sshd"));
        assert!(fits("/var/log/syslog*", "/var/log/syslog.1"));
        assert!(!fits("/var/log/syslog*", "/var/log/syslog.1/x"));
        assert!(fits("/run/user/*/docker.sock", "/run/user/7/docker.sock"));
        assert!(fits("/**", "/") && fits("/**", "/a/b"));
        assert!(fits("/etc/*.key", "/etc/host.key"));
    }

    #[test]
    fn other_shapes_are_refused_with_what_was_expected() {
        for (bad, part) in [
            ("etc/passwd", "an absolute path"),
            ("/etc/a*b", "found `a*b`"),
            ("/etc/*a*", "found `a*`"),
            ("/etc/a**", "found `a*`"),
            ("/etc/***", "found `**`"),
            ("/etc/../x", "a path without `..`"),
            ("/etc/**/x", "`**` as the last component"),
            (&format!("/{}", "x".repeat(57)), "at most 56 bytes, found 57"),
        ] {
            let refused = Pattern::parse(bad).unwrap_err();
            assert!(refused.contains(part), "{bad}: {refused}");
        }
        assert!(Pattern::parse(&format!("/{}*", "x".repeat(56))).is_ok());
        assert!(Pattern::parse(&"/a".repeat(25)).unwrap_err().contains("at most 24"));
    }
}
