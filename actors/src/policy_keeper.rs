//! The policy in force: its rules, the models it is compiled with, and the revision on disk.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use policy::capability::remembered;
use policy::compile::{ServiceModel, service};
use policy::compiled::Compiled;
use policy::host::HostFacts;
use policy::rule::Policy;

use crate::assemble::{self, Operators};
use crate::clock;
use crate::directory::Directory;
use crate::messages::{Apply, Install, Learned, ModelChanged, Recompile, RevisionNumber};
use crate::record::Kind;
use crate::revision_store::{Revision, RevisionStore};
use crate::root::ExitNotice;

type Services = BTreeMap<String, ServiceModel>;
type Answer = ResponseActFuture<PolicyKeeper, Result<(), String>>;

/// How often the keeper looks whether a rule has come to its end.
const LOOK: Duration = Duration::from_secs(10);

/// Keeper of the policy.
pub struct PolicyKeeper {
    directory: Directory,
    store: RevisionStore,
    host: Box<dyn HostFacts>,
    revision: Revision,
    policy: Policy,
    services: Services,
    operators: Operators,
    broken: Option<String>,
    /// When the rules were last compiled, milliseconds since 1970, UTC.
    compiled: i64,
    _notice: ExitNotice,
}

/// What a keeper starts with.
pub struct Beginning {
    /// The revision in force, or an empty one.
    pub revision: Revision,
    /// What it says.
    pub policy: Policy,
    /// The models.
    pub services: Services,
    /// Who may change Bartizan itself.
    pub operators: Operators,
    /// Why the revision that the kernel holds cannot be compiled again, if it cannot: it stays in force as it is until
    /// another one is applied.
    pub broken: Option<String>,
}

impl PolicyKeeper {
    /// A keeper of what is in force already.
    pub fn new(
        directory: Directory,
        store: RevisionStore,
        host: Box<dyn HostFacts>,
        beginning: Beginning,
        notice: ExitNotice,
    ) -> PolicyKeeper {
        let Beginning { revision, policy, services, operators, broken } = beginning;
        directory.set_bits(revision.bits.clone());
        PolicyKeeper {
            directory,
            store,
            host,
            revision,
            policy,
            services,
            operators,
            broken,
            compiled: clock::now_ms(),
            _notice: notice,
        }
    }

    fn compile(&self, policy: &Policy) -> Result<Box<Compiled>, String> {
        assemble::revision(policy, &self.services, &self.operators, self.host.as_ref(), clock::now_ms()).map(Box::new)
    }

    /// Has the kernel hold what is in force, compiled afresh.
    fn install(&self) -> Answer {
        if let Some(why) = &self.broken {
            let error = format!("what the kernel holds stays in force as it is, until a policy is applied: {why}");
            return Box::pin(fut::ready(Err(error)));
        }
        let compiled = match self.compile(&self.policy) {
            Ok(compiled) => compiled,
            Err(error) => return Box::pin(fut::ready(Err(error))),
        };
        let Some(kernel) = self.directory.kernel() else {
            return Box::pin(fut::ready(Err("enforcement has not started".to_owned())));
        };
        Box::pin(
            kernel
                .send(Install(compiled))
                .into_actor(self)
                .map(|answer, _, _| answer.map_err(|error| error.to_string()).and_then(|result| result.map(drop))),
        )
    }

    /// A service that only learned needs no new revision.
    fn learn(&self, model: &ServiceModel) -> Answer {
        let Some(kernel) = self.directory.kernel() else {
            return Box::pin(fut::ready(Err("enforcement has not started".to_owned())));
        };
        let mut service = service(&self.policy.holding(&self.host.name(), clock::now_ms()), model);
        service.operator = self.operators.contains(&model.name);
        let learned = Learned { name: model.name.clone(), service: Box::new(service) };
        Box::pin(
            kernel
                .send(learned)
                .into_actor(self)
                .map(|answer, _, _| answer.map_err(|error| error.to_string()).and_then(|result| result)),
        )
    }

    /// Whether a rule says something about a service that the kernel may not have numbered yet: names of rules and
    /// addresses are held per number.
    fn is_named(&self, name: &str) -> bool {
        self.policy.rules.iter().any(|rule| rule.reach(name).is_some())
    }
}

impl Actor for PolicyKeeper {
    type Context = Context<PolicyKeeper>;

    fn started(&mut self, context: &mut Context<PolicyKeeper>) {
        context.set_mailbox_capacity(4096);
        context.run_interval(LOOK, |keeper, context| {
            let now = clock::now_ms();
            let since = std::mem::replace(&mut keeper.compiled, now);
            let ends = |end: i64| (since.min(now)..=since.max(now)).contains(&end);
            // A clock that was set back brings a rule to life again.
            if keeper.policy.rules.iter().filter_map(|rule| rule.facts.expires).any(ends) {
                context.notify(Recompile);
            }
        });
    }
}

impl Handler<ModelChanged> for PolicyKeeper {
    type Result = AtomicResponse<PolicyKeeper, Result<(), String>>;

    fn handle(&mut self, ModelChanged(model): ModelChanged, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let before = self.services.insert(model.name.clone(), model.clone());
        let same_state = before.as_ref().is_some_and(|before| before.state == model.state);
        if before.as_ref() == Some(&model) {
            return AtomicResponse::new(Box::pin(fut::ready(Ok(()))));
        }
        let fresh = before.is_none() && model.state == policy::model::State::Learning && !self.is_named(&model.name);
        AtomicResponse::new(if same_state || fresh { self.learn(&model) } else { self.install() })
    }
}

impl Handler<Recompile> for PolicyKeeper {
    type Result = AtomicResponse<PolicyKeeper, Result<(), String>>;

    fn handle(&mut self, _: Recompile, _: &mut Context<PolicyKeeper>) -> Self::Result {
        AtomicResponse::new(Box::pin(self.install().map(|result, keeper, _| {
            if let Err(error) = &result {
                keeper.directory.tell(
                    Kind::Lifecycle,
                    None,
                    format!("The policy could not be compiled again: {error}"),
                );
            }
            result
        })))
    }
}

impl Handler<Apply> for PolicyKeeper {
    type Result = AtomicResponse<PolicyKeeper, Result<u64, Vec<String>>>;

    fn handle(&mut self, apply: Apply, _: &mut Context<PolicyKeeper>) -> Self::Result {
        let failed = |lines: Vec<String>| AtomicResponse::new(Box::pin(fut::ready(Err(lines))));
        let kept = &self.revision.bits;
        let policy = match assemble::policy(&apply.files, kept) {
            Ok(policy) => policy,
            Err(problems) => return failed(problems.iter().map(ToString::to_string).collect()),
        };
        let compiled = match self.compile(&policy) {
            Ok(compiled) => compiled,
            Err(error) => return failed(vec![error]),
        };
        let bits = remembered(kept, &policy.catalogue.bits());
        let revision = Revision::new(self.store.next(), apply.files, bits, &apply.by);
        if let Err(error) = self.store.save(&revision) {
            return failed(vec![format!("revision {} cannot be written: {error}", revision.number)]);
        }
        let Some(kernel) = self.directory.kernel() else {
            return failed(vec!["enforcement has not started".to_owned()]);
        };
        // The kernel may tell of an act under the new bits before it is answered.
        self.directory.set_bits(revision.bits.clone());
        let asked = kernel.send(Install(compiled)).into_actor(self);
        AtomicResponse::new(Box::pin(asked.map(move |answer, keeper, _| {
            if let Err(error) = answer.map_err(|error| error.to_string()).and_then(|result| result) {
                keeper.directory.set_bits(keeper.revision.bits.clone());
                return Err(vec![error]);
            }
            let number = revision.number;
            (keeper.policy, keeper.revision, keeper.broken) = (policy, revision, None);
            keeper
                .store
                .activate(number)
                .map_err(|error| vec![format!("revision {number} counts now, but not after a restart: {error}")])?;
            let message = format!("Revision {number} is in force, applied by {}", keeper.revision.by);
            keeper.directory.tell(Kind::Lifecycle, None, message);
            Ok(number)
        })))
    }
}

impl Handler<RevisionNumber> for PolicyKeeper {
    type Result = u64;

    fn handle(&mut self, _: RevisionNumber, _: &mut Context<PolicyKeeper>) -> u64 {
        self.revision.number
    }
}
