//! CONNECT: version, heart-beat and login, to CONNECTED or a refusal.

use std::{borrow::Cow, sync::Arc};

use stomp_core::{Command, Connect, Frame, HeartBeat, Version, heartbeat, version};

use super::{
    action::Action,
    machine::{Actions, Machine, Phase, protocol, sentence},
};
use crate::{
    auth::{Credentials, Principal},
    problem::{Code, Problem},
};

/// What CONNECT has settled while the login is checked.
#[derive(Debug)]
pub(crate) struct Negotiated {
    version: Version,
    heart_beat: HeartBeat,
    receipt: Option<String>,
}

impl Machine {
    pub(super) fn connect(&mut self, frame: &Connect, out: &mut Actions) -> Result<(), Problem> {
        let version = version::negotiate(frame.accept_versions().as_deref()).map_err(|error| {
            let mut problem = protocol(sentence(&error));
            problem.version = Some("1.0,1.1,1.2");
            problem
        })?;
        self.check_host(frame.host().as_deref())?;
        let floor = self.around.limits.heartbeat_min.as_millis() as u32;
        let heart_beat = heartbeat::negotiate(frame.heart_beat(), HeartBeat::new(floor, floor));
        self.phase = Phase::LoggingIn(Negotiated {
            version,
            heart_beat,
            receipt: frame.header("receipt").map(Cow::into_owned),
        });
        out.push(Action::Login(Box::new(Credentials {
            login: frame.login().map(Cow::into_owned),
            passcode: frame.passcode().map(Cow::into_owned),
            authorization: frame.header("Authorization").map(Cow::into_owned),
            ..Credentials::default()
        })));
        Ok(())
    }

    /// Decision 1: there are no virtual hosts; a list of names refuses others.
    fn check_host(&self, host: Option<&str>) -> Result<(), Problem> {
        let names = &self.around.limits.hosts;
        match host {
            Some(host) if !names.is_empty() && !names.iter().any(|name| name == host) => {
                Err(Problem::new(Code::Invalid, "This server does not serve that host."))
            }
            _ => Ok(()),
        }
    }

    /// The login has been checked.
    pub(crate) fn on_login(&mut self, login: Result<Principal, Problem>, out: &mut Actions) {
        let Phase::LoggingIn(negotiated) = std::mem::replace(&mut self.phase, Phase::Open) else {
            return;
        };
        match login {
            Ok(who) => self.connected(negotiated, who, out),
            Err(problem) => {
                self.fault(problem, negotiated.receipt, out);
                self.turn(out);
            }
        }
    }

    fn connected(&mut self, negotiated: Negotiated, who: Principal, out: &mut Actions) {
        self.version = negotiated.version;
        self.who = Arc::new(who);
        let beats = negotiated.heart_beat;
        let mut frame = Frame::builder(Command::Connected)
            .header("version", &self.version.to_string())
            .header("session", &format!("s-{}", self.connection.0))
            .header("server", &self.around.server)
            .header("heart-beat", &format!("{},{}", beats.send_ms, beats.want_ms))
            .header("durability", self.around.capabilities.durability.as_str());
        // CONNECTED is never escaped, so a name with a line end in it is not shown.
        if let Some(user) = self.who.user.as_deref().filter(|user| !user.contains(['\r', '\n'])) {
            frame = frame.header("user-name", user);
        }
        out.push(Action::Frame(Box::new(frame.build())));
        out.push(Action::Opened(self.version, beats, self.who.clone()));
    }
}
