//! Devices, and whose they are.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    driver::{Row, Transaction},
    retry::retried,
    rows::parsed,
};
use crate::{
    domain::{Timestamp, UserId},
    notify::{
        Address, Language,
        ports::{Bound, Device, Devices},
    },
    ports::{StoreError, StoreResult},
};

const DEVICE: &str = "d.id, d.user_id, d.address, d.language, d.token_id, d.created_at";

#[async_trait]
impl Devices for Sql {
    async fn bind(&self, device: &Device, most: u32) -> StoreResult<Bound> {
        retried(|| self.bind_once(device, most)).await
    }

    async fn device(&self, user: &UserId, id: &str) -> StoreResult<Option<Device>> {
        let sql = format!("SELECT {DEVICE} FROM devices d WHERE d.user_id = ? AND d.id = ?");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(user.as_str())
            .bind(id)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(device_of).transpose()
    }

    async fn devices(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: u32,
    ) -> StoreResult<Vec<Device>> {
        let sql = format!(
            "SELECT {DEVICE} FROM devices d WHERE d.user_id = ? AND d.id > ? ORDER BY d.id LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(user.as_str())
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(device_of).collect()
    }

    async fn unbind(&self, user: &UserId, id: &str) -> StoreResult<bool> {
        retried(|| async {
            let mut transaction = self.begin().await?;
            let gone = sqlx::query("DELETE FROM devices WHERE user_id = ? AND id = ?")
                .bind(user.as_str())
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            if gone.rows_affected() > 0 {
                drop_jobs(&mut transaction, id).await?;
            }
            transaction.commit().await?;
            Ok(gone.rows_affected() > 0)
        })
        .await
    }

    async fn unbind_session(&self, token: &str) -> StoreResult<()> {
        self.unbind_all("token_id = ?", &[token]).await
    }

    async fn unbind_user(&self, user: &UserId, except: Option<&str>) -> StoreResult<()> {
        let values = [user.as_str(), except.unwrap_or_default()];
        self.unbind_all(OF_OTHER_SESSIONS, &values).await
    }
}

impl Sql {
    async fn unbind_all(&self, which: &'static str, values: &[&str]) -> StoreResult<()> {
        retried(|| async {
            let mut transaction = self.begin().await?;
            forget_all(&mut transaction, which, values).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn bind_once(&self, device: &Device, most: u32) -> StoreResult<Bound> {
        let mut transaction = self.begin().await?;
        let place = device.place();
        let sql = format!(
            "SELECT {DEVICE} FROM devices d WHERE d.place = ? {}",
            self.dialect.for_update()
        );
        let row =
            sqlx::query(AssertSqlSafe(sql)).bind(&place).fetch_optional(&mut *transaction).await?;
        let known = row.as_ref().map(device_of).transpose()?;
        let bound = match known {
            Some(known) if known.user == device.user => {
                renew(&mut transaction, &known.id, device).await?;
                Bound::Again { id: known.id, created_at: known.created_at }
            }
            Some(others) => {
                forget(&mut transaction, &others.id).await?;
                insert(&mut transaction, device, &place, most).await?
            }
            None => insert(&mut transaction, device, &place, most).await?,
        };
        transaction.commit().await?;
        Ok(bound)
    }
}

async fn renew(transaction: &mut Transaction, id: &str, device: &Device) -> StoreResult<()> {
    sqlx::query("UPDATE devices SET address = ?, language = ?, token_id = ? WHERE id = ?")
        .bind(json(&device.address)?)
        .bind(device.language.as_str())
        .bind(&device.token)
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert(
    transaction: &mut Transaction,
    device: &Device,
    place: &str,
    most: u32,
) -> StoreResult<Bound> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM devices WHERE user_id = ?")
        .bind(device.user.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    if count >= i64::from(most) {
        return Ok(Bound::TooMany);
    }
    sqlx::query(
        "INSERT INTO devices (id, user_id, place, kind, address, language, token_id, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&device.id)
    .bind(device.user.as_str())
    .bind(place)
    .bind(device.address.kind())
    .bind(json(&device.address)?)
    .bind(device.language.as_str())
    .bind(&device.token)
    .bind(device.created_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(Bound::Fresh)
}

/// A user's devices, but those of this session.
pub(super) const OF_OTHER_SESSIONS: &str = "user_id = ? AND token_id <> ?";

/// Devices of which this holds, and all that they are due. They are few, and found first: a
/// DELETE with a subquery has MariaDB look at every job there is.
pub(super) async fn forget_all(
    transaction: &mut Transaction,
    which: &str,
    values: &[&str],
) -> StoreResult<()> {
    let select = format!("SELECT id FROM devices WHERE {which}");
    let mut query = sqlx::query_scalar(AssertSqlSafe(select));
    for value in values {
        query = query.bind((*value).to_owned());
    }
    let ids: Vec<String> = query.fetch_all(&mut **transaction).await?;
    for id in &ids {
        forget(transaction, id).await?;
    }
    Ok(())
}

/// The device and all that it is due.
pub(super) async fn forget(transaction: &mut Transaction, id: &str) -> StoreResult<()> {
    sqlx::query("DELETE FROM devices WHERE id = ?").bind(id).execute(&mut **transaction).await?;
    drop_jobs(transaction, id).await
}

async fn drop_jobs(transaction: &mut Transaction, device: &str) -> StoreResult<()> {
    sqlx::query("DELETE FROM push_jobs WHERE device_id = ?")
        .bind(device)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn device_of(row: &Row) -> StoreResult<Device> {
    Ok(Device {
        id: row.try_get(0)?,
        user: parsed(row, 1, UserId::parse)?,
        address: address(row, 2)?,
        language: language(row, 3)?,
        token: row.try_get(4)?,
        created_at: Timestamp::from_millis(row.try_get(5)?),
    })
}

pub(super) fn address(row: &Row, column: usize) -> StoreResult<Address> {
    // The text is not told: it holds secrets.
    parsed(row, column, |text| serde_json::from_str(text).ok())
        .map_err(|_| StoreError::Unreadable("the address of a device".to_owned()))
}

pub(super) fn language(row: &Row, column: usize) -> StoreResult<Language> {
    parsed(row, column, |text| Some(Language::of(text)))
}

fn json(address: &Address) -> StoreResult<String> {
    serde_json::to_string(address).map_err(|error| StoreError::Unreadable(error.to_string()))
}
