//! The endpoints of events: making and joining them, their members, what is decided by hand, transfers.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;

use crate::api::Api;
use crate::views::{Approval, Event, EventPatch, Invite, Leak, Recall, Transfer};

#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn events(&self) -> Result<Vec<Event>> {
        self.get("/events").await
    }

    pub async fn event(&self, id: &str) -> Result<Event> {
        self.get(&format!("/events/{id}")).await
    }

    pub async fn create_event(&self, name: &str) -> Result<Event> {
        self.with(Method::POST, "/events", &json!({ "name": name })).await
    }

    pub async fn patch_event(&self, id: &str, patch: &EventPatch) -> Result<Event> {
        self.with(Method::PATCH, &format!("/events/{id}"), patch).await
    }

    pub async fn invite(&self, event: &str, expires_in_s: Option<u64>, uses: Option<u32>) -> Result<Invite> {
        self.with(
            Method::POST,
            &format!("/events/{event}/invites"),
            &json!({ "expires_in_s": expires_in_s, "uses": uses }),
        )
        .await
    }

    pub async fn invites(&self, event: &str, all: bool) -> Result<Vec<Invite>> {
        self.get(&format!("/events/{event}/invites?all={all}")).await
    }

    pub async fn revoke(&self, event: &str, invite: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, &format!("/events/{event}/invites/{invite}"))).await.map(drop)
    }

    pub async fn leaked(&self, event: &str, invite: Option<&str>, remove: &[&str]) -> Result<Leak> {
        let body = json!({ "invite": invite, "remove": remove });
        self.with(Method::POST, &format!("/events/{event}/invites/leaked"), &body).await
    }

    pub async fn show_code(&self, event: &str, invite: &str) -> Result<Event> {
        self.with(Method::PUT, &format!("/events/{event}/code"), &json!({ "invite": invite })).await
    }

    pub async fn stop_code(&self, event: &str) -> Result<Event> {
        self.json(self.request(Method::DELETE, &format!("/events/{event}/code"))).await
    }

    pub async fn join(&self, link: &str) -> Result<Event> {
        self.with(Method::POST, "/events/join", &json!({ "link": link })).await
    }

    /// Chooses what photos for a member still say.
    pub async fn set_details(&self, event: &str, member: &str, time: bool, place: bool, camera: bool) -> Result<Event> {
        let details = json!({ "time": time, "place": place, "camera": camera });
        self.with(Method::PUT, &format!("/events/{event}/members/{member}/details"), &details).await
    }

    pub async fn admit(&self, event: &str, member: &str, admit: bool) -> Result<Event> {
        self.with(Method::POST, &format!("/events/{event}/admissions/{member}"), &json!({ "admit": admit })).await
    }

    pub async fn co_host(&self, event: &str, member: &str, is_one: bool) -> Result<Event> {
        self.with(Method::PUT, &format!("/events/{event}/members/{member}/role"), &json!({ "co_host": is_one })).await
    }

    pub async fn remove_member(&self, event: &str, member: &str) -> Result<Event> {
        self.json(self.request(Method::DELETE, &format!("/events/{event}/members/{member}"))).await
    }

    pub async fn renew_keys(&self, event: &str) -> Result<Event> {
        self.json(self.request(Method::POST, &format!("/events/{event}/keys"))).await
    }

    pub async fn leave(&self, event: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, &format!("/events/{event}"))).await.map(drop)
    }

    pub async fn member_policy(&self, event: &str, member: &str, policy: &str) -> Result<Event> {
        self.with(Method::PUT, &format!("/events/{event}/members/{member}/policy"), &json!({ "policy": policy })).await
    }

    pub async fn protect(&self, event: &str, wish: &str, text_hash: &str) -> Result<Event> {
        let body = json!({ "wish": wish, "text_hash": text_hash });
        self.with(Method::PUT, &format!("/events/{event}/protection"), &body).await
    }

    pub async fn unprotect(&self, event: &str) -> Result<Event> {
        self.json(self.request(Method::DELETE, &format!("/events/{event}/protection"))).await
    }

    pub async fn wall(&self, event: &str) -> Result<Vec<String>> {
        self.get(&format!("/events/{event}/wall")).await
    }

    pub async fn approvals(&self, state: &str) -> Result<Vec<Approval>> {
        self.get(&format!("/approvals?state={state}")).await
    }

    pub async fn take_back(&self, approval: &str) -> Result<Approval> {
        self.json(self.request(Method::DELETE, &format!("/approvals/{approval}/answer"))).await
    }

    pub async fn decide(&self, approval: &str, decision: &str, always: bool) -> Result<Approval> {
        self.with(Method::POST, &format!("/approvals/{approval}"), &json!({ "decision": decision, "always": always }))
            .await
    }

    pub async fn approval_image(&self, approval: &str, which: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("/approvals/{approval}/{which}")).await
    }

    /// Asks the receiver of a photo to delete it.
    pub async fn recall(&self, transfer: &str) -> Result<Transfer> {
        self.with(Method::POST, &format!("/transfers/{transfer}/recall"), &json!({})).await
    }

    /// Photos that others ask this node to delete.
    pub async fn recalls(&self) -> Result<Vec<Recall>> {
        self.get("/recalls").await
    }

    pub async fn answer_recall(&self, id: &str, delete: bool) -> Result<Vec<Recall>> {
        self.with(Method::POST, &format!("/recalls/{id}"), &json!({ "delete": delete })).await
    }

    pub async fn transfers(&self) -> Result<Vec<Transfer>> {
        self.get("/transfers").await
    }

    pub async fn transfers_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Transfer>> {
        let after = after.map(|id| format!("&after={id}")).unwrap_or_default();
        self.get(&format!("/transfers?limit={limit}{after}")).await
    }
}
