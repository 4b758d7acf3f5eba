//! Two people who are one, because the owner said so.

use std::collections::BTreeSet;

use super::corrections::Corrected;
use super::grouping::Grouping;
use super::{CorrectionError, FaceRef, PersonId, StoredPerson, StoredRule};
use crate::library::AssetId;

impl Grouping {
    /// Two people are one: `source` becomes part of `target`.
    ///
    /// # Errors
    /// When they are in a photo together, which two of one person never are.
    pub fn merge(&mut self, source: PersonId, target: PersonId) -> Corrected<()> {
        let (from, into) = (self.person(source)?, self.person(target)?);
        if source == target {
            return Err(CorrectionError::Same);
        }
        match self.together(source, target) {
            0 => {}
            photos => return Err(CorrectionError::Together(photos)),
        }
        let said: Vec<AssetId> = self.said.keys().copied().collect();
        for asset in said {
            self.rename_in_rules(asset, source, target);
        }
        self.take_over(source, target);
        let name = into.name.clone().or(from.name);
        let cover = into.cover.or(from.cover);
        self.set_person(target, Some(StoredPerson { name, cover, kept: true, ..into }));
        self.wake(self.exemplars(target));
        Ok(())
    }

    fn rename_in_rules(&mut self, asset: AssetId, source: PersonId, target: PersonId) {
        let Some(rules) = self.said.get(&asset) else { return };
        let mut changed = rules.clone();
        for rule in &mut changed {
            let renamed = |list: &[PersonId]| -> Vec<PersonId> {
                list.iter()
                    .map(|id| if *id == source { target } else { *id })
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            };
            rule.is = rule.is.map(|is| if is == source { target } else { is });
            (rule.not, rule.skipped) = (renamed(&rule.not), renamed(&rule.skipped));
            // Who said that this face of one is not the other says now that they are one.
            if rule.is.is_some_and(|is| is == target) {
                rule.not.retain(|not| *not != target);
            }
        }
        // The same for a face that is theirs without a word of the owner.
        let theirs: Vec<StoredRule> = self
            .photos
            .get(&asset)
            .map_or(0..0, |photo| 0..photo.places.len())
            .filter_map(|index| Some(FaceRef { asset, index: u16::try_from(index).ok()? }))
            .filter(|face| self.person_of(*face).is_some_and(|person| person == source || person == target))
            .filter_map(|face| self.rule(face).cloned())
            .collect();
        for rule in changed.iter_mut().filter(|rule| theirs.iter().any(|one| one.spot == rule.spot)) {
            rule.not.retain(|not| *not != target);
        }
        changed.retain(|rule| rule.is.is_some() || !rule.not.is_empty() || !rule.skipped.is_empty());
        if changed != *rules {
            self.set_rules(asset, changed);
        }
    }
}
