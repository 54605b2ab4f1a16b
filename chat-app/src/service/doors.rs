//! Who may come in, and who may not: invitations, bans, blocks.

use serde::Serialize;
use stomp_server::problem::{Code, Problem};

use super::Chat;
use crate::domain::{
    Actor, INVITE_LIFE, InviteCode, Room, RoomId, Timestamp, User, UserId, no_such_room,
};

/// An invitation, as it is shown to who made it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Invite {
    pub(crate) code: String,
    /// Where the page takes whoever follows it into the room.
    pub(crate) url: String,
    pub(crate) expires_at: Timestamp,
}

impl Chat {
    /// Comes into a room: a public one, or by invitation.
    pub(crate) async fn join(
        &self,
        actor: &Actor,
        room: &RoomId,
        invite: Option<&str>,
    ) -> Result<Room, Problem> {
        let user = &actor.user;
        let is_invited = match invite.and_then(InviteCode::parse) {
            Some(code) => self.doors.opens(room, &code, Timestamp::now()).await?,
            None => false,
        };
        // A service comes in like everybody else: to be seen there is a decision.
        let person = Actor::person(user.clone());
        self.change(room, &person, user, |standing| standing.join(user, is_invited)).await?;
        self.room(actor, room).await
    }

    /// Makes an invitation; `url` makes its address.
    pub(crate) async fn invite(
        &self,
        by: &Actor,
        room: &RoomId,
        url: impl FnOnce(&str) -> String,
    ) -> Result<Invite, Problem> {
        self.standing(room, by, &by.user).await?.invite()?;
        let code = InviteCode::fresh();
        let expires_at = Timestamp::now().after(INVITE_LIFE);
        self.doors.invite(room, &code, &by.user, expires_at).await?;
        Ok(Invite { url: url(code.as_str()), code: code.as_str().to_owned(), expires_at })
    }

    /// Takes an invitation back. One that is over or never was is back already.
    pub(crate) async fn drop_invite(
        &self,
        by: &Actor,
        room: &RoomId,
        code: &str,
    ) -> Result<(), Problem> {
        self.standing(room, by, &by.user).await?.invite()?;
        match InviteCode::parse(code) {
            Some(code) => Ok(self.doors.drop_invite(room, &code).await?),
            None => Ok(()),
        }
    }

    /// Keeps `user` out until the ban is lifted.
    pub(crate) async fn ban(
        &self,
        by: &Actor,
        room: &RoomId,
        user: &UserId,
    ) -> Result<(), Problem> {
        for _ in 0..super::rooms::ATTEMPTS {
            let standing = self.standing(room, by, user).await?;
            let change = standing.ban(&by.user, user)?;
            if standing.banned {
                return Ok(());
            }
            self.check_known(std::slice::from_ref(user), Code::NotFound).await?;
            if let Some(version) = self.doors.ban(room, &change, Timestamp::now()).await? {
                return self.changed(room, version).await;
            }
        }
        Err(super::rooms::busy())
    }

    /// Lets `user` come in again. Who is not banned is free already.
    pub(crate) async fn unban(
        &self,
        by: &Actor,
        room: &RoomId,
        user: &UserId,
    ) -> Result<(), Problem> {
        self.standing(room, by, user).await?.unban()?;
        Ok(self.doors.unban(room, user).await?)
    }

    /// Wants no messages from `other` in their direct room, or wants them again.
    pub(crate) async fn set_block(
        &self,
        user: &UserId,
        other: &UserId,
        is_blocked: bool,
    ) -> Result<(), Problem> {
        if user == other {
            return Err(Problem::new(Code::Invalid, "Nobody blocks itself."));
        }
        if is_blocked {
            self.check_known(std::slice::from_ref(other), Code::NotFound).await?;
        }
        let at = Timestamp::now();
        match self.doors.set_block(user, other, is_blocked, at).await? {
            Some((room, version)) => self.changed(&room, version).await,
            None => Ok(()),
        }
    }

    /// Whom the user blocks.
    pub(crate) async fn blocks(
        &self,
        user: &UserId,
        from: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<User>, Problem> {
        Ok(self.doors.blocks(user, from, limit).await?)
    }

    /// The standing of whoever asks: a service may what an owner may.
    pub(super) async fn standing(
        &self,
        room: &RoomId,
        actor: &Actor,
        target: &UserId,
    ) -> Result<crate::domain::Standing, Problem> {
        let standing = self.rooms.standing(room, &actor.user, target).await?;
        let mut standing = standing.ok_or_else(no_such_room)?;
        if actor.is_service {
            standing.actor = Some(crate::domain::Role::Owner);
        }
        Ok(standing)
    }
}
