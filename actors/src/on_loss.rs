//! What follows when evidence is lost, as the operator chose it, and who is held because of that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What follows a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// The daemon's log tells it, and no record.
    Log,
    /// It is on record.
    #[default]
    Audit,
    /// It is on record, and services that learn and may have done what was lost are held: they learn nothing and stay where
    /// they are.
    Hold,
}

impl OnLoss {
    /// Each of them.
    pub const ALL: [OnLoss; 3] = [OnLoss::Log, OnLoss::Audit, OnLoss::Hold];

    /// The name used in TOML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            OnLoss::Log => "log",
            OnLoss::Audit => "audit",
            OnLoss::Hold => "hold",
        }
    }
}

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What follows a loss.
    pub on_loss: OnLoss,
    /// For how long nothing more may be lost before services are held no longer.
    pub hold_time: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { on_loss: OnLoss::default(), hold_time: Duration::from_secs(60) }
    }
}

/// Who is held. Copies are the same list.
#[derive(Clone, Debug, Default)]
pub struct Holds(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    settings: Settings,
    /// When something was lost that anybody may have done.
    anybody: Option<Instant>,
    /// When something of this service was lost.
    services: BTreeMap<String, Instant>,
    /// When an operator said that this service is held no longer.
    released: BTreeMap<String, Instant>,
}

impl Holds {
    /// Enters what is configured.
    pub fn configure(&self, settings: Settings) {
        self.locked(|held| held.settings = settings);
    }

    /// What follows a loss.
    pub fn on_loss(&self) -> OnLoss {
        self.locked(|held| held.settings.on_loss)
    }

    /// For how long nothing more may be lost before services are held no longer.
    pub fn hold_time(&self) -> Duration {
        self.locked(|held| held.settings.hold_time)
    }

    /// Evidence was lost: of this service, or of nobody knows which.
    pub fn lost(&self, service: Option<&str>) {
        self.locked(|held| {
            let (now, time) = (Instant::now(), held.settings.hold_time);
            held.services.retain(|_, lost| lost.elapsed() < time);
            held.released.retain(|_, released| released.elapsed() < time);
            match service {
                None => held.anybody = Some(now),
                Some(service) => drop(held.services.insert(service.to_owned(), now)),
            }
        });
    }

    /// An operator has decided what becomes of this service, whatever was lost until now.
    pub fn release(&self, service: &str) {
        self.locked(|held| held.released.insert(service.to_owned(), Instant::now()));
    }

    /// For how much longer this service is held, at the least; `None`: it is not.
    pub fn left(&self, service: &str) -> Option<Duration> {
        self.locked(|held| {
            let lost = held.anybody.max(held.services.get(service).copied())?;
            let released = held.released.get(service).is_some_and(|released| *released >= lost);
            held.left(lost).filter(|_| !released)
        })
    }

    /// Whether any service that learns is held, as nobody knows whose evidence was lost.
    pub fn holds_all(&self) -> bool {
        self.locked(|held| held.anybody.and_then(|lost| held.left(lost)).is_some())
    }

    fn locked<T>(&self, action: impl FnOnce(&mut Held) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn left(&self, lost: Instant) -> Option<Duration> {
        let left = self.settings.hold_time.checked_sub(lost.elapsed())?;
        (self.settings.on_loss == OnLoss::Hold && left > Duration::ZERO).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(hold_time: Duration) -> Holds {
        let holds = Holds::default();
        holds.configure(Settings { on_loss: OnLoss::Hold, hold_time });
        holds
    }

    #[test]
    fn one_is_held_for_its_own_loss_and_all_for_one_of_nobody_knows_whom() {
        let holds = holding(Duration::from_secs(60));
        assert!(holds.left("web").is_none() && !holds.holds_all());
        holds.lost(Some("web"));
        assert!(holds.left("web").is_some() && holds.left("mail").is_none() && !holds.holds_all());
        holds.lost(None);
        assert!(holds.left("mail").is_some_and(|left| left <= Duration::from_secs(60)) && holds.holds_all());
    }

    #[test]
    fn a_release_counts_until_more_is_lost() {
        let holds = holding(Duration::from_secs(60));
        holds.lost(None);
        holds.release("web");
        assert!(holds.left("web").is_none() && holds.left("mail").is_some());
        std::thread::sleep(Duration::from_millis(1));
        holds.lost(None);
        assert!(holds.left("web").is_some());
    }

    #[test]
    fn a_hold_ends_by_itself_and_is_only_for_those_who_want_it() {
        let holds = holding(Duration::from_millis(20));
        holds.lost(None);
        assert!(holds.holds_all());
        std::thread::sleep(Duration::from_millis(30));
        assert!(!holds.holds_all() && holds.left("web").is_none());
        for on_loss in [OnLoss::Log, OnLoss::Audit] {
            holds.configure(Settings { on_loss, hold_time: Duration::from_secs(60) });
            holds.lost(None);
            assert!(holds.left("web").is_none(), "{on_loss:?}");
        }
    }
}
