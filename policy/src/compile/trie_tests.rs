//! The compiled trie against the definition of a pattern.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::access::Access;
use crate::compiled::{DEPTH_MAX, FileSystem, Label};
use crate::explain::Walk;
use crate::pattern::{Pattern, names};

/// Patterns, of which number n needs bit n, and mounts of devices 8:1 to 8:3.
#[derive(Clone, Debug)]
struct Case {
    patterns: Vec<Pattern>,
    mounts: Vec<Mount>,
}

impl Case {
    fn compile(&self) -> Compiled {
        let mut patterns = Patterns::new();
        for (bit, pattern) in self.patterns.iter().enumerate() {
            let label = patterns.entry(pattern.clone()).or_default();
            label.need.insert(Access::Write, 1 << bit);
        }
        let mut compiled = Compiled::default();
        build(&mut compiled, &patterns, &self.mounts, &[]).unwrap();
        compiled
    }

    /// The patterns of which `fits` is true for any place where a path of a device is seen.
    fn naive(&self, minor: u32, path: &[Vec<u8>], fits: impl Fn(&Pattern, &[&[u8]]) -> bool) -> u64 {
        let mounts: Vec<&Mount> = self.mounts.iter().filter(|mount| mount.minor == minor).collect();
        let mut seen: Vec<Vec<Vec<u8>>> = Vec::new();
        for mount in &mounts {
            if let Some(rest) = path.strip_prefix(names(&mount.root).as_slice()) {
                seen.push([names(&mount.point).as_slice(), rest].concat());
            }
        }
        if mounts.is_empty() {
            seen.push(path.to_vec());
        }
        self.patterns.iter().enumerate().fold(0, |mask, (bit, pattern)| {
            let any = seen.iter().any(|path| fits(pattern, &path.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            if any { mask | 1 << bit } else { mask }
        })
    }
}

/// Whether the path or anything below it may fit.
fn may_fit_below(pattern: &Pattern, path: &[&[u8]]) -> bool {
    for (at, component) in pattern.0.iter().enumerate() {
        match path.get(at) {
            _ if *component == Component::AnyDepth => return true,
            None => return true,
            Some(name) if !component.fits(name) => return false,
            Some(_) => {}
        }
    }
    pattern.0.len() >= path.len()
}

fn device(minor: u32) -> Option<FileSystem> {
    Some(FileSystem::Device { major: 8, minor })
}

fn pattern(globs: &'static str) -> impl Strategy<Value = Pattern> {
    let component = prop_oneof![
        6 => "[abc]{1,2}".prop_map(String::from),
        1 => Just("*".to_owned()),
        2 => globs.prop_map(String::from),
    ];
    (prop::collection::vec(component, 1..5), any::<bool>()).prop_map(|(parts, tree)| {
        let end = if tree { "/**" } else { "" };
        Pattern::parse(&format!("/{}{end}", parts.join("/"))).unwrap()
    })
}

fn path(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]{1,3}", length).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn mount(root: BoxedStrategy<String>) -> impl Strategy<Value = Mount> {
    let root = prop_oneof![Just("/".to_owned()), root];
    (1u32..4, root, path(0..4)).prop_map(|(minor, root, point)| Mount {
        major: 8,
        minor,
        root: root.into(),
        point: point.into(),
        kind: "ext4".into(),
    })
}

fn case(globs: &'static str, root: BoxedStrategy<String>) -> impl Strategy<Value = Case> {
    (prop::collection::vec(pattern(globs), 1..8), prop::collection::vec(mount(root), 0..5))
        .prop_map(|(patterns, mounts)| Case { patterns, mounts })
}

fn means_exactly(case: &Case, paths: &[String]) -> Result<(), TestCaseError> {
    let compiled = case.compile();
    let walk = Walk::new(&compiled);
    for (minor, path) in (1..5).flat_map(|minor| paths.iter().map(move |path| (minor, names(Path::new(path))))) {
        let parts: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let found = walk.label_of(device(minor), &parts).need.get(Access::Write);
        prop_assert_eq!(found, case.naive(minor, &path, |pattern, names| pattern.fits(names)), "8:{}", minor);
        // Above the root of a bind mount nothing is seen, yet something may be seen below.
        let below = walk.below(device(minor), &parts).need.get(Access::Write);
        let least = case.naive(minor, &path, may_fit_below);
        prop_assert_eq!(below & least, least, "below, 8:{}", minor);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn with_prefix_globs(
        case in case("[abc]{1,2}\\*", path(1..4).boxed()),
        paths in prop::collection::vec(path(0..8), 1..8),
    ) {
        means_exactly(&case, &paths)?;
    }

    #[test]
    fn with_suffix_globs(
        case in case("\\*[abc]{1,2}", path(1..4).boxed()),
        paths in prop::collection::vec(path(0..8), 1..8),
    ) {
        means_exactly(&case, &paths)?;
    }

    /// Where both kinds of glob meet, where names are too long for an edge, and deeper than the kernel reads, a path may
    /// get more than it needs, but never less.
    #[test]
    fn nothing_is_missed_beyond_the_bounds(
        case in case("(\\*[abc]|[abc]\\*)", prop_oneof![path(18..30), Just(format!("/{}", "a".repeat(90)))].boxed()),
        inside in path(0..8),
        deep in path(20..40),
    ) {
        let compiled = case.compile();
        let walk = Walk::new(&compiled);
        let roots = case.mounts.iter().map(|mount| format!("{}{inside}", mount.root.display()));
        for path in roots.chain([inside.clone(), deep]).map(|path| names(Path::new(&path))) {
            for minor in 1..5 {
                let parts: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
                let found = walk.label_of(device(minor), &parts).need.get(Access::Write);
                let least = case.naive(minor, &path, |pattern, names| pattern.fits(names));
                prop_assert_eq!(found & least, least, "8:{} {:?}", minor, path);
            }
        }
    }
}

#[test]
fn what_is_below_a_directory_is_known_and_no_more() {
    let patterns = ["/etc/ssh/**", "/etc/passwd", "/home/*/.ssh/**", "/x/**"].map(|text| Pattern::parse(text).unwrap());
    let case = Case { patterns: patterns.to_vec(), mounts: Vec::new() };
    let compiled = case.compile();
    let walk = Walk::new(&compiled);
    let below = |path: &str| {
        let parts = names(Path::new(path));
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        walk.below(None, &parts).need.get(Access::Write)
    };
    assert_eq!((below("/"), below("/etc"), below("/etc/ssh"), below("/etc/passwd")), (15, 3, 1, 2));
    assert_eq!(
        (below("/home"), below("/home/ada"), below("/home/ada/www"), below("/x/y/z"), below("/usr")),
        (4, 4, 0, 8, 0)
    );
}

#[test]
fn a_pattern_as_deep_as_the_kernel_reads_still_fits() {
    let deepest = "/d".repeat(DEPTH_MAX);
    let case = Case { patterns: vec![Pattern::parse(&deepest).unwrap()], mounts: Vec::new() };
    let compiled = case.compile();
    let parts = names(Path::new(&deepest));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    assert_ne!(Walk::new(&compiled).label_of(None, &parts), Label::default());
}

#[test]
fn too_many_nodes_are_an_error_that_says_so() {
    let patterns: Patterns = (0..NODES_MAX)
        .map(|number| {
            (Pattern::parse(&format!("/{number}/{number}")).unwrap(), Label { own: true, ..Label::default() })
        })
        .collect();
    let error = build(&mut Compiled::default(), &patterns, &[], &[]).unwrap_err().to_string();
    assert!(error.contains("nodes of paths") && error.contains("16384"), "{error}");
}
