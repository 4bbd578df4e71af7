//! What a fresh set of programs goes on with of the set before it: labels of tasks, numbers of services, counts. Never a
//! revision, nor the page that says which one counts: until the fresh set is complete the old one decides alone, and by what
//! it has. So nothing that is written for the fresh set may reach it, whatever both builds make of a map's bytes.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;

use libbpf_rs::{MapCore as _, MapFlags, MapHandle, MapType, OpenMapMut, OpenObject};
use policy::compiled::Compiled;

use crate::image::{Image, Numbers};
use crate::kernel::KernelError;
use crate::pins::Set;
use crate::skeleton::bartizan::types;
use crate::tables::pin_name;
use crate::wire::{bytes, grown, value};

/// The page of state.
pub(crate) const CONTROL: &str = "bss";
/// Bytes of it in builds before there was `recounted`.
const CONTROL_1: usize = std::mem::offset_of!(types::bz_control, apart);
/// Who tasks are. Numbers of services mean the same in all of these, so all are kept or nothing is.
const WHO: [&str; 5] = ["subjects", "subjects_by_pid", "services", "cgroups", "carried"];
/// What a set found last belongs to the number of changes that it counted itself.
const OWN: &str = "last_subject";
/// Between the epochs of two sets that share cached labels: neither ever takes a word of the other's for its own.
const EPOCHS: u64 = 1 << 32;

/// Gives the maps of an opened object what they go on with; without an older set, or where its maps are of another shape,
/// they start empty.
pub(crate) fn prepare(object: &mut OpenObject, older: Option<&Set>) -> Result<(), KernelError> {
    let (kept, control) = older.map(|set| inherit(object, set)).unwrap_or_default();
    for mut map in object.maps_mut() {
        let name = pin_name(&map.name().to_string_lossy());
        if name == CONTROL {
            seed(&mut map, control)?;
        } else if let Some(old) = kept.get(&name) {
            map.reuse_fd(old.as_fd()).map_err(|error| KernelError::bpf(format!("keeping the map {name}"), error))?;
        }
    }
    Ok(())
}

/// The maps to be kept, and the page of state as the older set has it.
fn inherit(object: &OpenObject, older: &Set) -> (BTreeMap<String, MapHandle>, Option<types::bz_control>) {
    let mut kept = BTreeMap::new();
    let mut control = None;
    let revision = Image::render(&Compiled::default(), 0, &Numbers::new());
    for map in object.maps() {
        let name = pin_name(&map.name().to_string_lossy());
        let Ok(old) = MapHandle::from_pinned_path(older.maps().join(&name)) else { continue };
        // What a ring holds is not to be lost, and it need not be as large as a fresh one would be.
        let roomy = old.max_entries() == map.max_entries() || old.map_type() == MapType::RingBuf;
        let alike = old.map_type() == map.map_type() && old.key_size() == map.key_size();
        let fits = alike && old.value_size() == map.value_size() && roomy;
        if name == CONTROL {
            let page = old.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).ok().flatten();
            control = page.filter(|_| alike).and_then(|page| grown::<types::bz_control>(&page, CONTROL_1));
        } else if fits && name != OWN && !revision.maps.contains_key(name.as_str()) {
            kept.insert(name, old);
        }
    }
    if control.is_none() || WHO.iter().any(|name| !kept.contains_key(*name)) {
        tracing::warn!("the labels of running tasks are not taken over: this build's maps have another shape");
        return (BTreeMap::new(), None);
    }
    (kept, control)
}

/// The salt keys the tags of cached labels, so that nobody can choose names that collide.
fn seed(map: &mut OpenMapMut<'_>, older: Option<types::bz_control>) -> Result<(), KernelError> {
    let page =
        map.initial_value_mut().ok_or_else(|| KernelError::NotHeld("the object has no global data".to_owned()))?;
    let mut control = value::<types::bz_control>(page)
        .ok_or_else(|| KernelError::NotHeld("the object's global data is too short".to_owned()))?;
    match older {
        Some(older) => control = types::bz_control { epoch: older.epoch.wrapping_add(EPOCHS), ..older },
        None => control.salt = salt()?,
    }
    for (to, from) in page.iter_mut().zip(bytes(&control)) {
        *to = from;
    }
    Ok(())
}

fn salt() -> Result<u64, KernelError> {
    let mut salt = [0u8; 8];
    let random =
        std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut salt));
    random.map_err(|source| KernelError::Bpf { what: "reading /dev/urandom".to_owned(), source })?;
    Ok(u64::from_ne_bytes(salt))
}
