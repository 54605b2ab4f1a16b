//! Who may change a room's members: decided purely, from what the room was at one version.
//!
//! A decision carries that version. It takes effect only if the room still has it, so
//! two changes at a time cannot both rest on the same past.

use stomp_server::problem::{Code, Problem};

use super::{Kind, MemberAction, Role, UserId, no_such_room};

/// What has to be known of a room to decide about one of its members.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) kind: Kind,
    pub(crate) public: bool,
    pub(crate) version: i64,
    pub(crate) member_count: i64,
    pub(crate) owners: i64,
    /// The role of the one who asks.
    pub(crate) actor: Option<Role>,
    /// The role of the one it is about.
    pub(crate) target: Option<Role>,
    /// Whether the one it is about is banned.
    pub(crate) banned: bool,
}

/// A change that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) user: UserId,
    pub(crate) by: UserId,
    pub(crate) action: MemberAction,
    /// The role from now on; none once the user is out.
    pub(crate) role: Option<Role>,
    /// The version that the decision rests on.
    pub(crate) at_version: i64,
    /// Nobody is left: the room goes as well.
    pub(crate) ends_room: bool,
}

/// A change, or nothing to do.
type Decided = Result<Option<Change>, Problem>;

impl Standing {
    /// `actor` puts `user` into the room or gives it another role.
    pub(crate) fn put(&self, actor: &UserId, user: &UserId, role: Option<Role>) -> Decided {
        let actor_role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if self.banned {
            let detail = "This user is banned from the room: lift the ban first.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let wanted = role.or(self.target).unwrap_or(Role::Member);
        if actor_role == Role::Member {
            return Err(forbidden("Only owners and admins add members and give roles."));
        }
        let touches_owner = wanted == Role::Owner || self.target == Some(Role::Owner);
        if self.target == Some(wanted) {
            return Ok(None);
        }
        if touches_owner && actor_role != Role::Owner {
            return Err(forbidden("Only owners make and change owners."));
        }
        if self.target == Some(Role::Owner) && self.owners == 1 {
            return Err(last_owner());
        }
        let action = if self.target.is_some() { MemberAction::Role } else { MemberAction::Joined };
        Ok(Some(self.change(actor, user, action, Some(wanted))))
    }

    /// `actor` removes `user`, or leaves if it is the same one.
    pub(crate) fn remove(&self, actor: &UserId, user: &UserId) -> Decided {
        if actor == user {
            return self.leave(user);
        }
        let actor_role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if actor_role == Role::Member {
            return Err(forbidden("Only owners and admins remove members."));
        }
        let Some(target) = self.target else { return Ok(None) };
        if target == Role::Owner && actor_role != Role::Owner {
            return Err(forbidden("Only owners remove owners."));
        }
        if target == Role::Owner && self.owners == 1 && self.member_count > 1 {
            return Err(last_owner());
        }
        Ok(Some(self.change(actor, user, MemberAction::Kicked, None)))
    }

    /// `actor` keeps `user` out from now on, in the room or not.
    pub(crate) fn ban(&self, actor: &UserId, user: &UserId) -> Result<Change, Problem> {
        let actor_role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if actor_role == Role::Member {
            return Err(forbidden("Only owners and admins ban."));
        }
        if actor == user {
            return Err(Problem::new(Code::Invalid, "Nobody bans itself: leave instead."));
        }
        if self.target == Some(Role::Owner) && actor_role != Role::Owner {
            return Err(forbidden("Only owners ban owners."));
        }
        if self.target == Some(Role::Owner) && self.owners == 1 && self.member_count > 1 {
            return Err(last_owner());
        }
        Ok(self.change(actor, user, MemberAction::Banned, None))
    }

    /// `actor` lets `user` come in again.
    pub(crate) fn unban(&self) -> Result<(), Problem> {
        let role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if role == Role::Member {
            return Err(forbidden("Only owners and admins lift bans."));
        }
        Ok(())
    }

    /// `actor` makes an invitation, or takes one back.
    pub(crate) fn invite(&self) -> Result<(), Problem> {
        let role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if role == Role::Member {
            return Err(forbidden("Only owners and admins invite."));
        }
        Ok(())
    }

    /// `user` comes in: into a public room, or with an invitation.
    pub(crate) fn join(&self, user: &UserId, is_invited: bool) -> Decided {
        if self.actor.is_some() {
            return Ok(None);
        }
        if self.kind == Kind::Direct {
            return Err(no_such_room());
        }
        if self.banned {
            return Err(forbidden("You are banned from this room."));
        }
        if !self.public && !is_invited {
            return Err(no_such_room());
        }
        Ok(Some(self.change(user, user, MemberAction::Joined, Some(Role::Member))))
    }

    /// `user` goes. (Leaving a direct room only hides it, and is not decided here.)
    pub(crate) fn leave(&self, user: &UserId) -> Decided {
        let role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if role == Role::Owner && self.owners == 1 && self.member_count > 1 {
            return Err(last_owner());
        }
        Ok(Some(self.change(user, user, MemberAction::Left, None)))
    }

    /// `actor` gives the room another name.
    pub(crate) fn rename(&self) -> Result<(), Problem> {
        let role = self.actor.ok_or_else(no_such_room)?;
        if self.kind == Kind::Direct {
            return Err(Problem::new(Code::Invalid, "A direct room has no name."));
        }
        if role == Role::Member {
            return Err(forbidden("Only owners and admins rename the room."));
        }
        Ok(())
    }

    /// `actor` ends the room.
    pub(crate) fn delete(&self) -> Result<(), Problem> {
        let role = self.actor.ok_or_else(no_such_room)?;
        self.changes_members()?;
        if role != Role::Owner {
            return Err(forbidden("Only owners delete the room."));
        }
        Ok(())
    }

    fn changes_members(&self) -> Result<(), Problem> {
        if self.kind == Kind::Direct {
            return Err(Problem::new(Code::Invalid, "The members of a direct room never change."));
        }
        Ok(())
    }

    fn change(
        &self,
        by: &UserId,
        user: &UserId,
        action: MemberAction,
        role: Option<Role>,
    ) -> Change {
        let ends_room = role.is_none() && self.target.is_some() && self.member_count <= 1;
        let (user, by) = (user.clone(), by.clone());
        Change { user, by, action, role, at_version: self.version, ends_room }
    }
}

fn forbidden(detail: &'static str) -> Problem {
    Problem::new(Code::Forbidden, detail)
}

fn last_owner() -> Problem {
    Problem::new(
        Code::Conflict,
        "The last owner stays while others are in the room: make another owner first.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(actor: Option<Role>, target: Option<Role>) -> Standing {
        Standing {
            kind: Kind::Group,
            public: false,
            version: 7,
            member_count: 3,
            owners: 1,
            actor,
            target,
            banned: false,
        }
    }

    fn users() -> (UserId, UserId) {
        (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap())
    }

    #[test]
    fn who_may_put_whom() {
        use Role::{Admin, Member, Owner};
        let (ann, bob) = users();
        let put = |actor, target, role| {
            standing(actor, target)
                .put(&ann, &bob, role)
                .map(|change| change.and_then(|change| change.role))
                .map_err(|problem| problem.code)
        };
        assert_eq!(put(None, None, None), Err(Code::NotFound));
        assert_eq!(put(Some(Member), None, None), Err(Code::Forbidden));
        assert_eq!(put(Some(Admin), None, None), Ok(Some(Member)));
        assert_eq!(put(Some(Admin), None, Some(Owner)), Err(Code::Forbidden));
        assert_eq!(put(Some(Admin), Some(Member), Some(Admin)), Ok(Some(Admin)));
        assert_eq!(put(Some(Admin), Some(Owner), Some(Member)), Err(Code::Forbidden));
        assert_eq!(put(Some(Admin), Some(Member), None), Ok(None), "keeps its role");
        assert_eq!(put(Some(Owner), Some(Member), Some(Owner)), Ok(Some(Owner)));
        assert_eq!(put(Some(Owner), Some(Owner), Some(Member)), Err(Code::Conflict));
    }

    #[test]
    fn who_may_remove_whom() {
        use Role::{Admin, Member, Owner};
        let (ann, bob) = users();
        let remove = |actor, target| {
            standing(actor, target)
                .remove(&ann, &bob)
                .map(|change| change.map(|change| change.action))
                .map_err(|problem| problem.code)
        };
        assert_eq!(remove(None, Some(Member)), Err(Code::NotFound));
        assert_eq!(remove(Some(Member), Some(Member)), Err(Code::Forbidden));
        assert_eq!(remove(Some(Admin), Some(Admin)), Ok(Some(MemberAction::Kicked)));
        assert_eq!(remove(Some(Admin), Some(Owner)), Err(Code::Forbidden));
        assert_eq!(remove(Some(Owner), None), Ok(None));
        assert_eq!(remove(Some(Owner), Some(Owner)), Err(Code::Conflict), "by a service");
        assert_eq!(
            standing(Some(Owner), Some(Owner)).remove(&ann, &ann).unwrap_err().code,
            Code::Conflict,
            "the last owner stays"
        );
    }

    #[test]
    fn the_last_one_out_ends_the_room() {
        let (ann, _) = users();
        let alone = Standing { member_count: 1, ..standing(Some(Role::Owner), Some(Role::Owner)) };
        assert!(alone.leave(&ann).unwrap().unwrap().ends_room);
    }

    #[test]
    fn only_public_rooms_can_be_joined() {
        let (ann, _) = users();
        let private = standing(None, None);
        assert_eq!(private.join(&ann, false).unwrap_err(), no_such_room());
        assert_eq!(private.join(&ann, true).unwrap().unwrap().role, Some(Role::Member));
        let public = Standing { public: true, ..private };
        assert_eq!(public.join(&ann, false).unwrap().unwrap().role, Some(Role::Member));
        let direct = Standing { kind: Kind::Direct, ..public };
        assert_eq!(direct.join(&ann, true).unwrap_err(), no_such_room());
    }

    #[test]
    fn a_ban_holds_until_it_is_lifted() {
        let (ann, bob) = users();
        let banned = Standing { public: true, banned: true, ..standing(None, None) };
        for is_invited in [true, false] {
            assert_eq!(banned.join(&bob, is_invited).unwrap_err().code, Code::Forbidden);
        }
        let put = Standing { banned: true, ..standing(Some(Role::Owner), None) };
        assert_eq!(put.put(&ann, &bob, None).unwrap_err().code, Code::Conflict);
    }

    #[test]
    fn who_may_ban_whom() {
        use Role::{Admin, Member, Owner};
        let (ann, bob) = users();
        let ban = |actor, target| {
            standing(actor, target)
                .ban(&ann, &bob)
                .map(|change| (change.action, change.ends_room))
                .map_err(|problem| problem.code)
        };
        assert_eq!(ban(None, Some(Member)), Err(Code::NotFound));
        assert_eq!(ban(Some(Member), Some(Member)), Err(Code::Forbidden));
        assert_eq!(ban(Some(Admin), Some(Owner)), Err(Code::Forbidden));
        assert_eq!(ban(Some(Admin), Some(Admin)), Ok((MemberAction::Banned, false)));
        assert_eq!(ban(Some(Admin), None), Ok((MemberAction::Banned, false)), "beforehand");
        let itself = standing(Some(Admin), Some(Admin)).ban(&ann, &ann);
        assert_eq!(itself.unwrap_err().code, Code::Invalid);
        let alone = Standing { member_count: 1, ..standing(Some(Owner), None) };
        assert!(!alone.ban(&ann, &bob).unwrap().ends_room, "ann is still there");
    }

    #[test]
    fn direct_rooms_never_change_their_members() {
        let (ann, bob) = users();
        let direct =
            Standing { kind: Kind::Direct, ..standing(Some(Role::Member), Some(Role::Member)) };
        assert_eq!(direct.put(&ann, &bob, None).unwrap_err().code, Code::Invalid);
        assert_eq!(direct.remove(&ann, &bob).unwrap_err().code, Code::Invalid);
        assert_eq!(direct.delete().unwrap_err().code, Code::Invalid);
    }
}
