//! What every kind of request may say about user, station, port and network device.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::model::MacAddress;
use crate::model::Medium;
use crate::radius::attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::packet::Packet;

/// Claims of the NAS, and through it of the peer: none of them is proof.
impl<'a> Packet<'a> {
    /// User-Name, in the NAS's or the peer's spelling; often not authenticated.
    #[must_use]
    pub fn user_name(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::USER_NAME)
    }

    /// Called-Station-Id: the port or access point.
    #[must_use]
    pub fn called_station_id(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::CALLED_STATION_ID)
    }

    /// The network name at the end of Called-Station-Id, after the access point's MAC address and
    /// a colon (RFC 3580 section 3.20).
    #[must_use]
    pub fn ssid(&self) -> Option<&'a [u8]> {
        let value = self.called_station_id()?;
        // 17 octets with a separator each, 14 in groups of four digits, 12 with none.
        [17, 14, 12].into_iter().find_map(|length| {
            let (address, rest) = value.split_at_checked(length)?;
            MacAddress::parse(address)?;
            rest.strip_prefix(b":").filter(|name| !name.is_empty())
        })
    }

    /// Calling-Station-Id: the peer's address as the NAS writes it.
    #[must_use]
    pub fn calling_station_id(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::CALLING_STATION_ID)
    }

    /// The peer's MAC address, if Calling-Station-Id is one.
    #[must_use]
    pub fn calling_mac(&self) -> Option<MacAddress> {
        MacAddress::parse(self.calling_station_id()?)
    }

    /// NAS-IP-Address.
    #[must_use]
    pub fn nas_ip_address(&self) -> Option<Ipv4Addr> {
        attribute::ipv4(self.find(AttributeType::NAS_IP_ADDRESS)?)
    }

    /// NAS-IPv6-Address (RFC 3162 section 2.1).
    #[must_use]
    pub fn nas_ipv6_address(&self) -> Option<Ipv6Addr> {
        attribute::ipv6(self.find(AttributeType::NAS_IPV6_ADDRESS)?)
    }

    /// NAS-Identifier.
    #[must_use]
    pub fn nas_identifier(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::NAS_IDENTIFIER)
    }

    /// NAS-Port.
    #[must_use]
    pub fn nas_port(&self) -> Option<u32> {
        self.integer(AttributeType::NAS_PORT)
    }

    /// NAS-Port-Id, the port's name (RFC 2869 section 5.17).
    #[must_use]
    pub fn nas_port_id(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::NAS_PORT_ID)
    }

    /// NAS-Port-Type, a number of RFC 2865 section 5.41.
    #[must_use]
    pub fn nas_port_type(&self) -> Option<u32> {
        self.integer(AttributeType::NAS_PORT_TYPE)
    }

    /// The kind of port in the words of every plane.
    #[must_use]
    pub fn medium(&self) -> Medium {
        match self.nas_port_type() {
            Some(ETHERNET) => Medium::Wired,
            Some(WIRELESS_OTHER | WIRELESS_802_11) => Medium::Wireless,
            Some(VIRTUAL) => Medium::Vpn,
            Some(_) | None => Medium::Unknown,
        }
    }

    /// Service-Type, a number of RFC 2865 section 5.6.
    #[must_use]
    pub fn service_type(&self) -> Option<u32> {
        self.integer(AttributeType::SERVICE_TYPE)
    }

    /// Connect-Info: rate and kind of the link, in words (RFC 2869 section 5.11).
    #[must_use]
    pub fn connect_info(&self) -> Option<&'a [u8]> {
        self.find(AttributeType::CONNECT_INFO)
    }

    /// The Proxy-State attributes in order; every reply copies them.
    pub fn proxy_states(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.find_all(AttributeType::PROXY_STATE)
    }

    /// The first attribute of that type as an integer, if it has four octets.
    #[must_use]
    pub fn integer(&self, kind: AttributeType) -> Option<u32> {
        attribute::integer(self.find(kind)?)
    }
}

// NAS-Port-Type, RFC 2865 section 5.41.
const VIRTUAL: u32 = 5;
const ETHERNET: u32 = 15;
const WIRELESS_OTHER: u32 = 18;
const WIRELESS_802_11: u32 = 19;
