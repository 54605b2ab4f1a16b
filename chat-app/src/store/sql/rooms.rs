//! Rooms and who is in them: each change one transaction, with its version and its outbox rows.

use async_trait::async_trait;

use super::{
    Sql,
    doors::is_blocked,
    outbox,
    retry::retried,
    rooms_read,
    rooms_write::{
        arrivals, bump, count_members, departures, drop_member, drop_room, insert_members,
        insert_room, pair, put_member, remember, repeated, room_of_pair, show,
    },
};
use crate::{
    domain::{Change, Event, Member, Room, RoomId, RoomName, Standing, Timestamp, UserId},
    ports::{Created, Membership, NewRoom, Rooms, RoomsCursor, StoreResult},
};

#[async_trait]
impl Rooms for Sql {
    async fn create(&self, room: &NewRoom) -> StoreResult<Created> {
        retried(|| self.create_once(room)).await
    }

    async fn standing(
        &self,
        room: &RoomId,
        actor: &UserId,
        target: &UserId,
    ) -> StoreResult<Option<Standing>> {
        rooms_read::standing(&self.read, room, actor, target).await
    }

    async fn apply(
        &self,
        room: &RoomId,
        change: &Change,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        retried(|| self.apply_once(room, change, at)).await
    }

    async fn rename(
        &self,
        room: &RoomId,
        at_version: i64,
        name: &RoomName,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        retried(|| self.rename_once(room, at_version, name, at)).await
    }

    async fn delete(
        &self,
        room: &RoomId,
        at_version: i64,
        by: &UserId,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        retried(|| self.delete_once(room, at_version, by, at)).await
    }

    async fn hide(&self, room: &RoomId, user: &UserId) -> StoreResult<()> {
        sqlx::query(
            "UPDATE members SET hidden_ordinal = \
             (SELECT last_ordinal FROM room_heads WHERE room_heads.room_id = members.room_id) \
             WHERE room_id = ? AND user_id = ?",
        )
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    async fn mute(&self, room: &RoomId, user: &UserId, until: Timestamp) -> StoreResult<()> {
        sqlx::query("UPDATE members SET muted_until = ? WHERE room_id = ? AND user_id = ?")
            .bind(until.millis())
            .bind(room.as_str())
            .bind(user.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn membership(&self, room: &RoomId) -> StoreResult<Option<Membership>> {
        let mut snapshot = self.snapshot().await?;
        rooms_read::membership(&mut snapshot, room).await
    }

    async fn room(&self, room: &RoomId, viewer: &UserId) -> StoreResult<Option<Room>> {
        let mut snapshot = self.snapshot().await?;
        rooms_read::room(&mut snapshot, room, viewer).await
    }

    async fn whole(&self, room: &RoomId) -> StoreResult<Option<Room>> {
        let mut snapshot = self.snapshot().await?;
        rooms_read::anybodys(&mut snapshot, room).await
    }

    async fn list(
        &self,
        user: &UserId,
        from: Option<&RoomsCursor>,
        limit: u32,
    ) -> StoreResult<(Vec<Room>, Option<RoomsCursor>)> {
        let mut snapshot = self.snapshot().await?;
        rooms_read::list(&mut snapshot, user, from, limit).await
    }

    async fn public(
        &self,
        viewer: &UserId,
        query: &str,
        from: Option<&RoomId>,
        limit: u32,
    ) -> StoreResult<Vec<Room>> {
        let mut snapshot = self.snapshot().await?;
        rooms_read::public(&mut snapshot, viewer, query, from, limit).await
    }

    async fn members(
        &self,
        room: &RoomId,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<Member>> {
        rooms_read::members(&self.read, room, from, limit).await
    }
}

/// The changes, each tried once.
impl Sql {
    async fn create_once(&self, room: &NewRoom) -> StoreResult<Created> {
        let mut transaction = self.begin().await?;
        if let Some(made) = repeated(&mut transaction, room).await? {
            return Ok(made);
        }
        if let Some(pair) = pair(room) {
            if let Some(id) = room_of_pair(&mut transaction, pair).await? {
                show(&mut transaction, &id, &room.by).await?;
                transaction.commit().await?;
                return Ok(Created::Existing(id));
            }
            if is_blocked(&mut transaction, pair).await? {
                return Ok(Created::Blocked);
            }
        }
        insert_room(&mut transaction, room).await?;
        insert_members(&mut transaction, room).await?;
        outbox::insert(&mut transaction, &room.id, 1, &arrivals(room)).await?;
        remember(&mut transaction, room).await?;
        transaction.commit().await?;
        Ok(Created::Fresh(room.id.clone()))
    }

    async fn apply_once(
        &self,
        room: &RoomId,
        change: &Change,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        let mut transaction = self.begin().await?;
        let Some(version) = bump(&mut transaction, room, change.at_version).await? else {
            return Ok(None);
        };
        match change.role {
            Some(role) => {
                put_member(&mut transaction, room, &change.user, role.as_str(), version, at).await?
            }
            None => drop(drop_member(&mut transaction, room, &change.user).await?),
        }
        count_members(&mut transaction, room).await?;
        if change.ends_room {
            drop_room(&mut transaction, room).await?;
        }
        let event = Event::Member {
            room: room.clone(),
            at,
            user: change.user.clone(),
            action: change.action,
            role: change.role,
            by: change.by.clone(),
            version,
        };
        outbox::insert(&mut transaction, room, version, &[event]).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }

    async fn rename_once(
        &self,
        room: &RoomId,
        at_version: i64,
        name: &RoomName,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        let mut transaction = self.begin().await?;
        let Some(version) = bump(&mut transaction, room, at_version).await? else {
            return Ok(None);
        };
        sqlx::query("UPDATE rooms SET name = ? WHERE id = ?")
            .bind(name.as_str())
            .bind(room.as_str())
            .execute(&mut *transaction)
            .await?;
        if let Some(seen) = rooms_read::anybodys(&mut transaction, room).await? {
            let event = Event::Room { room: Box::new(seen.for_everybody()), at };
            outbox::insert(&mut transaction, room, version, &[event]).await?;
        }
        transaction.commit().await?;
        Ok(Some(version))
    }

    async fn delete_once(
        &self,
        room: &RoomId,
        at_version: i64,
        by: &UserId,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        let mut transaction = self.begin().await?;
        let Some(version) = bump(&mut transaction, room, at_version).await? else {
            return Ok(None);
        };
        let gone = departures(&mut transaction, room, by, at, version).await?;
        drop_room(&mut transaction, room).await?;
        outbox::insert(&mut transaction, room, version, &gone).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }
}
