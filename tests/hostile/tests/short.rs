//! The short form of every case, as a part of `make test`; `make hostile` runs the whole and holds the waits against five seconds, which a test on a busy
//! machine cannot.

use anyhow::{Context as _, Result, ensure};
use inframe_hostile::{case::Pace, cases::CASES};

async fn contained(number: &str) -> Result<()> {
    let case = CASES.iter().find(|case| case.number == number).context("no such case")?;
    let outcome = case.run(Pace::Short).await?;
    println!("{outcome:#?}");
    ensure!(outcome.breaches.is_empty(), "{}: {:#?}", case.name, outcome.breaches);
    Ok(())
}

macro_rules! cases {
    ($($name:ident $number:literal)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result<()> {
                contained($number).await
            }
        )*

        #[test]
        fn every_case_is_tested() {
            let tested = [$($number),*];
            for case in CASES {
                assert!(tested.contains(&case.number), "{} {} has no test", case.number, case.name);
            }
        }
    };
}

cases! {
    wrong_bytes "1"
    endless_stream "2a"
    endless_reply "2b"
    slow_loris "3"
    one_tebibyte "4"
    image_bomb "5"
    ten_thousand_streams "7"
    hundred_thousand_topics "8, 9"
    gossip_flood "8b"
    request_flood "8c"
    forged_signatures "10"
    old_epochs_and_replay "11, 12"
    forged_roster "12, 14"
    two_rosters "13"
    lying_host "13b"
    ghost_join "14"
    guessed_codes "14b"
    invite_reuse "15"
    removed_with_saved_keys "16a"
    removed_under_a_new_peer_id "16b"
    removed_in_the_middle_of_a_photo "16c"
    ids_never_offered "17"
    id_enumeration "18, 20"
    after_the_approval "19"
    templates_of_everybody "21"
    query_budget "22"
    false_claim "23"
    names "24, 25"
    clock_lies "26"
    relayed_records "27"
    disconnects_in_a_transfer "28a"
    disconnects_in_a_handshake "28b"
    disconnects_in_a_join "28c"
    thousand_connections_a_second "29a"
    half_open_connections "29b"
    unreadable_photos "30"
    sealed_wrongly "31a"
    lying_keeper "31b"
    deposits "31c"
    no_receipt "32"
    false_co_host "33"
    broken_vectors "R45"
}
