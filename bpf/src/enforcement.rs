//! The kernel as the rest of Bartizan sees it: the pinned maps and programs behind the trait [`Kernel`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use policy::access::Access;
use policy::compiled::{Compiled, Service};

use crate::calls::Calls;
use crate::counts::{self, Repeated, Walked};
use crate::entries::Entries;
use crate::event::{Delivery, Flood, Repeat};
use crate::gaps::{Gaps, missing};
use crate::image::{self, Image, Numbers, Ports, policy, ports};
use crate::kernel::{Decided, Installation, Kernel, KernelError, Map, ReadBack, Ring, SeenService};
use crate::links::{self, Links};
use crate::load::{Attached, Loaded};
use crate::other_names::{self, OtherNames};
use crate::pins::Set;
use crate::process::Process;
use crate::quiescence::wait_for_hooks;
use crate::rounds::Rounds;
use crate::skeleton::bartizan::types;
use crate::stream::Stream;
use crate::support::program_after;
use crate::tables::Tables;
use crate::units::Places;

/// Beside what the kernel counts as lost: what the numbers of events prove to be missing, counted since the daemon started.
pub const GAPS: &str = "gaps";

enum Stage {
    /// Loaded; the hooks do not run until the first revision is in the maps.
    Loaded(Loaded),
    /// The hooks run.
    Attached(Attached),
    /// Between the two, or after a failure there.
    Failed,
}

/// What is in force.
struct Installed {
    slot: u32,
    numbers: Numbers,
    image: Image,
    ports: BTreeMap<String, Ports>,
    /// What paths mean, and the links that were found by it: the hooks see those that are made later.
    paths: Compiled,
    links: Links,
}

/// The running enforcement.
pub struct Enforcement {
    stage: Stage,
    tables: Tables,
    calls: Calls,
    installed: Option<Installed>,
    stream: Option<Stream>,
    gaps: Gaps,
    repeated: Repeated,
    repeats: Walked<Repeat>,
    floods: Walked<Flood>,
    rounds: Rounds,
    places: Places,
    /// How long a unit starts.
    start_time: Duration,
}

/// What [`open`] found or made.
pub struct Opened {
    /// The kernel.
    pub kernel: Enforcement,
    /// Whether running programs of an earlier start were taken over.
    pub adopted: bool,
}

/// Takes over the programs that an earlier start left running, or loads fresh ones, whose hooks will run after the
/// first [`Kernel::install`]. Older programs keep running until then. Units start for `start_time`.
pub fn open(start_time: Duration) -> Result<Opened, KernelError> {
    let (stage, set) = match Attached::adopt() {
        Some(attached) => {
            let set = attached.set();
            (Stage::Attached(attached), set)
        }
        None => {
            let loaded = Loaded::load()?;
            let set = loaded.set();
            (Stage::Loaded(loaded), set)
        }
    };
    let tables = Tables::open(&set.maps())?;
    let calls = Calls::open(&set.programs())?;
    let adopted = matches!(stage, Stage::Attached(_));
    let kernel = Enforcement {
        stage,
        tables,
        calls,
        installed: None,
        stream: None,
        gaps: Gaps::default(),
        repeated: Repeated::default(),
        repeats: Walked::default(),
        floods: Walked::default(),
        rounds: Rounds::default(),
        places: Places::default(),
        start_time,
    };
    Ok(Opened { kernel, adopted })
}

/// How long the kernel may take to let go of a link that has lost its pin: under emulation on a busy machine more than ten
/// seconds.
const LETTING_GO: Duration = Duration::from_secs(60);

/// Ends enforcement: every pin is removed, and the hooks have stopped when this returns. What stands in the way of one set
/// does not keep the others.
pub fn detach() -> Result<(), KernelError> {
    let sets: Vec<Set> = crate::pins::numbers().into_iter().map(Set::numbered).collect();
    let programs: Vec<u32> = sets.iter().flat_map(Set::linked_programs).collect();
    let ended: Vec<_> = sets.iter().map(Set::remove).collect();
    ended.into_iter().collect::<Result<(), _>>()?;
    // Whoever finds something in it has made it.
    let _ = std::fs::remove_dir(crate::pins::ROOT);
    let deadline = Instant::now() + LETTING_GO;
    // The kernel takes a program out of its hook some time after the link has lost its pin, and only then lets go of it.
    let runs = |id: &&u32| program_after(id.saturating_sub(1)).is_ok_and(|next| next == **id);
    while let Some(left) = programs.iter().find(runs) {
        if Instant::now() > deadline {
            return Err(KernelError::NotHeld(format!("program {left} has lost its pin and runs all the same")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    wait_for_hooks();
    Ok(())
}

impl Enforcement {
    /// What the kernel tells from now on, and what it has told before and nobody has taken care of. One listener at a
    /// time: the next one ends this one.
    pub fn listen(&mut self) -> Result<Receiver<Delivery>, KernelError> {
        self.stream = None;
        self.gaps.begin_anew();
        let (stream, events) = Stream::start(self.tables.again()?)?;
        self.stream = Some(stream);
        Ok(events)
    }

    /// Gives every service of the revision a number.
    fn number(&self, compiled: &Compiled) -> Result<Numbers, KernelError> {
        let mut numbers = self.tables.numbers()?;
        for name in compiled.services.keys() {
            if !numbers.contains_key(name)
                && let Some(number) = self.calls.register(name, false)?
            {
                numbers.insert(name.clone(), number);
            }
        }
        match compiled.services.keys().find(|name| !numbers.contains_key(*name)) {
            Some(name) => Err(KernelError::TooLarge(format!(
                "service {name} gets no number in the kernel: there is room for {} services, with names of at most 127 bytes",
                crate::image::OTHERS - 1
            ))),
            None => Ok(numbers),
        }
    }

    /// Lets the hooks run; whether they did not before.
    fn attach(&mut self) -> Result<bool, KernelError> {
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        let fresh = matches!(stage, Stage::Loaded(_));
        self.stage = match stage {
            Stage::Loaded(loaded) => Stage::Attached(loaded.attach(&self.tables, &self.calls)?),
            stage => stage,
        };
        Ok(fresh)
    }

    /// Enters the hard links that are there and returns them.
    fn enter_links(&self, compiled: &Compiled) -> Result<Links, KernelError> {
        if let Some(installed) = self.installed.as_ref().filter(|installed| installed.paths.same_paths(compiled)) {
            return Ok(installed.links.clone());
        }
        let known = self.installed.as_ref().map(|installed| &installed.links);
        let found = links::find(compiled);
        let mut any = false;
        for (inode, label) in &found {
            if known.and_then(|known| known.get(inode)) != Some(label) {
                self.calls.link(*inode, image::label(label))?;
                any = true;
            }
        }
        // Words cached before now do not know that there is something to ask.
        if any {
            self.calls.forget()?;
        }
        Ok(found)
    }

    /// Compares everything, or, unless it is to be the `whole`, what this reading of a round is for.
    fn read(&mut self, whole: bool) -> Result<ReadBack, KernelError> {
        let Stage::Attached(attached) = &self.stage else {
            return Ok(ReadBack { differences: vec!["no hook is attached".to_owned()], ..ReadBack::default() });
        };
        let (hooks, wrong): (Vec<_>, Vec<_>) = self.rounds.hooks(attached, whole).into_iter().unzip();
        let differences = wrong.into_iter().flatten().chain(self.differences(whole)?).collect();
        Ok(ReadBack { hooks, differences })
    }

    fn differences(&mut self, whole: bool) -> Result<Vec<String>, KernelError> {
        let Some(installed) = &self.installed else {
            return Ok(vec!["no revision has been installed since the start".to_owned()]);
        };
        let mut found = Vec::new();
        let control = self.tables.control()?;
        if control.epoch & 1 != u64::from(installed.slot) {
            found.push("the kernel decides by the other slot".to_owned());
        }
        if Duration::from_nanos(control.start_time) != self.start_time {
            found.push("the kernel takes another time for a start".to_owned());
        }
        for (map, entries) in &installed.image.maps {
            found.extend(self.rounds.compare(&self.tables, (map, entries), installed.slot, whole)?);
        }
        Ok(found)
    }
}

impl Kernel for Enforcement {
    fn install(&mut self, compiled: &Compiled) -> Result<Installation, KernelError> {
        let numbers = self.number(compiled)?;
        let control = self.tables.control()?;
        let slot = u32::from(control.epoch & 1 == 0);
        let generation = self.next_generation()?;
        let image = Image::render(compiled, slot, &numbers);
        wait_for_hooks();
        let mut written = 0;
        for (map, entries) in &image.maps {
            written += self.tables.write(map, entries, slot)?;
        }
        for (map, entries) in &image.maps {
            if let Some(difference) = self.tables.compare(map, entries, slot)?.first() {
                return Err(KernelError::NotHeld(difference.clone()));
            }
        }
        let attached = matches!(self.stage, Stage::Attached(_));
        let mut links = if attached { self.enter_links(compiled)? } else { Links::new() };
        self.calls.flip(generation, self.start_time)?;
        let ports = ports(compiled);
        let entries = image.maps.values().map(Entries::len).sum();
        if self.attach()? {
            // Links may have been made while nothing was attached.
            links = self.enter_links(compiled)?;
        }
        self.rounds.begin_anew();
        self.installed = Some(Installed { slot, numbers, image, ports, paths: compiled.paths(), links });
        Ok(Installation { generation, entries, written })
    }

    fn next_generation(&mut self) -> Result<u64, KernelError> {
        Ok(self.tables.control()?.generation.iter().max().copied().unwrap_or(0) + 1)
    }

    fn load(&mut self) -> Result<u64, KernelError> {
        Ok(self.tables.control()?.salt)
    }

    fn learn(&mut self, name: &str, service: &Service) -> Result<(), KernelError> {
        let Some(installed) = &mut self.installed else { return Ok(()) };
        let number = match installed.numbers.get(name) {
            Some(number) => *number,
            None => match self.calls.register(name, false)? {
                Some(number) => number,
                None => return Err(KernelError::TooLarge(format!("service {name} gets no number in the kernel"))),
            },
        };
        installed.numbers.insert(name.to_owned(), number);
        let (key, value) = policy(service, installed.ports.get(name).copied(), installed.slot, number);
        self.tables.put("policies", &key, &value)?;
        if let Some(entries) = installed.image.maps.get_mut("policies") {
            entries.set(&key, &value);
        }
        Ok(())
    }

    fn services(&mut self) -> Result<Vec<SeenService>, KernelError> {
        let cgroups: Vec<(u64, types::bz_cgroup)> = self.tables.all("cgroups")?;
        let running: BTreeSet<u32> = cgroups.iter().map(|(_, cgroup)| cgroup.service).collect();
        let of_units = cgroups.into_iter().map(|(id, cgroup)| (id, cgroup.service)).collect();
        let mut slices = self.places.slices(of_units);
        Ok(self
            .tables
            .services()?
            .into_iter()
            .map(|(name, (number, earlier))| SeenService {
                name,
                started_earlier: earlier,
                running: running.contains(&number),
                slice: slices.remove(&number),
            })
            .collect())
    }

    fn service_of(&mut self, process: &Process) -> Result<Option<String>, KernelError> {
        let subject: Option<types::bz_subject> = match self.tables.lookup("subjects", &process.key())? {
            None => self.tables.lookup("subjects_by_pid", &process.pid().to_ne_bytes())?,
            found => found,
        };
        if process.has_ended() {
            return Err(KernelError::NotHeld(format!("process {} has ended", process.pid())));
        }
        let Some(number) = subject.map(|subject| subject.service).filter(|number| *number != 0) else {
            return Ok(None);
        };
        let named = self.tables.numbers()?.into_iter().find(|(_, known)| *known == number);
        Ok(Some(named.map_or_else(|| format!("service number {number}"), |(name, _)| name)))
    }

    fn other_names(&mut self, path: &Path, access: Access, known: u64) -> Result<Option<OtherNames>, KernelError> {
        let Some(installed) = &self.installed else {
            return Err(KernelError::NotHeld("no revision has been installed since the start".to_owned()));
        };
        other_names::look(&self.tables, &installed.paths, path, access, known)
    }

    fn repeats(&mut self) -> Result<Vec<Repeat>, KernelError> {
        self.repeats.read(&self.tables, || self.repeated.read(&self.tables, &self.calls))
    }

    fn floods(&mut self) -> Result<Vec<Flood>, KernelError> {
        self.floods.read(&self.tables, || counts::floods(&self.tables))
    }

    fn loss(&mut self) -> Result<BTreeMap<String, u64>, KernelError> {
        let missing = self.stream.as_ref().map_or(Ok(0), |stream| missing(stream.seens(), &self.tables))?;
        let gaps = self.gaps.settle(Instant::now(), missing);
        Ok(counts::losses(&self.tables)?.chain([(GAPS.to_owned(), gaps)]).collect())
    }

    fn read_back(&mut self) -> Result<ReadBack, KernelError> {
        self.read(true)
    }

    fn read_back_part(&mut self) -> Result<ReadBack, KernelError> {
        let read = self.read(false);
        self.rounds.turn();
        read
    }

    fn detach(&mut self) -> Result<(), KernelError> {
        self.stage = Stage::Failed;
        detach()
    }

    fn decided(&mut self) -> Result<BTreeMap<&'static str, Decided>, KernelError> {
        counts::decided(&self.tables)
    }

    fn rings(&mut self) -> Result<Vec<Ring>, KernelError> {
        crate::rings::rings(&self.tables)
    }

    fn maps(&mut self) -> Result<Vec<Map>, KernelError> {
        let Some(installed) = &self.installed else { return Ok(Vec::new()) };
        let digest = |(name, entries): (&&str, &_)| self.tables.digest(name, entries, installed.slot);
        installed.image.maps.iter().map(digest).collect()
    }
}
