//! Our own clients: RADIUS, the EAP-TLS peer and EAS.
