//! The notify role's parts, put together.

use std::{path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_util::sync::CancellationToken;

use super::{Failure, open};
use crate::{
    config::{NotificationsAction, NotificationsRequest, PushConfig},
    notify::{
        Client, Decider, Desk, Endpoint, Fcm, Gateways, LogGateway, Patience, PushGateway, Reach,
        Sender, ServiceAccount, Vapid, WebPush, Webhook, describe_metrics,
        ports::{ListedJob, PushStore, Which},
    },
    service::Log,
    store::sql::Sql,
};

/// Jobs read at a time for an operator.
const STRIDE: u32 = 500;

/// What pushes need, and what works on them.
pub(super) struct Push {
    pub(super) desk: Arc<Desk>,
    gateway: Arc<dyn PushGateway>,
    sql: Sql,
}

impl Push {
    /// # Errors
    /// With the file or the setting that is wrong.
    pub(super) fn open(config: &PushConfig, sql: &Sql) -> Result<Self, Failure> {
        let reach = if config.allow_private { Reach::Anywhere } else { Reach::Public };
        let client = Client::new(reach, authorities(config.authorities.as_deref())?)?;
        let vapid = Arc::new(vapid(config)?);
        let public = vapid.public_key().to_owned();
        let gateway: Arc<dyn PushGateway> = match config.only_log {
            true => Arc::new(LogGateway),
            false => Arc::new(Gateways {
                webpush: Arc::new(WebPush { client: client.clone(), vapid }),
                fcm: fcm(config, &client)?,
                webhook: Arc::new(Webhook(client.clone())),
            }),
        };
        let desk = Arc::new(Desk {
            devices: Arc::new(sql.clone()),
            gateway: gateway.clone(),
            client,
            vapid: public,
        });
        Ok(Self { desk, gateway, sql: sql.clone() })
    }

    /// Works until `stop`: decides who gets pushes, and sends them.
    pub(super) async fn run(self, log: Log, stop: CancellationToken) {
        describe_metrics();
        let store: Arc<dyn PushStore> = Arc::new(self.sql);
        let decider = Decider { store: store.clone(), log };
        let sender = Sender::new(store, self.gateway, Patience::default());
        tokio::join!(decider.run(stop.clone()), sender.run(stop));
    }
}

/// What is wrong with the files, without making any.
pub(super) fn check(config: &PushConfig) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |outcome: Result<(), Failure>| {
        faults.extend(outcome.err().map(|fault| fault.to_string()));
    };
    note(authorities(config.authorities.as_deref()).map(drop));
    let client = Client::new(Reach::Public, RootCertStore::empty()).map_err(Into::into);
    note(client.and_then(|client| fcm(config, &client).map(drop)));
    if config.vapid_key.exists() {
        note(vapid(config).map(drop));
    }
    faults
}

/// The key that browsers bind their subscriptions to; it is made where there is none.
fn vapid(config: &PushConfig) -> Result<Vapid, Failure> {
    let file = &config.vapid_key;
    Vapid::open(file, config.contact.clone())
        .map_err(|error| format!("the key {} cannot be used: {error}", file.display()).into())
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else { return Ok(roots) };
    let unusable = |error: &dyn std::fmt::Display| {
        format!("--push-ca {}: no certificates can be read: {error}", file.display())
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
        roots.add(certificate.map_err(|error| unusable(&error))?)?;
    }
    if roots.is_empty() {
        return Err(unusable(&"it holds none").into());
    }
    Ok(roots)
}

fn fcm(config: &PushConfig, client: &Client) -> Result<Option<Arc<dyn PushGateway>>, Failure> {
    let Some(file) = &config.fcm_credentials else { return Ok(None) };
    let unusable =
        |error: &dyn std::fmt::Display| format!("--fcm-credentials {}: {error}", file.display());
    let text = std::fs::read(file).map_err(|error| unusable(&error))?;
    let account: ServiceAccount =
        serde_json::from_slice(&text).map_err(|error| unusable(&error))?;
    let base = Endpoint::parse(&config.fcm_url).map_err(|error| format!("--fcm-url: {error}"))?;
    let fcm = Fcm::new(client.clone(), &base, account).map_err(|error| unusable(&error))?;
    Ok(Some(Arc::new(fcm)))
}

/// Shows pushes that wait or were given up, tries them again, or forgets them.
///
/// # Errors
/// If the database cannot be used.
pub async fn notifications(request: &NotificationsRequest) -> Result<(), Failure> {
    let sql = open::database(&request.database).await?;
    let which = match request.ids.as_slice() {
        [] => Which::Dead,
        ids => Which::These(ids.to_vec()),
    };
    match request.action {
        NotificationsAction::List => list(&sql).await?,
        NotificationsAction::Retry => {
            println!("{} will be tried again", sql.revive(&which).await?);
        }
        NotificationsAction::Drop => println!("{} are forgotten", sql.discard(&which).await?),
    }
    sql.close().await;
    Ok(())
}

async fn list(sql: &Sql) -> Result<(), Failure> {
    println!("ID\tSTATE\tATTEMPTS\tAGE\tKIND\tUSER\tROOM\tCAUSE");
    let mut after = 0;
    loop {
        let jobs = sql.jobs(after, STRIDE).await?;
        jobs.iter().for_each(|job| println!("{}", line(job)));
        match jobs.last() {
            Some(last) if jobs.len() == STRIDE as usize => after = last.id,
            _ => return Ok(()),
        }
    }
}

fn line(job: &ListedJob) -> String {
    let state = if job.dead { "dead" } else { "waiting" };
    let (age, cause) = (job.age.as_secs(), job.cause.as_deref().unwrap_or("-"));
    let (kind, user, room) = (&job.kind, &job.user, &job.room);
    format!("{}\t{state}\t{}\t{age}s\t{kind}\t{user}\t{room}\t{cause}", job.id, job.attempts)
}
