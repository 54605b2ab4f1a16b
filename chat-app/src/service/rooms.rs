//! Making rooms, seeing them, and changing who is in them.

use std::collections::BTreeSet;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use stomp_server::problem::{Code, Problem};

use super::Chat;
use crate::{
    domain::{
        Actor, Change, Kind, Member, Role, Room, RoomId, RoomName, Standing, Timestamp, UserId,
        no_such_room,
    },
    ports::{Created, NewRoom, RoomsCursor},
};

/// People that a room may begin with.
const FIRST_MEMBERS_MAX: usize = 1000;
/// Attempts at a change while others change the same room.
pub(super) const ATTEMPTS: usize = 20;

/// A room that somebody wants.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
pub(crate) struct RoomRequest {
    kind: Kind,
    #[serde(default)]
    members: Vec<String>,
    name: Option<String>,
    #[serde(default)]
    public: bool,
}

impl Chat {
    /// Makes a room. The second value is false if it was there already.
    pub(crate) async fn create_room(
        &self,
        by: &Actor,
        request: &RoomRequest,
        key: Option<&str>,
    ) -> Result<(Room, bool), Problem> {
        let room = self.new_room(by, request, key).await?;
        let (id, fresh) = match self.rooms.create(&room).await? {
            Created::Fresh(id) => (id, true),
            Created::Existing(id) => (id, false),
            Created::Blocked => {
                return Err(Problem::new(Code::Forbidden, "This room cannot be made."));
            }
            Created::KeyReused => {
                return Err(invalid_key(
                    Code::Conflict,
                    "This Idempotency-Key was used for another room.",
                ));
            }
        };
        self.relay.flush().await?;
        Ok((self.room(by, &id).await?, fresh))
    }

    async fn new_room(
        &self,
        by: &Actor,
        request: &RoomRequest,
        key: Option<&str>,
    ) -> Result<NewRoom, Problem> {
        let others = self.others(&by.user, &request.members).await?;
        let name = request.name.as_deref().map(RoomName::parse).transpose()?;
        if request.kind == Kind::Direct && (request.public || name.is_some()) {
            return Err(invalid("A direct room has no name and is never public."));
        }
        let members = first_members(by, request.kind, others)?;
        Ok(NewRoom {
            id: RoomId::fresh(),
            kind: request.kind,
            public: request.public,
            name,
            members,
            by: by.user.clone(),
            at: Timestamp::now(),
            idempotency: key.map(|key| idempotency(key, request)).transpose()?,
        })
    }

    /// The invited, without the one who invites; all of them known.
    async fn others(&self, by: &UserId, members: &[String]) -> Result<Vec<UserId>, Problem> {
        if members.len() > FIRST_MEMBERS_MAX {
            return Err(invalid("A room begins with too many members.")
                .with_limit("members", FIRST_MEMBERS_MAX as u64));
        }
        let unknown = |id: &String| invalid(format!("There is no user {id:?}."));
        let users = members
            .iter()
            .map(|id| UserId::parse(id).ok_or_else(|| unknown(id)))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let users: Vec<_> = users.into_iter().filter(|user| user != by).collect();
        self.check_known(&users, Code::Invalid).await?;
        Ok(users)
    }

    /// A room as `viewer` may see it.
    pub(crate) async fn room(&self, viewer: &Actor, room: &RoomId) -> Result<Room, Problem> {
        let seen = match self.rooms.room(room, &viewer.user).await? {
            Some(seen) if seen.role.is_some() || !viewer.is_service => Some(seen),
            _ if viewer.is_service => self.rooms.whole(room).await?,
            seen => seen,
        };
        seen.ok_or_else(no_such_room)
    }

    /// One's rooms, newest activity first.
    pub(crate) async fn list_rooms(
        &self,
        user: &UserId,
        from: Option<&RoomsCursor>,
        limit: u32,
    ) -> Result<(Vec<Room>, Option<RoomsCursor>), Problem> {
        Ok(self.rooms.list(user, from, limit).await?)
    }

    /// Public rooms by a part of their name.
    pub(crate) async fn public_rooms(
        &self,
        viewer: &UserId,
        query: &str,
        from: Option<&RoomId>,
        limit: u32,
    ) -> Result<Vec<Room>, Problem> {
        Ok(self.rooms.public(viewer, query, from, limit).await?)
    }

    /// Who is in a room that `viewer` is in.
    pub(crate) async fn members(
        &self,
        viewer: &Actor,
        room: &RoomId,
        from: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, Problem> {
        self.memberships.role(room, viewer).await?;
        let mut members = self.rooms.members(room, from, limit).await?;
        if self.memberships.of(room).await?.members.len() <= Room::MEMBERS_SHOWN {
            let users: Vec<_> = members.iter().map(|member| member.user.clone()).collect();
            let online = self.presences.online(&users).await?;
            for member in &mut members {
                member.online = Some(online.contains(&member.user));
            }
        }
        Ok(members)
    }

    /// One member, as it is shown.
    pub(crate) async fn member(&self, room: &RoomId, user: &UserId) -> Result<Member, Problem> {
        let role = self.memberships.of(room).await?.members.get(user).copied();
        let role = role.ok_or_else(no_such_room)?;
        let name = self.accounts.user(user).await?.map(|user| user.name);
        let name = name.unwrap_or_else(|| user.to_string());
        Ok(Member { user: user.clone(), name, role, online: None })
    }

    /// Puts `user` into the room or changes its role. True if it came in.
    pub(crate) async fn put_member(
        &self,
        by: &Actor,
        room: &RoomId,
        user: &UserId,
        role: Option<Role>,
    ) -> Result<bool, Problem> {
        let standing = self.standing(room, by, user).await?;
        if standing.actor.is_none() {
            return Err(no_such_room());
        }
        self.check_known(std::slice::from_ref(user), Code::NotFound).await?;
        let came = standing.target.is_none();
        self.change(room, by, user, |standing| standing.put(&by.user, user, role)).await?;
        Ok(came)
    }

    /// Removes `user`; of oneself it is leaving.
    pub(crate) async fn remove_member(
        &self,
        by: &Actor,
        room: &RoomId,
        user: &UserId,
    ) -> Result<(), Problem> {
        if by.user == *user {
            return self.leave(by, room).await;
        }
        self.change(room, by, user, |standing| standing.remove(&by.user, user)).await
    }

    /// Goes. A direct room is only hidden until its next message.
    pub(crate) async fn leave(&self, actor: &Actor, room: &RoomId) -> Result<(), Problem> {
        // Nobody leaves by what a service may: only who is in the room goes.
        let person = Actor::person(actor.user.clone());
        let user = &person.user;
        let standing = self.standing(room, &person, user).await?;
        if standing.kind == Kind::Direct && standing.actor.is_some() {
            return Ok(self.rooms.hide(room, user).await?);
        }
        self.change(room, &person, user, |standing| standing.leave(user)).await
    }

    /// Keeps the room quiet for `user`; without an end, for ever.
    pub(crate) async fn mute(
        &self,
        actor: &Actor,
        room: &RoomId,
        until: Option<Timestamp>,
    ) -> Result<(), Problem> {
        self.memberships.member(room, &actor.user).await?;
        Ok(self.rooms.mute(room, &actor.user, until.unwrap_or(Timestamp::FOREVER)).await?)
    }

    /// Gives the room another name.
    pub(crate) async fn rename(
        &self,
        by: &Actor,
        room: &RoomId,
        name: &RoomName,
    ) -> Result<Room, Problem> {
        for _ in 0..ATTEMPTS {
            let standing = self.standing(room, by, &by.user).await?;
            standing.rename()?;
            let renamed = self.rooms.rename(room, standing.version, name, Timestamp::now()).await?;
            if let Some(version) = renamed {
                self.changed(room, version).await?;
                return self.room(by, room).await;
            }
        }
        Err(busy())
    }

    /// Ends the room.
    pub(crate) async fn delete_room(&self, by: &Actor, room: &RoomId) -> Result<(), Problem> {
        for _ in 0..ATTEMPTS {
            let standing = self.standing(room, by, &by.user).await?;
            standing.delete()?;
            let deleted =
                self.rooms.delete(room, standing.version, &by.user, Timestamp::now()).await?;
            if let Some(version) = deleted {
                return self.changed(room, version).await;
            }
        }
        Err(busy())
    }

    /// Decides, and makes the change if nobody else has changed the room meanwhile.
    pub(super) async fn change(
        &self,
        room: &RoomId,
        actor: &Actor,
        target: &UserId,
        decide: impl Fn(&Standing) -> Result<Option<Change>, Problem>,
    ) -> Result<(), Problem> {
        for _ in 0..ATTEMPTS {
            let standing = self.standing(room, actor, target).await?;
            let Some(change) = decide(&standing)? else { return Ok(()) };
            if let Some(version) = self.rooms.apply(room, &change, Timestamp::now()).await? {
                return self.changed(room, version).await;
            }
        }
        Err(busy())
    }

    /// The change is committed: nobody here rests on the past, and the log tells everybody.
    pub(super) async fn changed(&self, room: &RoomId, version: i64) -> Result<(), Problem> {
        self.memberships.changed(room, version).await;
        self.relay.flush().await
    }
}

/// Who a room begins with. A service makes a direct room for the two that it names.
fn first_members(
    by: &Actor,
    kind: Kind,
    others: Vec<UserId>,
) -> Result<Vec<(UserId, Role)>, Problem> {
    let mine = match (kind, by.is_service, others.len()) {
        (Kind::Direct, _, 1) => Some(Role::Member),
        (Kind::Direct, true, 2) => None,
        (Kind::Direct, ..) => return Err(invalid("A direct room has exactly one other member.")),
        (Kind::Group, ..) => Some(Role::Owner),
    };
    let mine = mine.map(|role| (by.user.clone(), role));
    Ok(mine.into_iter().chain(others.into_iter().map(|user| (user, Role::Member))).collect())
}

fn idempotency(key: &str, request: &RoomRequest) -> Result<(String, String), Problem> {
    let plain = |b: u8| b.is_ascii_graphic();
    if !matches!(key.len(), 1..=128) || !key.bytes().all(plain) {
        return Err(invalid_key(
            Code::Invalid,
            "An Idempotency-Key has 1 to 128 visible characters.",
        ));
    }
    let hash = Sha256::digest(format!("{request:?}"));
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((key.to_owned(), hash))
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::Invalid, detail)
}

fn invalid_key(code: Code, detail: &'static str) -> Problem {
    Problem::new(code, detail)
}

pub(super) fn busy() -> Problem {
    Problem::new(Code::Unavailable, "The room changes too often at the moment.")
        .with_retry_after(std::time::Duration::from_secs(1))
}
