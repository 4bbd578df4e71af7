//! The policy in force: its rules, the models it is compiled with, and the revision on disk.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;
use policy::capability::Bits;
use policy::compile::{ServiceModel, service};
use policy::compiled::Compiled;
use policy::host::HostFacts;
use policy::model::State;
use policy::place::Problem;
use policy::rule::Policy;
use tokio::sync::oneshot;

use crate::assemble::{self, Operators};
use crate::clock;
use crate::directory::Directory;
use crate::messages::{Install, Learned, ModelChanged, Recompile};
use crate::permissive::Permissive;
use crate::placement::Placement;
use crate::record::Kind;
use crate::revision_store::{PolicyFile, Revision, RevisionStore};
use crate::root::ExitNotice;

type Services = BTreeMap<String, ServiceModel>;
type Answer = ResponseActFuture<PolicyKeeper, Result<(), String>>;

mod explain;
mod leave;
mod lockout;
mod newcomers;
mod places;
mod revisions;
mod simulate;

/// How often the keeper looks whether something has come to its end.
const LOOK: Duration = Duration::from_secs(1);
/// How long services that are new wait for others.
pub const TOGETHER: Duration = Duration::from_millis(100);

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
    permissive: Permissive,
    placement: Placement,
    /// Services that are not made active, and why.
    held_back: BTreeMap<String, String>,
    /// That it will be compiled anew in a moment.
    due: Option<SpawnHandle>,
    /// Who waits for that.
    waiting: Vec<oneshot::Sender<Result<(), String>>>,
    /// What paths mean now, once somebody has asked for it.
    paths: Option<Compiled>,
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
    /// Services that are refused nothing.
    pub permissive: Permissive,
    /// Where services are.
    pub placement: Placement,
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
        let Beginning { revision, mut policy, services, operators, broken, permissive, placement } = beginning;
        policy.slices = placement.slices().clone();
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
            permissive,
            placement,
            held_back: BTreeMap::new(),
            due: None,
            waiting: Vec::new(),
            paths: None,
            compiled: clock::now_ms(),
            _notice: notice,
        }
    }

    /// A revision as it is when nobody has leave.
    fn strict(&self, policy: &Policy) -> Result<Box<Compiled>, String> {
        let now = clock::now_ms();
        assemble::revision(policy, &self.services, &self.operators, self.host.as_ref(), now).map(Box::new)
    }

    fn compile(&self, policy: &Policy) -> Result<Box<Compiled>, String> {
        let mut compiled = self.strict(policy)?;
        self.permissive.apply(&mut compiled);
        Ok(compiled)
    }

    /// What these files say, with the services where they are.
    fn parse(&self, files: &[PolicyFile], bits: &Bits) -> Result<Policy, Vec<Problem>> {
        let slices = self.placement.slices().clone();
        assemble::policy(files, bits).map(|policy| Policy { slices, ..policy })
    }

    /// The policy of these files, if it may count: one line per problem.
    fn read(&self, files: &[PolicyFile]) -> Result<(Policy, Box<Compiled>), Vec<String>> {
        let in_lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let policy = self.parse(files, &self.revision.bits).map_err(in_lines)?;
        let mut compiled = self.strict(&policy).map_err(|error| vec![error])?;
        // Leave ends by itself, and the proof must hold then.
        let locked_out = self.locked_out(&policy, &compiled).map_err(|error| vec![error])?;
        if !locked_out.is_empty() {
            return Err(in_lines(locked_out.into_iter().map(|(_, problem)| problem).collect()));
        }
        self.permissive.apply(&mut compiled);
        Ok((policy, compiled))
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
                .send(Install { revision: self.revision.number, compiled })
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
        self.permissive.loosen(&model.name, &mut service);
        let learned = Learned { name: model.name.clone(), service: Box::new(service) };
        Box::pin(
            kernel
                .send(learned)
                .into_actor(self)
                .map(|answer, _, _| answer.map_err(|error| error.to_string()).and_then(|result| result)),
        )
    }

    fn end_of_rules(&mut self, context: &mut Context<PolicyKeeper>) {
        let now = clock::now_ms();
        let since = std::mem::replace(&mut self.compiled, now);
        let ends = |end: i64| (since.min(now)..=since.max(now)).contains(&end);
        // A clock that was set back brings a rule to life again.
        if self.policy.rules.iter().filter_map(|rule| rule.facts.expires).any(ends) {
            context.notify(Recompile);
        }
    }

    /// Has the kernel hold a model of which rules or its state say something new, with those that come at the same time.
    fn with_others(
        &mut self,
        before: Option<ServiceModel>,
        model: ServiceModel,
        context: &mut Context<PolicyKeeper>,
    ) -> Answer {
        let (told, held) = oneshot::channel();
        self.waiting.push(told);
        self.soon(context);
        Box::pin(held.into_actor(self).map(move |held, keeper, _| {
            let held = held.unwrap_or_else(|_| Err("the policy keeper was started anew meanwhile".to_owned()));
            keeper.undo_unless(&held, before, &model);
            held
        }))
    }

    /// What the kernel does not hold shall not come by itself later, and is not taken for held when it is asked for again.
    fn undo_unless(&mut self, held: &Result<(), String>, before: Option<ServiceModel>, model: &ServiceModel) {
        if held.is_ok() || self.services.get(&model.name) != Some(model) {
            return;
        }
        match before {
            Some(before) => self.services.insert(model.name.clone(), before),
            None => self.services.remove(&model.name),
        };
    }

    /// Compiles anew in a moment: for services that come together, once.
    fn soon(&mut self, context: &mut Context<PolicyKeeper>) {
        if self.due.is_none() {
            self.due = Some(context.notify_later(Recompile, TOGETHER));
        }
    }

    /// Whether a rule says something about a service that the kernel may not have numbered yet: names of rules and
    /// addresses are held per number.
    fn is_named(&self, name: &str) -> bool {
        let slice = self.policy.slices.of(name);
        self.policy.rules.iter().any(|rule| rule.reach(name, &slice).is_some())
    }
}

impl Actor for PolicyKeeper {
    type Context = Context<PolicyKeeper>;

    fn started(&mut self, context: &mut Context<PolicyKeeper>) {
        context.set_mailbox_capacity(4096);
        context.run_interval(LOOK, |keeper, context| {
            keeper.end_of_rules(context);
            keeper.end_of_leave(context);
            keeper.end_of_waiting(context);
        });
    }
}

impl Handler<ModelChanged> for PolicyKeeper {
    // Not atomic: others that come meanwhile are compiled with it.
    type Result = Answer;

    fn handle(&mut self, ModelChanged(model): ModelChanged, context: &mut Context<PolicyKeeper>) -> Self::Result {
        if model.state == State::Archived {
            self.held_back.remove(&model.name);
            let Some(before) = self.services.remove(&model.name) else { return Box::pin(fut::ready(Ok(()))) };
            return Box::pin(self.install().map(move |held, keeper, _| {
                if held.is_err() {
                    keeper.services.entry(before.name.clone()).or_insert(before);
                }
                held
            }));
        }
        let before = match self.take(&model) {
            Ok(before) => before,
            Err(why) => return Box::pin(fut::ready(Err(why))),
        };
        let same_state = before.as_ref().is_some_and(|before| before.state == model.state);
        if before.as_ref() == Some(&model) {
            return Box::pin(fut::ready(Ok(())));
        }
        let fresh = before.is_none() && model.state == State::Learning && !self.is_named(&model.name);
        // Where it is about to be compiled, the kernel may not have the names of its rules yet.
        if (!same_state && !fresh) || self.due.is_some() {
            return self.with_others(before, model, context);
        }
        Box::pin(self.learn(&model).map(move |held, keeper, _| {
            keeper.undo_unless(&held, before, &model);
            held
        }))
    }
}

impl Handler<Recompile> for PolicyKeeper {
    type Result = AtomicResponse<PolicyKeeper, Result<(), String>>;

    fn handle(&mut self, _: Recompile, context: &mut Context<PolicyKeeper>) -> Self::Result {
        self.paths = None;
        // Asked for by somebody else, it does for those as well.
        self.due.take().map(|due| context.cancel_future(due));
        let waiting = std::mem::take(&mut self.waiting);
        AtomicResponse::new(Box::pin(self.install().map(move |result, keeper, _| {
            // Whoever has stopped waiting needs no answer.
            waiting.into_iter().for_each(|one| drop(one.send(result.clone())));
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
