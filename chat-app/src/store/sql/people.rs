//! People, as they and their sessions see them.

use async_trait::async_trait;
use sqlx::Row as _;

use super::{
    Sql,
    devices::{OF_OTHER_SESSIONS, forget_all},
    driver::{Row, Transaction},
    retry::retried,
    rows::parsed,
};
use crate::{
    domain::{Account, Cutoff, Profile, Settings, Timestamp, User, UserId},
    ports::{Accounts, People, Put, StoreError, StoreResult},
};

/// Changes read at a time: those of the last minutes. More would be an attack on somebody else.
const CHANGES_MAX: i64 = 10_000;

#[async_trait]
impl People for Sql {
    async fn account(&self, id: &UserId) -> StoreResult<Option<Account>> {
        let row = sqlx::query(
            "SELECT id, name, picture, settings, tokens_from, tokens_except FROM users \
             WHERE id = ? AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(account).transpose()
    }

    async fn put_user(&self, user: &User) -> StoreResult<Put> {
        if self.create(user, None).await? {
            return Ok(Put::Created);
        }
        sqlx::query("UPDATE users SET name = ?, picture = ? WHERE id = ? AND deleted_at IS NULL")
            .bind(&user.name)
            .bind(&user.picture)
            .bind(user.id.as_str())
            .execute(&self.write)
            .await?;
        let is_there = self.user(&user.id).await?.is_some();
        Ok(if is_there { Put::Updated } else { Put::Gone })
    }

    async fn set_profile(&self, id: &UserId, profile: &Profile) -> StoreResult<()> {
        if let Some(name) = &profile.name {
            sqlx::query("UPDATE users SET name = ? WHERE id = ? AND deleted_at IS NULL")
                .bind(name)
                .bind(id.as_str())
                .execute(&self.write)
                .await?;
        }
        if let Some(picture) = &profile.picture {
            sqlx::query("UPDATE users SET picture = ? WHERE id = ? AND deleted_at IS NULL")
                .bind(picture)
                .bind(id.as_str())
                .execute(&self.write)
                .await?;
        }
        Ok(())
    }

    async fn set_settings(&self, id: &UserId, settings: &Settings) -> StoreResult<()> {
        let json = serde_json::to_string(settings)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        sqlx::query(
            "UPDATE users SET settings = ?, private_receipts = ?, settings_at = ? \
             WHERE id = ? AND deleted_at IS NULL",
        )
        .bind(json)
        .bind(i64::from(settings.private_receipts))
        .bind(Timestamp::now().millis())
        .bind(id.as_str())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    async fn privacy(&self, since: Timestamp) -> StoreResult<Vec<(UserId, bool)>> {
        let rows = sqlx::query(
            "SELECT id, private_receipts FROM users WHERE settings_at > ? \
             ORDER BY settings_at DESC LIMIT ?",
        )
        .bind(since.millis())
        .bind(CHANGES_MAX)
        .fetch_all(&self.read)
        .await?;
        let decision =
            |row: &Row| Ok((parsed(row, 0, UserId::parse)?, row.try_get::<i64, _>(1)? != 0));
        rows.iter().map(decision).collect()
    }

    async fn set_password(&self, id: &UserId, hash: &str, cutoff: &Cutoff) -> StoreResult<()> {
        retried(|| async {
            let mut transaction = self.begin().await?;
            sqlx::query(
                "UPDATE users SET password_hash = ?, tokens_from = ?, tokens_except = ? \
                 WHERE id = ? AND deleted_at IS NULL",
            )
            .bind(hash)
            .bind(cutoff.at.millis())
            .bind(&cutoff.except)
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
            drop_devices(&mut transaction, id, cutoff.except.as_deref()).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn delete_user(&self, id: &UserId, at: Timestamp) -> StoreResult<()> {
        retried(|| async {
            let mut transaction = self.begin().await?;
            sqlx::query(
                "UPDATE users SET name = id, picture = NULL, password_hash = NULL, \
                 settings = NULL, tokens_from = ?, tokens_except = NULL, deleted_at = ? \
                 WHERE id = ? AND deleted_at IS NULL",
            )
            .bind(at.millis())
            .bind(at.millis())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
            drop_devices(&mut transaction, id, None).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn cutoffs(&self, since: Timestamp) -> StoreResult<Vec<(UserId, Cutoff)>> {
        let rows = sqlx::query(
            "SELECT id, tokens_from, tokens_except FROM users WHERE tokens_from > ? \
             ORDER BY tokens_from DESC LIMIT ?",
        )
        .bind(since.millis())
        .bind(CHANGES_MAX)
        .fetch_all(&self.read)
        .await?;
        let cutoff = |row: &Row| {
            let at = Timestamp::from_millis(row.try_get(1)?);
            Ok((parsed(row, 0, UserId::parse)?, Cutoff { at, except: row.try_get(2)? }))
        };
        rows.iter().map(cutoff).collect()
    }
}

/// The devices of sessions that end, and what they were due.
async fn drop_devices(
    transaction: &mut Transaction,
    user: &UserId,
    but_of: Option<&str>,
) -> StoreResult<()> {
    forget_all(transaction, OF_OTHER_SESSIONS, &[user.as_str(), but_of.unwrap_or_default()]).await
}

fn account(row: &Row) -> StoreResult<Account> {
    let settings: Option<String> = row.try_get(3)?;
    let settings = settings.map(|json| serde_json::from_str::<Settings>(&json)).transpose();
    let except = row.try_get(5)?;
    let cutoff = row.try_get::<Option<i64>, _>(4)?.map(Timestamp::from_millis);
    Ok(Account {
        user: User {
            id: parsed(row, 0, UserId::parse)?,
            name: row.try_get(1)?,
            picture: row.try_get(2)?,
        },
        settings: settings
            .map_err(|error| StoreError::Unreadable(error.to_string()))?
            .unwrap_or_default(),
        cutoff: cutoff.map(|at| Cutoff { at, except }),
    })
}
