//! A hand-made revision in force: the service `try-it` may not write /etc/passwd nor run /usr/bin/id. Prints events.

use bpf::kernel::Kernel as _;
use policy::access::{Access, Masks};
use policy::compiled::*;
use policy::decide::Subject;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    let started = std::time::Instant::now();
    let mut opened = bpf::enforcement::open()?;
    println!("opened after {:?}, adopted {}", started.elapsed(), opened.adopted);
    let mut compiled = Compiled::default();
    let mut label = Label::default();
    label.need.insert(Access::Write, 1);
    let mut run = Label::default();
    run.need.insert(Access::Execute, 2);
    compiled.labels = vec![Label::default(), label, run];
    compiled.nodes = vec![Node::default(); 7];
    compiled.nodes[3].label = 1;
    compiled.nodes[6].label = 2;
    let edge = |from, name: &str, to| Edge { from, name: name.as_bytes().to_vec(), to };
    compiled.edges =
        vec![edge(1, "etc", 2), edge(2, "passwd", 3), edge(1, "usr", 4), edge(4, "bin", 5), edge(5, "id", 6)];
    compiled.unknown_start = 1;
    let mut prevent = Masks::NONE;
    prevent.insert(Access::Write, 1);
    prevent.insert(Access::Execute, 2);
    let subject = Subject { prevent, ..Subject::default() };
    compiled.services.insert("try-it".into(), Service { subject, rules: [((0, 2), 1)].into(), ..Service::default() });
    compiled.outbound = vec![Outbound {
        service: "try-it".into(),
        address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 0],
        bits: 120,
        ports: vec![PortRange { first: 25, last: 25, prevent: true, rule: 0 }],
    }];
    compiled.rules = vec!["no".into()];
    println!("generation {} after {:?}", opened.kernel.install(&compiled)?, started.elapsed());
    println!("{:?}", opened.kernel.read_back()?.differences);
    while let Ok(event) = opened.events.recv_timeout(std::time::Duration::from_secs(8)) {
        println!("{event:?}");
    }
    println!("{:?}\n{:?}", opened.kernel.repeats()?, opened.kernel.loss()?);
    Ok(())
}
