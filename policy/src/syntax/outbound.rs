//! Addresses and ports of a rule.

use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;
use toml::Spanned;

use super::Reader;
use crate::rule::{Destination, Outbound};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    deny: Vec<RawDestination>,
    effect: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDestination {
    to: Spanned<String>,
    #[serde(default)]
    ports: Vec<Spanned<toml::Value>>,
}

pub(super) fn read(reader: &mut Reader<'_>, raw: &Raw) -> Outbound {
    let prevent = match raw.effect.as_ref().map(|word| (word, word.get_ref().as_str())) {
        None | Some((_, "prevent")) => true,
        Some((_, "alert")) => false,
        Some((word, _)) => {
            reader.problem(word, "expected \"alert\" or \"prevent\"");
            true
        }
    };
    let deny = raw.deny.iter().filter_map(|one| destination(reader, one)).collect();
    Outbound { deny, prevent }
}

fn destination(reader: &mut Reader<'_>, raw: &RawDestination) -> Option<Destination> {
    let ports = raw.ports.iter().filter_map(|port| range(reader, port)).collect();
    match network(raw.to.get_ref()) {
        Ok((address, bits)) => Some(Destination { address, bits, ports }),
        Err(expected) => {
            reader.problem(&raw.to, expected);
            None
        }
    }
}

/// An address or a network, in one form for both families: `::ffff:203.0.113.0/120` is `203.0.113.0/24`.
pub(super) fn network(text: &str) -> Result<([u8; 16], u8), String> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => {
            let address: IpAddr =
                text.parse().map_err(|_| "expected an address or a network such as 203.0.113.0/24".to_owned())?;
            IpNet::from(address)
        }
    };
    if network.addr() != network.network() {
        return Err(format!("expected a network without bits behind the prefix, such as {}", network.trunc()));
    }
    Ok(match network {
        IpNet::V4(four) => (four.addr().to_ipv6_mapped().octets(), four.prefix_len() + 96),
        IpNet::V6(six) => (six.addr().octets(), six.prefix_len()),
    })
}

fn range(reader: &mut Reader<'_>, raw: &Spanned<toml::Value>) -> Option<(u16, u16)> {
    let found = match raw.get_ref() {
        toml::Value::Integer(port) => u16::try_from(*port).ok().map(|port| (port, port)),
        toml::Value::String(text) => text
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
            .filter(|(first, last)| first <= last),
        _ => None,
    };
    if found.is_none() {
        reader.problem(raw, "expected a port from 0 to 65535 or a range such as \"6660-6669\"");
    }
    found
}
