//! Prints how events of several sizes fare, one line each.

use inframe_scale::{Report, Settings, run};

fn main() -> anyhow::Result<()> {
    let mut sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![50, 200, 1_000];
    }
    let number =
        |name: &str, usual: u64| std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual);
    println!("{}", Report::HEAD);
    let mut all_is_well = true;
    for members in sizes {
        let minutes = number("MINUTES", 60);
        let report = run(&Settings {
            members,
            seed: number("SEED", 1),
            minutes,
            churn_percent: number("CHURN", 20),
            joins: members as u64 * minutes / 3_000,
            removals: number("REMOVALS", 1),
            partition: number("PARTITION", 0) == 1,
        })?;
        println!("{report}");
        println!(
            "  lost {} of {} records and {} of {} entries to somebody who was there; {} hold something else at the end; {} messages turned away; gossip {} MB, sync {} MB, push {} MB; roster {} KB, a whole vector {} KB",
            report.records.never,
            report.records.all.len(),
            report.entries.never,
            report.entries.all.len(),
            report.different,
            report.turned_away,
            report.parts[0] / 1_000_000,
            report.parts[1] / 1_000_000,
            report.parts[2] / 1_000_000,
            report.sizes[1] / 1_000,
            report.sizes[2] / 1_000,
        );
        all_is_well &= report.records.never == 0 && report.entries.never == 0 && report.different == 0;
    }
    anyhow::ensure!(all_is_well, "something got lost, or members hold something else at the end: see above");
    Ok(())
}
