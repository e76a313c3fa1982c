//! `disconnect` with `via: docker`: off one network and back on, through the engine. How it hung there is
//! captured first; what the engine cannot give back is said in the plan.

use super::{Claim, FaultError, Injection, Proof, injection, must_run, refuse};
use crate::container::{Attachment, Container, Op};

pub(super) fn compile(network: &str, on: &Container) -> Result<Injection, FaultError> {
    must_run(on)?;
    if matches!(on.network_mode.as_str(), "host" | "none") || on.network_mode.starts_with("container:") {
        return refuse(format!("{} has no network of its own (network mode {})", on.name, on.network_mode));
    }
    let Some(attachment) = on.networks.get(network) else {
        let there: Vec<&str> = on.networks.keys().map(String::as_str).collect();
        return refuse(format!("{} is not on the network {network}; it is on {}", on.name, there.join(", ")));
    };
    Ok(Injection {
        apply: vec![Op::Disconnect { network: network.into() }],
        undo: vec![Op::Connect { network: network.into(), attachment: Box::new(attachment.clone()) }],
        claims: vec![Claim::Network(network.into())],
        proof: Proof::OffNetwork(network.into()),
        notes: not_restored(network, attachment, on),
        ..injection(on)
    })
}

/// What may be different afterwards.
fn not_restored(network: &str, attachment: &Attachment, on: &Container) -> Vec<String> {
    let mut lost = Vec::new();
    let dynamic = |address: Option<std::net::IpAddr>, fixed: &Option<String>| address.filter(|_| fixed.is_none());
    let addresses =
        [dynamic(attachment.ipv4, &attachment.static_ipv4), dynamic(attachment.ipv6, &attachment.static_ipv6)];
    lost.extend(addresses.into_iter().flatten().map(|address| format!("its address {address}, which is dynamic")));
    lost.extend(attachment.mac.as_ref().map(|mac| format!("its MAC address {mac}")));
    if on.networks.len() > 1 {
        lost.push("the order of its interfaces and its default gateway".into());
    }
    let dynamic_ports: Vec<String> =
        on.ports.iter().filter(|port| !port.fixed).map(|port| port.container.to_string()).collect();
    if !dynamic_ports.is_empty() {
        lost.push(format!("the host's ports that the engine chose for {}", dynamic_ports.join(", ")));
    }
    if lost.is_empty() {
        return Vec::new();
    }
    vec![format!("{} off {network} via docker: the engine may not give back {}", on.name, lost.join("; "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::sim;

    #[test]
    fn a_disconnect_captures_how_the_container_hung_there() {
        let api = sim::container("shop", "api", 1);
        let cut = compile("shop_default", &api).unwrap();
        let Op::Connect { attachment, .. } = &cut.undo[0] else { panic!("{:?}", cut.undo) };
        assert_eq!(**attachment, api.networks["shop_default"]);
        assert!(cut.notes[0].contains("which is dynamic"), "{:?}", cut.notes);
    }

    #[test]
    fn a_fixed_address_comes_back_and_is_not_listed() {
        let mut api = sim::container("shop", "api", 1);
        let place = api.networks.get_mut("shop_default").unwrap();
        place.static_ipv4 = place.ipv4.map(|ip| ip.to_string());
        place.mac = None;
        assert_eq!(compile("shop_default", &api).unwrap().notes, [""; 0]);
    }

    #[test]
    fn a_network_that_is_not_there_or_not_its_own_is_refused() {
        let mut api = sim::container("shop", "api", 1);
        let refused = |api: &Container, network| compile(network, api).unwrap_err().to_string();
        assert_eq!(refused(&api, "back"), "shop-api-1 is not on the network back; it is on shop_default");
        api.network_mode = "container:abc".into();
        assert!(refused(&api, "shop_default").contains("no network of its own"));
    }
}
