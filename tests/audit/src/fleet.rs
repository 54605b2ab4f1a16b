//! The instances of one cell, and the ways to them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::{
    book::Book,
    instance::{self, Ended, Instance, Recipe},
};

/// Where nobody listens: the door of an instance that is not there.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// How long an instance may take to end, beyond which it counts as hanging.
const END: Duration = Duration::from_secs(40);

/// All instances of a cell. Its methods block.
pub(crate) struct Fleet {
    recipes: Vec<Recipe>,
    instances: Vec<Option<Instance>>,
    folder: PathBuf,
    logs: Vec<PathBuf>,
}

/// What is looked at when nobody is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rest {
    pub(crate) memory: u64,
    pub(crate) files: usize,
}

impl Fleet {
    /// Starts them all at once.
    pub(crate) fn start(recipes: Vec<Recipe>, folder: PathBuf) -> Result<Self, String> {
        let instances = recipes.iter().map(|_| None).collect();
        let mut fleet = Self { recipes, instances, folder, logs: vec![] };
        let logs: Vec<_> = (0..fleet.recipes.len()).map(|number| fleet.new_log(number)).collect();
        let started: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = fleet
                .recipes
                .iter()
                .zip(&logs)
                .map(|(recipe, log)| scope.spawn(move || Instance::start(recipe, log)))
                .collect();
            starting.into_iter().map(|start| start.join()).collect()
        });
        for (slot, start) in fleet.instances.iter_mut().zip(started) {
            *slot = Some(start.map_err(|_| "a start panicked".to_owned())??);
        }
        Ok(fleet)
    }

    fn new_log(&mut self, number: usize) -> PathBuf {
        let log = self.folder.join(format!("instance-{number}-life-{}.log", self.logs.len()));
        self.logs.push(log.clone());
        log
    }

    /// Where all of them are reached.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |slot: &Option<Instance>| slot.as_ref().map_or(NOWHERE, |it| it.tcp);
        self.instances.iter().map(address).collect()
    }

    /// Starts one that is not there.
    pub(crate) fn restart(&mut self, number: usize) -> Result<SocketAddr, String> {
        let log = self.new_log(number);
        let instance = Instance::start(&self.recipes[number], &log)?;
        let address = instance.tcp;
        self.instances[number] = Some(instance);
        Ok(address)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(instance) = self.instances[number].take() {
            instance.kill();
        }
    }

    /// SIGTERM; nothing where it did not end.
    pub(crate) fn terminate(&mut self, number: usize) -> Option<Ended> {
        self.instances[number].take().and_then(|instance| instance.terminate(END))
    }

    /// Any other signal.
    pub(crate) fn signal(&self, number: usize, name: &str) {
        if let Some(instance) = &self.instances[number] {
            instance.signal(name);
        }
    }

    /// What those that run hold.
    pub(crate) fn rest(&self) -> Vec<Option<Rest>> {
        let look =
            |instance: &Instance| Rest { memory: instance.memory(), files: instance.files() };
        self.instances.iter().map(|slot| slot.as_ref().map(look)).collect()
    }

    /// The value of a metric of each that runs.
    pub(crate) fn metric(&self, name: &str) -> Vec<Option<f64>> {
        self.instances.iter().flatten().map(|instance| instance.metric(name)).collect()
    }

    /// SIGTERM to all. Says which did not end well.
    pub(crate) fn end(&mut self) -> Vec<String> {
        let ends: Vec<_> = std::thread::scope(|scope| {
            let ending: Vec<_> = self
                .instances
                .iter_mut()
                .map(|slot| slot.take().map(|it| scope.spawn(move || it.terminate(END))))
                .collect();
            ending.into_iter().map(|end| end.map(|end| end.join())).collect()
        });
        let bad = |(number, end): (usize, _)| match end {
            None => None,
            Some(Ok(Some(ended))) if Ended::is_clean(&ended) => None,
            Some(Ok(Some(ended))) => Some(format!("instance {number} ended with {}", ended.status)),
            Some(_) => Some(format!("instance {number} did not end")),
        };
        ends.into_iter().enumerate().filter_map(bad).collect()
    }

    /// What the logs of all lives say of panics.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.logs.iter().flat_map(|log| instance::panics(log)).collect()
    }
}

/// Tells clients where an instance is now.
pub(crate) fn open_door(book: &Arc<Book>, number: usize, address: SocketAddr) {
    book.set_door(number, address);
}

/// Tells clients that it is gone.
pub(crate) fn close_door(book: &Arc<Book>, number: usize) {
    book.set_door(number, NOWHERE);
}
