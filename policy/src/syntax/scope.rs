//! What a rule is about: services and capabilities.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::Reader;
use crate::access::Access;
use crate::capability::Catalogue;
use crate::slice;

/// Longest name of a service in the kernel, bytes (`BZ_UNIT_MAX` in wire.h without the final NUL).
const NAME_MAX: usize = 127;

pub(super) fn services(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Vec<String> {
    let names = reader.array(raw, "expected at least one service in brackets").unwrap_or_default();
    names.iter().filter_map(|name| service(reader, name)).collect()
}

fn service(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<String> {
    let name = reader.string(raw, "expected the name of a service in quotes")?;
    if let Some(name) = slice::meant(name).filter(|name| name.len() <= NAME_MAX && slice::is_valid(name)) {
        return Some(format!("{name}.slice"));
    }
    let name = name.strip_suffix(".service").unwrap_or(name);
    if slice::meant(name).is_some() {
        reader
            .refuse(raw, "expected a slice by its whole name, such as system-web.slice: what lies in it is meant, too");
        return None;
    }
    if let Some(expected) = problem(name) {
        reader.refuse(raw, expected);
        return None;
    }
    Some(template(name).to_owned())
}

/// Instances of a template share one model: `getty@tty1` is `getty@`.
fn template(name: &str) -> &str {
    name.find('@').and_then(|at| name.get(..=at)).unwrap_or(name)
}

fn problem(name: &str) -> Option<String> {
    let inner = name.strip_prefix('*').or_else(|| name.strip_suffix('*')).unwrap_or(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let instance = name.find('@').and_then(|at| name.get(at + 1..)).unwrap_or_default();
    if name.len() > NAME_MAX {
        Some(format!("expected the name of a service, of at most {NAME_MAX} bytes"))
    } else if name.is_empty() || !inner.chars().all(allowed) || name.starts_with('@') {
        // systemd takes nothing for a unit that is a template of nothing.
        Some("expected the name of a service, or one with a `*` at one end".to_owned())
    } else if name.starts_with('*') && !instance.is_empty() {
        // Cut to `*@` it would reach every template.
        Some("expected a name without an instance, as all instances of a template share one policy".to_owned())
    } else {
        None
    }
}

/// Names of all capabilities, for messages.
fn known(catalogue: &Catalogue) -> String {
    let names: Vec<&str> = catalogue.iter().map(|capability| capability.name.as_str()).collect();
    names.join(", ")
}

/// `SSH` or `SSH.write`.
pub(super) fn capability(reader: &mut Reader<'_>, span: Range<usize>, key: &str) -> Option<(u8, Option<Access>)> {
    let catalogue = reader.catalogue();
    let (name, access) = match key.split_once('.') {
        Some((name, access)) => (name, Some(access)),
        None => (key, None),
    };
    let Some(index) = catalogue.index(name) else {
        let hint = catalogue.nearest(name).map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        reader.problem(span, key, format!("expected a capability{hint}, one of {}", known(catalogue)));
        return None;
    };
    match access.map(Access::from_name) {
        Some(None) => {
            reader.problem(span, key, "expected execute, read, write, connect or operate behind the dot");
            None
        }
        Some(found) => Some((index, found)),
        None => Some((index, None)),
    }
}
