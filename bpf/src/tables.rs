//! The maps, by name, as handles that outlive whatever loaded them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use libbpf_rs::{MapCore as _, MapFlags, MapHandle, MapType};
use sha2::{Digest as _, Sha256};

use crate::batch;
use crate::entries::Entries;
use crate::image::{Numbers, OTHERS, OTHERS_NAME, in_slot};
use crate::kernel::{KernelError, Map};
use crate::load::hex;
use crate::skeleton::bartizan::types;
use crate::wire::{Plain, bytes, value};

/// A unit whose start is over (`BZ_STARTED_BEFORE` in wire.h).
const STARTED_BEFORE: u64 = 1;
/// Entries that are written with one call.
const BATCH: u32 = 8192;

/// Every map of the programs.
#[derive(Debug)]
pub struct Tables(BTreeMap<String, MapHandle>);

/// Name under which a map is pinned: bpffs keeps dots for itself, and libbpf names global data `NAME.bss`.
pub(crate) fn pin_name(map: &str) -> String {
    match map.rsplit_once('.') {
        Some((_, section)) => section.to_owned(),
        None => map.to_owned(),
    }
}

impl Tables {
    /// Opens every map pinned in this directory.
    pub fn open(directory: &Path) -> Result<Tables, KernelError> {
        let mut tables = BTreeMap::new();
        let list = std::fs::read_dir(directory)
            .map_err(|source| KernelError::Bpf { what: format!("listing {}", directory.display()), source })?;
        for entry in list.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let handle = MapHandle::from_pinned_path(entry.path())
                .map_err(|error| KernelError::bpf(format!("opening the pinned map {name}"), error))?;
            tables.insert(name, handle);
        }
        Ok(Tables(tables))
    }

    /// Handles of the same maps, for another thread.
    pub fn again(&self) -> Result<Tables, KernelError> {
        let copy = |(name, map): (&String, &MapHandle)| {
            let copy = MapHandle::try_from(map);
            copy.map(|map| (name.clone(), map))
                .map_err(|error| KernelError::bpf(format!("opening the map {name} again"), error))
        };
        self.0.iter().map(copy).collect::<Result<_, _>>().map(Tables)
    }

    /// The map of this name.
    pub fn get(&self, name: &str) -> Result<&MapHandle, KernelError> {
        self.0.get(name).ok_or_else(|| KernelError::NotHeld(format!("there is no map {name} among the pins")))
    }

    /// The value at a key, if there is one.
    pub fn lookup<T: Plain>(&self, map: &str, key: &[u8]) -> Result<Option<T>, KernelError> {
        let found = self
            .get(map)?
            .lookup(key, MapFlags::ANY)
            .map_err(|error| KernelError::bpf(format!("reading the map {map}"), error))?;
        Ok(found.and_then(|bytes| value(&bytes)))
    }

    /// The value that each CPU has at a key.
    pub fn per_cpu<T: Plain>(&self, map: &str, key: &[u8]) -> Result<Vec<T>, KernelError> {
        let found = self
            .get(map)?
            .lookup_percpu(key, MapFlags::ANY)
            .map_err(|error| KernelError::bpf(format!("reading the map {map}"), error))?;
        Ok(found.unwrap_or_default().iter().filter_map(|bytes| value(bytes)).collect())
    }

    /// Sets one entry.
    pub fn put(&self, map: &str, key: &[u8], value: &[u8]) -> Result<(), KernelError> {
        self.get(map)?
            .update(key, value, MapFlags::ANY)
            .map_err(|error| KernelError::bpf(format!("writing the map {map}"), error))
    }

    /// Every key and value of a hash map, as far as they stay while they are read.
    pub fn all<K: Plain, V: Plain>(&self, map: &str) -> Result<Vec<(K, V)>, KernelError> {
        let mut found = Vec::new();
        batch::all(self.get(map)?, |k, v| found.extend(value(k).zip(value(v)))).map_err(reading(map))?;
        Ok(found)
    }

    /// Makes one slot of a map hold exactly these entries, writing only what differs; returns how much that was.
    pub fn write(&self, map: &str, entries: &Entries, slot: u32) -> Result<usize, KernelError> {
        let handle = self.get(map)?;
        let Differences { held, surplus } = self.differences(map, entries, slot)?;
        for key in &surplus {
            handle.delete(key).map_err(|error| KernelError::bpf(format!("deleting from the map {map}"), error))?;
        }
        let fresh: Vec<_> = entries.iter().zip(held).filter(|(_, held)| !held).map(|(entry, _)| entry).collect();
        for chunk in fresh.chunks(BATCH as usize) {
            let keys: Vec<u8> = chunk.iter().flat_map(|(key, _)| key.iter().copied()).collect();
            let values: Vec<u8> = chunk.iter().flat_map(|(_, value)| value.iter().copied()).collect();
            let count = u32::try_from(chunk.len()).unwrap_or(BATCH);
            handle
                .update_batch(&keys, &values, count, MapFlags::ANY, MapFlags::ANY)
                .map_err(|error| KernelError::bpf(format!("writing the map {map}"), error))?;
        }
        Ok(surplus.len() + fresh.len())
    }

    /// One sentence per difference between a slot of a map and what it should hold.
    pub fn compare(&self, map: &str, entries: &Entries, slot: u32) -> Result<Vec<String>, KernelError> {
        let Differences { held, surplus } = self.differences(map, entries, slot)?;
        let different = held.iter().filter(|held| !**held).count();
        let mut told = Vec::new();
        if different > 0 {
            told.push(format!("map {map}: {different} of {} entries differ from the revision", entries.len()));
        }
        if !surplus.is_empty() {
            told.push(format!("map {map}: {} entries are in the kernel and not in the revision", surplus.len()));
        }
        Ok(told)
    }

    fn differences(&self, map: &str, entries: &Entries, slot: u32) -> Result<Differences, KernelError> {
        let mut found = Differences { held: vec![false; entries.len()], surplus: Vec::new() };
        let is_array = self.is_array(map)?;
        self.each(map, entries, |key, value| {
            // What only the other slot holds need not be looked for.
            if !is_array && !in_slot(map, key, slot) {
                return;
            }
            match entries.position(key) {
                Ok(place) => {
                    if let Some(held) = found.held.get_mut(place) {
                        *held = entries.at(place).1 == value;
                    }
                }
                Err(_) if !is_array => found.surplus.push(key.to_vec()),
                Err(_) => {}
            }
        })?;
        Ok(found)
    }

    /// Whether a map is an array, which holds something in each place and nothing else.
    fn is_array(&self, map: &str) -> Result<bool, KernelError> {
        Ok(self.get(map)?.map_type() == MapType::Array)
    }

    /// Shows about so many entries of one slot of a map, and of an array what [`Tables::each`] does; how many were shown of both
    /// slots, and whether they were the last.
    pub(crate) fn some(
        &self,
        map: &str,
        (entries, slot): (&Entries, u32),
        from: &mut Option<Vec<u8>>,
        most: usize,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<(usize, bool), KernelError> {
        if self.is_array(map)? {
            return self.each(map, entries, show).map(|()| (entries.len(), true));
        }
        let mut shown = 0;
        let ended = batch::some(self.get(map)?, from, most, |key, value| {
            shown += 1;
            if in_slot(map, key, slot) {
                show(key, value);
            }
        });
        Ok((shown, ended.map_err(reading(map))?))
    }

    /// What a slot of a map holds: the entries that it should hold, as they are, and those that it should not.
    pub fn digest(&self, map: &str, entries: &Entries, slot: u32) -> Result<Map, KernelError> {
        let handle = self.get(map)?;
        let mut held = Entries::new(handle.key_size() as usize, handle.value_size() as usize);
        self.each(map, entries, |key, value| {
            if entries.position(key).is_ok() || in_slot(map, key, slot) {
                held.push(key, value);
            }
        })?;
        held.sort();
        let mut digest = Sha256::new();
        held.iter().for_each(|(key, value)| {
            digest.update(key);
            digest.update(value);
        });
        Ok(Map { name: map.to_owned(), entries: held.len(), digest: hex(&digest.finalize()) })
    }

    /// Shows what a map holds, of both slots; of an array only as far as the revision reaches, as each place of it holds
    /// something and most of them nothing that counts.
    fn each(&self, map: &str, entries: &Entries, show: impl FnMut(&[u8], &[u8])) -> Result<(), KernelError> {
        let handle = self.get(map)?;
        if self.is_array(map)? {
            return reach(entries).map_or(Ok(()), |reach| batch::range(handle, &reach, show).map_err(reading(map)));
        }
        batch::all(handle, show).map_err(reading(map))
    }

    /// The page of state.
    pub fn control(&self) -> Result<types::bz_control, KernelError> {
        self.lookup("bss", &0u32.to_ne_bytes())?
            .ok_or_else(|| KernelError::NotHeld("the map of global data has no value".to_owned()))
    }

    /// Numbers of all services that have one, and whether each was running before the programs were loaded.
    pub fn services(&self) -> Result<BTreeMap<String, (u32, bool)>, KernelError> {
        let all: Vec<(types::bz_unit, types::bz_service)> = self.all("services")?;
        let named = all.into_iter().map(|(unit, service)| (unit_name(&unit), (service.id, service.flags & 1 != 0)));
        Ok(named.chain([(OTHERS_NAME.to_owned(), (OTHERS, false))]).collect())
    }

    /// Numbers of all services that have one.
    pub fn numbers(&self) -> Result<Numbers, KernelError> {
        Ok(self.services()?.into_iter().map(|(name, (number, _))| (name, number)).collect())
    }

    /// Enters a cgroup's unit.
    pub fn put_cgroup(&self, id: u64, service: u32, session: bool) -> Result<(), KernelError> {
        let value = types::bz_cgroup { service, session: u32::from(session), starting: STARTED_BEFORE };
        self.put("cgroups", &id.to_ne_bytes(), &bytes(&value))
    }
}

/// How a slot of a map differs from what it should hold.
struct Differences {
    /// Of each entry, whether it is held as it should be.
    held: Vec<bool>,
    /// Keys that should not be held.
    surplus: Vec<Vec<u8>>,
}

fn reading(map: &str) -> impl FnOnce(std::io::Error) -> KernelError {
    move |source| KernelError::Bpf { what: format!("reading the map {map}"), source }
}

/// The first and the last index of an array's entries.
fn reach(entries: &Entries) -> Option<RangeInclusive<u32>> {
    let indices = || entries.iter().filter_map(|(key, _)| key.try_into().ok().map(u32::from_ne_bytes));
    Some(indices().min()?..=indices().max()?)
}

/// The text of a unit's name.
pub(crate) fn unit_name(unit: &types::bz_unit) -> String {
    let name: Vec<u8> = unit.name.iter().take_while(|byte| **byte != 0).map(|byte| byte.cast_unsigned()).collect();
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
#[path = "tables/native_tests.rs"]
pub(crate) mod native_tests;
