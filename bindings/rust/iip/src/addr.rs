//! Addresses between `std::net` and the library.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use iip_sys as sys;

/// As the library has it: IPv4 lies in `::ffff:0:0/96`; the any address of IPv6 means both families.
pub(crate) fn to_raw(addr: SocketAddr) -> sys::iip_addr {
    let (ip, family) = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ([0; 16], 4),
        IpAddr::V4(ip) => (ip.to_ipv6_mapped().octets(), 4),
        IpAddr::V6(ip) if ip.is_unspecified() => ([0; 16], 0),
        IpAddr::V6(ip) => (ip.octets(), 6),
    };
    sys::iip_addr { ip, port: addr.port(), family, scope: 0, reserved: 0 }
}

/// The address in `std`'s form. All zero gives `[::]:0`, of family 4 `0.0.0.0:0`.
pub fn socket_addr(raw: &sys::iip_addr) -> SocketAddr {
    let ip = Ipv6Addr::from(raw.ip);
    let ip = match ip.to_ipv4_mapped() {
        Some(v4) => IpAddr::V4(v4),
        None if raw.family == 4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        None => IpAddr::V6(ip),
    };
    SocketAddr::new(ip, raw.port)
}

/// The two ends of a connection or a datagram, as our side sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Our own.
    pub local: SocketAddr,
    /// The other.
    pub peer: SocketAddr,
}

impl Ends {
    pub(crate) fn from_raw(raw: &sys::iip_addrs) -> Ends {
        Ends { local: socket_addr(&raw.local), peer: socket_addr(&raw.peer) }
    }
}

/// Nothing in particular: any address, any port.
pub(crate) fn any() -> sys::iip_addr {
    sys::iip_addr { ip: [0; 16], port: 0, family: 0, scope: 0, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["10.0.0.1:80", "[fd00::1]:443", "0.0.0.0:7", "[::]:7", "[::1]:0", "255.255.255.255:65535"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(socket_addr(&to_raw(addr)), addr);
        }
        assert_eq!(to_raw("10.0.0.1:80".parse().unwrap()).ip[10..], [0xff, 0xff, 10, 0, 0, 1]);
    }
}
