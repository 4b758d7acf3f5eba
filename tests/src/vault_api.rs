//! The endpoints of the vault: lock and unlock, ways to unlock, backup and bringing it back, export, erasing, the first steps.

use std::path::Path;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::Api;
use crate::views::{Backup, Erasure, Export, FoundBackup, Vault, Verify};

#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn lan(&self) -> Result<Value> {
        self.get("/lan").await
    }

    pub async fn set_lan_password(&self, password: Option<&str>) -> Result<Value> {
        self.with(Method::PUT, "/lan/password", &json!({ "password": password })).await
    }

    pub async fn lan_launch_link(&self) -> Result<Value> {
        self.with(Method::POST, "/lan/launch-links", &()).await
    }

    pub async fn backup(&self) -> Result<Backup> {
        self.get("/backup").await
    }

    pub async fn change_backup(&self, patch: &Value) -> Result<Backup> {
        self.with(Method::PATCH, "/backup", patch).await
    }

    pub async fn run_backup(&self) -> Result<Backup> {
        self.with(Method::POST, "/backup/run", &()).await
    }

    pub async fn check_backup(&self) -> Result<Backup> {
        self.with(Method::POST, "/backup/check", &()).await
    }

    pub async fn verify(&self) -> Result<Verify> {
        self.get("/verify").await
    }

    pub async fn run_verify(&self, repair: bool) -> Result<Verify> {
        self.with(Method::POST, "/verify", &json!({ "repair": repair })).await
    }

    pub async fn export(&self) -> Result<Export> {
        self.get("/export").await
    }

    pub async fn begin_export(&self, folder: &Path) -> Result<Export> {
        self.with(Method::POST, "/export", &json!({ "folder": folder })).await
    }

    pub async fn stop_export(&self) -> Result<Export> {
        self.with(Method::DELETE, "/export", &()).await
    }

    pub async fn look_for_backup(&self, folder: &Path) -> Result<FoundBackup> {
        self.with(Method::POST, "/vault/restore/look", &json!({ "folder": folder })).await
    }

    pub async fn bring_back(&self, folder: &Path, by: &Value, by_itself: bool) -> Result<()> {
        let wish = json!({ "folder": folder, "by": by, "by_itself": by_itself });
        self.send(self.request(Method::POST, "/vault/restore").json(&wish)).await.map(drop)
    }

    pub async fn erasure(&self) -> Result<Erasure> {
        self.get("/erasure").await
    }

    pub async fn erase(&self, words: &str, by: Option<&Value>) -> Result<()> {
        let wish = json!({ "words": words, "by": by });
        self.send(self.request(Method::POST, "/vault/erase").json(&wish)).await.map(drop)
    }

    pub async fn end_first_run(&self) -> Result<()> {
        self.send(self.request(Method::POST, "/first-run/done")).await.map(drop)
    }

    pub async fn recovery_words(&self) -> Result<Vec<String>> {
        let answer: Value = self.with(Method::POST, "/vault/recovery-words", &()).await?;
        Ok(serde_json::from_value(answer["words"].clone())?)
    }

    pub async fn change_slots(&self, wish: &Value) -> Result<Vault> {
        self.with(Method::POST, "/vault/slots", wish).await
    }

    pub async fn vault(&self) -> Result<Vault> {
        self.get("/vault").await
    }

    pub async fn lock(&self) -> Result<()> {
        self.send(self.request(Method::POST, "/vault/lock")).await.map(drop)
    }

    pub async fn unlock(&self, secret: &Value) -> Result<()> {
        self.send(self.request(Method::POST, "/vault/unlock").json(secret)).await.map(drop)
    }
}
