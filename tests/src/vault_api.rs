//! The endpoints of the vault: lock and unlock, ways to unlock, backup.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use crate::api::Api;
use crate::views::{Backup, Vault};

#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
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
