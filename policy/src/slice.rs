//! Slices: the tree in which systemd keeps units. The name of each says where it is: `a-b.slice` lies in `a.slice`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How systemd calls the root of the tree, without `.slice`.
pub const ROOT: &str = "-";
/// Most services whose slices are kept.
const KEPT: usize = 8_192;

/// Where services are, without `.slice`. Those that are where systemd puts a service by itself have no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slices(BTreeMap<String, String>);

impl Slices {
    /// The slice of a service.
    pub fn of(&self, service: &str) -> Cow<'_, str> {
        match self.0.get(service) {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(by_default(service)),
        }
    }

    /// Notes where a service is. Whether that is elsewhere than before.
    pub fn put(&mut self, service: &str, slice: &str) -> bool {
        if *self.of(service) == *slice {
            return false;
        }
        if by_default(service) == slice {
            self.0.remove(service);
        } else if self.0.len() < KEPT || self.0.contains_key(service) {
            self.0.insert(service.to_owned(), slice.to_owned());
        } else {
            return false;
        }
        true
    }
}

/// Where systemd puts a service that says nothing about it (systemd.resource-control(5), `Slice=`). A service that nobody has
/// seen could be anywhere.
fn by_default(service: &str) -> String {
    match service.strip_suffix('@') {
        None if service.is_empty() => ROOT.to_owned(),
        None => "system".to_owned(),
        // Their units say so.
        Some("user" | "user-runtime-dir") => "user".to_owned(),
        Some(template) => format!("system-{}", template.replace('-', "\\x2d")),
    }
}

/// The slice that an entry of `services` means, if it means one.
pub fn meant(pattern: &str) -> Option<&str> {
    pattern.strip_suffix(".slice")
}

/// Whether a name, without `.slice`, can be that of a slice.
pub fn is_valid(slice: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ":_.\\".contains(c);
    slice == ROOT || slice.split('-').all(|part| !part.is_empty() && part.chars().all(fits))
}

/// Whether one slice is another or lies in it.
pub fn holds(wide: &str, slice: &str) -> bool {
    wide == ROOT || slice.strip_prefix(wide).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// How deep it lies: 0 for the root.
pub fn depth(slice: &str) -> u8 {
    if slice == ROOT { 0 } else { u8::try_from(slice.split('-').count()).unwrap_or(u8::MAX) }
}

/// The deepest slice that holds both.
pub fn common(one: &str, other: &str) -> String {
    let parts = one.split('-').zip(other.split('-')).take_while(|(one, other)| one == other && !one.is_empty());
    let shared: Vec<&str> = parts.map(|(part, _)| part).collect();
    if shared.is_empty() { ROOT.to_owned() } else { shared.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_lie_in_each_other_by_their_names() {
        for (wide, slice, inside) in [
            ("system", "system", true),
            ("system", "system-web", true),
            ("system-web", "system", false),
            ("system-web", "system-website", false),
            ("-", "user", true),
            ("user", "-", false),
        ] {
            assert_eq!(holds(wide, slice), inside, "{wide} {slice}");
        }
        assert_eq!(["-", "a", "a-b", "a-b-c"].map(depth), [0, 1, 2, 3]);
        assert_eq!(common("user-1000", "user-0"), "user");
        assert_eq!(common("a-b", "a-b"), "a-b");
        assert_eq!(common("a", "b"), ROOT);
        assert_eq!(common("-", "a"), ROOT);
        assert!(["-", "a-b", "system-serial\\x2dgetty"].into_iter().all(is_valid));
        assert!(!["", "-a", "a-", "a--b", "a b", "a*"].into_iter().any(is_valid));
    }

    #[test]
    fn what_is_where_systemd_puts_it_takes_no_room() {
        let mut slices = Slices::default();
        let put = |slices: &mut Slices, service: &str, slice: &str| (slices.put(service, slice), slices.0.len());
        assert_eq!(put(&mut slices, "nginx", "system"), (false, 0));
        assert_eq!(put(&mut slices, "serial-getty@", "system-serial\\x2dgetty"), (false, 0));
        assert_eq!(put(&mut slices, "nginx", "system-web"), (true, 1));
        assert_eq!((put(&mut slices, "nginx", "system-web"), &*slices.of("nginx")), ((false, 1), "system-web"));
        assert_eq!((put(&mut slices, "nginx", "system"), &*slices.of("nginx")), ((true, 0), "system"));
        assert_eq!(&*slices.of(""), ROOT);
    }
}
