//! What does a cluster cost when every instance reads the whole log, and when does something
//! else pay? A model over measured prices, with the one thing that no formula gives: how many
//! instances want a message, drawn from rooms of many sizes. `docs/scaling.md` has the results.
//!
//! ```sh
//! cargo bench -p benches --bench scaling                    # seconds; the same figures every time
//! ```

/// What one instance pays, as measured on two virtual cores (`docs/performance.md`,
/// `docs/reliability.md`): microseconds of CPU, octets.
mod price {
    /// Reading a record that nobody here wants.
    pub(super) const READ: f64 = 4.4;
    /// The same by a bare consumer loop: no reader can be cheaper.
    pub(super) const READ_BARE: f64 = 0.8;
    /// Taking a SEND and handing it to the log.
    pub(super) const PUBLISH: f64 = 7.0;
    /// A message to its first subscriber here, then to each one more.
    pub(super) const FIRST_DELIVERY: f64 = 3.4;
    pub(super) const NEXT_DELIVERY: f64 = 0.65;
    /// Passing a message on to another instance: a delivery there, and a frame read here.
    pub(super) const RELAY: f64 = FIRST_DELIVERY + 1.5;
    /// A connection over WebSocket with one subscription.
    pub(super) const CONNECTION: f64 = 11.0 * 1024.0;
    /// What a message holds in the ring beside its octets.
    pub(super) const RING_ENTRY: f64 = 250.0;
}

/// The load: who is there, and how much they say.
struct World {
    name: &'static str,
    instances: u32,
    rooms: f64,
    /// Users that are connected.
    users: f64,
    /// Messages a second of one user: one a minute is a lively chat, one in ten a calm one.
    rate: f64,
}

/// Octets of a message on the wire: head, body and Kafka's share.
const SIZE: f64 = 500.0;

/// The default of `--ring`.
const RING: f64 = 64.0 * 1024.0 * 1024.0;

const PARTITIONS: usize = 64;

/// Room sizes with their share of the messages, counted in members that are connected: most is
/// said between two and in small groups, little in halls.
const SIZES: [(u32, f64); 5] = [(2, 0.40), (6, 0.30), (20, 0.20), (100, 0.08), (1_000, 0.02)];

/// Rooms that are drawn of each size.
const DRAWS: u32 = 4_000;

fn main() {
    let lively = 1.0 / 60.0;
    let calm = 1.0 / 600.0;
    let worlds = [
        World { name: "one instance", instances: 1, rooms: 1e3, users: 1e4, rate: lively },
        World { name: "a few", instances: 3, rooms: 1e4, users: 1e5, rate: lively },
        World { name: "ten", instances: 10, rooms: 1e5, users: 1e6, rate: lively },
        World { name: "a hundred, calm", instances: 100, rooms: 1e6, users: 1e7, rate: calm },
        World { name: "a hundred, lively", instances: 100, rooms: 1e6, users: 1e7, rate: lively },
    ];
    whole_log(&worlds);
    alternatives(&worlds);
    interest();
    ring(&worlds);
}

fn whole_log(worlds: &[World]) {
    println!("Every instance reads everything\n");
    println!(
        "{:<18} {:>9} {:>8} {:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>8}",
        "",
        "instances",
        "users",
        "msg/s",
        "wanted by",
        "Kafka out",
        "in each",
        "reading",
        "the rest",
        "memory"
    );
    for world in worlds {
        let Cost { reading, rest, wanted } = read_all(world, 0.0);
        let records = world.records();
        println!(
            "{:<18} {:>9} {:>8.0e} {:>8.0} {:>9.1} {:>7.0} MB {:>6.1} MB {:>6.2} cores {:>6.2} cores {:>5.1} GiB",
            world.name,
            world.instances,
            world.users,
            records,
            wanted,
            f64::from(world.instances) * records * SIZE / 1e6,
            records * SIZE / 1e6,
            reading,
            rest,
            world.memory() / f64::from(1 << 30),
        );
    }
    println!(
        "\n(MB a second; cores of each instance; {:.0e} rooms in the largest; a reader as cheap as\n\
         a bare consumer would read for {:.2} of the cores in that column)\n",
        worlds[worlds.len() - 1].rooms,
        price::READ_BARE / price::READ
    );
}

fn alternatives(worlds: &[World]) {
    println!(
        "What else could be done: cores of each instance, and MB a second out of Kafka and between instances\n"
    );
    println!(
        "{:<18} {:>21} {:>21} {:>21} {:>21}",
        "", "reads everything", "… half live together", "owner relay", "… half live together"
    );
    for world in worlds {
        let instances = f64::from(world.instances);
        let records = world.records();
        print!("{:<18}", world.name);
        for (relays, affinity) in [(false, 0.0), (false, 0.5), (true, 0.0), (true, 0.5)] {
            let cost =
                if relays { owner_relay(world, affinity) } else { read_all(world, affinity) };
            let copies = if relays { 1.0 + cost.wanted } else { instances };
            let traffic = copies * records * SIZE / 1e6;
            print!(" {:>8.2} {:>9.0} MB", cost.reading + cost.rest, traffic);
        }
        println!();
    }
    println!();
    for affinity in [0.0, 0.5, 0.9] {
        let wanted = wanted_by(100, affinity);
        let even = 1.0 + wanted * price::RELAY / price::READ;
        println!(
            "{:.0} % of a room on one instance: {wanted:.1} of 100 instances want a message; a relay \
             saves CPU from {even:.0} instances on",
            affinity * 100.0
        );
    }
    println!();
}

fn interest() {
    println!(
        "Reading only the partitions that somebody here has a room in ({PARTITIONS} partitions)\n"
    );
    for rooms in [10, 50, 200, 1_000] {
        let away = (1.0 - 1.0 / PARTITIONS as f64).powi(rooms);
        println!("    {rooms:>5} rooms here: {:>5.1} % of the partitions", 100.0 * (1.0 - away));
    }
    println!();
}

fn ring(worlds: &[World]) {
    println!(
        "How far back the ring of {:.0} MiB reaches, and what a minute of ring would take\n",
        RING / f64::from(1 << 20)
    );
    for world in worlds {
        let each = SIZE + price::RING_ENTRY;
        let seconds = RING / (world.records() * each);
        let minute = 60.0 * world.records() * each / f64::from(1 << 20);
        println!("    {:<18} {seconds:>9.1} s {minute:>10.0} MiB", world.name);
    }
}

/// What one instance spends, in cores, and how many instances want a message.
struct Cost {
    reading: f64,
    rest: f64,
    wanted: f64,
}

fn read_all(world: &World, affinity: f64) -> Cost {
    let wanted = wanted_by(world.instances, affinity);
    let records = world.records();
    Cost { reading: records * price::READ / 1e6, rest: sessions(world, wanted), wanted }
}

/// Each partition is read by one instance, which passes its messages on to those that want them.
fn owner_relay(world: &World, affinity: f64) -> Cost {
    let wanted = wanted_by(world.instances, affinity);
    let own = world.records() / f64::from(world.instances);
    let relays = own * (wanted - wanted / f64::from(world.instances));
    let reading = (own * price::READ + relays * price::RELAY) / 1e6;
    Cost { reading, rest: sessions(world, wanted), wanted }
}

/// Publishing and delivering, which cost the same whoever reads.
fn sessions(world: &World, wanted: f64) -> f64 {
    let own = world.records() / f64::from(world.instances);
    let members: f64 = SIZES.iter().map(|(size, share)| f64::from(*size) * share).sum();
    let further = (members - wanted).max(0.0);
    let each = price::PUBLISH + wanted * price::FIRST_DELIVERY + further * price::NEXT_DELIVERY;
    own * each / 1e6
}

/// On how many instances somebody is in the room of a message, on average over messages: drawn,
/// because rooms of two and halls of a thousand have nothing between them.
fn wanted_by(instances: u32, affinity: f64) -> f64 {
    let mut chance = Chance(0x5eed);
    let drawn = SIZES.iter().map(|(size, share)| {
        let total: u32 = (0..DRAWS).map(|_| spread(*size, instances, affinity, &mut chance)).sum();
        share * f64::from(total) / f64::from(DRAWS)
    });
    drawn.sum()
}

/// Places the members of one room. With affinity, that share of them is where the room lives.
fn spread(members: u32, instances: u32, affinity: f64, chance: &mut Chance) -> u32 {
    let home = chance.below(instances);
    let mut is_there = vec![false; instances as usize];
    for _ in 0..members {
        let at = if chance.share() < affinity { home } else { chance.below(instances) };
        is_there[at as usize] = true;
    }
    is_there.iter().filter(|there| **there).count() as u32
}

impl World {
    fn records(&self) -> f64 {
        self.users * self.rate
    }

    /// Octets that one instance holds.
    fn memory(&self) -> f64 {
        self.users / f64::from(self.instances) * price::CONNECTION + RING
    }
}

/// Numbers that are the same in every run (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    fn share(&mut self) -> f64 {
        f64::from((self.next() >> 40) as u32) / f64::from(1 << 24)
    }
}
