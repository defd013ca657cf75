//! The rtnetlink crate, as its examples use it: a connection on a runtime of one thread. Three fields are read.
//!
//! rust-rtnetlink dump route|neigh|link [loops=N]    get().execute(), a stream of messages
//! rust-rtnetlink create count=N                     routes: add().execute()
//! rust-rtnetlink get count=N                        the link v0: get().match_name()

use std::net::Ipv4Addr;
use std::time::Instant;

use futures::stream::TryStreamExt;
use netlink_packet_route::link::LinkAttribute;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteScope};
use rtnetlink::{new_connection, Handle, IpVersion};

const FIRST_ROUTE: u32 = 0x0a00_0001;
const LOOPBACK: u32 = 1;

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Counted {
    items: u64,
    sum: i64,
}

fn low(address: Ipv4Addr) -> i64 {
    i64::from(u32::from(address) & 0xff_ffff)
}

impl Counted {
    async fn routes(&mut self, handle: &Handle) -> Result<(), Failure> {
        let mut routes = handle.route().get(IpVersion::V4).execute();
        while let Some(route) = routes.try_next().await? {
            self.items += 1;
            self.sum += i64::from(route.header.destination_prefix_length);
            for attribute in &route.attributes {
                match attribute {
                    RouteAttribute::Destination(RouteAddress::Inet(address)) => self.sum += low(*address),
                    RouteAttribute::Oif(index) => self.sum += i64::from(*index),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn neighbours(&mut self, handle: &Handle) -> Result<(), Failure> {
        let mut neighbours = handle.neighbours().get().set_family(IpVersion::V4).execute();
        while let Some(neighbour) = neighbours.try_next().await? {
            self.items += 1;
            self.sum += i64::from(neighbour.header.ifindex) + i64::from(u16::from(neighbour.header.state));
            for attribute in &neighbour.attributes {
                if let NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) = attribute {
                    self.sum += low(*address);
                }
            }
        }
        Ok(())
    }

    async fn links(&mut self, handle: &Handle) -> Result<(), Failure> {
        let mut links = handle.link().get().execute();
        while let Some(link) = links.try_next().await? {
            self.items += 1;
            self.sum += i64::from(link.header.index);
            for attribute in &link.attributes {
                match attribute {
                    LinkAttribute::Mtu(mtu) => self.sum += i64::from(*mtu),
                    LinkAttribute::IfName(name) => self.sum += name.len() as i64,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn create(&mut self, handle: &Handle, count: u64) -> Result<(), Failure> {
        for i in 0..count {
            let address = Ipv4Addr::from(FIRST_ROUTE + i as u32);
            let request = handle.route().add().v4().destination_prefix(address, 32).output_interface(LOOPBACK);
            request.scope(RouteScope::Link).execute().await?;
        }
        self.items = count;
        Ok(())
    }

    async fn get(&mut self, handle: &Handle, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            handle.link().get().match_name("v0".to_string()).execute().try_next().await?;
        }
        self.items = count;
        Ok(())
    }
}

fn cpu() -> (f64, f64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    (of(usage.ru_utime), of(usage.ru_stime))
}

async fn run(arguments: &[String]) -> Result<(), Failure> {
    let option = |name: &str, otherwise: u64| {
        let found = arguments.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        found.unwrap_or(otherwise)
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (loops, count) = (option("loops", 1), option("count", 0));
    let (connection, handle, _) = new_connection()?;
    tokio::spawn(connection);
    let mut counted = Counted::default();
    let ((user, sys), start) = (cpu(), Instant::now());
    match words.as_slice() {
        ["dump", what, ..] => {
            for _ in 0..loops {
                match *what {
                    "route" => counted.routes(&handle).await?,
                    "neigh" => counted.neighbours(&handle).await?,
                    _ => counted.links(&handle).await?,
                }
            }
        }
        ["create", ..] => counted.create(&handle, count).await?,
        ["get", ..] => counted.get(&handle, count).await?,
        _ => return Err("usage: see the head of main.rs".into()),
    }
    let seconds = start.elapsed().as_secs_f64() / loops as f64;
    let after = cpu();
    println!(
        "{{\"seconds\": {seconds:.9}, \"user\": {:.6}, \"sys\": {:.6}, \"items\": {}, \"sum\": {}, \"lost\": 0}}",
        (after.0 - user) / loops as f64,
        (after.1 - sys) / loops as f64,
        counted.items / loops,
        counted.sum / loops as i64
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(run(&arguments))
}
