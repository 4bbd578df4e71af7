//! From the object file to running hooks: opened → loaded and pinned → (filled, by `enforcement`) → attached and pinned.
//! Or, when a running set is our own already, adopted without touching it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use libbpf_rs::btf::Btf;
use libbpf_rs::query::LinkInfo;
use libbpf_rs::{Iter, Link, MapCore as _, MapHandle, Object, ObjectBuilder, OpenObject, ProgramHandle};
use sha2::{Digest as _, Sha256};

use crate::calls::{self, Calls};
use crate::kernel::{Hook, KernelError};
use crate::own_objects;
use crate::pins::{self, Record, Set};
use crate::succession;
use crate::support;
use crate::tables::{Tables, pin_name};
use crate::units;

pub(crate) const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bartizan.bpf.o"));

/// A set of programs whose hooks run.
#[derive(Debug)]
pub struct Attached {
    /// What it wrote about itself.
    pub record: Record,
}

/// A set that is loaded and pinned but whose hooks do not run yet, so that policy can be written first.
#[derive(Debug)]
pub struct Loaded {
    object: Object,
    number: u32,
}

/// SHA-256 of the object, hexadecimal: the identity of a build's programs.
pub fn object_digest() -> String {
    hex(&Sha256::digest(OBJECT))
}

/// The programs that user space starts or calls; the others are hooks.
fn is_call(name: &str) -> bool {
    calls::NAMES.contains(&name) || name == "label_tasks"
}

/// Opens the object with exactly the programs that fit this kernel's prototypes.
fn open() -> Result<OpenObject, KernelError> {
    quieten();
    let btf = Btf::from_vmlinux().map_err(|error| KernelError::Unsupported(support::SupportError::NoBtf(error)))?;
    let chosen = support::choose(&btf).map_err(KernelError::Unsupported)?;
    let mut object = ObjectBuilder::default()
        .name("bartizan")
        .and_then(|builder| builder.open_memory(OBJECT))
        .map_err(|error| KernelError::bpf("opening the BPF object".to_owned(), error))?;
    for mut program in object.progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        program.set_autoload(is_call(&name) || chosen.values().any(|program| *program == name));
    }
    Ok(object)
}

/// Whether the kernel takes a program for an LSM hook at all; `doctor` asks this.
pub fn probe() -> Result<(), KernelError> {
    let mut object = open()?;
    for mut program in object.progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        program.set_autoload(name == "sb_umount");
    }
    object.load().map(drop).map_err(refused)
}

/// What libbpf last complained of: it names the program and ends with the verifier's log, where its errors give a
/// number only.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Warnings that are kept, and characters of each that are told: the reason stands at the end of a log.
const WARNINGS_KEPT: usize = 8;
const TAIL: usize = 600;

/// Has libbpf tell us instead of standard error.
fn quieten() {
    libbpf_rs::set_print(Some((libbpf_rs::PrintLevel::Warn, keep_warning)));
}

fn keep_warning(_: libbpf_rs::PrintLevel, text: String) {
    tracing::debug!("libbpf: {}", text.trim_end());
    let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let from = text.trim_end().char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
    warnings.push(text.trim_end().get(from..).unwrap_or_default().to_owned());
    let surplus = warnings.len().saturating_sub(WARNINGS_KEPT);
    warnings.drain(..surplus);
}

fn refused(error: libbpf_rs::Error) -> KernelError {
    let warnings = std::mem::take(&mut *WARNINGS.lock().unwrap_or_else(PoisonError::into_inner));
    // Without a verifier's log they say no more than the error does.
    if warnings.iter().any(|warning| warning.contains("PROG LOAD LOG")) {
        warnings.iter().for_each(|warning| tracing::error!("libbpf: {warning}"));
    }
    KernelError::Refused { source: std::io::Error::other(error) }
}

impl Attached {
    /// Takes over the set that the last complete load left, if it is whole and of this very build. `None`: there is
    /// nothing to take over.
    pub fn adopt() -> Option<Attached> {
        quieten();
        let record = Record::read()?;
        if record.object != object_digest() || !pins::numbers().contains(&record.set) {
            return None;
        }
        let attached = Attached { record };
        let mut wrong: Vec<String> = attached.hooks().into_iter().filter_map(|(_, wrong)| wrong).collect();
        wrong.extend(attached.strange_pins());
        let Some(first) = wrong.first() else {
            // What a load that was cut short has left, or somebody else.
            pins::sweep(|number| number != attached.record.set);
            return Some(attached);
        };
        let (count, all) = (wrong.len(), attached.record.tags.len() + attached.record.pins.len());
        tracing::warn!("the pinned programs are not taken over: {first} ({count} of {all} pins)");
        None
    }

    /// Pins of maps and calls that are not what the load has pinned there.
    fn strange_pins(&self) -> Vec<String> {
        let found = match pinned_ids(&self.set()) {
            Ok(found) => found,
            Err(error) => return vec![error.to_string()],
        };
        let strange = self.record.pins.iter().filter(|(name, id)| found.get(*name) != Some(*id));
        strange.map(|(name, _)| format!("the pin {name} is gone or leads to something else")).collect()
    }

    /// The set's pins.
    pub fn set(&self) -> Set {
        Set::numbered(self.record.set)
    }

    /// Every hook that was attached, and what is wrong with its link, if anything is.
    pub fn hooks(&self) -> Vec<(Hook, Option<String>)> {
        let directory = self.set().links();
        let read = |(program, tag): (&String, &String)| {
            let wrong = match linked_tag(&directory.join(program)) {
                Ok(found) if found == *tag => None,
                Ok(found) => Some(format!("link {program} leads to a program with tag {found}, not {tag}")),
                Err(error) => Some(format!("link {program} cannot be read back: {error}")),
            };
            let name = support::hook_of(program).to_owned();
            (Hook { name, program: program.clone(), attached: wrong.is_none(), tag: tag.clone() }, wrong)
        };
        self.record.tags.iter().map(read).collect()
    }
}

/// The kernel's ids of a set's maps and calls, by their pins.
fn pinned_ids(set: &Set) -> Result<BTreeMap<String, u32>, KernelError> {
    let mut ids = BTreeMap::new();
    for entry in std::fs::read_dir(set.maps()).into_iter().flatten().flatten() {
        let name = format!("maps/{}", entry.file_name().to_string_lossy());
        let id = MapHandle::from_pinned_path(entry.path()).and_then(|map| map.info()).map(|info| info.info.id);
        ids.insert(name.clone(), id.map_err(|error| KernelError::bpf(format!("the pin {name} is no map"), error))?);
    }
    for name in calls::NAMES {
        let program = ProgramHandle::from_pinned_path(set.programs().join(name))
            .map_err(|error| KernelError::bpf(format!("the pin programs/{name} is no program"), error))?;
        ids.insert(format!("programs/{name}"), program.id());
    }
    Ok(ids)
}

/// Tag of the program behind a pinned link.
fn linked_tag(pin: &Path) -> Result<String, libbpf_rs::Error> {
    let link = Link::open(pin)?;
    let info: LinkInfo = link.info()?;
    Ok(hex(&ProgramHandle::from_prog_id(info.prog_id)?.tag()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Loaded {
    /// Loads a fresh set and pins its maps and calls. It goes on with what an older one knows, see [`succession`].
    pub fn load() -> Result<Loaded, KernelError> {
        support::called().map_err(KernelError::Unsupported)?;
        let present = pins::numbers();
        let recorded = Record::read().map(|record| record.set).filter(|set| present.contains(set));
        let whole = |number: &&u32| Set::numbered(**number).maps().join(succession::CONTROL).exists();
        let older = recorded.or_else(|| present.iter().rev().find(whole).copied());
        let mut object = open()?;
        succession::prepare(&mut object, older.map(Set::numbered).as_ref())?;
        let object = object.load().map_err(refused)?;
        let number = (1..=u32::MAX).find(|number| !present.contains(number)).unwrap_or(u32::MAX);
        let mut loaded = Loaded { object, number };
        let pinned = loaded.pin();
        if pinned.is_err() {
            loaded.withdraw();
        }
        pinned.map(|()| loaded)
    }

    fn pin(&mut self) -> Result<(), KernelError> {
        let set = self.set();
        set.create()?;
        for mut map in self.object.maps_mut() {
            let name = pin_name(&map.name().to_string_lossy());
            map.pin(set.maps().join(&name))
                .map_err(|error| KernelError::bpf(format!("pinning the map {name}"), error))?;
        }
        for mut program in self.object.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            if calls::NAMES.contains(&name.as_str()) {
                program
                    .pin(set.programs().join(&name))
                    .map_err(|error| KernelError::bpf(format!("pinning the program {name}"), error))?;
            }
        }
        Ok(())
    }

    /// Takes away what a failed load has pinned.
    fn withdraw(&self) {
        if let Err(error) = self.set().remove() {
            tracing::error!("removing the pins of a load that failed: {error}");
        }
    }

    /// The set's pins.
    pub fn set(&self) -> Set {
        Set::numbered(self.number)
    }

    /// Lets the hooks run: first what tells who a task is, then the labels of the tasks that are there already, and
    /// only then what judges. Older sets end when this one is complete; if it fails, they stay and this one goes.
    pub fn attach(self, tables: &Tables, calls: &Calls) -> Result<Attached, KernelError> {
        let attached = self.attach_all(tables, calls);
        match &attached {
            // It is complete: what is left of others does not undo it.
            Ok(_) => pins::sweep(|number| number != self.number),
            Err(_) => self.withdraw(),
        }
        attached
    }

    fn attach_all(&self, tables: &Tables, calls: &Calls) -> Result<Attached, KernelError> {
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let root = units::hierarchy(&mountinfo).ok_or(KernelError::Unsupported(support::SupportError::NoHierarchy))?;
        let mut tags = BTreeMap::new();
        self.attach_where(|section| !section.starts_with("lsm"), &mut tags)?;
        units::enter(tables, calls, &root)?;
        // A task that was forked during the first pass is found by the second.
        self.label_tasks()?;
        self.label_tasks()?;
        self.attach_where(|section| section.starts_with("lsm"), &mut tags)?;
        own_objects::enter(tables, &self.set())?;
        let record = Record { object: object_digest(), set: self.number, tags, pins: pinned_ids(&self.set())? };
        record.write()?;
        Ok(Attached { record })
    }

    fn attach_where(
        &self,
        wanted: impl Fn(&str) -> bool,
        tags: &mut BTreeMap<String, String>,
    ) -> Result<(), KernelError> {
        let directory = self.set().links();
        for program in self.object.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            if !program.autoload() || is_call(&name) || !wanted(&program.section().to_string_lossy()) {
                continue;
            }
            let failed = |what: &str| {
                let what = format!("{what} the hook {name}");
                move |error| KernelError::bpf(what, error)
            };
            let mut link = program.attach().map_err(failed("attaching"))?;
            link.pin(directory.join(&name)).map_err(failed("pinning the link of"))?;
            tags.insert(name.clone(), linked_tag(&directory.join(&name)).map_err(failed("reading back"))?);
        }
        Ok(())
    }

    fn label_tasks(&self) -> Result<(), KernelError> {
        let failed = |error| KernelError::bpf("labelling the tasks that run already".to_owned(), error);
        for program in self.object.progs_mut().filter(|program| program.name() == "label_tasks") {
            let link = program.attach().map_err(failed)?;
            let mut iterator = Iter::new(&link).map_err(failed)?;
            std::io::copy(&mut iterator, &mut std::io::sink()).map_err(|source| KernelError::Bpf {
                what: "labelling the tasks that run already".to_owned(),
                source,
            })?;
        }
        Ok(())
    }
}
