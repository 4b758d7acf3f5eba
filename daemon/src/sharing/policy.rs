//! May a matched photo go out: the holder's rules as one pure function. Cites D4: nothing leaves without a policy that allows it.

use serde::{Deserialize, Serialize};

use crate::matching::Grade;

/// The holder's rule for an event or a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// Ask before anything leaves; yes may be remembered.
    #[default]
    Ask,
    /// Sure matches leave by themselves.
    Automatic,
    /// Nothing leaves and nothing is asked.
    Never,
}

impl Policy {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Policy::Ask => "ask",
            Policy::Automatic => "automatic",
            Policy::Never => "never",
        }
    }

    /// Reads the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Policy::Ask, Policy::Automatic, Policy::Never].into_iter().find(|policy| policy.word() == word)
    }
}

/// What the owner said about this very photo and person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// Send it.
    Allowed,
    /// Do not send it and do not ask again about this photo.
    Refused,
}

/// All that the ruling depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The event's policy on this node.
    pub event: Policy,
    /// The policy towards this person, when it differs from the event's.
    pub person: Option<Policy>,
    /// How sure the match is.
    pub grade: Grade,
    /// Whether the profile sought is a child's.
    pub child: bool,
    /// Whether the host says that children are present in the event (R81).
    pub children_present: bool,
    /// The owner's decision on this photo and person, if made.
    pub decision: Option<Decision>,
}

/// What to do with a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Offer it.
    Send,
    /// Put it into the approvals list.
    Ask,
    /// Do nothing.
    Hold,
}

/// Decides. "Never" wins over everything, then the owner's word on this photo; maybes and children always ask, and so does all where children are
/// present (R81).
#[must_use]
pub fn rule(question: &Question) -> Ruling {
    let policy = question.person.unwrap_or(question.event);
    match (policy, question.decision) {
        (Policy::Never, _) | (_, Some(Decision::Refused)) => Ruling::Hold,
        (_, Some(Decision::Allowed)) => Ruling::Send,
        (Policy::Ask, None) => Ruling::Ask,
        (Policy::Automatic, None) if question.child || question.children_present || question.grade == Grade::Maybe => {
            Ruling::Ask
        }
        (Policy::Automatic, None) => Ruling::Send,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_every_combination_is_ruled_as_promised() {
        let policies = [Policy::Ask, Policy::Automatic, Policy::Never];
        let persons = [None, Some(Policy::Ask), Some(Policy::Automatic), Some(Policy::Never)];
        let decisions = [None, Some(Decision::Allowed), Some(Decision::Refused)];
        let mut seen = 0;
        for (event, person) in policies.into_iter().flat_map(|event| persons.map(|person| (event, person))) {
            for (grade, decision) in decisions.into_iter().flat_map(|one| [(Grade::Sure, one), (Grade::Maybe, one)]) {
                for (child, children_present) in [(false, false), (false, true), (true, false), (true, true)] {
                    let ruling = rule(&Question { event, person, grade, child, children_present, decision });
                    let effective = person.unwrap_or(event);
                    // Leaves only by the owner's word, or as a sure match of an adult under an automatic policy, where no child is present.
                    let by_itself =
                        effective == Policy::Automatic && grade == Grade::Sure && !child && !children_present;
                    let expected = if effective == Policy::Never || decision == Some(Decision::Refused) {
                        Ruling::Hold
                    } else if decision == Some(Decision::Allowed) || by_itself {
                        Ruling::Send
                    } else {
                        Ruling::Ask
                    };
                    assert_eq!(ruling, expected);
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 3 * 4 * 2 * 3 * 4);
    }

    #[test]
    fn d4_where_children_are_present_nothing_goes_unasked_and_never_stays_never() {
        for (event, person) in [(Policy::Automatic, None), (Policy::Ask, Some(Policy::Automatic))] {
            let of = |children_present, decision| {
                rule(&Question { event, person, grade: Grade::Sure, child: false, children_present, decision })
            };
            assert_eq!((of(false, None), of(true, None)), (Ruling::Send, Ruling::Ask));
            assert_eq!(of(true, Some(Decision::Allowed)), Ruling::Send, "an answer about this very photo counts");
            assert_eq!(of(true, Some(Decision::Refused)), Ruling::Hold);
        }
        for (event, person) in [(Policy::Never, None), (Policy::Automatic, Some(Policy::Never))] {
            let question =
                Question { event, person, grade: Grade::Sure, child: false, children_present: true, decision: None };
            assert_eq!(rule(&question), Ruling::Hold);
        }
    }

    #[test]
    fn the_words_round_trip() {
        for policy in [Policy::Ask, Policy::Automatic, Policy::Never] {
            assert_eq!(Policy::from_word(policy.word()), Some(policy));
        }
        assert_eq!(Policy::from_word("sometimes"), None);
    }
}
