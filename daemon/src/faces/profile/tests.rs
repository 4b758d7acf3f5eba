//! Profiles over a real vault; embeddings are made up.

use inframe_models::{PackFacts, Thresholds};

use super::*;
use crate::data_dir::DataDir;
use crate::vault::KeyFile;

const PACK: &str = "pack";

fn vault(folder: &tempfile::TempDir) -> Vault {
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Profiles {
    Profiles::open(vault(folder), ActivePack::new(pack(PACK))).unwrap()
}

fn pack(id: &str) -> Pack {
    let thresholds = PackFacts::builtin().unwrap().thresholds;
    Pack { id: id.into(), mean: vec![0.0; 2], thresholds: Thresholds { sure: 0.5, maybe: 0.6, ..thresholds } }
}

fn consented(folder: &tempfile::TempDir) -> Profiles {
    let profiles = open(folder);
    profiles.give_consent(Scope::Faces, &Scope::Faces.text_hash(), None, ProfileId::ME).unwrap();
    profiles
}

/// A selfie of a person who is `off` away from the origin.
fn selfie(off: f32, live: bool) -> StoredSelfie {
    StoredSelfie {
        pack: PACK.into(),
        embedding: vec![off, 0.0],
        still: vec![1],
        quality: 0.5 + off / 10.0,
        at: now_ms(),
        profile: ProfileId::ME,
        live,
        source: Vec::new(),
    }
}

fn declaration() -> String {
    Scope::Guardian.text_hash()
}

#[test]
fn a_child_needs_consent_the_declaration_and_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = open(&folder);
    assert!(matches!(profiles.add_child("older", &declaration()), Err(ProfileError::NoConsent)));
    profiles.give_consent(Scope::Faces, &Scope::Faces.text_hash(), None, ProfileId::ME).unwrap();
    assert!(matches!(profiles.add_child("older", "another text"), Err(ProfileError::OtherText)));
    assert!(matches!(profiles.add_child("", &declaration()), Err(ProfileError::NoName)));
    let older = profiles.add_child("older", &declaration()).unwrap();
    assert!(matches!(profiles.add_child("older", &declaration()), Err(ProfileError::NameTaken)));
    let younger = profiles.add_child("younger", &declaration()).unwrap();
    assert!(matches!(profiles.add_child("third", &declaration()), Err(ProfileError::TooMany)));
    assert_eq!(profiles.ids().first(), Some(&ProfileId::ME));
    assert_eq!(profiles.ids().len(), 3);
    // Each declaration has its receipt, which says for whom.
    let receipts = profiles.receipts().unwrap();
    let declared: Vec<_> = receipts.iter().filter(|one| one.scope == Scope::Guardian).map(|one| one.profile).collect();
    assert_eq!((receipts.len(), declared.len()), (3, 2));
    assert!(declared.contains(&older) && declared.contains(&younger));
}

#[test]
fn d1_profiles_and_selfies_are_what_a_restart_finds_and_each_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    let child = profiles.add_child("child", &declaration()).unwrap();
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.0, true), selfie(0.1, true)]).unwrap();
    profiles.add_selfies(child, vec![selfie(3.0, false)]).unwrap();
    drop(profiles);
    let profiles = open(&folder);
    assert_eq!((profiles.selfies(ProfileId::ME).len(), profiles.selfies(child).len()), (2, 1));
    assert_eq!(profiles.child(child).unwrap().name, "child");
    assert!(matches!(profiles.likeness(ProfileId::ME, PACK, &[0.2, 0.0]), Likeness::Sure(_)));
    assert_eq!(profiles.likeness(ProfileId::ME, PACK, &[3.0, 0.0]), Likeness::No);
    assert!(matches!(profiles.likeness(child, PACK, &[3.0, 0.0]), Likeness::Sure(_)));
}

#[test]
fn a_child_is_recognised_by_stricter_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    let child = profiles.add_child("child", &declaration()).unwrap();
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.0, false)]).unwrap();
    profiles.add_selfies(child, vec![selfie(0.0, false)]).unwrap();
    let both = |off: f32| [ProfileId::ME, child].map(|profile| profiles.likeness(profile, PACK, &[off, 0.0]));
    assert!(matches!(both(0.4), [Likeness::Sure(_), Likeness::Sure(_)]));
    assert!(matches!(both(0.48), [Likeness::Sure(_), Likeness::Perhaps(_)]));
    assert!(matches!(both(0.58), [Likeness::Perhaps(_), Likeness::No]));
}

#[test]
fn a_portrait_is_live_only_when_every_selfie_is() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    assert_eq!(profiles.portrait(ProfileId::ME, PACK), None);
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.0, true), selfie(0.2, true)]).unwrap();
    let portrait = profiles.portrait(ProfileId::ME, PACK).unwrap();
    assert!(portrait.live);
    assert!((portrait.embedding[0] - 0.1).abs() < 1e-6, "the mean of both");
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.1, false)]).unwrap();
    assert!(!profiles.portrait(ProfileId::ME, PACK).unwrap().live);
}

#[test]
fn selfies_of_somebody_else_or_too_many_are_refused_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.0, true)]).unwrap();
    let mixed = vec![selfie(0.1, true), selfie(5.0, true)];
    assert!(matches!(profiles.add_selfies(ProfileId::ME, mixed), Err(ProfileError::OtherPerson)));
    assert_eq!(profiles.selfies(ProfileId::ME).len(), 1, "not even the right one");
    let many = vec![selfie(0.1, true); MAX_SELFIES];
    assert!(matches!(profiles.add_selfies(ProfileId::ME, many), Err(ProfileError::Full)));
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.1, true); MAX_SELFIES - 1]).unwrap();
    assert!(matches!(profiles.room(ProfileId::ME), Err(ProfileError::Full)));
    assert!(matches!(profiles.room(ProfileId([9; 8])), Err(ProfileError::NoProfile)));
}

#[test]
fn erasing_a_child_leaves_the_owner_and_the_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    let child = profiles.add_child("child", &declaration()).unwrap();
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.0, true)]).unwrap();
    profiles.add_selfies(child, vec![selfie(3.0, false)]).unwrap();
    let (id, _) = profiles.selfies(child).remove(0);
    assert!(matches!(profiles.remove_selfie(ProfileId::ME, &id), Err(ProfileError::NotFound)), "it is the child's");
    profiles.remove_child(child).unwrap();
    assert!(matches!(profiles.remove_child(child), Err(ProfileError::NoProfile)));
    assert!(matches!(profiles.remove_child(ProfileId::ME), Err(ProfileError::NoProfile)));
    drop(profiles);
    let profiles = open(&folder);
    assert_eq!((profiles.ids(), profiles.selfies(ProfileId::ME).len()), (vec![ProfileId::ME], 1));
    assert!(profiles.selfies(child).is_empty());
    assert_eq!(profiles.receipts().unwrap().len(), 2);
}

#[test]
fn erasing_everything_erases_children_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    let child = profiles.add_child("child", &declaration()).unwrap();
    profiles.add_selfies(child, vec![selfie(3.0, false)]).unwrap();
    profiles.erase(|| Ok::<(), ProfileError>(())).unwrap();
    drop(profiles);
    let profiles = open(&folder);
    assert_eq!((profiles.consent_at(), profiles.ids().len()), (None, 1));
    assert!(profiles.selfies(child).is_empty());
}

#[test]
fn selfies_and_pack_change_together_and_selfies_of_other_packs_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = consented(&folder);
    profiles.add_selfies(ProfileId::ME, vec![selfie(0.1, true), selfie(0.2, true)]).unwrap();
    let all = profiles.all_selfies();
    let (kept, removed) = (all[0].clone(), all[1].clone());
    profiles.remove_selfie(ProfileId::ME, &data_encoding::HEXLOWER.encode(&removed.0)).unwrap();
    let described = |(id, one): (SelfieId, StoredSelfie)| {
        (id, StoredSelfie { pack: "other".into(), embedding: vec![3.0, 0.0, 0.0], ..one })
    };
    profiles.change_pack(pack("other"), vec![described(kept), described(removed)], Batch::default()).unwrap();
    assert_eq!(profiles.all_selfies().len(), 1, "what was removed meanwhile stays away");
    assert_eq!(profiles.likeness(ProfileId::ME, "other", &[3.1, 0.0, 0.0]), Likeness::Sure(3.1 - 3.0));
    assert_eq!(profiles.likeness(ProfileId::ME, PACK, &[0.1, 0.0]), Likeness::No);
    assert_eq!(profiles.portrait(ProfileId::ME, PACK), None);
    assert_eq!(profiles.portrait(ProfileId::ME, "other").unwrap().embedding, [3.0, 0.0, 0.0]);
    drop(profiles);
    let again = Profiles::open(vault(&folder), ActivePack::new(pack("other"))).unwrap();
    assert_eq!(again.all_selfies().len(), 1);
    assert!(again.portrait(ProfileId::ME, "other").is_some());
}
