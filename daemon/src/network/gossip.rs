//! Gossip settings: small anonymous messages, passed on by known peers only.
//!
//! The records inside are sealed and signed by their author, so gossip itself signs nothing and names nobody. A
//! score holds strangers out: with theirs far below zero they get no message, are in no mesh, and what they send is
//! rejected; their subscriptions are remembered, for they may be admitted later.

use inframe_protocol::ids::NodeId;
use libp2p::gossipsub::{
    AllowAllSubscriptionFilter, Behaviour, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter,
    Message, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, PublishError, SubscriptionError,
    TopicHash, ValidationMode,
};
use std::time::Duration;

use super::{GossipError, NetworkEvent, StartError, limits};

pub(super) type Gossip = Behaviour<IdentityTransform, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

/// Score of a peer that is not known; below every threshold but the one that mutes its subscriptions too.
pub(super) const STRANGER: f64 = -100.0;
/// Score of a known peer.
pub(super) const KNOWN: f64 = 0.0;

/// A gossip behaviour with our settings.
pub(super) fn new() -> Result<Gossip, StartError> {
    let stack = |error: &dyn std::fmt::Display| StartError::Stack(error.to_string());
    let config = ConfigBuilder::default()
        .protocol_id_prefix("/inframe/gossip")
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_BYTES + 256) // the topic and the framing around a message
        .max_control_message_size(limits::GOSSIP_CONTROL_BYTES)
        .heartbeat_initial_delay(Duration::from_secs(1))
        .build()
        .map_err(|error| stack(&error))?;
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter {},
        max_subscribed_topics: limits::TOPICS,
        max_subscriptions_per_request: limits::TOPICS,
    };
    let mut gossip = Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|error| stack(&error))?;
    // Only the score that we set counts: a quiet topic, a home network behind one address and a slow phone are no
    // misbehaviour here.
    let scores = PeerScoreParams {
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: 0.0,
        slow_peer_weight: 0.0,
        ..PeerScoreParams::default()
    };
    let thresholds = PeerScoreThresholds {
        gossip_threshold: STRANGER / 10.0,
        publish_threshold: STRANGER / 2.0,
        graylist_threshold: STRANGER * 10.0,
        ..PeerScoreThresholds::default()
    };
    gossip.with_peer_score(scores, thresholds).map_err(|error| stack(&error))?;
    Ok(gossip)
}

/// The same bytes on the same topic are one message, whoever sends them.
fn message_id(message: &Message) -> MessageId {
    let mut hasher = blake3::Hasher::new_derive_key("inframe 2026 gossip message id");
    hasher.update(message.topic.as_str().as_bytes()).update(&[0]).update(&message.data);
    MessageId::new(hasher.finalize().as_bytes())
}

/// A topic of that name, which is told to neighbours as it is.
pub(super) fn topic(name: &str) -> Result<IdentTopic, GossipError> {
    if name.is_empty() || name.len() > limits::TOPIC_BYTES {
        return Err(GossipError::Topic);
    }
    Ok(IdentTopic::new(name))
}

/// Follows a topic.
pub(super) fn subscribe(gossip: &mut Gossip, name: &str) -> Result<(), GossipError> {
    let topic = topic(name)?;
    let followed = gossip.topics().count();
    if followed >= limits::TOPICS && !gossip.topics().any(|known| *known == topic.hash()) {
        return Err(GossipError::TooManyTopics);
    }
    match gossip.subscribe(&topic) {
        Ok(_) => Ok(()),
        Err(SubscriptionError::NotAllowed) => Err(GossipError::TooManyTopics),
        Err(SubscriptionError::PublishError(_)) => Err(GossipError::NotNow),
    }
}

/// Sends a message to those who follow the topic.
pub(super) fn publish(gossip: &mut Gossip, name: &str, bytes: Vec<u8>) -> Result<(), GossipError> {
    if bytes.len() > limits::GOSSIP_BYTES {
        return Err(GossipError::TooLong);
    }
    match gossip.publish(topic(name)?, bytes) {
        Ok(_) => Ok(()),
        Err(PublishError::Duplicate) => Err(GossipError::Duplicate),
        Err(PublishError::NoPeersSubscribedToTopic) => Err(GossipError::NobodyListens),
        Err(PublishError::MessageTooLarge) => Err(GossipError::TooLong),
        Err(_) => Err(GossipError::NotNow),
    }
}

/// The event for a message, if it is one that we follow and of a size that we allow.
pub(super) fn received(topic: &TopicHash, bytes: Vec<u8>, from: NodeId) -> Option<NetworkEvent> {
    let small = bytes.len() <= limits::GOSSIP_BYTES;
    small.then(|| NetworkEvent::Gossip { topic: topic.as_str().to_owned(), bytes, from })
}
