//! What the distances of a pack mean.

use serde::{Deserialize, Serialize};

use super::PackError;
use super::manifest::require;
use crate::Quality;

/// When two faces count as one person. In `pack.toml` `sure` and `maybe` are in the pack's own metric, here they are Euclidean; the reasons for the numbers stand beside them in `pack.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Embeddings at most this far apart are surely one person, when both faces are fit for it ([`Thresholds::fit_for_sure`]).
    pub sure: f32,
    /// Embeddings at most this far apart may be one person: ask.
    pub maybe: f32,
    /// As `sure`, between templates.
    pub template_sure: f32,
    /// As `maybe`, between templates.
    pub template_maybe: f32,
    /// A match is sure only if every other face of the photo is further from the template by at least this much.
    pub template_margin: f32,
    /// Faces narrower than this (pixels) are never surely anybody.
    pub min_face_px: f32,
    /// Faces of less quality than this (0..1) are never surely anybody.
    pub min_quality: f32,
    /// Least quality (0..1) of a face that somebody enrols with.
    pub min_enrol_quality: f32,
    /// Stricter distances for the profile of a child; `None` when the pack states none. [`Thresholds::for_child`] reads them.
    #[serde(default)]
    pub child: Option<ChildThresholds>,
}

/// Distances for the profile of a child, as those of the same names in [`Thresholds`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildThresholds {
    /// Between embeddings: surely one person.
    pub sure: f32,
    /// Between embeddings: ask.
    pub maybe: f32,
    /// Between templates: surely one person.
    pub template_sure: f32,
    /// Between templates: ask.
    pub template_maybe: f32,
}

impl Thresholds {
    /// The thresholds for a profile that is marked as a child's; the gates stay as they are. With a pack that states none, what would be sure of
    /// an adult is a maybe, and nothing is sure.
    #[must_use]
    pub fn for_child(&self) -> Self {
        let unstated =
            ChildThresholds { sure: 0.0, maybe: self.sure, template_sure: 0.0, template_maybe: self.template_sure };
        let ChildThresholds { sure, maybe, template_sure, template_maybe } = self.child.unwrap_or(unstated);
        Self { sure, maybe, template_sure, template_maybe, ..*self }
    }

    /// [`Thresholds::for_child`] for the profile of a child, else these.
    #[must_use]
    pub fn for_profile(&self, child: bool) -> Self {
        if child { self.for_child() } else { *self }
    }

    /// Whether a face of this quality may be surely somebody at all; if not, the best that a small distance can mean is "maybe".
    #[must_use]
    pub fn fit_for_sure(&self, quality: &Quality) -> bool {
        quality.width_px >= self.min_face_px && quality.score >= self.min_quality
    }

    /// From one minus the cosine to the distance of vectors of length 1.
    pub(super) fn of_unit_vectors(self) -> Result<Self, PackError> {
        require(self.maybe <= 2.0, "with the metric cosine, thresholds.maybe is at most 2")?;
        let distance = |cosine: f32| (2.0 * cosine).sqrt();
        let child = self.child.map(|child| ChildThresholds {
            sure: distance(child.sure),
            maybe: distance(child.maybe),
            ..child
        });
        Ok(Self { sure: distance(self.sure), maybe: distance(self.maybe), child, ..self })
    }

    pub(super) fn is_valid(&self) -> bool {
        let distances =
            [self.sure, self.maybe, self.template_sure, self.template_maybe, self.template_margin, self.min_face_px];
        let fractions = [self.min_quality, self.min_enrol_quality];
        distances.iter().all(|number| number.is_finite() && *number > 0.0)
            && fractions.iter().all(|number| (0.0..=1.0).contains(number))
            && self.sure <= self.maybe
            && self.template_sure <= self.template_maybe
            && self.child.is_none_or(|child| child.is_valid(self))
    }
}

impl ChildThresholds {
    /// In order, and none of them looser than an adult's.
    fn is_valid(&self, adult: &Thresholds) -> bool {
        let in_order = |sure: f32, maybe: f32| 0.0 < sure && sure <= maybe && maybe.is_finite();
        in_order(self.sure, self.maybe)
            && in_order(self.template_sure, self.template_maybe)
            && self.sure <= adult.sure
            && self.maybe <= adult.maybe
            && self.template_sure <= adult.template_sure
            && self.template_maybe <= adult.template_maybe
    }
}

#[cfg(test)]
mod tests {
    use super::super::builtin::MANIFEST;
    use super::super::manifest::Manifest;
    use super::*;

    #[test]
    fn a_child_is_told_by_stricter_distances_only() {
        let stated = Manifest::parse(MANIFEST).unwrap().thresholds;
        let child = stated.for_profile(true);
        assert!(child.sure < stated.sure && child.maybe < stated.maybe);
        assert!(child.template_sure < stated.template_sure && child.template_maybe < stated.template_maybe);
        assert_eq!((child.min_face_px, child.min_quality), (stated.min_face_px, stated.min_quality));
        assert_eq!(stated.for_profile(false), stated);

        let silent = Thresholds { child: None, ..stated }.for_child();
        assert_eq!((silent.sure, silent.template_sure), (0.0, 0.0));
        assert_eq!((silent.maybe, silent.template_maybe), (stated.sure, stated.template_sure));
    }

    #[test]
    fn looser_distances_for_children_are_refused() {
        let loosen = |change: fn(&mut ChildThresholds)| {
            let mut thresholds = Manifest::parse(MANIFEST).unwrap().thresholds;
            assert!(thresholds.is_valid());
            thresholds.child.as_mut().map(change).unwrap();
            thresholds.is_valid()
        };
        assert!(!loosen(|child| child.maybe = 1.0));
        assert!(!loosen(|child| child.template_maybe = 100.0));
        assert!(!loosen(|child| child.sure = child.maybe + 0.01));
        assert!(!loosen(|child| child.template_sure = f32::NAN));
        assert!(!loosen(|child| child.sure = 0.0));
    }
}
