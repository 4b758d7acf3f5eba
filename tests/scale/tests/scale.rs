//! A short run of the simulation: large events agree after people came and went, some joined, one was removed, and the event had fallen in two.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

use inframe_scale::{Report, Settings, run};

fn event(members: usize) -> Report {
    run(&Settings { members, seed: 7, minutes: 10, churn_percent: 240, joins: 4, removals: 1, partition: true })
        .unwrap()
}

#[test]
fn members_agree_after_churn_and_partition_and_the_cost_of_each_grows_no_faster_than_the_event() {
    let [small, one, two] = [30, 60, 120].map(event);
    for report in [&small, &one, &two] {
        let members = report.members;
        assert_eq!(report.different, 0, "{members} members do not hold the same");
        assert_eq!((report.records.never, report.entries.never), (0, 0), "{members}: something got lost");
        assert!(report.records.all.len() > members / 2 && report.entries.all.len() >= 6, "{members}: it happened");
        assert_eq!(report.turned_away, 0, "{members}: nobody asks too often");
    }
    assert!(two.caught_up.len() > 5, "some came back");
    // Twice the members write twice as much, which everybody has to get.
    assert!(two.bytes_per_hour < one.bytes_per_hour * 5 / 2, "{} and {}", one.bytes_per_hour, two.bytes_per_hour);
    // A member of the larger event has no more connections.
    assert!(two.connections.0 < one.connections.0 * 1.3 && two.connections.1 < 40, "{:?}", two.connections);
    assert!(small.connections.0 > 25.0, "a small event is a full mesh");
    assert!(two.sizes[0] > 100 * 120 && two.sizes[0] < 150 * 130, "the grants of an epoch: {}", two.sizes[0]);
}
