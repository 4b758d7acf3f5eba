//! Who can see what, and everything that this node knows about its owner in one document.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use inframe_protocol::{EventId, MemberId};
use serde_json::{Value, json};

use super::events::details_view;
use super::{Answer, Node, NodeError};
use crate::clock::now_ms;
use crate::library::AssetId;
use crate::notices::Receiver;
use crate::sharing::ledgers::DeliveryState;
use crate::views::{HeldFacesView, LeavesView, PrivacyView, RuleView, ShareView};
use crate::workers::Core;

/// Entries of the activity log read at a time.
const PAGE: u32 = 500;

impl Node {
    /// Who can see what of the owner's, and what leaves this machine.
    ///
    /// # Errors
    /// None at present.
    pub async fn privacy(&self) -> Answer<PrivacyView> {
        let looks_around = self.place.mdns;
        self.blocking(move |core| {
            let events = core.events.describe_all(now_ms());
            let mut rules: Vec<RuleView> = events.iter().map(rule).collect();
            rules.sort_by(|a, b| a.event_name.cmp(&b.event_name).then_with(|| a.event.cmp(&b.event)));
            let searches = core.events.searches(now_ms()).into_iter();
            let held = |search: crate::events::Search| HeldFacesView {
                event_name: core.events.name(&search.event),
                event: search.event.to_string(),
                faces: search.wanted.len() as u64,
            };
            Ok(PrivacyView {
                shares: shares(core),
                rules,
                faces_held: searches.map(held).filter(|held| held.faces > 0).collect(),
                kept_for_others: core.held.all().len() as u64,
                leaves: leaves(core, looks_around, &events),
            })
        })
        .await
    }

    /// Everything that this node knows about its owner, as one JSON document: what was given, agreed to, found, decided, sent and received. Photos
    /// themselves are in the plain export.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub async fn all_about_me(&self) -> Answer<Value> {
        let mut activity = Vec::new();
        let mut before = None;
        loop {
            let page = self.activity(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.seq);
            activity.extend(page);
        }
        let selfies = self
            .blocking(|core| {
                let of = |profile| {
                    let all = core.profile.selfies(profile).into_iter();
                    all.map(move |(id, selfie)| {
                        json!({
                            "profile": profile.to_string(), "id": id, "at": selfie.at, "live": selfie.live, "model": selfie.pack,
                            "still_jpeg_base64": BASE64.encode(&selfie.still), "numbers": selfie.embedding,
                        })
                    })
                };
                Ok(core.profile.ids().into_iter().flat_map(of).collect::<Vec<Value>>())
            })
            .await?;
        let value = |value: serde_json::Result<Value>| {
            value.map_err(|error| NodeError::Invalid("not-written", format!("it could not be written: {error}")))
        };
        Ok(json!({
            "made_at": now_ms(),
            "node": self.core.network.node_id().to_string(),
            "notices": value(serde_json::to_value(self.notices().await?))?,
            "settings": value(serde_json::to_value(self.settings().await?))?,
            "profiles": value(serde_json::to_value(self.profiles().await?))?,
            "selfies": selfies,
            "consents": value(serde_json::to_value(self.receipts().await?))?,
            "people": value(serde_json::to_value(self.people().await?))?,
            "events": value(serde_json::to_value(self.events().await?))?,
            "approvals": value(serde_json::to_value(self.approvals(true).await?))?,
            "transfers": value(serde_json::to_value(self.transfers(None, usize::MAX).await?))?,
            "privacy": value(serde_json::to_value(self.privacy().await?))?,
            "activity": value(serde_json::to_value(activity))?,
        }))
    }
}

fn rule(event: &crate::events::Description) -> RuleView {
    RuleView {
        event: event.id.to_string(),
        event_name: event.name.clone(),
        policy: event.settings.policy.word().into(),
        takes: event.settings.takes.word().into(),
        members: event.members.iter().filter(|member| !member.me).count() as u64,
        own_rules: event.settings.persons.values().filter(|policy| **policy != event.settings.policy).count() as u64,
    }
}

/// What was delivered, by member. A photo that went out twice counts once.
fn shares(core: &Core) -> Vec<ShareView> {
    let mut by_member: BTreeMap<(EventId, MemberId), (BTreeSet<AssetId>, u64)> = BTreeMap::new();
    for (_, row) in core.deliveries.all() {
        if row.state == DeliveryState::Delivered {
            let (photos, last_at) = by_member.entry((row.event, row.member)).or_default();
            photos.insert(row.asset);
            *last_at = row.changed_at.max(*last_at);
        }
    }
    let view = |((event, member), (photos, last_at)): ((EventId, MemberId), (BTreeSet<AssetId>, u64))| ShareView {
        event_name: core.events.name(&event),
        nickname: core.events.nickname(&event, &member),
        event: event.to_string(),
        member: member.to_string(),
        photos: photos.len() as u64,
        last_at,
    };
    let mut shares: Vec<ShareView> = by_member.into_iter().map(view).collect();
    shares.sort_by(|a, b| b.photos.cmp(&a.photos).then(b.last_at.cmp(&a.last_at)));
    shares
}

fn leaves(core: &Core, looks_around: bool, events: &[crate::events::Description]) -> Vec<LeavesView> {
    let one = |kind: &str, text: String| LeavesView { kind: kind.into(), text };
    let mut leaves = Vec::new();
    if looks_around {
        let text = "This device says to the local network that it is here: a random number and its addresses, no name.";
        leaves.push(one("local-network", text.into()));
    }
    if !events.is_empty() {
        let text = "Members of your events get your nickname, this device’s addresses, and the faces that you announce. \
                    Everything goes encrypted from device to device.";
        leaves.push(one("members", text.into()));
    }
    let mine = core.settings.contact();
    let given: Vec<&str> =
        [&mine.name, &mine.email].into_iter().map(String::as_str).filter(|one| !one.is_empty()).collect();
    for event in events.iter().filter(|event| event.shows_contact && !given.is_empty()) {
        leaves.push(one("contact", format!("Members of {} see who you are: {}.", event.name, given.join(", "))));
    }
    for event in events {
        for member in &event.members {
            if let Some(said) = details_view(member.details).words() {
                let (whom, name) = (&member.nickname, &event.name);
                leaves.push(one("details", format!("Photos that go to {whom} in {name} say {said} they were taken.")));
            }
        }
    }
    let is_open =
        |event: &&crate::events::Description| core.guests.page(&event.id).is_some_and(|page| page.is_open(now_ms()));
    for event in events.iter().filter(is_open) {
        let text = format!(
            "The page for guests of {} is open on the local network: whoever has its link may add photos, and sees those in which \
             they are found, as your rule for the event allows. Between this device and a phone, what is shown goes unencrypted.",
            event.name
        );
        leaves.push(one("guests", text));
    }
    if let Some(address) = core.relay.get().address {
        let text = format!(
            "The relay {address} sees this device’s internet address, and how much goes through it, but nothing of what."
        );
        leaves.push(one("relay", text));
    }
    if let Some(receiver) = core.notices.get().receiver {
        let said = if receiver.names { "with the names of people and events" } else { "without names" };
        let host =
            Receiver::new(&receiver).map_or_else(|_| "the address that you named".into(), |it| it.host().to_owned());
        let text = format!(
            "{host} gets a notice when something happens here that you want to be told of: what kind of thing, how many and when, {said}. It sees \
             this device’s internet address."
        );
        leaves.push(one("notices", text));
    }
    let kept = core.deposits.all().iter().filter(|(_, deposit)| deposit.is_kept).count();
    if kept > 0 {
        let photos = if kept == 1 { "A photo is".to_owned() } else { format!("{kept} photos are") };
        let text = format!(
            "{photos} kept by other members for people who are away: sealed, and unreadable to those who keep them."
        );
        leaves.push(one("keeper", text));
    }
    leaves
}
