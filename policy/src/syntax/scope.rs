//! What a rule is about: services and capabilities.

use toml::Spanned;

use super::{Reader, known_capabilities};
use crate::access::Access;
use crate::capability::Catalogue;

/// Longest name of a service in the kernel, bytes (`BZ_UNIT_MAX` in wire.h without the final NUL).
const NAME_MAX: usize = 127;

pub(super) fn services(reader: &mut Reader<'_>, raw: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
    if raw.get_ref().is_empty() {
        let at = Spanned::new(raw.span(), "[]");
        reader.problem(&at, "expected at least one service");
    }
    raw.get_ref()
        .iter()
        .map(|name| {
            if let Some(expected) = service_problem(name.get_ref()) {
                reader.problem(name, expected);
            }
            let plain = name.get_ref().strip_suffix(".service").unwrap_or(name.get_ref());
            template(plain).to_owned()
        })
        .collect()
}

/// Instances of a template share one model: `getty@tty1` is `getty@`.
fn template(name: &str) -> &str {
    name.find('@').and_then(|at| name.get(..=at)).unwrap_or(name)
}

fn service_problem(name: &str) -> Option<String> {
    let plain = name.strip_suffix(".service").unwrap_or(name);
    let inner = plain.strip_prefix('*').or_else(|| plain.strip_suffix('*')).unwrap_or(plain);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if plain.len() > NAME_MAX {
        Some(format!("expected the name of a service, of at most {NAME_MAX} bytes"))
    } else if plain.is_empty() || !inner.chars().all(allowed) {
        Some("expected the name of a service, or one with a `*` at one end".to_owned())
    } else {
        None
    }
}

/// `SSH` or `SSH.write`.
pub(super) fn capability(reader: &mut Reader<'_>, key: &Spanned<String>) -> Option<(u8, Option<Access>)> {
    let catalogue = Catalogue::builtin();
    let (name, access) = match key.get_ref().split_once('.') {
        Some((name, access)) => (name, Some(access)),
        None => (key.get_ref().as_str(), None),
    };
    let Some(index) = catalogue.index(name) else {
        let hint = catalogue.nearest(name).map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        reader.problem(key, format!("expected a capability{hint}, one of {}", known_capabilities()));
        return None;
    };
    match access.map(Access::from_name) {
        Some(None) => {
            reader.problem(key, "expected execute, read, write, connect or operate behind the dot");
            None
        }
        Some(found) => Some((index, found)),
        None => Some((index, None)),
    }
}
