//! People, and tokens that were given up.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql, dialect,
    driver::{Builder, Row},
    rows::parsed,
};
use crate::{
    domain::{Timestamp, User, UserId},
    ports::{Accounts, StoreResult},
};

#[async_trait]
impl Accounts for Sql {
    async fn create(&self, user: &User, password_hash: Option<&str>) -> StoreResult<bool> {
        let insert = format!(
            "{} users (id, name, picture, password_hash, created_at) VALUES (?, ?, ?, ?, ?)",
            self.dialect.insert_new()
        );
        let made = sqlx::query(AssertSqlSafe(insert))
            .bind(user.id.as_str())
            .bind(&user.name)
            .bind(&user.picture)
            .bind(password_hash)
            .bind(Timestamp::now().millis())
            .execute(&self.write)
            .await?;
        Ok(made.rows_affected() == 1)
    }

    async fn user(&self, id: &UserId) -> StoreResult<Option<User>> {
        let row =
            sqlx::query("SELECT id, name, picture FROM users WHERE id = ? AND deleted_at IS NULL")
                .bind(id.as_str())
                .fetch_optional(&self.read)
                .await?;
        row.as_ref().map(user).transpose()
    }

    async fn password_hash(&self, id: &UserId) -> StoreResult<Option<String>> {
        let hash: Option<Option<String>> =
            sqlx::query_scalar("SELECT password_hash FROM users WHERE id = ?")
                .bind(id.as_str())
                .fetch_optional(&self.read)
                .await?;
        Ok(hash.flatten())
    }

    async fn search(
        &self,
        query: &str,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<User>> {
        let prefix = format!("{}%", dialect::like(query));
        let rows = sqlx::query(
            "SELECT id, name, picture FROM users \
             WHERE id > ? AND deleted_at IS NULL \
             AND (id LIKE ? ESCAPE '!' OR name LIKE ? ESCAPE '!') ORDER BY id LIMIT ?",
        )
        .bind(from.map_or("", UserId::as_str))
        .bind(&prefix)
        .bind(&prefix)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(user).collect()
    }

    async fn unknown(&self, ids: &[UserId]) -> StoreResult<Vec<UserId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT id FROM users WHERE deleted_at IS NULL AND id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.as_str().to_owned());
        }
        query.push(")");
        let known: Vec<String> = query.build_query_scalar().fetch_all(&self.read).await?;
        Ok(ids.iter().filter(|id| !known.iter().any(|k| k == id.as_str())).cloned().collect())
    }

    async fn revoke(&self, token: &str, user: &UserId, expires: Timestamp) -> StoreResult<()> {
        let insert = format!(
            "{} revoked_tokens (id, user_id, expires_at) VALUES (?, ?, ?)",
            self.dialect.insert_new()
        );
        sqlx::query(AssertSqlSafe(insert))
            .bind(token)
            .bind(user.as_str())
            .bind(expires.millis())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn revoked(&self, now: Timestamp) -> StoreResult<Vec<String>> {
        sqlx::query("DELETE FROM revoked_tokens WHERE expires_at < ?")
            .bind(now.millis())
            .execute(&self.write)
            .await?;
        Ok(sqlx::query_scalar("SELECT id FROM revoked_tokens").fetch_all(&self.read).await?)
    }
}

fn user(row: &Row) -> StoreResult<User> {
    Ok(User { id: parsed(row, 0, UserId::parse)?, name: row.try_get(1)?, picture: row.try_get(2)? })
}
