//! What people decide about themselves, and services about their users.

use stomp_server::problem::{Code, Problem};

use super::{Chat, Identity};
use crate::{
    domain::{
        Account, Actor, Cutoff, Kind, Password, Profile, Role, RoomId, Settings, SettingsChange,
        Timestamp, User, UserId,
    },
    notify,
    ports::Put,
};

/// Rooms or members read at a time.
const STRIDE: u32 = 200;

impl Chat {
    /// Another name or picture.
    pub(crate) async fn set_profile(
        &self,
        account: Account,
        profile: Profile,
    ) -> Result<Account, Problem> {
        self.people.set_profile(&account.user.id, &profile).await?;
        self.users.changed(&account.user.id).await;
        let User { id, name, picture } = account.user;
        let user = User {
            id,
            name: profile.name.unwrap_or(name),
            picture: profile.picture.unwrap_or(picture),
        };
        Ok(Account { user, ..account })
    }

    /// Other settings; they hold for what comes from now on.
    pub(crate) async fn set_settings(
        &self,
        account: Account,
        change: SettingsChange,
    ) -> Result<Settings, Problem> {
        let settings = account.settings.changed(change)?;
        check_zone(&settings)?;
        self.people.set_settings(&account.user.id, &settings).await?;
        self.users.changed(&account.user.id).await;
        self.privacy.learn(&account.user.id, settings.private_receipts).await;
        Ok(settings)
    }

    /// Another password. All other sessions of the user end.
    pub(crate) async fn set_password(
        &self,
        identity: &Identity,
        old: String,
        new: String,
    ) -> Result<(), Problem> {
        self.check_own_accounts()?;
        let user = &identity.actor.user;
        let new = Password::parse(new)?;
        let wrong = || Problem::new(Code::Forbidden, "The old password is wrong.");
        let old = Password::parse(old).map_err(|_| wrong())?;
        self.logins.check(user, None)?;
        let hash = self.accounts.password_hash(user).await?;
        let may_try = || self.logins.check(user, None);
        if !self.passwords.matches(old, hash, may_try).await? {
            self.logins.failed(user, None);
            return Err(wrong());
        }
        let hash = self.passwords.hash(new).await?;
        let except = Some(identity.token.id.to_string());
        let cutoff = Cutoff { at: Timestamp::now(), except };
        self.people.set_password(user, &hash, &cutoff).await?;
        self.desk.sessions_over(user, cutoff.except.as_deref()).await?;
        self.users.changed(user).await;
        self.tokens.cut_off(user, cutoff);
        Ok(())
    }

    /// Goes for good: out of all groups, out of all sessions. What was said stays.
    pub(crate) async fn delete_account(&self, user: &UserId) -> Result<(), Problem> {
        self.leave_all_groups(user).await?;
        let at = Timestamp::now();
        self.people.delete_user(user, at).await?;
        self.desk.sessions_over(user, None).await?;
        self.users.changed(user).await;
        self.tokens.cut_off(user, Cutoff { at, except: None });
        Ok(())
    }

    async fn leave_all_groups(&self, user: &UserId) -> Result<(), Problem> {
        let mut from = None;
        loop {
            let (rooms, next) = self.rooms.list(user, from.as_ref(), STRIDE).await?;
            for room in rooms.iter().filter(|room| room.kind == Kind::Group) {
                self.leave_for_good(user, &room.id).await?;
            }
            match next {
                Some(cursor) => from = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// The last owner of a group leaves it to somebody else.
    async fn leave_for_good(&self, user: &UserId, room: &RoomId) -> Result<(), Problem> {
        let actor = Actor::person(user.clone());
        match self.leave(&actor, room).await {
            Err(problem) if problem.code == Code::Conflict => {
                let Some(heir) = self.heir(user, room).await? else { return Err(problem) };
                self.put_member(&actor, room, &heir, Some(Role::Owner)).await?;
                self.leave(&actor, room).await
            }
            // Somebody was faster.
            Err(problem) if problem.code == Code::NotFound => Ok(()),
            done => done,
        }
    }

    /// The first admin by id, else the first member.
    async fn heir(&self, user: &UserId, room: &RoomId) -> Result<Option<UserId>, Problem> {
        let membership = self.memberships.of(room).await?;
        let others = membership.members.iter().filter(|(id, _)| *id != user);
        Ok(others.max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a))).map(|(id, _)| id.clone()))
    }

    /// A service wants this user to be there. True if it was not.
    pub(crate) async fn put_user(&self, actor: &Actor, user: &User) -> Result<bool, Problem> {
        if !actor.is_service {
            return Err(Problem::new(Code::Forbidden, "Only services make users."));
        }
        let put = self.people.put_user(user).await?;
        self.users.changed(&user.id).await;
        match put {
            Put::Created => Ok(true),
            Put::Updated => Ok(false),
            Put::Gone => {
                let detail = "This user was deleted; the id is not given out again.";
                Err(Problem::new(Code::Conflict, detail))
            }
        }
    }
}

/// A zone is one only where the clock of pushes knows it.
fn check_zone(settings: &Settings) -> Result<(), Problem> {
    let Some(hours) = &settings.quiet_hours else { return Ok(()) };
    let known =
        serde_json::to_value(hours).and_then(serde_json::from_value::<notify::QuietHours>).is_ok();
    if known {
        return Ok(());
    }
    Err(Problem::new(Code::Invalid, format!("There is no zone {:?}.", hours.zone)))
}
