//! The audit trail: records of acts, of their repeats, and of what Bartizan itself did.

mod finding;
mod keeping;
mod losing;
mod unwritten;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix::prelude::*;
use bpf::event::{Act, Flood, Why};
use compact_str::CompactString;
use policy::access::Access;
use policy::capability::{Bits, name_of};
use policy::decide::Verdict;

use self::losing::Losing;
use self::unwritten::Unwritten;
use crate::clock;
use crate::directory::Directory;
use crate::messages::{Counts, Put, Refused, Rules, Tell, Violations};
use crate::on_loss;
use crate::record::{Kind, Record, escape, verb, verdict};
use crate::redaction::{Recent, Redaction};
use crate::root::ExitNotice;
use crate::rule_names::RuleNames;
use crate::sinks::{self, Sinks, write_to_journal};
use crate::store::{self, Store};
use crate::tally::Key;
use crate::trail::heads::Heads;
use crate::trail::{Bounds, New, Trail};
use crate::written::Written;

/// What the audit log keeps, and where else it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// Bounds of the trail.
    pub trail: Bounds,
    /// Bounds of the store for queries.
    pub store: store::Bounds,
    /// Sinks beside the journal.
    pub sinks: Vec<sinks::Settings>,
    /// Secrets that no record tells.
    pub redaction: Redaction,
    /// What follows a loss.
    pub losses: on_loss::Settings,
}

/// Keeper of the trail.
pub struct AuditLog {
    directory: PathBuf,
    addresses: Directory,
    trail: Trail,
    /// None: there is no key, which was told.
    heads: Option<Heads>,
    store: Store,
    sinks: Sinks,
    rules: RuleNames,
    redaction: Redaction,
    commands: Recent,
    load: u64,
    losing: Losing,
    /// Counts that could not be written.
    owed: BTreeMap<Key, u64>,
    /// What the API refused since the start, by key.
    refused: BTreeMap<Key, u64>,
    started: i64,
    /// Records of the daemon's own that the trail could not take yet, in their order.
    unwritten: Unwritten,
    /// Acts that the journal has and the trail could not take yet.
    told: Vec<(Option<u32>, CompactString)>,
    _notice: ExitNotice,
}

impl AuditLog {
    /// Opens the trail in `directory`; names of rules are kept in `rules`.
    pub fn open(
        directory: &Path,
        settings: &AuditSettings,
        rules: &Path,
        load: u64,
        addresses: Directory,
        notice: ExitNotice,
    ) -> std::io::Result<AuditLog> {
        let mut trail = Trail::open(directory.to_owned(), &format!("{load:x}-"))?.bounded(settings.trail);
        let path = directory.join(store::FILE);
        trail.has_reached(store::newest(&path), "the store for queries has");
        addresses.holds().configure(settings.losses);
        let losing = Losing::new(addresses.holds());
        let teller = addresses.clone();
        let tell = move |message| teller.tell(Kind::Lifecycle, None, message);
        let heads =
            Heads::open(directory).inspect_err(|error| tracing::error!("the audit trail is not signed: {error}")).ok();
        // The trail may have begun with something to say.
        let last = trail.last().saturating_sub(u64::try_from(trail.news().len()).unwrap_or(0));
        let teller = addresses.clone();
        let lost = move |record| teller.audit().is_some_and(|audit| audit.try_send(Put(Box::new(record))).is_ok());
        let sinks = Sinks::start(&settings.sinks, directory, last, lost)?;
        Ok(AuditLog {
            directory: directory.to_owned(),
            addresses,
            trail,
            heads,
            sinks,
            store: Store::open(path, directory.to_owned(), settings.store, tell)?,
            rules: RuleNames::read(rules.to_owned()),
            redaction: settings.redaction.clone(),
            commands: Recent::default(),
            load,
            losing,
            owed: BTreeMap::new(),
            refused: BTreeMap::new(),
            started: clock::now_ms(),
            unwritten: Unwritten::default(),
            told: Vec::new(),
            _notice: notice,
        })
    }

    /// Enters itself as the audit log.
    pub fn run(self) {
        let directory = self.addresses.clone();
        directory.set_audit(self.start());
    }

    /// Hands on what is in the trail. `told`: the journal has it already.
    fn deliver(&self, written: Vec<Written>, told: bool) {
        let written = Arc::new(written);
        self.store.put(&written);
        self.sinks.put(&written, told);
    }

    /// Appends a record now or, on a full disk, as soon as there is room.
    fn append(&mut self, record: Record, key: Option<Key>, already: u64) {
        self.unwritten.push(New { record, key, already });
        self.write_own();
    }

    fn append_due(&mut self, key: Key, total: u64) {
        match self.trail.append_due(&key, total, &|id| self.store.recall(id)) {
            Ok(Some(written)) => self.deliver(vec![written], false),
            Ok(None) => {}
            Err(error) => {
                // The store is read from the trail, which ends by itself.
                if error.kind() != std::io::ErrorKind::WouldBlock {
                    tracing::error!("{}: an audit record has to wait: {error}", self.directory.display());
                }
                // The kernel may have counted this kind for the last time.
                self.owed.insert(key, total);
            }
        }
    }

    /// Appends acts, and the journal has them whatever becomes of that. An error: they are to be given again.
    fn append_acts(&mut self, mut new: Vec<New>) -> Result<(), String> {
        let told = std::mem::take(&mut self.told);
        let is_told = |record: &Record| told.contains(&(record.pid, record.message.clone()));
        match self.trail.append_all(&mut new) {
            Ok(written) if told.is_empty() => self.deliver(written, false),
            Ok(written) => {
                for one in written {
                    let told = is_told(&one.record);
                    self.deliver(vec![one], told);
                }
            }
            Err(error) => {
                new.iter().filter(|one| !is_told(&one.record)).for_each(|one| write_to_journal(&one.record));
                self.told = new.into_iter().map(|one| (one.record.pid, one.record.message)).collect();
                return Err(format!("{}: an audit record has to wait: {error}", self.directory.display()));
            }
        }
        Ok(())
    }

    /// The record of an act, unless the trail has it already.
    fn record(&mut self, act: &Act) -> Option<New> {
        let rule = act.rule.and_then(|number| self.rules.name(act.generation, number));
        let mut record = Record::of_act(act, rule, self.addresses.capabilities(act.capabilities));
        record.revision = self.rules.revision(act.generation);
        record.command = self.commands.command(&self.redaction, &act.acting.command);
        // A program is told once, however often it is run: under a key of its own no repeats are added to it.
        let key = (act.key != 0).then(|| match act.why {
            Why::Program => Key::from(format!("{:x}-program-{:x}", self.load, act.key)),
            _ => Key::Act { load: self.load, number: act.key },
        });
        let known = key.as_ref().is_some_and(|key| self.trail.holds(&record, key));
        (!known).then_some(New { record, key, already: 0 })
    }

    fn total(&mut self, key: Key, total: u64, record: impl FnOnce() -> Record) {
        if total == 0 {
            return;
        }
        if self.trail.tally.knows(&key) {
            self.append_due(key, total);
        } else {
            let record = Record { count: total, ..record() };
            self.append(record, Some(key), total);
        }
    }
}

impl Actor for AuditLog {
    type Context = Context<AuditLog>;

    fn started(&mut self, context: &mut Context<AuditLog>) {
        context.set_mailbox_capacity(4096);
        self.keep();
        context.run_interval(keeping::OFTEN, |log, _| log.keep());
    }
}

impl Handler<Violations> for AuditLog {
    type Result = Result<(), String>;

    fn handle(&mut self, Violations(acts): Violations, _: &mut Context<AuditLog>) -> Self::Result {
        let mut new = Vec::with_capacity(acts.len());
        new.extend(acts.iter().filter_map(|act| self.record(act)));
        if new.is_empty() { Ok(()) } else { self.append_acts(new) }
    }
}

impl Handler<Counts> for AuditLog {
    type Result = ();

    fn handle(&mut self, counts: Counts, _: &mut Context<AuditLog>) {
        self.load = counts.load;
        self.write_own();
        for (key, total) in std::mem::take(&mut self.owed) {
            self.append_due(key, total);
        }
        for (key, total) in self.refused.clone() {
            self.append_due(key, total);
        }
        for repeat in counts.repeats {
            self.append_due(Key::Act { load: self.load, number: repeat.key }, repeat.count);
        }
        let bits = self.addresses.bits();
        for flood in counts.floods {
            let key = Key::from(format!(
                "{:x}-flood-{}-{}-{:?}-{}",
                self.load,
                flood.service,
                flood.access.name(),
                flood.capability,
                // What a service did while it learned is counted apart.
                if flood.verdict == Verdict::Allow { "allow" } else { verdict(flood.verdict) }
            ));
            self.take_flood(&flood, &key);
            self.total(key, flood.count, || flood_record(&flood, &bits));
        }
        self.take_losses(counts.loss);
    }
}

fn flood_record(flood: &Flood, bits: &Bits) -> Record {
    let capability = flood.capability.map(|bit| CompactString::from(name_of(bit, bits)));
    let what = match &capability {
        Some(name) => format!("obtain capability {name} by {}", verb(flood.access)),
        None if flood.access == Access::Execute => "run".to_owned(),
        None => "connect to".to_owned(),
    };
    let message = format!("Service {} attempted to {what} more distinct objects than are recorded", flood.service);
    Record {
        service: Some(flood.service.as_str().into()),
        capabilities: capability.iter().cloned().collect(),
        capability,
        access: Some(flood.access),
        verdict: Some(verdict(flood.verdict).into()),
        ..Record::plain(Kind::Flood, message)
    }
}

impl Handler<Refused> for AuditLog {
    type Result = ();

    /// The first of a kind in full; how many there were is told with the kernel's counts.
    fn handle(&mut self, asked: Refused, _: &mut Context<AuditLog>) {
        let key = Key::from(format!("{:x}-api-{:x}-{}-{}", self.load, self.started, asked.service, asked.what));
        let total = self.refused.entry(key.clone()).or_default();
        *total += 1;
        if *total == 1 {
            self.append(refusal(asked), Some(key), 1);
        }
    }
}

fn refusal(asked: Refused) -> Record {
    let message = format!("Service {} attempted to tamper with Bartizan by asking for `{}`", asked.service, asked.what);
    Record {
        service: Some(asked.service.into()),
        access: Some(Access::Write),
        verdict: Some(verdict(Verdict::Deny).into()),
        exe: asked.exe.as_deref().map(escape),
        pid: Some(asked.pid),
        uid: Some(asked.uid),
        ..Record::plain(Kind::Tamper, message)
    }
}

impl Handler<Rules> for AuditLog {
    type Result = ();

    fn handle(&mut self, rules: Rules, _: &mut Context<AuditLog>) {
        if let Err(error) = self.rules.remember(rules.load, rules.generation, rules.revision, &rules.names) {
            tracing::error!("the names of the rules cannot be kept for a restart: {error}");
        }
    }
}

impl Handler<Tell> for AuditLog {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Context<AuditLog>) {
        let record = Record { service: tell.service.map(Into::into), ..Record::plain(tell.kind, tell.message) };
        if self.only_logs(&record) {
            return;
        }
        if record.kind == Kind::Loss && record.service.is_some() {
            self.hold(record.service.as_deref().map(str::to_owned));
        }
        self.append(record, None, 0);
    }
}

impl Handler<Put> for AuditLog {
    type Result = Result<(), String>;

    fn handle(&mut self, Put(record): Put, _: &mut Context<AuditLog>) -> Self::Result {
        if self.only_logs(&record) {
            return Ok(());
        }
        self.append_acts(vec![New { record: *record, key: None, already: 0 }])
    }
}
