//! The desk: what is told, when, and that it is told once.

use inframe_protocol::EventId;

use super::desk::{Desk, Due, pairs};
use super::finding::Waiting;
use crate::data_dir::DataDir;
use crate::notices::{EventName, Item, Matter};
use crate::settings::{NoticeForm, NoticeKind, NoticeReceiver, Notices, Way};
use crate::vault::{KeyFile, Vault};

const HOUR_MS: u64 = 3_600_000;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The desk as a start finds it.
    fn desk(&self) -> Desk {
        let dir = DataDir::open(self.0.path().join("data")).unwrap();
        Desk::open(&Vault::open(&dir, &KeyFile::at(self.0.path().join("key"))).unwrap()).unwrap()
    }

    /// One that has begun, with nothing in the log.
    fn begun(&self) -> Desk {
        let desk = self.desk();
        desk.catch_up(&pairs().collect::<Vec<_>>(), 0, &[]).unwrap();
        desk
    }
}

fn everywhere() -> Notices {
    let receiver = NoticeReceiver {
        form: NoticeForm::Webhook,
        address: "https://example.org/".into(),
        insecure: false,
        token: None,
        names: false,
    };
    Notices { receiver: Some(receiver), ..Notices::default() }
}

fn item(matter: Matter) -> Item {
    let event = Some(EventName { id: EventId([1; 32]), name: "Party".into() });
    Item { matter, who: "Mia".into(), event, sentence: None, photo: None }
}

fn waits(number: u8) -> (Waiting, Item) {
    ([number; 17], item(Matter::Join))
}

/// The log has got these entries, the first with the number `first`.
fn log(desk: &Desk, notices: &Notices, first: u64, matters: &[Option<Matter>]) {
    let entries: Vec<_> = (first..).zip(matters.iter().map(|matter| matter.map(item))).collect();
    let last = entries.last().unwrap().0;
    assert!(desk.read_to(notices, last) < first || first == 1);
    desk.take(notices, entries, last).unwrap();
}

fn of(due: &[Due], way: Way) -> Vec<(NoticeKind, u64)> {
    due.iter().filter(|due| due.way == way).map(|due| (due.kind, due.tally.count())).collect()
}

fn settle_all(desk: &Desk, due: &[Due]) {
    due.iter().for_each(|due| desk.settle(due).unwrap());
}

const PHOTO: Option<Matter> = Some(Matter::Photo);

#[test]
fn a_burst_is_one_notice_by_each_way_and_what_is_suspicious_comes_at_once() {
    let place = Place::new();
    let (desk, notices) = (place.begun(), everywhere());
    log(&desk, &notices, 1, &[PHOTO, None, PHOTO, Some(Matter::Suspicious), PHOTO]);
    let (due, next) = desk.due(&notices, false, &[], 1_000);
    assert_eq!(of(&due, Way::Here), [(NoticeKind::Suspicious, 1)]);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Suspicious, 1)]);
    assert_eq!(next, Some(6_000));
    settle_all(&desk, &due);
    let (due, _) = desk.due(&notices, false, &[], 6_000);
    assert_eq!((of(&due, Way::Here), of(&due, Way::Outward)), (vec![(NoticeKind::Photos, 3)], vec![]));
    settle_all(&desk, &due);
    log(&desk, &notices, 6, &[PHOTO]);
    let (due, _) = desk.due(&notices, false, &[], 31_000);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Photos, 4)], "with what came meanwhile");
}

#[test]
fn nothing_is_told_again_after_a_restart_and_what_was_not_told_is() {
    let place = Place::new();
    let notices = everywhere();
    let desk = place.begun();
    log(&desk, &notices, 1, &[PHOTO, PHOTO, Some(Matter::SignIn)]);
    let open = [waits(1), waits(2)];
    desk.due(&notices, false, &open, 0);
    let (due, _) = desk.due(&notices, false, &open, 10_000);
    assert_eq!(of(&due, Way::Here), [(NoticeKind::Photos, 2), (NoticeKind::Requests, 2), (NoticeKind::SignIns, 1)]);
    // Outward the photos still wait, and the requests were not taken.
    let told = due.into_iter().filter(|due| (due.way, due.kind) != (Way::Outward, NoticeKind::Requests));
    settle_all(&desk, &told.collect::<Vec<_>>());
    drop(desk);

    let desk = place.desk();
    assert!(desk.has_begun());
    assert_eq!(desk.read_to(&notices, 3), 0, "the photos are still to be told outward");
    desk.take(&notices, vec![(1, PHOTO.map(item)), (2, PHOTO.map(item)), (3, Some(item(Matter::SignIn)))], 3).unwrap();
    desk.due(&notices, false, &open, 0);
    let (due, _) = desk.due(&notices, false, &open, HOUR_MS);
    assert_eq!(of(&due, Way::Here), []);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Photos, 2), (NoticeKind::Requests, 2)]);
    settle_all(&desk, &due);
    drop(desk);

    let desk = place.desk();
    let (due, next) = desk.due(&notices, false, &open, HOUR_MS);
    assert!(due.is_empty() && next.is_none(), "{due:?}");
}

#[test]
fn at_the_first_start_nothing_old_is_told() {
    let place = Place::new();
    let (desk, notices, open) = (place.desk(), everywhere(), [waits(1)]);
    assert!(!desk.has_begun());
    desk.catch_up(&pairs().collect::<Vec<_>>(), 700, &open).unwrap();
    assert_eq!(desk.read_to(&notices, 700), 700);
    desk.due(&notices, false, &open, 0);
    assert!(desk.due(&notices, false, &open, HOUR_MS).0.is_empty());
    log(&desk, &notices, 701, &[PHOTO]);
    let open = [waits(1), waits(2)];
    desk.due(&notices, false, &open, HOUR_MS);
    let (due, _) = desk.due(&notices, false, &open, 2 * HOUR_MS);
    assert_eq!(of(&due, Way::Here), [(NoticeKind::Photos, 1), (NoticeKind::Requests, 1)]);
}

#[test]
fn in_quiet_hours_nothing_is_told_and_all_of_it_at_once_afterwards() {
    let place = Place::new();
    let (desk, notices) = (place.begun(), everywhere());
    for seq in 1..=40 {
        log(&desk, &notices, seq, &[Some(Matter::Suspicious)]);
        assert!(desk.due(&notices, true, &[waits(1)], seq * 60_000).0.is_empty());
    }
    // Answered in the quiet hours: nobody has to be told.
    let (due, _) = desk.due(&notices, false, &[], 10 * HOUR_MS);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Suspicious, 40)]);
    settle_all(&desk, &due);
    assert!(desk.due(&notices, false, &[], 20 * HOUR_MS).0.is_empty());
}

#[test]
fn what_is_off_is_not_told_and_not_made_up_for_when_it_is_on_again() {
    let place = Place::new();
    let (desk, mut notices) = (place.begun(), everywhere());
    notices.switch(Way::Outward, NoticeKind::Photos, false);
    notices.switch(Way::Outward, NoticeKind::Requests, false);
    log(&desk, &notices, 1, &[PHOTO]);
    let open = [waits(1)];
    desk.due(&notices, false, &open, 0);
    let (due, _) = desk.due(&notices, false, &open, HOUR_MS);
    assert_eq!(of(&due, Way::Outward), []);
    assert_eq!(of(&due, Way::Here), [(NoticeKind::Photos, 1), (NoticeKind::Requests, 1)]);
    notices.switch(Way::Outward, NoticeKind::Photos, true);
    notices.switch(Way::Outward, NoticeKind::Requests, true);
    desk.catch_up(&[(Way::Outward, NoticeKind::Photos), (Way::Outward, NoticeKind::Requests)], 1, &open).unwrap();
    log(&desk, &notices, 2, &[PHOTO]);
    let open = [waits(1), waits(2)];
    desk.due(&notices, false, &open, HOUR_MS);
    let (due, _) = desk.due(&notices, false, &open, 2 * HOUR_MS);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Photos, 1), (NoticeKind::Requests, 1)]);
    // Nowhere to send to: nothing is gathered for it.
    notices.receiver = None;
    log(&desk, &notices, 3, &[PHOTO]);
    assert_eq!(of(&desk.due(&notices, false, &open, 3 * HOUR_MS).0, Way::Outward), []);
}

#[test]
fn a_receiver_that_fails_loses_nothing_and_is_not_asked_all_the_time() {
    let place = Place::new();
    let (desk, notices) = (place.begun(), everywhere());
    log(&desk, &notices, 1, &[Some(Matter::Suspicious)]);
    let (due, _) = desk.due(&notices, false, &[], 0);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Suspicious, 1)]);
    desk.failed("nobody answers there".into());
    assert!(desk.is_failing());
    let (_, sent_at, failure) = desk.news();
    assert_eq!((sent_at, failure.unwrap().text.as_str()), (None, "nobody answers there"));
    log(&desk, &notices, 2, &[Some(Matter::Suspicious), PHOTO]);
    let (due, next) = desk.due(&notices, false, &[], desk.now());
    assert_eq!(of(&due, Way::Outward), [], "not before the pause is over");
    assert!(next.is_some());
    let (due, _) = desk.due(&notices, false, &[], desk.now() + 60_000);
    assert_eq!(of(&due, Way::Outward), [(NoticeKind::Photos, 1), (NoticeKind::Suspicious, 2)]);
    settle_all(&desk, &due);
    assert!(!desk.is_failing() && desk.news().2.is_none());
}

#[test]
fn here_the_latest_are_kept_with_rising_numbers() {
    let place = Place::new();
    let (desk, notices) = (place.begun(), Notices::default());
    for seq in 1..=40 {
        log(&desk, &notices, seq, &[PHOTO]);
        desk.due(&notices, false, &[], seq * HOUR_MS);
        let (due, _) = desk.due(&notices, false, &[], seq * HOUR_MS + HOUR_MS / 2);
        assert_eq!(of(&due, Way::Here), [(NoticeKind::Photos, 1)]);
        settle_all(&desk, &due);
    }
    let (recent, ..) = desk.news();
    assert_eq!(recent.len(), 20);
    assert!(recent.windows(2).all(|two| two[0].id < two[1].id));
    assert_eq!(
        (recent[0].text.as_str(), recent[0].named.as_str()),
        ("1 new photo of you", "1 new photo of you (Mia in Party)")
    );
}

#[test]
fn a_log_that_was_lost_begins_anew() {
    let place = Place::new();
    let notices = everywhere();
    let desk = place.desk();
    desk.catch_up(&pairs().collect::<Vec<_>>(), 900, &[]).unwrap();
    assert_eq!(desk.read_to(&notices, 2), 2, "the entries that are there may be old");
    desk.take(&notices, vec![], 2).unwrap();
    assert_eq!(desk.read_to(&notices, 3), 2, "the next one is new");
    desk.take(&notices, vec![(3, Some(item(Matter::Suspicious)))], 3).unwrap();
    assert_eq!(of(&desk.due(&notices, false, &[], 0).0, Way::Here), [(NoticeKind::Suspicious, 1)]);
}
