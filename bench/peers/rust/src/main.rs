//! The netlink-packet crates, as their documentation uses them: Socket::recv into one buffer, NetlinkMessage::deserialize
//! of every message. What rtnetlink has is netlink-packet-route's; for conntrack there is no crate, so the payload type is here,
//! over NlasIterator. Three fields are read.
//!
//! rust-netlink-packet dump conntrack|route|neigh|link [loops=N]
//! rust-netlink-packet events conntrack count=N [seconds=S] [read_buffer=B]
//! rust-netlink-packet decode FILE [loops=N]       messages of conntrack, one behind the other

use std::io::{BufRead, Error};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::LinkAttribute;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute};
use netlink_packet_route::route::{RouteAddress, RouteAttribute};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_utils::nla::NlasIterator;
use netlink_packet_utils::parsers::{parse_u16_be, parse_u32_be, parse_u8};
use netlink_packet_utils::DecodeError;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};

const DUMP_BUFFER: usize = 32768;
const EVENT_BUFFER: usize = 8192;

#[derive(Default)]
struct Tuple {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    proto: Option<u8>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
}

#[derive(Default)]
struct Counters {
    packets: Option<u64>,
    bytes: Option<u64>,
}

#[derive(Default)]
struct Tcp {
    state: Option<u8>,
    wscale_original: Option<u8>,
    wscale_reply: Option<u8>,
}

/// What the other typed decoders have too; the fields that nobody reads are the point.
#[derive(Default)]
#[allow(dead_code)]
struct Flow {
    orig: Tuple,
    reply: Tuple,
    status: Option<u32>,
    tcp: Tcp,
    timeout: Option<u32>,
    mark: Option<u32>,
    counters_orig: Counters,
    counters_reply: Counters,
    used: Option<u32>,
    id: Option<u32>,
    zone: Option<u16>,
    start: Option<u64>,
    stop: Option<u64>,
}

fn address(value: &[u8]) -> Result<IpAddr, DecodeError> {
    if let Ok(v4) = <[u8; 4]>::try_from(value) {
        return Ok(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(value)
        .map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
        .map_err(|_| DecodeError::from("neither 4 nor 16 bytes of address"))
}

fn parse_u64_be(value: &[u8]) -> Result<u64, DecodeError> {
    <[u8; 8]>::try_from(value).map(u64::from_be_bytes).map_err(|_| DecodeError::from("not 8 bytes"))
}

impl Tuple {
    fn parse(value: &[u8]) -> Result<Self, DecodeError> {
        let mut tuple = Tuple::default();
        for nla in NlasIterator::new(value) {
            let nla = nla?;
            for inner in NlasIterator::new(nla.value()) {
                let inner = inner?;
                match (nla.kind(), inner.kind()) {
                    (1, 1 | 3) => tuple.src = Some(address(inner.value())?), // CTA_IP_V4_SRC, CTA_IP_V6_SRC
                    (1, 2 | 4) => tuple.dst = Some(address(inner.value())?), // CTA_IP_V4_DST, CTA_IP_V6_DST
                    (2, 1) => tuple.proto = Some(parse_u8(inner.value())?),  // CTA_PROTO_NUM
                    (2, 2) => tuple.src_port = Some(parse_u16_be(inner.value())?), // CTA_PROTO_SRC_PORT
                    (2, 3) => tuple.dst_port = Some(parse_u16_be(inner.value())?), // CTA_PROTO_DST_PORT
                    _ => {}
                }
            }
        }
        Ok(tuple)
    }
}

impl Counters {
    fn parse(value: &[u8]) -> Result<Self, DecodeError> {
        let mut counters = Counters::default();
        for nla in NlasIterator::new(value) {
            let nla = nla?;
            match nla.kind() {
                1 => counters.packets = Some(parse_u64_be(nla.value())?), // CTA_COUNTERS_PACKETS
                2 => counters.bytes = Some(parse_u64_be(nla.value())?),   // CTA_COUNTERS_BYTES
                _ => {}
            }
        }
        Ok(counters)
    }
}

impl Tcp {
    fn parse(value: &[u8]) -> Result<Self, DecodeError> {
        let mut tcp = Tcp::default();
        for nla in NlasIterator::new(value) {
            let nla = nla?;
            match nla.kind() {
                1 => tcp.state = Some(parse_u8(nla.value())?), // CTA_PROTOINFO_TCP_STATE
                2 => tcp.wscale_original = Some(parse_u8(nla.value())?),
                3 => tcp.wscale_reply = Some(parse_u8(nla.value())?),
                _ => {}
            }
        }
        Ok(tcp)
    }
}

impl NetlinkDeserializable for Flow {
    type Error = DecodeError;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut flow = Flow::default();
        let attributes = payload.get(4..).ok_or("no nfgenmsg")?;
        for nla in NlasIterator::new(attributes) {
            let nla = nla?;
            match nla.kind() {
                1 => flow.orig = Tuple::parse(nla.value())?,          // CTA_TUPLE_ORIG
                2 => flow.reply = Tuple::parse(nla.value())?,         // CTA_TUPLE_REPLY
                3 => flow.status = Some(parse_u32_be(nla.value())?),  // CTA_STATUS
                4 => {
                    for info in NlasIterator::new(nla.value()) {
                        let info = info?;
                        if info.kind() == 1 {
                            flow.tcp = Tcp::parse(info.value())?; // CTA_PROTOINFO_TCP
                        }
                    }
                }
                7 => flow.timeout = Some(parse_u32_be(nla.value())?), // CTA_TIMEOUT
                8 => flow.mark = Some(parse_u32_be(nla.value())?),    // CTA_MARK
                9 => flow.counters_orig = Counters::parse(nla.value())?, // CTA_COUNTERS_ORIG
                10 => flow.counters_reply = Counters::parse(nla.value())?, // CTA_COUNTERS_REPLY
                11 => flow.used = Some(parse_u32_be(nla.value())?),   // CTA_USE
                12 => flow.id = Some(parse_u32_be(nla.value())?),     // CTA_ID
                18 => flow.zone = Some(parse_u16_be(nla.value())?),   // CTA_ZONE
                20 => {
                    for stamp in NlasIterator::new(nla.value()) {
                        let stamp = stamp?;
                        match stamp.kind() {
                            1 => flow.start = Some(parse_u64_be(stamp.value())?), // CTA_TIMESTAMP_START
                            2 => flow.stop = Some(parse_u64_be(stamp.value())?),  // CTA_TIMESTAMP_STOP
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(flow)
    }
}

/// What a message adds to the checksum of the fields that are read.
trait Sum {
    fn sum(&self) -> i64;
}

impl Sum for Flow {
    fn sum(&self) -> i64 {
        i64::from(self.orig.src_port.unwrap_or(0))
            + i64::from(self.status.unwrap_or(0))
            + i64::from(self.mark.unwrap_or(0))
    }
}

impl Sum for RouteNetlinkMessage {
    fn sum(&self) -> i64 {
        match self {
            RouteNetlinkMessage::NewRoute(route) => {
                let fields = route.attributes.iter().map(|attribute| match attribute {
                    RouteAttribute::Destination(RouteAddress::Inet(a)) => low(*a),
                    RouteAttribute::Oif(index) => i64::from(*index),
                    _ => 0,
                });
                i64::from(route.header.destination_prefix_length) + fields.sum::<i64>()
            }
            RouteNetlinkMessage::NewNeighbour(neighbour) => {
                let fields = neighbour.attributes.iter().map(|attribute| match attribute {
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(a)) => low(*a),
                    _ => 0,
                });
                let header = &neighbour.header;
                i64::from(header.ifindex) + i64::from(u16::from(header.state)) + fields.sum::<i64>()
            }
            RouteNetlinkMessage::NewLink(link) => {
                let fields = link.attributes.iter().map(|attribute| match attribute {
                    LinkAttribute::Mtu(mtu) => i64::from(*mtu),
                    LinkAttribute::IfName(name) => name.len() as i64,
                    _ => 0,
                });
                i64::from(link.header.index) + fields.sum::<i64>()
            }
            _ => 0,
        }
    }
}

fn low(address: Ipv4Addr) -> i64 {
    i64::from(u32::from(address) & 0xff_ffff)
}

struct Watch {
    items: u64,
    sum: i64,
    user: f64,
    sys: f64,
    start: Instant,
}

fn cpu() -> (f64, f64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    (of(usage.ru_utime), of(usage.ru_stime))
}

impl Watch {
    fn begin() -> Self {
        let (user, sys) = cpu();
        Watch { items: 0, sum: 0, user, sys, start: Instant::now() }
    }

    fn finish(self, loops: u64) {
        let seconds = self.start.elapsed().as_secs_f64() / loops as f64;
        let (user, sys) = cpu();
        println!(
            "{{\"seconds\": {seconds:.9}, \"user\": {:.6}, \"sys\": {:.6}, \"items\": {}, \"sum\": {}, \"lost\": 0}}",
            (user - self.user) / loops as f64,
            (sys - self.sys) / loops as f64,
            self.items / loops,
            self.sum / loops as i64
        );
    }

    /// The messages of a datagram; whether it ends a dump.
    fn take<T: NetlinkDeserializable + Sum>(&mut self, datagram: &[u8]) -> Result<bool, DecodeError> {
        let mut at = 0;
        while at + 16 <= datagram.len() {
            let message = <NetlinkMessage<T>>::deserialize(&datagram[at..])?;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::InnerMessage(inner) => {
                    self.items += 1;
                    self.sum += inner.sum();
                }
                _ => return Err(DecodeError::from("an error of the kernel's")),
            }
            at += (message.header.length as usize + 3) & !3;
        }
        Ok(false)
    }
}

type Failure = Box<dyn std::error::Error>;

fn dial(family: isize) -> Result<Socket, Error> {
    let mut socket = Socket::new(family)?;
    socket.bind_auto()?;
    Ok(socket)
}

fn dump<T: NetlinkDeserializable + Sum>(family: isize, request: &[u8], loops: u64) -> Result<(), Failure> {
    let socket = dial(family)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut buffer = Vec::with_capacity(DUMP_BUFFER);
    let mut watch = Watch::begin();
    for _ in 0..loops {
        socket.send(request, 0)?;
        loop {
            buffer.clear();
            socket.recv(&mut buffer, 0)?;
            if watch.take::<T>(&buffer)? {
                break;
            }
        }
    }
    watch.finish(loops);
    Ok(())
}

/// The crate has SO_RCVBUF alone, which the sysctl limits.
fn set_read_buffer(socket: &Socket, bytes: i32) -> Result<(), Error> {
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, (&raw const bytes).cast(), 4)
    };
    if done < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

fn events(count: u64, seconds: u64, read_buffer: i32) -> Result<(), Failure> {
    let mut socket = dial(NETLINK_NETFILTER)?;
    set_read_buffer(&socket, read_buffer)?;
    socket.set_no_enobufs(true)?;
    for group in 1..=3 {
        socket.add_membership(group)?; // NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
    }
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    let mut buffer = Vec::with_capacity(EVENT_BUFFER);
    let mut watch = Watch::begin();
    let end = watch.start + Duration::from_secs(seconds);
    while if seconds > 0 { Instant::now() < end } else { watch.items < count } {
        buffer.clear();
        if socket.recv(&mut buffer, libc::MSG_DONTWAIT).is_ok() {
            watch.take::<Flow>(&buffer)?;
            continue;
        }
        let mut wanted = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        if unsafe { libc::poll(&mut wanted, 1, 1000) } <= 0 && seconds == 0 {
            break;
        }
    }
    watch.finish(1);
    Ok(())
}

fn decode(path: &str, loops: u64) -> Result<(), Failure> {
    let messages = std::fs::read(path)?;
    let mut watch = Watch::begin();
    for _ in 0..loops {
        watch.take::<Flow>(&messages)?;
    }
    watch.finish(loops);
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, otherwise: u64| {
        arguments
            .iter()
            .filter_map(|a| a.split_once('='))
            .find(|(key, _)| *key == name)
            .map_or(Ok(otherwise), |(_, value)| value.parse::<u64>())
    };
    let loops = option("loops", 1)?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // nlmsghdr: length, type, NLM_F_REQUEST | NLM_F_DUMP, sequence, port id; then the header of the family
        ["dump", "conntrack", ..] => {
            let request = [&[20, 0, 0, 0, 1, 1, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
            dump::<Flow>(NETLINK_NETFILTER, &request, loops)
        }
        ["dump", what, ..] => {
            let (kind, family, size) = match what {
                "route" => (26, 2, 12), // RTM_GETROUTE, AF_INET, rtmsg
                "neigh" => (30, 2, 12), // RTM_GETNEIGH, AF_INET, ndmsg
                _ => (18, 0, 16),       // RTM_GETLINK, AF_UNSPEC, ifinfomsg
            };
            let mut request = vec![16 + size, 0, 0, 0, kind, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, family];
            request.resize(16 + usize::from(size), 0);
            dump::<RouteNetlinkMessage>(NETLINK_ROUTE, &request, loops)
        }
        ["events", ..] => events(option("count", 0)?, option("seconds", 0)?, option("read_buffer", 1 << 20)? as i32),
        ["decode", path, ..] => decode(path, loops),
        _ => Err("usage: see the head of main.rs".into()),
    }
}
