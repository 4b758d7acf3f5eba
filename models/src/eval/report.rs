//! A report as lines of text.

use std::fmt::{self, Display, Formatter};

use super::{AtThreshold, Curve, Detections, KeyedCurve, Part, Recognition, Report, Strangers};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "pack {}", self.pack)?;
        let mut changes = Vec::new();
        changes.extend(self.variant.shrink_to.map(|width| format!("shrunk to faces of {width} px")));
        changes.extend((self.variant.turn != 0.0).then(|| format!("turned by {} degrees", self.variant.turn)));
        changes.extend(self.variant.frame.map(|(width, height)| format!("pasted into {width}x{height}")));
        if !changes.is_empty() {
            writeln!(f, "photos {}", changes.join(", "))?;
        }
        self.parts.iter().try_for_each(|part| part.fmt(f))
    }
}

fn line(f: &mut Formatter<'_>, what: &str, found: impl Display) -> fmt::Result {
    writeln!(f, "  {what:<38} {found}")
}

fn percent(share: f32) -> String {
    format!("{:.2} %", 100.0 * share)
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}: {} photos, {:.2} s", self.folder.display(), self.photos, self.seconds)?;
        for (name, reason) in &self.unreadable {
            line(f, &format!("left out: {name}"), reason)?;
        }
        if let Some(detection) = &self.detection {
            detection.lines(f)?;
        }
        if let Some(recognition) = &self.recognition {
            recognition.lines(f)?;
        }
        self.within_photos.lines(f, "different people in one photo")?;
        self.strangers.lines(f, "different people")
    }
}

impl Detections {
    fn lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let share = self.found as f32 / self.wanted.max(1) as f32;
        line(f, "labelled faces found", format!("{} of {} ({})", self.found, self.wanted, percent(share)))?;
        line(f, "false boxes", self.false_boxes)?;
        for (name, wanted, found, false_boxes) in &self.imperfect {
            line(f, &format!("  {name}"), format!("{found} of {wanted} found, {false_boxes} false"))?;
        }
        Ok(())
    }
}

impl Recognition {
    fn lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, "people", self.people)?;
        if !self.without_face.is_empty() {
            line(f, "photos in which no face was found", self.without_face.join(", "))?;
        }
        if let Some(curve) = &self.labelled {
            let pairs = curve.same + curve.different;
            let right = pairs - curve.best_errors;
            line(f, "labelled pairs", format!("{right} of {pairs} right at {:.3}", curve.best_threshold))?;
        }
        match &self.pooled {
            Some(curve) => curve.lines(f)?,
            None => line(f, "all pairs", "too few photos: two people and two photos of one are needed")?,
        }
        if let Some((least, most)) = self.best_without_one {
            line(f, "best threshold without one person", format!("{least:.3} to {most:.3}"))?;
        }
        at_threshold(f, "sure", &self.sure)?;
        at_threshold(f, "maybe", &self.maybe)?;
        if let Some(template) = &self.template {
            template.lines(f)?;
        }
        if let Some(selfies) = &self.selfies {
            for (what, curve) in
                [("one", &selfies.one), ("nearest of three", &selfies.nearest), ("mean of three", &selfies.mean)]
            {
                let told = format!(
                    "EER {}, told at 1e-3 {}, best {:.3}",
                    percent(curve.eer),
                    percent(curve.tpr_at_1e3),
                    curve.best_threshold
                );
                line(f, &format!("against selfies: {what}"), told)?;
            }
        }
        Ok(())
    }
}

fn at_threshold(f: &mut Formatter<'_>, name: &str, at: &AtThreshold) -> fmt::Result {
    let found = format!("{} told, {} pairs of strangers", percent(at.told), at.wrong);
    line(f, &format!("at {name} ({:.2})", at.threshold), found)
}

impl Curve {
    fn lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, "all pairs", format!("{} of one person, {} of strangers", self.same, self.different))?;
        line(f, "equal error rate", percent(self.eer))?;
        line(f, "told at a false match rate of 1e-2", percent(self.tpr_at_1e2))?;
        line(f, "told at a false match rate of 1e-3", percent(self.tpr_at_1e3))?;
        line(f, "best threshold", format!("{:.3} with {} errors", self.best_threshold, self.best_errors))
    }
}

impl KeyedCurve {
    fn lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let both = |(mean, worst): (f32, f32)| format!("{} (worst {})", percent(mean), percent(worst));
        line(f, "as templates, event keys", self.keys)?;
        line(f, "  equal error rate", both(self.eer))?;
        line(f, "  told at a false match rate of 1e-2", both(self.tpr_at_1e2))?;
        line(f, "  told at a false match rate of 1e-3", both(self.tpr_at_1e3))?;
        line(f, "  best threshold", format!("{:.2}", self.best_threshold))?;
        at_threshold(f, "template_sure", &self.sure)?;
        at_threshold(f, "template_maybe", &self.maybe)
    }
}

impl Strangers {
    fn lines(&self, f: &mut Formatter<'_>, what: &str) -> fmt::Result {
        let distance = |nearest: Option<f32>| nearest.map_or("-".to_owned(), |apart| format!("{apart:.3}"));
        line(f, what, format!("{} pairs, {} pass the gates", self.pairs, self.fit_pairs))?;
        if self.pairs == 0 {
            return Ok(());
        }
        line(f, "  nearest, nearest that pass", format!("{}, {}", distance(self.nearest), distance(self.nearest_fit)))?;
        line(f, "  surely one person", self.sure)?;
        if self.nearest_template.is_some() {
            line(
                f,
                "  nearest templates, surely one person",
                format!("{}, {}", distance(self.nearest_template), self.template_sure),
            )?;
        }
        Ok(())
    }
}
