//! Addresses and ports of a rule.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use super::reader::Reader;
use crate::rule::{Destination, Outbound};

pub(super) fn read(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<Outbound> {
    let table = reader.table(raw, "expected `[rule.outbound]` with `deny` in it")?;
    reader.keys(table, &["deny", "effect"]);
    let prevent = match table.get("effect").map(|value| (value, value.get_ref().as_str())) {
        None | Some((_, Some("prevent"))) => true,
        Some((_, Some("alert"))) => false,
        Some((value, _)) => {
            reader.refuse(value, "expected \"alert\" or \"prevent\"");
            true
        }
    };
    let Some(deny) = table.get("deny") else {
        reader.missing(raw, "expected `deny = [{ to = \"…\" }]` here");
        return None;
    };
    let deny = reader.array(deny, "expected at least one destination such as { to = \"203.0.113.0/24\" }")?;
    Some(Outbound { deny: deny.iter().filter_map(|one| destination(reader, one)).collect(), prevent })
}

fn destination(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<Destination> {
    let table = reader.table(raw, "expected a destination such as { to = \"203.0.113.0/24\", ports = [25] }")?;
    reader.keys(table, &["to", "ports"]);
    let ports = table.get("ports").map(|value| {
        let expected = "expected at least one port; without `ports` all are meant";
        let ports = reader.array(value, expected).unwrap_or_default();
        ports.iter().filter_map(|port| range(reader, port)).collect()
    });
    let Some(to) = table.get("to") else {
        reader.missing(raw, "expected `to = \"…\"` in this destination");
        return None;
    };
    match network(reader.string(to, "expected an address or a network in quotes")?) {
        Ok((address, bits)) => Some(Destination { address, bits, ports: ports.unwrap_or_default() }),
        Err(expected) => {
            reader.refuse(to, expected);
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

fn range(reader: &mut Reader<'_>, raw: &Spanned<DeValue<'_>>) -> Option<(u16, u16)> {
    let found = match raw.get_ref() {
        DeValue::Integer(port) => u16::from_str_radix(port.as_str(), port.radix()).ok().map(|port| (port, port)),
        DeValue::String(text) => text
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
            .filter(|(first, last)| first <= last),
        _ => None,
    };
    if found.is_none() {
        reader.refuse(raw, "expected a port from 0 to 65535 or a range such as \"6660-6669\"");
    }
    found
}
