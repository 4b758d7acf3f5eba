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

/// Decides. "Never" wins over everything, then the owner's word on this photo; maybes and children always ask.
#[must_use]
pub fn rule(question: &Question) -> Ruling {
    let policy = question.person.unwrap_or(question.event);
    match (policy, question.decision) {
        (Policy::Never, _) | (_, Some(Decision::Refused)) => Ruling::Hold,
        (_, Some(Decision::Allowed)) => Ruling::Send,
        (Policy::Ask, None) => Ruling::Ask,
        (Policy::Automatic, None) if question.child || question.grade == Grade::Maybe => Ruling::Ask,
        (Policy::Automatic, None) => Ruling::Send,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(
        event: Policy,
        person: Option<Policy>,
        grade: Grade,
        child: bool,
        decision: Option<Decision>,
    ) -> Ruling {
        rule(&Question { event, person, grade, child, decision })
    }

    #[test]
    fn d4_every_combination_is_ruled_as_promised() {
        let policies = [Policy::Ask, Policy::Automatic, Policy::Never];
        let persons = [None, Some(Policy::Ask), Some(Policy::Automatic), Some(Policy::Never)];
        for event in policies {
            for person in persons {
                for grade in [Grade::Sure, Grade::Maybe] {
                    for child in [false, true] {
                        for decision in [None, Some(Decision::Allowed), Some(Decision::Refused)] {
                            let ruling = question(event, person, grade, child, decision);
                            let effective = person.unwrap_or(event);
                            if effective == Policy::Never || decision == Some(Decision::Refused) {
                                assert_eq!(ruling, Ruling::Hold);
                            } else if ruling == Ruling::Send {
                                // Leaves only by the owner's word, or as a sure match of an adult under an automatic policy.
                                assert!(
                                    decision == Some(Decision::Allowed)
                                        || (effective == Policy::Automatic && grade == Grade::Sure && !child)
                                );
                            } else {
                                assert_eq!(ruling, Ruling::Ask);
                            }
                        }
                    }
                }
            }
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
