#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use super::*;

type Start = (Instant, Addr<Fragile>);

struct Fragile {
    _notice: ExitNotice,
}

impl Actor for Fragile {
    type Context = Context<Fragile>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Break;

impl Handler<Break> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Break, _: &mut Context<Fragile>) {
        panic!("as the test wants it");
    }
}

#[test]
fn delays_double_up_to_the_last() {
    let millis: Vec<u128> = [1, 2, 3, 9, 10, 40].into_iter().map(|exits| delay(exits).as_millis()).collect();
    assert_eq!(millis, [100, 200, 400, 25_600, 30_000, 30_000]);
}

#[test]
fn a_child_that_panics_is_rebuilt_with_back_off() {
    let starts: Arc<Mutex<Vec<Start>>> = Arc::default();
    let seen = Arc::clone(&starts);
    System::new().block_on(async move {
        let root = Root::default().start();
        let child = Child {
            name: "fragile".into(),
            running: false,
            start: Box::new(move |notice| {
                let address = Fragile { _notice: notice }.start();
                seen.lock().unwrap().push((Instant::now(), address));
                Ok(())
            }),
        };
        root.send(Supervise(child)).await.unwrap();
        for round in 1..=3 {
            let address = starts.lock().unwrap().last().unwrap().1.clone();
            assert!(address.send(Break).await.is_err(), "the answer to a message that panics is lost");
            while starts.lock().unwrap().len() == round {
                actix::clock::sleep(Duration::from_millis(10)).await;
            }
        }
        let times: Vec<Instant> = starts.lock().unwrap().iter().map(|(time, _)| *time).collect();
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] >= FIRST_DELAY && gaps[1] >= FIRST_DELAY * 2 && gaps[2] >= FIRST_DELAY * 4, "{gaps:?}");
    });
}

#[test]
fn a_child_that_never_starts_well_ends_the_daemon() {
    // A child whose factory drops its notice is gone at once: with ten exits in a row Root must stop the system.
    let entry = |exits| Entry { start: Box::new(|_| Ok(())), started: Instant::now(), exits, restarts: 0 };
    let runner = System::new();
    runner.block_on(async {
        let mut root = Root::default();
        root.children.insert("hopeless".into(), entry(ATTEMPTS));
        let root = root.start();
        root.send(Exited { name: "hopeless".into(), panicking: false }).await.unwrap();
    });
    assert_eq!(runner.run_with_code().unwrap(), GAVE_UP);
}
