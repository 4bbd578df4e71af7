//! Changes of the kernel's maps behind the daemon's back, on this machine. Needs root; scripts/test runs it.
#![allow(clippy::unwrap_used)]

use libbpf_rs::MapFlags;

use super::*;
use crate::image::Image;
use crate::tables::native_tests::{compiled, installed, numbers, tables, text};

/// However far a round has come, in so many readings each part had its turn; parts are not always of one size.
const ENOUGH: usize = PARTS + 1;

#[test]
#[ignore = "makes BPF maps, which needs root"]
fn whatever_is_changed_is_found_in_a_round_and_told_until_it_is_right_again() {
    let (tables, compiled) = (tables(), compiled(&text(false)));
    installed(&tables, &compiled);
    let image = Image::render(&compiled, 0, &numbers(&compiled));
    let other = Image::render(&compiled, 1, &numbers(&compiled));
    for (map, entries) in &other.maps {
        tables.write(map, entries, 1).unwrap();
    }
    let mut rounds = Rounds::default();
    let mut reading = || {
        let compare = |(map, all): (&&'static str, _)| rounds.compare(&tables, (map, all), 0, false).unwrap();
        let told: Vec<String> = image.maps.iter().flat_map(compare).collect();
        rounds.turn();
        told
    };
    assert_eq!((0..ENOUGH).flat_map(|_| reading()).collect::<Vec<_>>(), [""; 0], "nothing was changed");
    let mut before = 0;
    let mut finds = |map: &str, what: &str, change: &dyn Fn(), mend: &dyn Fn()| {
        // Right behind the reading in which the order is learned, and after more and more others.
        before = (before + 1) % (2 * PARTS);
        assert_eq!((0..before).flat_map(|_| reading()).collect::<Vec<_>>(), [""; 0], "before {what} in {map}");
        change();
        let found = (0..ENOUGH).find_map(|_| reading().first().cloned());
        assert!(found.is_some_and(|told| told.contains(map)), "{what} in {map}");
        assert_eq!(reading().len(), 1, "{what} in {map}, which is told for as long as it is so");
        mend();
        assert_eq!(reading(), [""; 0], "{what} in {map}, which is mended");
    };
    for map in ["edges", "globs", "starts", "rules", "outbound", "policies", "labels"] {
        for place in [0, image.maps[map].len() / 2, image.maps[map].len().saturating_sub(1)] {
            let (key, value) = image.maps[map].at(place);
            let (handle, put) = (tables.get(map).unwrap(), |value: &[u8]| tables.put(map, key, value).unwrap());
            if key.is_empty() {
                continue;
            }
            let another: Vec<u8> = value.iter().map(|byte| byte ^ 1).collect();
            finds(map, "another value", &|| put(&another), &|| put(value));
            if handle.map_type() == MapType::Array {
                continue;
            }
            finds(map, "a missing entry", &|| handle.delete(key).unwrap(), &|| put(value));
            let mut surplus = key.to_vec();
            *surplus.get_mut(6).unwrap() ^= 0x40;
            let add = || handle.update(&surplus, value, MapFlags::NO_EXIST).unwrap();
            finds(map, "a surplus entry", &add, &|| handle.delete(&surplus).unwrap());
        }
    }
}
