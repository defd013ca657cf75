//! The crate genetlink, as its examples use it: a connection that a task of tokio runs, and a handle that sends it
//! requests. The family "nlctrl" from its name; two fields are read.
//!
//! rust-genetlink count=N

use std::time::Instant;

use futures::StreamExt;
use genetlink::new_connection;
use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_REQUEST};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::GenlMessage;

const NAME: &str = "nlctrl";

type Failure = Box<dyn std::error::Error>;

fn cpu() -> (f64, f64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    (of(usage.ru_utime), of(usage.ru_stime))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let count: u64 = argument.strip_prefix("count=").ok_or("usage: see the head of main.rs")?.parse()?;
    let (connection, mut handle, _) = new_connection()?;
    tokio::spawn(connection);
    let (user, sys) = cpu();
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..count {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let attributes = vec![GenlCtrlAttrs::FamilyName(NAME.to_owned())];
        let request = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: attributes });
        let mut replies = handle.request(NetlinkMessage::new(header, request.into())).await?;
        while let Some(reply) = replies.next().await {
            match reply?.payload {
                NetlinkPayload::InnerMessage(family) => {
                    for attribute in family.payload.nlas {
                        match attribute {
                            GenlCtrlAttrs::FamilyId(id) => sum += u64::from(id),
                            GenlCtrlAttrs::Version(version) => sum += u64::from(version),
                            _ => {}
                        }
                    }
                }
                other => return Err(format!("not a family: {other:?}").into()),
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let (user, sys) = (cpu().0 - user, cpu().1 - sys);
    println!(
        "{{\"seconds\": {seconds:.9}, \"user\": {user:.6}, \"sys\": {sys:.6}, \"items\": {count}, \"sum\": {sum}, \
         \"lost\": 0}}"
    );
    Ok(())
}
