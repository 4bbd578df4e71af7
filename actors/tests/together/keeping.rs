//! The keeper and the kernel link, with a kernel that only remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::{Addr, System};
use actors::messages::{Apply, ModelChanged, Placed, ShowHeldBack};
use actors::policy_keeper::{PolicyKeeper, TOGETHER};
use actors::revision_store::PolicyFile;
use policy::access::Access;
use policy::capability::{Catalogue, Grants};
use policy::compile::ServiceModel;
use policy::model::State;
use policy::syntax::parse;
use tokio::task::JoinSet;

use crate::remembering::{Remembering, start};

/// Runs a test with a keeper of these rules.
fn with<T: Future<Output = ()>>(rules: &str, test: impl FnOnce(Addr<PolicyKeeper>, Remembering) -> T) {
    let place = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let kernel = Remembering::but(|_| false);
        let (_directory, _root, keeper) = start(place.path(), parse("p", rules).unwrap(), &kernel);
        test(keeper, kernel).await;
    });
}

fn model(name: &str, state: State, granted: Grants) -> ModelChanged {
    ModelChanged(ServiceModel { name: name.to_owned(), state, granted, at_start: Grants::new() })
}

async fn changed(keeper: &Addr<PolicyKeeper>, name: &str, state: State) -> Result<(), String> {
    keeper.send(model(name, state, Grants::new())).await.unwrap()
}

const ENFORCED: &str =
    "[[rule]]\nname = \"enforced\"\nservices = [\"web-*\", \"NetworkManager\"]\nviolations = \"prevent\"\n";

#[test]
fn services_that_become_active_together_are_compiled_together() {
    with(ENFORCED, |keeper, kernel| async move {
        let mut all = JoinSet::new();
        for number in 0..50 {
            all.spawn(keeper.send(model(&format!("web-{number}"), State::Active, Grants::new())));
        }
        while let Some(done) = all.join_next().await {
            assert_eq!(done.unwrap().unwrap(), Ok(()));
        }
        assert!((1..=3).contains(&kernel.count()), "{} installations", kernel.count());
        assert!((0..50).all(|number| !kernel.holds(&format!("web-{number}")).unwrap().subject.prevent.is_empty()));
    });
}

#[test]
fn what_the_kernel_does_not_take_does_not_come_by_itself_later() {
    with(ENFORCED, |keeper, kernel| async move {
        changed(&keeper, "web-1", State::Learning).await.unwrap();
        kernel.refuse(|_| true);
        assert!(changed(&keeper, "web-1", State::Active).await.unwrap_err().contains("as the test wants it"));
        kernel.refuse(|_| false);
        changed(&keeper, "web-2", State::Active).await.unwrap();
        assert!(kernel.holds("web-1").unwrap().subject.learning && !kernel.holds("web-2").unwrap().subject.learning);
        // Nor is it taken for held when it is asked for again, though nobody knew the service before.
        kernel.refuse(|_| true);
        for _ in 0..2 {
            assert!(changed(&keeper, "web-3", State::Active).await.is_err());
        }
    });
}

#[test]
fn a_service_that_would_lock_people_out_does_not_become_active() {
    with(ENFORCED, |keeper, kernel| async move {
        let name = "NetworkManager";
        changed(&keeper, name, State::Learning).await.unwrap();
        let held_back = async || keeper.send(ShowHeldBack).await.unwrap();
        let refused = changed(&keeper, name, State::Active).await.unwrap_err();
        assert!(refused.contains("learns on: p:2:8: NetworkManager could not read"), "{refused}");
        assert!(held_back().await[name].contains("boot: the network"));
        changed(&keeper, "web-1", State::Active).await.unwrap();
        assert!(kernel.holds(name).unwrap().subject.learning, "it stays what it was");
        // What it learns does not end that, and all that it needs does.
        let some = Grants::from([("NET".to_owned(), BTreeSet::from([Access::Read]))]);
        keeper.send(model(name, State::Learning, some)).await.unwrap().unwrap();
        assert!(held_back().await.contains_key(name));
        changed(&keeper, name, State::Manual).await.unwrap();
        assert!(held_back().await.is_empty(), "nobody wants it to be active");
        let names = Catalogue::builtin().iter().map(|one| one.name.clone());
        let all: Grants = names.map(|capability| (capability, Access::ALL.into())).collect();
        keeper.send(model(name, State::Active, all)).await.unwrap().unwrap();
        assert!(held_back().await.is_empty() && !kernel.holds(name).unwrap().subject.learning);
    });
}

const WIDE_AND_NARROW: &str = "[[rule]]\nname = \"wide\"\nservices = [\"Network*\"]\nviolations = \"prevent\"\n\
    [[rule]]\nname = \"narrow\"\nservices = [\"NetworkManager\"]\nviolations = \"alert\"\n";

#[test]
fn a_service_that_the_end_of_a_rule_would_lock_out_does_not_become_active() {
    with(&format!("{WIDE_AND_NARROW}expires = 2099-01-01T00:00:00Z\n"), |keeper, _| async move {
        let refused = changed(&keeper, "NetworkManager", State::Active).await.unwrap_err();
        assert!(refused.contains("when \"narrow\" has ended, NetworkManager could not"), "{refused}");
    });
    with(WIDE_AND_NARROW, |keeper, _| async move { changed(&keeper, "NetworkManager", State::Active).await.unwrap() });
}

#[test]
fn a_rule_whose_end_would_lock_people_out_does_not_count() {
    with("", |keeper, _| async move {
        changed(&keeper, "NetworkManager", State::Active).await.unwrap();
        let rules = |ends: &str| {
            let files = vec![PolicyFile { path: "p".to_owned(), text: format!("{WIDE_AND_NARROW}{ends}") }];
            keeper.send(Apply { files, by: "a test".to_owned(), ..Apply::default() })
        };
        let refused = rules("expires = 2099-01-01T00:00:00Z\n").await.unwrap().unwrap_err().concat();
        let expected = "From 2099-01-01T00:00:00.000Z on, when \"narrow\" has ended, NetworkManager could not";
        assert!(refused.contains(expected), "{refused}");
        assert!(rules("").await.unwrap().is_ok(), "without an end it permits that for good");
    });
}

#[test]
fn a_slice_in_which_a_service_would_lock_people_out_does_not_count() {
    let rules = "[[rule]]\nname = \"r\"\nservices = [\"system-web.slice\"]\nviolations = \"prevent\"\n";
    with(rules, |keeper, kernel| async move {
        for name in ["NetworkManager", "app"] {
            changed(&keeper, name, State::Active).await.unwrap();
        }
        let seen = ["NetworkManager", "app"].map(|name| (name.to_owned(), "system-web".to_owned()));
        let before = kernel.count();
        keeper.send(Placed(seen.into())).await.unwrap();
        while kernel.count() == before {
            actix::clock::sleep(Duration::from_millis(10)).await;
        }
        assert!(!kernel.holds("app").unwrap().subject.prevent.is_empty());
        assert!(kernel.holds("NetworkManager").unwrap().subject.prevent.is_empty());
    });
}

#[test]
fn a_service_that_is_seen_in_another_slice_is_held_to_its_rules() {
    let rules = "[[rule]]\nname = \"r\"\nservices = [\"system-web.slice\"]\ncapabilities = { SHELL = \"prevent\" }\n";
    with(rules, |keeper, kernel| async move {
        changed(&keeper, "app", State::Active).await.unwrap();
        for (slice, prevented) in [("system-web-inner", true), ("system-website", false)] {
            let before = kernel.count();
            keeper.send(Placed(BTreeMap::from([("app".to_owned(), slice.to_owned())]))).await.unwrap();
            while kernel.count() == before {
                actix::clock::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(!kernel.holds("app").unwrap().subject.prevent.is_empty(), prevented, "{slice}");
        }
        // No rule says anything else about it there.
        actix::clock::sleep(TOGETHER * 3).await;
        let before = kernel.count();
        keeper.send(Placed(BTreeMap::from([("app".to_owned(), "user".to_owned())]))).await.unwrap();
        actix::clock::sleep(TOGETHER * 3).await;
        assert_eq!(kernel.count(), before);
    });
}
