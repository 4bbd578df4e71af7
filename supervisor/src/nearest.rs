//! What somebody may have meant who wrote a name that nobody knows.

/// The known name that looks most like this one, if one does: a third of its letters may differ.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = wanted.to_lowercase();
    let near = known.into_iter().map(|name| (strsim::osa_distance(&name.to_lowercase(), &folded), name)).min();
    near.filter(|(distance, _)| *distance <= folded.chars().count() / 3).map(|(_, name)| name)
}

/// `; did you mean nginx?`, or nothing.
pub fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let known = ["nginx", "sshd", "systemd-logind"];
        assert_eq!(nearest("ngnix", known), Some("nginx"), "two letters that changed places are one slip");
        assert_eq!(nearest("SYSTEMD-LOGIN", known), Some("systemd-logind"));
        assert_eq!(nearest("postgresql", known), None);
        assert_eq!(did_you_mean("nginy", known), "; did you mean nginx?");
        assert_eq!(did_you_mean("x", []), "");
    }
}
